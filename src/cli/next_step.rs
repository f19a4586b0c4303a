//! What to type after an error: a line `Try: …` below it.
//!
//! The words are fixed, with placeholders in capitals. What others wrote, such as an id in an error, must not get into a
//! line that is pasted into a shell.

use std::fmt::{self, Display, Formatter};

use crate::model::violation::NO_SUCH;
use crate::rpc::Reason;

/// Something that can be typed, and helps against an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// What there is, of the kind that was asked for in vain.
    Agencies,
    Areas,
    Dimensions,
    Indicators,
    Rules,
    Calendars,
    Identities,
    Submissions,
    Returns,
    /// What a request id was used for.
    Submission,
    /// What stands now, and what the file would do to it.
    DryRun,
    /// What a return was completed with.
    Return,
    /// Who is calling, and for what.
    GiveKey,
    OtherKey,
    RotateKey,
    Purpose,
    /// Which server, and whether it serves.
    Address,
    Authority,
    Doctor,
    Encrypt,
    OtherHost,
    Plaintext,
    Health,
    Serve,
    Timeout,
    Version,
    /// The host of the server, or a proxy that knows it.
    Host,
    /// What comes before the keys of agencies and areas.
    PutCatalogue,
    /// An operator's key without a server.
    KeyInFolder,
    /// Which proxy it is reached through.
    Proxy,
    ProxyPassword,
    ProxyRule,
    Relay,
    /// The newest revision that there is.
    AnyRevision,
    /// An authority for development.
    MakeAuthority,
}

impl NextStep {
    /// What begins its line below an error.
    pub(super) const LINE: &str = "\nTry: ";

    /// What helps against a server's refusal for this reason. Nothing does where the same is to be sent again later, where
    /// the message says what to change, or where whoever runs the server has to act.
    pub(super) fn after(reason: Reason) -> Option<Self> {
        match reason {
            Reason::RequestIdReused => Some(Self::Submission),
            Reason::ReturnComplete => Some(Self::Return),
            Reason::FiguresChanged => Some(Self::DryRun),
            Reason::RevisionNotReached => Some(Self::AnyRevision),
            Reason::Starting | Reason::Stopping => Some(Self::Health),
            Reason::Unauthenticated => Some(Self::GiveKey),
            Reason::KeyExpired => Some(Self::RotateKey),
            Reason::PermissionDenied => Some(Self::OtherKey),
            Reason::PurposeMissing => Some(Self::Purpose),
            Reason::Unimplemented => Some(Self::Version),
            // By what isn't there.
            Reason::InvalidRequest | Reason::NotFound => None,
            Reason::QueueFull
            | Reason::TooLarge
            | Reason::NoRoom
            | Reason::JournalFailed
            | Reason::JournalUnreadable
            | Reason::TooManyWatchers
            | Reason::WatchTooSlow
            | Reason::TooManyStreams
            | Reason::StreamTooSlow
            | Reason::StreamIdle
            | Reason::RateLimited
            | Reason::Overloaded
            | Reason::DeadlineExceeded
            | Reason::AuditUnavailable
            | Reason::NoRandomness => None,
        }
    }

    /// What there is, where a problem is that there is no such thing.
    pub(super) fn of_problem(description: &str) -> Option<Self> {
        let (_, kind) = description.split_once(NO_SUCH)?;
        Self::choices(kind.trim_start())
    }

    /// What there is of a kind of thing, whose name the text begins with.
    pub(super) fn choices(kind: &str) -> Option<Self> {
        const KINDS: [(&str, NextStep); 10] = [
            ("agency", NextStep::Agencies),
            ("area", NextStep::Areas),
            ("dimension", NextStep::Dimensions),
            ("category", NextStep::Dimensions),
            ("indicator", NextStep::Indicators),
            ("reconciliation rule", NextStep::Rules),
            ("calendar", NextStep::Calendars),
            ("identity", NextStep::Identities),
            ("submission", NextStep::Submissions),
            ("return", NextStep::Returns),
        ];
        KINDS.into_iter().find(|(name, _)| kind.starts_with(name)).map(|(_, step)| step)
    }

    /// What is typed, and what to know about it.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Agencies => ("conspectus catalogue agencies", ""),
            Self::Areas => ("conspectus catalogue areas", ""),
            Self::Dimensions => ("conspectus catalogue dimensions", ""),
            Self::Indicators => ("conspectus catalogue indicators", ""),
            Self::Rules => ("conspectus catalogue rules", ""),
            Self::Calendars => ("conspectus catalogue calendars", ""),
            Self::Identities => ("conspectus key list", ""),
            Self::Submissions => ("conspectus submission list --agency AGENCY", ""),
            Self::Returns => ("conspectus return list --agency AGENCY", ""),
            Self::Return => (
                "conspectus return show RETURN_ID --agency AGENCY",
                "which shows what it was completed with; what comes after it is sent under another id",
            ),
            Self::Submission => (
                "conspectus submission show REQUEST_ID --agency AGENCY",
                "which shows what was submitted under that id",
            ),
            Self::DryRun => ("--dry-run", "which shows what stands now, and at which revision"),
            Self::GiveKey => ("--as NAME", "which takes the key from CONSPECTUS_KEY_NAME; or set CONSPECTUS_KEY"),
            Self::OtherKey => ("--as NAME", "the key of somebody who may; `conspectus key list` shows an operator who"),
            Self::RotateKey => ("conspectus key rotate NAME", "with an operator's key; it prints a new one for NAME"),
            Self::Purpose => ("--purpose WORDS", "or set CONSPECTUS_PURPOSE"),
            Self::Address => ("--server https://HOST:PORT", "if it serves TLS; or another port"),
            Self::Authority => {
                ("--ca FILE", "the authority that issued the server's certificate; or set CONSPECTUS_CA")
            }
            Self::Doctor => ("conspectus doctor", "which checks the way to the server step by step"),
            Self::Encrypt => {
                ("--server https://HOST:PORT", "with --ca FILE where this machine doesn't trust its authority")
            }
            Self::OtherHost => ("--server https://HOST:PORT", "with a host that the certificate is for"),
            Self::Plaintext => ("--server http://HOST:PORT", "if it serves without TLS"),
            Self::Health => ("conspectus health", "which says SERVING once it serves"),
            Self::Serve => ("conspectus serve", "which starts one here; or --server, with another address"),
            Self::Timeout => ("--timeout SECONDS", "which gives it longer"),
            Self::Host => (
                "--server https://HOST:PORT",
                "with the host's name as whoever runs the server gives it; or --proxy http://HOST:PORT, where only a proxy knows that name",
            ),
            Self::PutCatalogue => (
                "conspectus catalogue put FILE",
                "with a steward's key, which `conspectus key create NAME --role steward` makes: agencies and areas are in the catalogue before they have keys",
            ),
            Self::KeyInFolder => (
                "conspectus key create NAME --role operator --data FOLDER",
                "on the server's machine while no server runs: for the first operator, or when every operator's key is lost",
            ),
            Self::Version => ("conspectus --version", "to compare it with the server's"),
            Self::Proxy => ("--proxy http://HOST:PORT", "or an empty one, which uses none; or set CONSPECTUS_PROXY"),
            Self::ProxyPassword => (
                "--proxy http://NAME:PASSWORD@HOST:PORT",
                "in CONSPECTUS_PROXY, where other users of this machine don't see it",
            ),
            Self::ProxyRule => (
                "--proxy ''",
                "where the server is reached without one; or ask whoever runs the proxy to let it connect to the server's host and port",
            ),
            Self::Relay => (
                "--proxy http://127.0.0.1:3128",
                "once a relay that knows this way, such as px or cntlm, listens there; or JSON over HTTP, by a program that knows it (docs/json.md)",
            ),
            Self::AnyRevision => ("--min-revision 0", "which takes the newest revision that there is"),
            Self::MakeAuthority => ("conspectus cert authority", ""),
        }
    }
}

impl Display for NextStep {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.words() {
            (command, "") => write!(f, "Try: {command}"),
            (command, what) => write!(f, "Try: {command}, {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;
    use super::*;

    #[test]
    fn each_reason_has_the_step_that_helps_or_none() {
        let steps = Reason::ALL.map(|reason| match NextStep::after(reason) {
            Some(step) => format!("{}: {step}\n", reason.text()),
            None => format!("{}\n", reason.text()),
        });
        insta::assert_snapshot!(steps.concat());
    }

    #[test]
    fn a_thing_that_is_not_there_leads_to_those_that_are() {
        for (description, step) in [
            ("found `E1`; there is no such area in the catalogue", Some("Try: conspectus catalogue areas")),
            ("found `a`; there is no such agency in the catalogue", Some("Try: conspectus catalogue agencies")),
            ("found `a`; there is no such dimension in the catalogue", Some("Try: conspectus catalogue dimensions")),
            ("found `a`; there is no such category of `sex`", Some("Try: conspectus catalogue dimensions")),
            (
                "found `a`; there is no such reconciliation rule in the catalogue",
                Some("Try: conspectus catalogue rules"),
            ),
            ("found `a`; there is no such identity", Some("Try: conspectus key list")),
            // What is there, and won't do.
            ("E07000084 lies within E10000014, and would be counted twice", None),
            ("found `a`; there is no such check", None),
            ("", None),
        ] {
            assert_eq!(
                NextStep::of_problem(description).map(|step| step.to_string()).as_deref(),
                step,
                "{description}"
            );
        }
    }

    #[test]
    fn what_is_to_be_typed_exists() {
        use NextStep as Step;
        for step in [
            Step::Agencies,
            Step::Areas,
            Step::Dimensions,
            Step::Indicators,
            Step::Rules,
            Step::Identities,
            Step::Submissions,
            Step::Submission,
            Step::Returns,
            Step::Return,
            Step::GiveKey,
            Step::OtherKey,
            Step::RotateKey,
            Step::Purpose,
            Step::Address,
            Step::Authority,
            Step::Doctor,
            Step::Encrypt,
            Step::OtherHost,
            Step::Plaintext,
            Step::Health,
            Step::Serve,
            Step::Timeout,
            Step::Version,
            Step::Host,
            Step::PutCatalogue,
            Step::KeyInFolder,
            Step::Proxy,
            Step::ProxyPassword,
            Step::ProxyRule,
            Step::Relay,
            Step::AnyRevision,
            Step::MakeAuthority,
        ] {
            let (command, what) = step.words();
            // An option is added to the verb that failed.
            let verb = "conspectus query --indicator I --area A --period P";
            let line = if command.starts_with("--") { format!("{verb} {command}") } else { command.to_owned() };
            for line in [line.replace("SECONDS", "120").as_str()].into_iter().chain(what.split('`').skip(1).step_by(2))
            {
                let parsed = Cli::try_parse_from(line.split(' '));
                let is_answered = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayVersion;
                assert!(parsed.as_ref().err().is_none_or(is_answered), "{line}: {parsed:?}");
            }
        }
    }
}
