//! JSON, schema `tcprove/1`.

use std::fmt::Write as _;

use super::Report;

/// Renders the whole report, indented.
pub(crate) fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_else(|error| {
        format!(
            "{{\"schema\":\"{}\",\"error\":{:?}}}",
            super::SCHEMA,
            error.to_string()
        )
    });
    text.push('\n');
    harmless(&text)
}

/// Escapes characters that are valid in JSON but have an effect on a terminal. They only occur
/// inside strings, where their escapes are equivalent.
pub(super) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char));
            }
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_mean_the_same() {
        let raw = serde_json::to_string("a\u{9b}31m\u{202e}é\\").unwrap();
        let safe = super::harmless(&raw);
        assert!(!safe.contains(['\u{9b}', '\u{202e}']));
        assert!(safe.contains('é'));
        assert_eq!(
            serde_json::from_str::<String>(&safe).unwrap(),
            "a\u{9b}31m\u{202e}é\\"
        );
    }
}
