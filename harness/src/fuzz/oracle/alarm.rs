//! The cheap look after every case: crash and panic.

use super::{crash, panic};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::Symptom;

/// Whether a process has ended or stderr has reported a bug.
pub(crate) fn alarm(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    crash::seen(epoch).or_else(|| panic::seen(epoch))
}
