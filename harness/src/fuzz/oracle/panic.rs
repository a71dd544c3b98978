//! Panic: the server keeps running, but has reported a bug of its own on stderr.

use std::time::Duration;

use super::{crash, text};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};

/// How long to wait after a report for a program that ends because of it.
const AFTERMATH: Duration = Duration::from_millis(100);
/// The same for a sanitizer, which looks up the names of functions, and maybe for leaks, before it ends the program.
const AFTERMATH_OF_SANITIZER: Duration = Duration::from_secs(5);

/// What stderr has reported since the last call.
pub(crate) fn seen(epoch: &mut Epoch<'_>) -> Option<Symptom> {
    let report = epoch.take_report()?;
    let text = text::decode(&report.bytes());
    let key = text::cause(&text);
    // A dying program reports before it ends. Waiting classifies it as a crash every time.
    let aftermath = match report.is_of_sanitizer() {
        true => AFTERMATH_OF_SANITIZER,
        false => AFTERMATH,
    };
    if !epoch.has_survived(&key) {
        if epoch.until(aftermath, |epoch| epoch.vitals().ended.is_some()) {
            epoch.refresh();
            if let Some(crash) = crash::seen(epoch) {
                return Some(crash);
            }
        }
        // A look that the end of the time has cut short says nothing of a program that is about to end.
        if report.is_of_sanitizer() && epoch.target.deadline.left(aftermath) < aftermath {
            return None;
        }
        epoch.survives(&key);
    }
    let title = text::message(&text).unwrap_or_else(|| "a report on stderr".into());
    Some(
        Symptom::new(FindingKind::Panic, key, title)
            .with("stderr", text::lines_shown(&text))
            .with("line", text::decode(report.first_line())),
    )
}
