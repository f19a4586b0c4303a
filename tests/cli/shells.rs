//! Completions, by the shells that are here, and manual pages, by groff.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::*;

/// What the program prints.
fn printed(line: &str) -> String {
    let output = binary::command().args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What another program says about a file, on both streams; none where it isn't installed.
fn said(program: &str, args: &[&str], file: &Path) -> Option<String> {
    let output = match Command::new(program).args(args).arg(file).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: {program}: {error}");
            return None;
        }
    };
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{program}: {said}");
    Some(said)
}

/// The script of a shell, in a file.
fn script(shell: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(printed(&format!("completions {shell}")).as_bytes()).unwrap();
    file
}

#[test]
fn each_shell_takes_its_script() {
    for (shell, args) in [("bash", &["-n"]), ("zsh", &["-n"]), ("fish", &["--no-execute"])] {
        if let Some(said) = said(shell, args, script(shell).path()) {
            assert_eq!(said, "", "{shell}");
        }
    }
    let script = printed("completions powershell");
    assert!(script.contains("Register-ArgumentCompleter") && script.contains("'--dry-run'"), "{script}");
}

#[test]
fn bash_completes_verbs_flags_and_their_values() {
    const COMPLETE: &str = "source \"$0\"; COMP_WORDS=(conspectus \"$@\"); COMP_CWORD=$#; \
        _conspectus conspectus \"${COMP_WORDS[$#]}\" \"${COMP_WORDS[$#-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let script = script("bash");
    let completed = |words: &[&str]| {
        let output = Command::new("bash").arg("-c").arg(COMPLETE).arg(script.path()).args(words).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed(&["pic"]), ["picture"]);
    assert_eq!(completed(&["config", "ch"]), ["check"]);
    assert_eq!(completed(&["serve", "--calls"]), ["--calls-a-second"]);
    assert_eq!(completed(&["key", "create", "--ro"]), ["--role"]);
    assert_eq!(completed(&["completions", "po"]), ["powershell"]);
}

#[test]
fn a_manual_page_of_each_verb_is_rendered_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    printed(&format!("manual {}", folder.path().display()));
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let names: Vec<&str> = pages.iter().filter_map(|page| page.file_name().and_then(OsStr::to_str)).collect();
    for name in ["conspectus.1", "conspectus-serve.1", "conspectus-config-check.1", "conspectus-key-create.1"] {
        assert!(names.contains(&name), "{names:?}");
    }
    for page in &pages {
        let Some(said) = said("groff", &["-K", "utf8", "-man", "-Tutf8", "-ww", "-z"], page) else { return };
        assert_eq!(said, "", "{}", page.display());
    }
    let serve = said("groff", &["-man", "-Tascii", "-P-cbou"], &folder.path().join("conspectus-serve.1")).unwrap();
    for part in ["CONSPECTUS_CALLS_A_SECOND", "Examples:", "conspectus serve --demo"] {
        assert!(serve.contains(part), "{part}: {serve}");
    }
    assert_eq!(printed("manual"), std::fs::read_to_string(folder.path().join("conspectus.1")).unwrap());
}
