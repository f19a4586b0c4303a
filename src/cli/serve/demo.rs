//! What `conspectus serve --demo` prints once the server serves: a picture, and the demo's keys.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::access::Secret;
use crate::cli::connect::{Server, key_variable};
use crate::cli::failure::Failure;
use crate::cli::printout::Printout;
use crate::cli::{health, output, picture};
use crate::model::id::IdentityId;

/// The purpose that the demo states when it reads figures.
const PURPOSE: &str = "trying the demo";

/// Once the server serves, queries it for a picture, as any client would, and prints it. `usual` is the address that needs no
/// option to be called at.
pub(super) async fn show(
    mut address: SocketAddr,
    usual: &str,
    page: Option<SocketAddr>,
    is_tls: bool,
    keys: oneshot::Receiver<Vec<(IdentityId, Secret)>>,
) -> Result<(), Failure> {
    const CHECK_EVERY: Duration = Duration::from_millis(50);
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let Ok(keys) = keys.await else { return Ok(()) };
    let scheme = if is_tls { "https" } else { "http" };
    let page = page.map_or_else(String::new, |page| format!(", and the page on {scheme}://{page}"));
    if is_tls {
        // Only the callers know the server's name and authority.
        let text = format!(
            "{}\nServing on {address}{page}. In another terminal, set these, and use --server and --ca.",
            exports(&keys)
        );
        return print(Printout::default(), text).await;
    }
    let analyst = keys.iter().find(|(id, _)| id.as_str() == "analyst").map(|(_, secret)| secret.reveal());
    let server = Server::at(address);
    let server = match analyst {
        Some(key) => server.with_key(key, PURPOSE),
        None => server,
    };
    while health::check(&server, String::new()).await.is_err() {
        tokio::time::sleep(CHECK_EVERY).await;
    }
    let program = std::env::args().next().unwrap_or_else(|| "conspectus".to_owned());
    let elsewhere = if address.to_string() == usual { String::new() } else { format!(" --server http://{address}") };
    let picture = picture::show(&server, "E10000014", "FY2021-22").await?;
    let text = format!(
        "\n{}\nServing on {address}{page}. In another terminal, set these, and query another picture, such as\n  {program} picture HIPS FY2020-21{elsewhere}",
        exports(&keys)
    );
    print(picture, text).await
}

/// Prints on a thread that nothing waits for: standard output may stand still. The text has lines to paste, so it is never
/// wrapped.
async fn print(picture: Printout, text: String) -> Result<(), Failure> {
    tokio::task::spawn_blocking(move || output::show(&picture).and_then(|()| output::print_line(text))).await?
}

/// The demo's keys, as lines for a shell. The analyst's is the default.
fn exports(keys: &[(IdentityId, Secret)]) -> String {
    if keys.is_empty() {
        return "This data folder has identities of its own, so the demo created no keys.\n".to_owned();
    }
    let line =
        |(id, secret): &(IdentityId, Secret)| format!("export {}={}\n", key_variable(id.as_str()), secret.reveal());
    let lines: String = keys.iter().map(line).collect();
    format!("{lines}export {}=\"${}\" CONSPECTUS_PURPOSE=\"{PURPOSE}\"\n", "CONSPECTUS_KEY", key_variable("analyst"))
}
