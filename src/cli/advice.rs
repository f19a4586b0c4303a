//! What to do about an error of the system, on the machine of a data folder.

use std::error::Error;
use std::io;

use super::causes::causes;

/// What to do about an error of the system, as the end of a sentence; nothing where the error says all that is known.
pub(super) fn advice(error: &(dyn Error + 'static)) -> String {
    match causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::PermissionDenied) => {
            let user = this_user();
            format!(
                "; this ran as the user {user}, who may not: run it as the owner or as root, or give {user} what it needs (`chown -R {user}: FOLDER` for a data folder)"
            )
        }
        Some(io::ErrorKind::StorageFull) => {
            "; the disk is full: free some space on it, or, where a data folder is to be read, copy it to another disk (`cp -a`) while no server runs, and read the copy".to_owned()
        }
        _ => String::new(),
    }
}

/// The name of the user as whom this runs, or the number where it has no name.
pub(super) fn this_user() -> String {
    let id = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or(id)
}
