//! What is left to do with a finding that is not settled.

use crate::fuzz::Finding;

pub(super) const NOT_REPRODUCED_YET: &str = "there was no time to reproduce it";
pub(super) const NOT_CONFIRMED_YET: &str = "there was no time to confirm it on fresh servers";
pub(super) const NOT_AGAIN_YET: &str =
    "there was no time to confirm it again at the end of the run";

/// Whether a finding is settled, apart from the confirmation at the end of the run: it shows again, or that cannot be tried.
pub(super) fn is_settled(finding: &Finding) -> bool {
    let is_left = |what: &String| what != NOT_AGAIN_YET;
    let shows = finding.confirmed.seen > 0 || finding.confirmed.of == 0;
    shows && !finding.unsettled.as_ref().is_some_and(is_left)
}
