//! The checks, in the order in which a call needs what they check.

use std::net::IpAddr;
use std::time::SystemTime;

use tokio::net::lookup_host;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::super::connect::{Route, Secured, Server, Unreachable, described, refusal};
use super::super::failure::Failure;
use super::super::format;
use super::super::next_step::NextStep;
use super::clock;
use super::report::Report;
use crate::access::Role;
use crate::catalogue::items::Sector;
use crate::rpc::Reason;
use crate::rpc::proto::get_caller_response::Credential;
use crate::rpc::proto::{GetCallerRequest, GetCallerResponse, Identity};

/// What is checked, in order.
const CHECKS: [&str; 14] = [
    "address",
    "proxy",
    "trust",
    "name",
    "connection",
    "tunnel",
    "tls",
    "http/2",
    "service",
    "clock",
    "key",
    "identity",
    "role",
    "purpose",
];
/// Why there is nothing to check about TLS.
const WITHOUT_TLS: &str = "http:// is without TLS";
/// The most addresses of a host that are listed.
const ADDRESSES_MAX: usize = 4;

/// All checks; `now` reads this machine's clock. Those that need one which has failed are skipped.
pub(super) async fn all(server: &Server, now: impl Fn() -> SystemTime) -> Report {
    let mut report = Report::default();
    let _: Option<()> = async {
        let route = plan(server, &mut report)?;
        travel(server, &route, &mut report).await?;
        talk(server, now, &mut report).await?;
        introduce(server, &mut report).await
    }
    .await;
    report.skip_others(&CHECKS);
    report
}

/// What was asked for: which server, by which way.
fn plan(server: &Server, report: &mut Report) -> Option<Route> {
    let uri = report.note("address", server.uri().map(|uri| (uri, server.address().to_owned())))?;
    let proxy = server.proxy(&uri).map(|proxy| {
        let words = match &proxy {
            None => "none".to_owned(),
            Some(proxy) => format!("{proxy}, by {}", proxy.source()),
        };
        (proxy, words)
    });
    let proxy = report.note("proxy", proxy)?;
    let tls = match server.tls(&uri).transpose() {
        None => {
            report.skip("trust", WITHOUT_TLS);
            None
        }
        Some(tls) => Some(report.note("trust", tls.map(|tls| (tls.clone(), tls.trusted())))?),
    };
    Some(server.route_by(&uri, proxy, tls))
}

/// The way to the server, until something that speaks HTTP/2 is there.
async fn travel(server: &Server, route: &Route, report: &mut Report) -> Option<()> {
    let (host, _) = route.first_hop();
    if host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        report.skip("name", format!("{host} is an address"));
    } else {
        report.note("name", server.in_time(addresses(route)).await.map(|words| ((), words)))?;
    }
    let dialled = server.in_time(async { route.dial().await.map_err(Unreachable::failed_check) }).await;
    let dialled = dialled.and_then(|stream| {
        let peer = stream.peer_addr()?;
        Ok((stream, format!("to {peer}")))
    });
    let stream = report.note("connection", dialled)?;
    let passed = server.in_time(async { route.pass_proxy(stream).await.map_err(Unreachable::failed_check) }).await;
    let stream = match route.proxy() {
        None => {
            report.skip("tunnel", "there is no proxy");
            passed.ok()?
        }
        Some(_) => {
            let words = format!("the proxy connects to {}", route.authority());
            report.note("tunnel", passed.map(|stream| (stream, words)))?
        }
    };
    match server.in_time(async { route.secure(stream).await.map_err(Unreachable::failed_check) }).await {
        Ok(Secured::Plain(_)) => {
            report.skip("tls", WITHOUT_TLS);
            report.skip("http/2", "it is chosen over TLS alone");
            Some(())
        }
        Ok(Secured::Tls(stream)) => {
            let session = stream.get_ref().1;
            report.note("tls", Ok(((), described(session))))?;
            let spoken = route.check_http2(session.alpn_protocol()).map_err(Unreachable::failed_check);
            report.note("http/2", spoken.map(|()| ((), "chosen by ALPN".to_owned())))
        }
        Err(failure) => report.note("tls", Err(failure)),
    }
}

/// The addresses of the host that is connected to first.
async fn addresses(route: &Route) -> Result<String, Failure> {
    let (host, port) = route.first_hop();
    let found = lookup_host((host, port)).await.map_err(|error| {
        Failure::unreachable(format!("there is no host {host}: {error}")).and_try(Some(match route.proxy() {
            None => NextStep::Host,
            Some(_) => NextStep::Proxy,
        }))
    })?;
    let found: Vec<String> = found.take(ADDRESSES_MAX).map(|address| address.ip().to_string()).collect();
    Ok(format!("{host} is {}", found.join(", ")))
}

/// What is there: whether it is a service that serves, and how its clock goes.
async fn talk(server: &Server, now: impl Fn() -> SystemTime, report: &mut Report) -> Option<()> {
    let asked = async {
        let mut client = HealthClient::new(server.anonymous().channel().await?);
        client.check(HealthCheckRequest::default()).await.map_err(|status| refusal(&status, str::to_owned))
    };
    let answer = asked.await.and_then(|answer| match answer.get_ref().status() {
        ServingStatus::Serving => Ok((answer, "serving".to_owned())),
        other @ (ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown) => {
            Err(Failure::unreachable(other.as_str_name().to_owned()).and_try(Some(NextStep::Health)))
        }
    });
    let answer = report.note("service", answer)?;
    let date = answer.metadata().get("date").and_then(|date| date.to_str().ok());
    match clock::compare(date, now()) {
        None => report.skip("clock", "the answer has no date"),
        // What follows is checked all the same.
        Some(compared) => drop(report.note("clock", compared.map(|words| ((), words)))),
    }
    Some(())
}

/// Who is calling, and what that opens.
async fn introduce(server: &Server, report: &mut Report) -> Option<()> {
    let asked = async {
        let mut client = server.without_purpose().keys().await?;
        match client.get_caller(GetCallerRequest {}).await {
            Ok(answer) => Ok(Some(answer.into_inner())),
            Err(status) if status.code() == Code::Unimplemented => Ok(None),
            Err(status) => Err(refusal(&status, str::to_owned)),
        }
    };
    let answer = match asked.await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            for check in &CHECKS[report.count()..] {
                report.skip(check, "the server is older, and can't say who is calling");
            }
            return Some(());
        }
        Err(failure) => return report.note("key", Err(failure)),
    };
    report.note("key", Ok(((), credential(&answer))))?;
    let Some(identity) = answer.identity else {
        for check in &CHECKS[report.count()..] {
            report.skip(check, "nobody in particular is calling");
        }
        return Some(());
    };
    report.note("identity", Ok(((), identity.id.clone())))?;
    let role = Role::from_code(identity.role);
    report.note("role", Ok(((), words(role, &identity))))?;
    if role != Some(Role::Analyst) {
        report.skip("purpose", "only an analyst states one");
        return Some(());
    }
    let purpose = server.stated_purpose().and_then(|purpose| match purpose {
        Some(purpose) => Ok(((), purpose.as_str().to_owned())),
        None => {
            let missing = Failure::usage("an analyst says what figures are read for");
            Err(missing.and_try(NextStep::after(Reason::PurposeMissing)))
        }
    });
    report.note("purpose", purpose)
}

/// By what the caller is known.
fn credential(answer: &GetCallerResponse) -> String {
    match &answer.credential {
        Some(Credential::Key(key)) => {
            format!("key {}, valid until {}", key.id, format::time(key.expires_at.as_ref()))
        }
        Some(Credential::Certificate(uri)) => format!("certificate {uri}"),
        Some(Credential::SignIn(sign_in)) => format!("{} at {}", sign_in.subject, sign_in.issuer),
        None => "none is needed: the server has no identities yet".to_owned(),
    }
}

/// A role, and how far it goes.
fn words(role: Option<Role>, identity: &Identity) -> String {
    let Some(role) = role else { return "one that this version doesn't know".to_owned() };
    if role.is_of_agency() {
        return format!("{role} of {}", identity.agency);
    }
    let sectors: Vec<&str> =
        identity.sectors.iter().filter_map(|code| Sector::from_code(*code)).map(Sector::text).collect();
    let limits = [("sectors", sectors.join(", ")), ("areas", identity.areas.join(", "))];
    let limits: Vec<String> =
        limits.iter().filter(|(_, ids)| !ids.is_empty()).map(|(what, ids)| format!("{what} {ids}")).collect();
    if limits.is_empty() { role.to_string() } else { format!("{role} within {}", limits.join(" and ")) }
}
