//! Who can read a file.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Logs a warning when everybody on this machine can read a file.
pub(crate) fn warn_if_open(path: &Path) {
    const OTHERS_READ: u32 = 0o004;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    if mode & OTHERS_READ != 0 {
        let path = path.display();
        tracing::warn!("everybody on this machine can read the secret in {path}: `chmod o= {path}` keeps them out");
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;

    use super::*;
    use crate::tests::logged;

    #[test]
    fn a_file_that_others_can_read_is_warned_of() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let warning = |mode| {
            std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            logged(|| warn_if_open(file.path()))
        };
        assert!(warning(0o604).contains("can read the secret in"), "{}", warning(0o604));
        assert_eq!(warning(0o640), "");
    }
}
