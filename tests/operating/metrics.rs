//! The admin listener, as Prometheus and an operator ask it; and that its documents say what it has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::{Server, binary, certificates, folder, free_address, refusal_to_serve, tls};

/// The status of an answer over HTTP/1.1, and its text.
pub(crate) fn get(address: SocketAddr, path: &str, accept: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\naccept: {accept}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), text.to_owned())
}

/// A metric's type, and the names of its labels.
type Described = BTreeMap<String, (String, BTreeSet<String>)>;

/// What a text of Prometheus has.
fn scraped(text: &str) -> Described {
    let mut found = Described::new();
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').unwrap();
            assert!(
                found.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new())).is_none(),
                "{name} is there twice"
            );
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = of_histogram.filter(|name| found.contains_key(*name)).unwrap_or(name);
            let labels = line.split_once('{').map_or("", |(_, rest)| rest.split_once('}').unwrap().0);
            let names = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
            let (_, known) = found.get_mut(name).unwrap_or_else(|| panic!("{name} has no type"));
            known.extend(names.filter(|name| name != "le"));
        }
    }
    found
}

/// What the table of the page says.
fn documented() -> Described {
    let page = fs::read_to_string("docs/metrics.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| `") && line.matches('|').count() >= 6);
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [name, kind, labels, unit] = cells[1..5].try_into().unwrap();
        let name = name.trim_matches('`').to_owned();
        let is_of_unit = !["seconds", "bytes", "ratio"].contains(&unit) || name.ends_with(&format!("_{unit}"));
        assert!(is_of_unit && !unit.is_empty(), "{name} is in {unit}");
        (name, (kind.to_owned(), quoted(labels)))
    })
    .collect()
}

#[test]
fn every_metric_is_in_the_table_of_the_page_and_every_row_of_it_is_a_metric() {
    let (folder, admin) = (folder(), free_address());
    let certificates = certificates(&["authority", "server"]);
    let authority = Some(certificates.path().join("ca.pem"));
    let server = Server::start_as(
        "",
        |command| tls(certificates.path(), &[])(command).args(["--admin", &admin.to_string()]),
        folder.path(),
        authority,
    );
    // So that there is a reason.
    let url = format!("https://{}", server.address);
    let mut nowhere = binary::command();
    nowhere
        .args(["picture", "E10000014", "FY2021-22", "--server", &url, "--ca"])
        .arg(certificates.path().join("ca.pem"));
    assert!(!nowhere.output().unwrap().status.success());
    // And a backup that is known to restore.
    let backup = folder.path().join("metrics.backup");
    for verb in [&["backup"][..], &["verify", "--restore"]] {
        let done = binary::command().args(verb).arg(&backup).arg("--data").arg(folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let (status, text) = get(admin, "/metrics", "*/*");
    assert_eq!(status, 200);
    assert_eq!(scraped(&text), documented());
    let (_, text) = get(admin, "/metrics", "application/openmetrics-text; version=1.0.0");
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE grpc_server_call_started counter"), "{text}");
}

#[test]
fn an_address_of_the_network_is_refused_unless_it_is_meant() {
    let folder = folder();
    let network = format!("0.0.0.0:{}", free_address().port());
    let refusal = refusal_to_serve(folder.path(), |command| command.args(["--admin", &network]));
    assert!(refusal.contains("--allow-admin-network") && refusal.contains(&network), "{refusal}");
    let server =
        Server::start_with(|command| command.args(["--admin", &network, "--allow-admin-network"]), folder.path());
    let (status, _) = get(format!("127.0.0.1{}", &network[7..]).parse().unwrap(), "/readyz", "*/*");
    assert_eq!(status, 200);
    drop(server);
}

/// The names of our metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours =
        words.filter(|word| ["conspectus_", "grpc_server_", "process_"].iter().any(|ours| word.starts_with(ours)));
    let documented = documented();
    let of_histogram = |word: &str| {
        let name = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end))?;
        (documented.get(name)?.0 == "histogram").then(|| name.to_owned())
    };
    ours.map(|word| of_histogram(word).unwrap_or_else(|| word.to_owned())).collect()
}

#[test]
fn no_alert_and_no_panel_names_a_metric_that_is_not_in_the_table_and_each_metric_but_one_is_on_the_dashboard() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let read = |path: &str| named(&fs::read_to_string(path).unwrap());
    let unknown = |found: &BTreeSet<String>| found.difference(&documented).cloned().collect::<Vec<_>>();
    let (rules, dashboard) = (read("deploy/prometheus/rules.yml"), read("deploy/grafana/dashboard.json"));
    let tests = read("deploy/prometheus/rules.test.yml");
    assert!(rules.len() > 5 && dashboard.len() > 5);
    assert_eq!([unknown(&rules), unknown(&dashboard), unknown(&tests)], [const { Vec::<String>::new() }; 3]);
    let unseen: Vec<_> = documented.difference(&dashboard).collect();
    assert_eq!(unseen, ["process_start_time_seconds"]);
}

#[test]
fn each_alert_has_a_test_that_it_fires_and_a_section_of_the_runbook_which_has_no_others_of_that_kind() {
    let read = |path: &str| fs::read_to_string(path).unwrap();
    let after = |text: &str, start: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.trim().strip_prefix(start)?.to_owned())).collect()
    };
    let rules = read("deploy/prometheus/rules.yml");
    let alerts = after(&rules, "- alert: ");
    let sections = after(&read("docs/runbook.md"), "## ");
    let sections: Vec<_> = sections.into_iter().filter(|section| section.starts_with("Conspectus")).collect();
    assert_eq!(alerts, sections);
    let links: Vec<_> = after(&rules, "runbook: docs/runbook.md#");
    assert_eq!(links, alerts.iter().map(|alert| alert.to_lowercase()).collect::<Vec<_>>());
    let mut fired = after(&read("deploy/prometheus/rules.test.yml"), "alertname: ");
    fired.dedup();
    assert_eq!(fired, alerts);
}
