//! `tcprove fuzz` and `replay`: planted faults are found, a sound server causes no findings, findings are never lost,
//! and invalid arguments are rejected with a message.

mod faults;
mod fields;
mod kept;
mod mistakes;
mod replayed;
mod sound;
mod sources;
mod word;

use serde_json::Value;

use crate::support::{Bench, Ended};

/// The result of a campaign.
pub(crate) struct Fuzzed {
    pub(crate) ended: Ended,
    pub(crate) report: Value,
}

impl Fuzzed {
    pub(crate) fn findings(&self) -> &Vec<Value> {
        let findings = self.report["findings"].as_array();
        findings.unwrap_or_else(|| panic!("no findings in {}", self.ended.all()))
    }
}

/// Runs `tcprove fuzz` with these arguments and a corpus in the folder of the bench.
pub(crate) fn fuzz(bench: &Bench, arguments: &[&str]) -> Fuzzed {
    let words = [&["fuzz", "--json", "fuzz.json", "--no-progress"], arguments].concat();
    let ended = bench.run(words);
    let report = bench.json("fuzz.json");
    Fuzzed { ended, report }
}
