//! A row of the table of real servers.

use std::collections::BTreeMap;

use super::{Described, LINES_MAX};
use crate::support::battery::Checked;

/// The first lines of the table.
pub const HEAD: &str = "\
| server | lines besides [server] | all lines | ran | passed | failed | warned | inconclusive | skipped |
|---|--:|--:|--:|--:|--:|--:|--:|--:|";

/// What the battery found out about one server.
pub struct Row {
    name: String,
    all: usize,
    besides: usize,
    /// What is missing on this machine.
    missing: Option<String>,
    /// Why the battery did not run.
    error: Option<String>,
    /// Ids of checks, by outcome.
    ids: BTreeMap<&'static str, Vec<String>>,
    /// Ids of skipped checks, by reason.
    skipped: BTreeMap<String, Vec<String>>,
}

const OUTCOMES: [&str; 5] = ["pass", "fail", "warn", "inconclusive", "skip"];

impl Row {
    fn new(server: &Described) -> Self {
        let (all, besides) = server.lines();
        Self {
            name: server.name.clone(),
            all,
            besides,
            missing: None,
            error: None,
            ids: BTreeMap::new(),
            skipped: BTreeMap::new(),
        }
    }

    pub fn missing(server: &Described, what: String) -> Self {
        Self {
            missing: Some(what),
            ..Self::new(server)
        }
    }

    pub fn judged(server: &Described, checked: &Checked) -> Self {
        let mut row = Self::new(server);
        row.error = checked.report["error"]["message"]
            .as_str()
            .map(str::to_owned);
        if row.error.is_some() {
            return row;
        }
        for outcome in OUTCOMES {
            let ids = checked.ids(outcome).into_iter().map(str::to_owned);
            row.ids.insert(outcome, ids.collect());
        }
        for id in checked.ids("skip") {
            let reason = checked.outcome(id)["reason"].as_str().unwrap_or_default();
            let ids = row.skipped.entry(reason.to_owned()).or_default();
            ids.push(id.to_owned());
        }
        row
    }

    /// Whether the battery ran, or could not run on this machine.
    pub fn is_complete(&self) -> bool {
        self.error.is_none()
    }

    fn count(&self, outcome: &str) -> usize {
        self.ids.get(outcome).map_or(0, Vec::len)
    }

    fn ran(&self) -> usize {
        OUTCOMES[..4]
            .iter()
            .map(|outcome| self.count(outcome))
            .sum()
    }

    /// The line of the table.
    pub fn line(&self) -> String {
        let Self {
            name, besides, all, ..
        } = self;
        let failed = match (&self.missing, &self.error) {
            (Some(what), _) => Some(format!("not installed: {what}")),
            (None, Some(error)) => Some(error.replace(['\n', '|'], " ")),
            (None, None) => None,
        };
        let cells = match failed {
            Some(why) => format!("{why} | | | | | "),
            None => {
                let counts = OUTCOMES.map(|outcome| self.count(outcome).to_string());
                format!("{} | {}", self.ran(), counts.join(" | "))
            }
        };
        format!("| {name} | {besides} | {all} | {cells} |")
    }

    /// The checks that did not pass, and the reasons of those that were skipped.
    pub fn details(&self) -> String {
        let mut lines = vec![format!("- {}", self.name)];
        for outcome in ["fail", "warn", "inconclusive"] {
            if let Some(ids) = self.ids.get(outcome).filter(|ids| !ids.is_empty()) {
                lines.push(format!("  - {outcome}: {}", ids.join(", ")));
            }
        }
        for (reason, ids) in &self.skipped {
            lines.push(format!("  - skip: {}: {reason}", ids.join(", ")));
        }
        lines.join("\n")
    }
}

/// How many servers were judged, and how many descriptions are short.
pub fn totals(rows: &[Row]) -> String {
    let judged = rows.iter().filter(|row| row.ran() > 0);
    let short = judged
        .clone()
        .filter(|row| row.besides <= LINES_MAX)
        .count();
    format!(
        "{} servers, {} judged, {short} of them described in at most {LINES_MAX} lines besides [server].\n",
        rows.len(),
        judged.count()
    )
}
