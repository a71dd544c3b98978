//! The recorded evidence of a wrong reply.

use crate::fuzz::Finding;
use crate::fuzz::case::unhex;

/// How to tell a wrong reply from a right one.
pub(super) enum Recorded {
    /// The wrong reply, from `evidence.reply_hex`.
    Wrong(Vec<u8>),
    /// A regular expression that matches every right reply, from `evidence.right_regex`.
    Right(String),
    /// The campaign recorded neither.
    Nothing,
}

/// Reads the evidence. A regular expression for right replies is preferred to one wrong reply.
pub(super) fn recorded(finding: &Finding) -> Recorded {
    let text = |name: &str| {
        finding
            .symptom
            .evidence
            .get(name)
            .and_then(|value| value.as_str())
    };
    if let Some(regex) = text("right_regex") {
        return Recorded::Right(regex.to_owned());
    }
    wrong(finding).map_or(Recorded::Nothing, Recorded::Wrong)
}

/// The wrong reply, if any other one is right.
pub(super) fn wrong(finding: &Finding) -> Option<Vec<u8>> {
    let evidence = &finding.symptom.evidence;
    if evidence.contains_key("right_regex") {
        return None;
    }
    unhex(evidence.get("reply_hex")?.as_str()?)
}
