//! Which events are logged.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::model::text::visible;

/// Where other verbs than `serve`, which has a setting, find it.
const VARIABLE: &str = "CONSPECTUS_LOG";
/// The verifier of certificates logs as an error what the command line says anyway.
const FILTER_DEFAULT: &str = "info,rustls_platform_verifier=off";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged: levels, of all modules or of some. What a text doesn't name is logged as without it: from `info` on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(String);

/// The text isn't a [`Filter`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found `{}`; allowed: {}, or with levels of their own for modules, such as warn,conspectus::net=debug",
    visible(.0), LEVELS.join(", ")
)]
pub(super) struct NotAFilter(String);

impl Filter {
    /// That of the environment, for verbs that have no setting of it.
    ///
    /// # Errors
    /// When what stands there isn't one.
    pub(super) fn of_environment() -> Result<Self, Failure> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Self::default()),
            Some(text) => {
                text.to_string_lossy().parse().map_err(|error| Failure::usage(format!("{VARIABLE}: {error}")))
            }
        }
    }

    /// As the library has it.
    pub(super) fn compiled(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self(FILTER_DEFAULT.to_owned())
    }
}

impl FromStr for Filter {
    type Err = NotAFilter;

    /// The library takes a word that is no level for the name of a module, and then logs nothing else.
    fn from_str(text: &str) -> Result<Self, NotAFilter> {
        let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
        let text: String = text.split_whitespace().collect();
        let mut parts = text.split(',').filter(|part| !part.is_empty());
        let wrong = parts.find(|part| !is_level(part.rsplit_once('=').map_or(part, |(_, level)| level)));
        if let Some(wrong) = wrong {
            return Err(NotAFilter(wrong.to_owned()));
        }
        let filter = format!("info,{text}");
        match EnvFilter::try_new(&filter) {
            Ok(_) => Ok(Self(filter)),
            Err(_) => Err(NotAFilter(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_a_level_is_refused_and_one_for_a_module_leaves_the_others_as_they_are() {
        for (text, expect) in [
            ("warn", "warn"),
            ("WARN, conspectus::net = debug", "conspectus::net=debug,warn"),
            ("conspectus::net=debug", "conspectus::net=debug,info"),
            ("", "info"),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap().compiled().to_string(), expect, "{text}");
        }
        for text in ["junk", "warn,junk", "conspectus=", "conspectus=loud", "[=info"] {
            let refusal = text.parse::<Filter>().unwrap_err().to_string();
            assert!(refusal.contains("allowed: off, error, warn, info, debug, trace, or"), "{text}: {refusal}");
        }
    }
}
