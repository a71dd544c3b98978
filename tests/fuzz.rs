//! `tcprove fuzz` and `replay`: planted faults are found, a sound server raises no alarm, nothing that was
//! found is lost, and what is wrong with the arguments is said.

mod faults;
mod kept;
mod mistakes;
mod replayed;
mod sound;

use crate::support::{Bench, Ended};
use serde_json::Value;

/// What a campaign came to.
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

/// `tcprove fuzz` with these arguments, its folder in the bench's.
pub(crate) fn fuzz(bench: &Bench, arguments: &[&str]) -> Fuzzed {
    let words = [&["fuzz", "--json", "fuzz.json", "--no-progress"], arguments].concat();
    let ended = bench.run(words);
    let report = bench.json("fuzz.json");
    Fuzzed { ended, report }
}
