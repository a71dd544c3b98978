//! What a campaign recorded of a wrong reply.

use crate::fuzz::Finding;
use crate::fuzz::case::unhex;

/// What tells a wrong reply from a right one.
pub(super) enum Recorded {
    /// The reply that came, in `evidence.reply_hex`.
    Wrong(Vec<u8>),
    /// A regex that a right reply matches, in `evidence.right_regex`.
    Right(String),
    /// Nothing.
    Nothing,
}

/// Reads the evidence. A regex for what is right says more than one wrong reply.
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

/// The wrong reply itself.
pub(super) fn wrong(finding: &Finding) -> Option<Vec<u8>> {
    unhex(finding.symptom.evidence.get("reply_hex")?.as_str()?)
}
