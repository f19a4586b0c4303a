//! What the browser shows while somebody signs in.

use askama::Template;

use crate::web::LocalPath;
use crate::web::csrf::CsrfToken;

/// Something is wrong with what was sent, or with what it led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// What, in words.
    pub(super) words: String,
    /// Whether it is about the form's field.
    pub(super) is_of_field: bool,
}

impl Problem {
    /// One of the form's field.
    pub(super) fn of_field(words: &(impl ToString + ?Sized)) -> Self {
        Self { words: words.to_string(), is_of_field: true }
    }

    /// One of anything else.
    pub(super) fn of_page(words: &(impl ToString + ?Sized)) -> Self {
        Self { words: words.to_string(), is_of_field: false }
    }
}

/// The form with which a session begins.
#[derive(Template)]
#[template(path = "sign-in.html")]
pub(super) struct SignInPage {
    pub(super) csrf: CsrfToken,
    pub(super) next: LocalPath,
    /// The provider's name, when there is one.
    pub(super) provider: Option<String>,
    pub(super) problem: Option<Problem>,
}

impl SignInPage {
    /// Where signing in at the provider begins.
    fn provider_path(&self) -> String {
        self.next.after("/sign-in/provider")
    }
}

/// The form in which an analyst says what figures are read for.
#[derive(Template)]
#[template(path = "purpose.html")]
pub(super) struct PurposePage {
    pub(super) csrf: CsrfToken,
    pub(super) next: LocalPath,
    pub(super) identity: String,
    pub(super) purpose: String,
    pub(super) problem: Option<Problem>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::CookieSecret;

    fn page(provider: Option<&str>, problem: Option<Problem>) -> String {
        let csrf = CsrfToken::of(&CookieSecret::from_random([1; 32]));
        let next = LocalPath::or_first("/picture?area=a&period=\"b");
        SignInPage { csrf, next, provider: provider.map(str::to_owned), problem }.render().unwrap()
    }

    #[test]
    fn the_form_takes_a_key_or_leads_to_the_provider() {
        insta::assert_snapshot!(page(Some("login.example"), None));
    }

    #[test]
    fn a_problem_stands_at_the_top_and_at_its_field() {
        insta::assert_snapshot!(page(None, Some(Problem::of_field("not a <key>"))));
    }

    #[test]
    fn a_problem_that_is_of_no_field_stands_at_the_top_alone() {
        let html = page(None, Some(Problem::of_page("begin again")));
        assert!(html.contains("begin again") && !html.contains("aria-invalid"), "{html}");
    }

    #[test]
    fn an_analyst_is_asked_what_figures_are_read_for() {
        let csrf = CsrfToken::of(&CookieSecret::from_random([1; 32]));
        let (next, identity) = (LocalPath::or_first("/"), "al".to_owned());
        let problem = Some(Problem::of_field("found nothing"));
        insta::assert_snapshot!(
            PurposePage { csrf, next, identity, purpose: String::new(), problem }.render().unwrap()
        );
    }
}
