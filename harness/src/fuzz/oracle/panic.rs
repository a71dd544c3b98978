//! Panic: the server keeps running, but has reported a bug of its own on stderr.

use std::time::Duration;

use super::{crash, text};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// How long to wait after a report for a program that ends because of it.
const AFTERMATH: Duration = Duration::from_millis(100);

/// What stderr has reported since the last call.
pub(crate) fn seen(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    let report = epoch.take_report()?;
    let text = text::decode(&report.bytes());
    let key = text::cause(&text);
    // A dying program reports before it ends. Waiting classifies it as a crash every time.
    if !epoch.has_survived(&key) && epoch.until(AFTERMATH, |epoch| epoch.vitals().ended.is_some()) {
        epoch.refresh();
        if let Some(crash) = crash::seen(epoch) {
            return Some(crash);
        }
    }
    let title = text::message(&text).unwrap_or_else(|| "a report on stderr".into());
    Some(
        Symptom::new(FindingKind::Panic, key, title)
            .with("stderr", text::lines_shown(&text))
            .with("line", text::decode(report.first_line())),
    )
}
