//! What to type next is said below an error.

use super::*;

/// Runs a verb, whose error ends with these lines, with this status.
fn assert_error(command: &mut Command, status: i32, lines: &[&str]) {
    let output = command.output().unwrap();
    let complaint = String::from_utf8(output.stderr).unwrap();
    let last: Vec<&str> = complaint.lines().rev().take(lines.len()).collect();
    let expected: Vec<&str> = lines.iter().rev().copied().collect();
    assert_eq!((output.status.code(), last), (Some(status), expected), "{command:?}\n{complaint}");
}

#[test]
fn a_refusal_says_what_to_type_next() {
    let sender = Sender::start();
    let own = format!("--agency {AGENCY} --as {AGENCY}");
    sender.submit(file(&["70"]), &["--request-id", "mine"]);
    let reused = sender.submit(file(&["71"]), &["--request-id", "mine"]);
    let step =
        "\nTry: conspectus submission show REQUEST_ID --agency AGENCY, which shows what was submitted under that id";
    assert!(reused.starts_with("3: ") && reused.ends_with(step), "{reused}");
    for (verb, status, lines) in [
        ("picture E1 FY2021-22", 3, &["Try: conspectus catalogue areas"][..]),
        ("watch E1 FY2021-22", 3, &["Try: conspectus catalogue areas"]),
        ("explain E10000014 FY2021-22 --indicator contacts", 3, &["Try: conspectus catalogue indicators"]),
        ("reconcile E10000014 --period 2021-04 --rule none", 3, &["Try: conspectus catalogue rules"]),
        (
            "query --indicator referrals --area E1,E2 --period FY2021-22 --by-dimension sexx",
            3,
            &["Try: conspectus catalogue areas", "Try: conspectus catalogue dimensions"],
        ),
        ("template --agency kent --period FY2021-22", 3, &["Try: conspectus catalogue agencies"]),
        (&format!("submission show none {own}"), 3, &["Try: conspectus submission list --agency AGENCY"]),
        (
            &format!("submission withdraw none {own} --reason mistaken"),
            3,
            &["Try: conspectus submission list --agency AGENCY"],
        ),
        ("key revoke nobody --as operator", 3, &["Try: conspectus key list"]),
        ("key list", 4, &["Try: --as NAME, the key of somebody who may; `conspectus key list` shows an operator who"]),
        (
            "query --indicator referrals --area E10000014 --period FY2021-22 --min-revision 99",
            5,
            &["Try: --min-revision 0, which takes the newest revision that there is"],
        ),
    ] {
        assert_error(&mut sender.demo.verb(verb), status, lines);
    }
}

#[test]
fn a_caller_who_is_not_known_or_has_no_purpose_is_told_how_to_say_it() {
    let sender = Sender::start();
    let step = ["Try: --as NAME, which takes the key from CONSPECTUS_KEY_NAME; or set CONSPECTUS_KEY"];
    for key in ["", "cps_wrong"] {
        assert_error(sender.demo.verb("picture HIPS FY2021-22").env("CONSPECTUS_KEY", key), 4, &step);
    }
    let step = ["Try: --purpose WORDS, or set CONSPECTUS_PURPOSE"];
    assert_error(sender.demo.verb("picture HIPS FY2021-22").env_remove("CONSPECTUS_PURPOSE"), 2, &step);
}

/// Answers every connection as a web server does.
fn web_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    address
}

#[test]
fn a_wrong_address_says_what_another_would_look_like() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().unwrap();
    let cert = |verb: &[&str]| binary::run(["cert", "--folder", folder.path().to_str().unwrap()].iter().chain(verb));
    cert(&["authority"]);
    let ca = folder.path().join("ca.pem");
    let verb = |server: &str| {
        let mut command = demo.verb("picture HIPS FY2021-22");
        command.args(["--server", server]);
        command
    };
    let serve = ["Try: conspectus serve, which starts one here; or --server, with another address"];
    assert_error(&mut verb("http://127.0.0.1:1"), 5, &serve);
    let other = ["Try: --server https://HOST:PORT, if it serves TLS; or another port"];
    let web = web_server();
    assert_error(&mut verb(&format!("http://{web}")), 5, &other);
    let plain = ["Try: --server http://HOST:PORT, if it serves without TLS"];
    for address in [web, demo.server.address()] {
        assert_error(verb(&format!("https://{address}")).arg("--ca").arg(&ca), 5, &plain);
    }
    let encrypt = ["Try: --server https://HOST:PORT, with --ca FILE where this machine doesn't trust its authority"];
    assert_error(&mut verb("http://192.0.2.1:50051"), 2, &encrypt);
    for address in ["127.0.0.1:50051", "localhost", "ftp://127.0.0.1:50051"] {
        let complaint = format!("conspectus: `{address}` isn't an address; allowed: http(s)://HOST:PORT");
        assert_error(&mut verb(address), 2, &[&complaint]);
    }
}

#[test]
fn what_is_in_the_way_of_a_key_is_put_there_by_somebody_else() {
    let sender = Sender::start();
    let catalogue = "Try: conspectus catalogue put FILE, with a steward's key, which `conspectus key create NAME --role steward` makes: agencies and areas are in the catalogue before they have keys";
    let create = "key create feed --role submitter --agency nowhere --as operator";
    assert_error(&mut sender.demo.verb(create), 3, &[catalogue]);
    let folder = "Try: conspectus key create NAME --role operator --data FOLDER, on the server's machine while no server runs: for the first operator, or when every operator's key is lost";
    let nobody = "key create jo --role operator --server http://127.0.0.1:1";
    assert_error(&mut sender.demo.verb(nobody), 5, &[folder]);
}

#[test]
fn a_server_with_tls_that_is_called_without_is_known_by_it() {
    let (folder, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name).display().to_string();
    for verb in ["authority", "server"] {
        binary::run(["cert", "--folder", folder.path().to_str().unwrap(), verb]);
    }
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut serve = binary::command();
    serve.args(["serve", "--listen", &address.to_string(), "--data"]).arg(data.path());
    serve.args(["--tls-cert", &path("server.pem"), "--tls-key", &path("server-key.pem")]);
    let _server = binary::Process(serve.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let health = |server: &str| {
        let mut command = binary::command();
        command.args(["health", "--server", server, "--ca", &path("ca.pem")]);
        command
    };
    let begun = Instant::now();
    while !health(&format!("https://localhost:{}", address.port())).output().unwrap().status.success() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it doesn't serve");
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = [
        &format!("conspectus: the server at http://{address} speaks TLS"),
        "Try: --server https://HOST:PORT, if it serves TLS; or another port",
    ];
    assert_error(&mut health(&format!("http://{address}")), 5, &said);
}
