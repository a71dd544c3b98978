//! The cases of a finding as a case file.

use serde_json::json;

use crate::fuzz::{CaseFile, Finding};

/// A case file with the finding's metadata.
pub(super) fn text(finding: &Finding) -> String {
    let mut file = CaseFile::of(finding.cases.clone());
    file.finding = Some(json!({
        "kind": finding.symptom.kind,
        "id": finding.id,
        "title": finding.symptom.title,
        "key": finding.symptom.key,
        "seen": finding.seen().seen,
        "of": finding.seen().of,
        "evidence": finding.symptom.evidence,
    }));
    file.text()
}
