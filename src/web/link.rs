//! Links: the path of a page, and the question that it answers.

/// The address of a page with its question; what is empty isn't asked.
pub(super) fn link(path: &str, question: &[(&str, &str)]) -> String {
    let question: Vec<_> = question.iter().filter(|(_, value)| !value.is_empty()).collect();
    // Texts alone can always be written.
    let query = serde_urlencoded::to_string(&question).unwrap_or_default();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{path}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_what_is_asked_whatever_characters_are_in_it() {
        assert_eq!(link("/due", &[("agency", ""), ("period", "")]), "/due");
        assert_eq!(
            link("/submission", &[("agency", "a"), ("request_id", "../x?&#\"<é")]),
            "/submission?agency=a&request_id=..%2Fx%3F%26%23%22%3C%C3%A9"
        );
    }
}
