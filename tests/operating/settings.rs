//! The settings of a server: from where they are, what is wrong with them, and what a running server takes up.

use super::*;
use crate::drills::begin_as;

/// A file of settings with this text.
fn file_in(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("conspectus.toml");
    fs::write(&path, text).unwrap();
    path
}

/// A verb's exit status, and what it prints and says.
fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

fn config(line: &str, file: &Path) -> Command {
    let mut command = binary::command();
    command.arg("config").args(line.split(' ')).arg("--config").arg(file).env_remove("CONSPECTUS_LOG");
    command
}

#[test]
fn a_running_server_takes_up_what_can_change_and_names_what_needs_a_restart() {
    let (data, settings) = (folder(), folder());
    let file = file_in(&settings, "calls-a-second = 5000\n");
    let start = |data: &Path| Server::start_with(|command| command.arg("--config").arg(&file), data);
    let (server, keys) = begin_as(data.path(), start);
    // Three calls are within the burst of a call a second; eight aren't.
    let refused = || (0..8).filter(|_| !server.verb(&keys.analyst, "catalogue areas").0).count();
    assert_eq!(refused(), 0);

    fs::write(&file, "calls-a-second = 1\nlog = \"debug\"\ndrain-seconds = 3\nweb = \"127.0.0.1:1\"\n").unwrap();
    server.signal(Signal::HUP);
    let line = server.until_logged("SIGHUP: changed");
    assert!(line.ends_with("SIGHUP: changed: calls-a-second from 5000 to 1, log from info to debug"), "{line}");
    let line = server.until_logged("only with a restart");
    assert!(line.ends_with("web from nothing to 127.0.0.1:1, drain-seconds from 10 to 3"), "{line}");
    assert!(refused() > 0);
    server.until_logged("DEBUG");

    fs::write(&file, "calls-a-second = 5000\nlisten = 7\nlog = \"loud\"\n").unwrap();
    server.signal(Signal::HUP);
    let line = server.until_logged("the settings stay as they are");
    assert!(line.contains("ERROR") && line.contains("2 problems: ") && line.contains(":2:10: listen: found"), "{line}");
    std::thread::sleep(Duration::from_secs(3));
    assert!(refused() > 0, "nothing has changed");

    fs::write(&file, "").unwrap();
    server.signal(Signal::HUP);
    server.until_logged("calls-a-second from 1 to 5000, log from debug to info");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(refused(), 0);
    assert_eq!(server.stop().0.code(), Some(0));
}

#[test]
fn a_server_does_not_start_with_settings_that_are_wrong_and_lists_them_all() {
    let (data, settings) = (folder(), folder());
    let file = file_in(&settings, "tls-cert = \"server.pem\"\ncalls-a-secnd = 7\n");
    let mut command = serve("", free_address(), data.path());
    command.arg("--config").arg(&file).env("CONSPECTUS_TIME_ZONE", "Mars").stderr(Stdio::piped());
    let (status, said) = outcome(&mut command);
    let file = file.display();
    assert_eq!(status, Some(2), "{said}");
    for problem in [
        "3 problems:".to_owned(),
        format!("{file}:2:1: `calls-a-secnd` isn't a setting: did you mean calls-a-second?"),
        "CONSPECTUS_TIME_ZONE: found `Mars`".to_owned(),
        format!("{file}:1:1: tls-cert needs tls-key"),
    ] {
        assert!(said.contains(&problem), "{problem}: {said}");
    }
    assert!(!said.contains("starting") && fs::read_dir(data.path()).unwrap().next().is_none(), "{said}");
}

#[test]
fn files_that_settings_name_are_checked_with_them() {
    let (certificates, settings) = (certificates(&["authority", "server", "client other --uri urn:other"]), folder());
    let name = |name: &str| certificates.path().join(name).display().to_string();
    let tls = |key: &str| {
        format!("listen = \"0.0.0.0:0\"\ntls-cert = \"{}\"\ntls-key = \"{}\"\n", name("server.pem"), name(key))
    };
    let check = |text: String| outcome(&mut config("check", &file_in(&settings, &text)));

    let (status, said) = check(tls("server-key.pem"));
    assert!(status == Some(0) && said.starts_with("The settings can be used, with "), "{said}");
    let (status, said) = check(tls("other-key.pem"));
    assert!(
        status == Some(1) && said.contains("server.pem and ") && said.contains("other-key.pem: the key isn't that of"),
        "{said}"
    );
    let (status, said) = check(tls("none.pem") + "client-ca = \"/none.pem\"\nlog = \"loud\"");
    assert!(status == Some(2) && said.starts_with("conspectus: 3 problems:"), "{said}");
    assert!(
        said.contains(":3:1: tls-key: can't read ") && said.contains(":4:1: client-ca: can't read /none.pem"),
        "{said}"
    );
    let (status, said) = outcome(config("check", &file_in(&settings, "")).env("CONSPECTUS_LOG", "loud"));
    assert!(status == Some(2) && said.contains("CONSPECTUS_LOG: found `loud`; allowed: off, error"), "{said}");
    let (status, said) = check("listen = \"0.0.0.0:0\"\nweb = \"0.0.0.0:0\"".to_owned());
    assert!(
        status == Some(2) && said.contains("nothing is secret without TLS") && said.contains("--web-url"),
        "{said}"
    );
    let (status, said) = check("admin = \"0.0.0.0:0\"".to_owned());
    assert!(status == Some(2) && said.contains("--allow-admin-network"), "{said}");
    // A browser's address is none of `0.0.0.0`, with TLS either.
    let (status, said) = check(tls("server-key.pem") + "web = \"0.0.0.0:0\"");
    assert!(status == Some(2) && said.contains("where do browsers reach the page"), "{said}");
}

#[test]
fn a_key_may_be_in_a_file_which_others_should_not_read() {
    let (data, secrets) = (folder(), folder());
    let (server, keys) = begin_as(data.path(), Server::start);
    let file = secrets.path().join("key");
    fs::write(&file, format!("{}\n", keys.analyst)).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let areas = || {
        let mut command = binary::command();
        command.args(["catalogue", "areas", "--server", &format!("http://{}", server.address)]);
        command.env_remove("CONSPECTUS_KEY").env("CONSPECTUS_KEY_FILE", &file);
        command
    };
    let (status, text) = outcome(&mut areas());
    assert!(status == Some(0) && text.contains("E10000014") && !text.contains("WARN"), "{text}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let (status, text) = outcome(&mut areas());
    assert!(status == Some(0) && text.contains("WARN") && text.contains("can read the secret in "), "{text}");
    let (status, text) = outcome(areas().env("CREDENTIALS_DIRECTORY", secrets.path()));
    assert!(status == Some(2) && text.contains("a secret is given twice, by CONSPECTUS_KEY_FILE"), "{text}");
    let (status, text) =
        outcome(areas().env_remove("CONSPECTUS_KEY_FILE").env("CREDENTIALS_DIRECTORY", secrets.path()));
    assert!(status == Some(0) && text.contains("E10000014"), "{text}");
    let as_feed = ["--as", "ana-x"];
    let (status, text) =
        outcome(areas().env_remove("CONSPECTUS_KEY_FILE").env("CONSPECTUS_KEY_ANA_X_FILE", &file).args(as_feed));
    assert!(status == Some(0), "{text}");
}
