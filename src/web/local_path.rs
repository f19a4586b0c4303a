//! Where to go on after signing in.

use std::fmt;

use tonic::codegen::http::uri::PathAndQuery;

/// The longest that is taken.
const PATH_BYTES_MAX: usize = 2_000;

/// A path of the page itself, with its query: what leads anywhere else isn't one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalPath(String);

impl LocalPath {
    /// The path that a text names; the first page's when it names none of the page's.
    ///
    /// Browsers read `//host` and `/\host` as another host, and drop tabs and line ends before they look.
    pub fn or_first(text: &str) -> Self {
        let is_visible = text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
        let is_local = text.starts_with('/') && !text.starts_with("//") && text.len() <= PATH_BYTES_MAX;
        // What begins or ends a session is nowhere to go on.
        let is_page = !text.starts_with("/sign-");
        if is_visible && is_local && is_page && text.parse::<PathAndQuery>().is_ok() {
            Self(text.to_owned())
        } else {
            Self("/".to_owned())
        }
    }

    /// A path to another page, which goes on here afterwards.
    pub(super) fn after(&self, page: &str) -> String {
        let next: String = url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        format!("{page}?next={next}")
    }
}

impl fmt::Display for LocalPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_to_another_site() {
        for good in ["/", "/picture?area=E10000014&period=FY2021-22", "/a//b", "/a?next=https://other.example"] {
            assert_eq!(LocalPath::or_first(good).to_string(), good);
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        for bad in [
            "",
            "picture",
            "https://other.example",
            "//other.example",
            "/\\other.example",
            "\\/other.example",
            "/\t/other.example",
            "/\n/other.example",
            " //other.example",
            "javascript:alert(1)",
            "/a b",
            "/é",
            "/a\r\nSet-Cookie: a=b",
            "/sign-in",
            "/sign-out",
            "/#a\u{0}",
            &long,
        ] {
            assert_eq!(LocalPath::or_first(bad).to_string(), "/", "{bad:?}");
        }
        let next = LocalPath::or_first("/picture?area=a&period=b").after("/sign-in");
        assert_eq!(next, "/sign-in?next=%2Fpicture%3Farea%3Da%26period%3Db");
    }
}
