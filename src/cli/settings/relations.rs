//! Which settings go with which: of their values in effect, wherever each comes from.

use super::effective::{Problem, Setting, Settings};

/// A setting, and one without which it would silently do nothing.
const NEEDS: [(&str, &str); 9] = [
    ("tls-cert", "tls-key"),
    ("tls-key", "tls-cert"),
    ("tls-min", "tls-cert"),
    ("client-ca", "tls-cert"),
    ("client-crl", "client-ca"),
    ("oidc-issuer", "oidc-client-id"),
    ("oidc-issuer", "web-url"),
    ("oidc-client-id", "oidc-issuer"),
    ("oidc-client-secret-file", "oidc-issuer"),
];

/// Settings that contradict each other.
const EXCLUDES: [(&str, &str); 1] = [("allow-plaintext-network", "tls-cert")];

/// All that contradicts itself or is of no use.
pub(super) fn problems(settings: &Settings) -> Vec<Problem> {
    let given = |name: &str| settings.get(name).filter(|setting| is_given(setting));
    let mut problems = Vec::new();
    for (name, needed) in NEEDS {
        if let (Some(setting), Some(needed)) = (given(name), settings.get(needed).filter(|needed| !is_given(needed))) {
            let what = format!("{} needs {}", setting.given_as(), needed.written_as(setting.origin));
            problems.push(settings.problem(setting, &what));
        }
    }
    for (name, excluded) in EXCLUDES {
        if let (Some(setting), Some(excluded)) = (given(name), given(excluded)) {
            let what = format!("{} contradicts {}", setting.given_as(), settings.named(excluded));
            problems.push(settings.problem(setting, &what));
        }
    }
    problems
}

/// Whether somebody has given it. A `false` is as good as none.
fn is_given(setting: &Setting) -> bool {
    !setting.is_default() && setting.values().first().is_some_and(|value| value != "false")
}

/// The settings that it names.
#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NEEDS.into_iter().chain(EXCLUDES).flat_map(|(one, other)| [one, other])
}
