//! Where a secret is from: one rule for all of them.
//!
//! A secret may be given as it is, by a variable or a flag; in a file, which a variable or a flag names; or as a
//! credential of systemd, the file of its name in `$CREDENTIALS_DIRECTORY`. Only one of them may give it: which would
//! count is otherwise anybody's guess.

#[cfg(feature = "server")]
mod file_rights;

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::failure::Failure;
#[cfg(feature = "server")]
pub(super) use file_rights::warn_if_open;

/// The longest secret that a file may have, in bytes.
const BYTES_MAX: usize = 1_000;

/// A text that may have a secret in it, and is never shown.
#[derive(Clone)]
pub(super) struct Hidden(pub(super) String);

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

/// What may give a secret, each with what it is called in an error.
pub(super) struct Ways<'a> {
    /// The text itself; an empty one gives none.
    pub(super) text: Option<(&'a str, &'a Hidden)>,
    /// The file that has it in its only line.
    pub(super) file: Option<(&'a str, &'a Path)>,
    /// The folder of systemd's credentials, and the name of this one.
    pub(super) credential: (Option<&'a Path>, &'a str),
}

impl Ways<'_> {
    /// The secret, if one is given. A file that others can read is warned of.
    ///
    /// # Errors
    /// When it is given twice, or its file can't be read or has no secret in it.
    pub(super) fn secret(&self) -> Result<Option<Hidden>, Failure> {
        let text = self.text.filter(|(_, Hidden(text))| !text.trim().is_empty());
        let (folder, name) = self.credential;
        let credential = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
        let named = |(by, path): (&str, &Path)| (format!("{by} ({})", path.display()), path.to_owned());
        let of_systemd = |path: PathBuf| (format!("the credential {name} ({})", path.display()), path);
        let files: Vec<(String, PathBuf)> =
            self.file.map(named).into_iter().chain(credential.map(of_systemd)).collect();
        let given: Vec<&str> = text.iter().map(|(by, _)| *by).chain(files.iter().map(|(by, _)| by.as_str())).collect();
        if given.len() > 1 {
            return Err(Failure::usage(format!(
                "a secret is given twice, by {}: give it once",
                given.join(" and by ")
            )));
        }
        match files.first() {
            None => Ok(text.map(|(_, text)| text.clone())),
            Some((by, path)) => read(path).map(Some).map_err(|why| Failure::failed(format!("{by}: {why}"))),
        }
    }
}

/// The secret in a file.
///
/// # Errors
/// In words, when there is none.
fn read(path: &Path) -> Result<Hidden, String> {
    let open = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // One more than a secret has, with a line break of Windows.
        File::open(path)?.take(BYTES_MAX as u64 + 3).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = open().map_err(|error| error.to_string())?;
    #[cfg(feature = "server")]
    warn_if_open(path);
    let text = str::from_utf8(&bytes).unwrap_or_default().trim();
    if !(1..=BYTES_MAX).contains(&text.len()) || text.contains(char::is_whitespace) {
        return Err(format!("allowed: one line of 1 to {BYTES_MAX} bytes"));
    }
    Ok(Hidden(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of a secret in these ways: the text, or the error.
    fn secret(text: Option<&str>, file: Option<&Path>, credentials: &Path) -> Result<Option<String>, String> {
        let text = text.map(|text| Hidden(text.to_owned()));
        let ways = Ways {
            text: text.as_ref().map(|text| ("CONSPECTUS_KEY", text)),
            file: file.map(|file| ("CONSPECTUS_KEY_FILE", file)),
            credential: (Some(credentials), "key"),
        };
        match ways.secret() {
            Ok(secret) => Ok(secret.map(|Hidden(text)| text)),
            Err(Failure::Message(_, message)) => Err(message),
            Err(Failure::OutputClosed) => panic!("nothing is printed"),
        }
    }

    #[test]
    fn a_secret_is_given_in_one_way_and_two_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (file, none) = (folder.path().join("secret"), Path::new("/nowhere"));
        std::fs::write(&file, "in-a-file\r\n").unwrap();
        assert_eq!(secret(None, None, none), Ok(None));
        assert_eq!(secret(Some(" "), None, none), Ok(None));
        assert_eq!(secret(Some("as-it-is"), None, none), Ok(Some("as-it-is".to_owned())));
        assert_eq!(secret(None, Some(&file), none), Ok(Some("in-a-file".to_owned())));
        let refused = secret(Some("as-it-is"), Some(&file), none).unwrap_err();
        let both = format!("by CONSPECTUS_KEY and by CONSPECTUS_KEY_FILE ({})", file.display());
        assert!(refused.contains(&both) && !refused.contains("as-it-is"), "{refused}");
        std::fs::write(folder.path().join("key"), "of-systemd").unwrap();
        assert_eq!(secret(Some(""), None, folder.path()), Ok(Some("of-systemd".to_owned())));
        let refused = secret(None, Some(&file), folder.path()).unwrap_err();
        assert!(refused.contains("CONSPECTUS_KEY_FILE (") && refused.contains("the credential key ("), "{refused}");
    }

    #[test]
    fn a_file_without_one_secret_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let refused = || secret(None, Some(&file), Path::new("/nowhere")).unwrap_err();
        assert!(refused().starts_with("CONSPECTUS_KEY_FILE (") && refused().contains("No such file"), "{}", refused());
        for bad in ["", " \n", "two words", "two\nlines\n", &"x".repeat(BYTES_MAX + 1)] {
            std::fs::write(&file, bad).unwrap();
            assert!(refused().ends_with("allowed: one line of 1 to 1000 bytes"), "{}", refused());
        }
        std::fs::write(&file, "x".repeat(BYTES_MAX) + "\r\n").unwrap();
        assert!(secret(None, Some(&file), Path::new("/nowhere")).is_ok());
    }
}
