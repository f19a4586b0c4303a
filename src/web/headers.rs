//! What a browser may do with a page.

use tonic::codegen::http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::address::WebUrl;

/// Nothing but the page's own style sheet and pictures is loaded, nothing runs, forms go to the page alone, and no
/// other page can show it in a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'";
/// A year, in which the browser doesn't come without TLS.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Sets the headers that every answer of the page has. What an answer says about being kept by the browser stays: a
/// style sheet may be, and nothing else is.
pub fn secure(at: &WebUrl, headers: &mut HeaderMap) {
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        // With `no-referrer`, browsers would send the page's own forms with `Origin: null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // For browsers that don't know `frame-ancestors`.
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if at.is_secure() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT_TRANSPORT_SECURITY));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_says_what_a_browser_may_do_with_it() {
        let mut headers = HeaderMap::new();
        secure(&"https://figures.example".parse().unwrap(), &mut headers);
        let lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_style_sheet_may_be_kept_and_this_machine_needs_no_tls() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        secure(&"http://localhost:8080".parse().unwrap(), &mut headers);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=3600");
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }
}
