//! `conspectus serve`: how people sign in to the page.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::failure::Failure;
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
    #[arg(long, env = "CONSPECTUS_OIDC_ISSUER", value_name = "URL", requires = "oidc_client_id", requires = "web_url")]
    oidc_issuer: Option<Issuer>,
    /// The id that the provider has given this server.
    #[arg(
        long,
        env = "CONSPECTUS_OIDC_CLIENT_ID",
        value_name = "ID",
        requires = "oidc_issuer",
        value_parser = NonEmptyStringValueParser::new()
    )]
    oidc_client_id: Option<String>,
    /// The file with the secret that the provider has given this server, if it has.
    #[arg(long, env = "CONSPECTUS_OIDC_CLIENT_SECRET_FILE", value_name = "FILE", requires = "oidc_issuer")]
    oidc_client_secret_file: Option<PathBuf>,
}

impl SignInArgs {
    /// The provider.
    ///
    /// # Errors
    /// When the secret can't be read.
    pub(super) fn provider(&self) -> Result<Option<ProviderSettings>, Failure> {
        let Some((issuer, id)) = self.oidc_issuer.clone().zip(self.oidc_client_id.clone()) else { return Ok(None) };
        let settings = ProviderSettings::with_secret_file(issuer, id, self.oidc_client_secret_file.as_deref());
        settings.map(Some).map_err(|error| Failure::failed(error.to_string()))
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
    fn a_provider_has_an_issuer_an_id_and_somewhere_to_send_browsers_back_to() {
        let whole = "--web-url https://figures.example --oidc-issuer https://login.example --oidc-client-id figures";
        let settings = parsed(whole).unwrap().provider().unwrap().unwrap();
        assert_eq!((settings.issuer.as_str(), settings.client_id.as_str()), ("https://login.example", "figures"));
        assert!(settings.client_secret.is_none());
        assert!(parsed("--web-url https://figures.example").unwrap().provider().unwrap().is_none());
        for bad in [
            "--oidc-issuer https://login.example --oidc-client-id figures",
            "--web-url https://figures.example --oidc-issuer https://login.example",
            "--web-url https://figures.example --oidc-client-id figures",
            "--web-url http://figures.example",
            "--web-url https://figures.example --oidc-issuer http://login.example --oidc-client-id figures",
        ] {
            assert!(parsed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_in_a_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let line = format!(
            "--web-url https://figures.example --oidc-issuer https://login.example --oidc-client-id figures \
             --oidc-client-secret-file {}",
            file.display()
        );
        let refused = || match parsed(&line).unwrap().provider() {
            Err(Failure::Message(_, message)) => message,
            found => panic!("{found:?}"),
        };
        assert!(refused().contains("No such file"), "{}", refused());
        for bad in ["", " \n", "two words", "two\nlines\n"] {
            std::fs::write(&file, bad).unwrap();
            assert!(refused().ends_with("allowed: one line of 1 to 1000 bytes"), "{}", refused());
        }
        std::fs::write(&file, "xyzzy\n").unwrap();
        let settings = parsed(&line).unwrap().provider().unwrap().unwrap();
        assert_eq!(settings.client_secret.as_ref().unwrap().secret(), "xyzzy");
        assert!(!format!("{settings:?}").contains("xyzzy"));
    }
}
