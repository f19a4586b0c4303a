//! `conspectus serve`: how people sign in to the page.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::failure::Failure;
use super::secret::{Hidden, Ways};
use crate::model::id::Issuer;
use crate::web::WebUrl;
use crate::web::sign_in::ProviderSettings;

/// With an API key, and at a provider where one is given.
#[derive(Debug, Default, Args)]
pub(super) struct SignInArgs {
    /// Where browsers reach the page, such as https://figures.partner.example.
    #[arg(long, env = "CONSPECTUS_WEB_URL", value_name = "URL")]
    pub(super) web_url: Option<WebUrl>,
    /// The OpenID Connect provider at which people sign in: its issuer.
    #[arg(long, env = "CONSPECTUS_OIDC_ISSUER", value_name = "URL")]
    oidc_issuer: Option<Issuer>,
    /// The id that the provider has given this server.
    #[arg(
        long,
        env = "CONSPECTUS_OIDC_CLIENT_ID",
        value_name = "ID",
        value_parser = NonEmptyStringValueParser::new()
    )]
    oidc_client_id: Option<String>,
    /// The file with the secret that the provider has given this server, if it has.
    #[arg(long, env = "CONSPECTUS_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    oidc_client_secret_file: Option<PathBuf>,
    /// Where systemd keeps a service's credentials: the secret is the one named `oidc-client-secret`.
    #[arg(long, hide = true, env = "CREDENTIALS_DIRECTORY", value_name = "FOLDER")]
    credentials: Option<PathBuf>,
}

impl SignInArgs {
    /// The provider.
    ///
    /// # Errors
    /// When the secret can't be read.
    pub(super) fn provider(&self) -> Result<Option<ProviderSettings>, Failure> {
        let Some((issuer, id)) = self.oidc_issuer.clone().zip(self.oidc_client_id.clone()) else { return Ok(None) };
        let ways = Ways {
            text: None,
            file: self.oidc_client_secret_file.as_deref().map(|file| ("oidc-client-secret-file", file)),
            credential: (self.credentials.as_deref(), "oidc-client-secret"),
        };
        let secret = ways.secret()?.map(|Hidden(secret)| secret);
        Ok(Some(ProviderSettings::new(issuer, id, secret)))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        sign_in: SignInArgs,
    }

    fn parsed(line: &str) -> Result<SignInArgs, clap::Error> {
        Line::try_parse_from(std::iter::once("serve").chain(line.split_whitespace())).map(|line| line.sign_in)
    }

    #[test]
    fn a_provider_has_an_issuer_and_an_id_and_what_is_no_url_is_refused() {
        let whole = "--web-url https://figures.example --oidc-issuer https://login.example --oidc-client-id figures";
        let settings = parsed(whole).unwrap().provider().unwrap().unwrap();
        assert_eq!((settings.issuer.as_str(), settings.client_id.as_str()), ("https://login.example", "figures"));
        assert!(settings.client_secret.is_none());
        assert!(parsed("--web-url https://figures.example").unwrap().provider().unwrap().is_none());
        for bad in [
            "--web-url http://figures.example",
            "--web-url https://figures.example --oidc-issuer http://login.example --oidc-client-id figures",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_in_a_file_or_a_credential_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let line = "--web-url https://figures.example --oidc-issuer https://login.example --oidc-client-id figures";
        let (file, credentials) = (folder.path().join("secret"), folder.path().join("credentials"));
        std::fs::create_dir(&credentials).unwrap();
        std::fs::write(&file, "xyzzy\n").unwrap();
        std::fs::write(credentials.join("oidc-client-secret"), "plugh\n").unwrap();
        let in_file = format!("{line} --oidc-client-secret-file {}", file.display());
        let of_systemd = format!("{line} --credentials {}", credentials.display());
        for (line, secret) in [(in_file, "xyzzy"), (of_systemd, "plugh")] {
            let settings = parsed(&line).unwrap().provider().unwrap().unwrap();
            assert_eq!(settings.client_secret.as_ref().unwrap().secret(), secret);
            assert!(!format!("{settings:?}").contains(secret));
        }
    }
}
