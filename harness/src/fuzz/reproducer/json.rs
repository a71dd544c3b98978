//! The cases as data.

use serde_json::json;

use crate::fuzz::{CaseFile, Finding};

/// A file of cases with what is known of the finding in it.
pub(super) fn text(finding: &Finding) -> String {
    let mut file = CaseFile::of(finding.cases.clone());
    file.finding = Some(json!({
        "kind": finding.symptom.kind,
        "id": finding.id,
        "title": finding.symptom.title,
        "key": finding.symptom.key,
        "evidence": finding.symptom.evidence,
    }));
    file.text()
}
