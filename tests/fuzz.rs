//! `tcprove fuzz` and `replay`: planted faults are found, a sound server causes no findings, findings are never lost,
//! and invalid arguments are rejected with a message.

mod coverage;
mod faults;
mod fields;
mod fleet;
mod injected;
mod kept;
mod mistakes;
mod replayed;
mod sound;
mod sources;
mod word;

use serde_json::Value;

use crate::support::battery::{compiled, data};
use crate::support::skip::may_lack;
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
///
/// Unless the arguments choose a feedback, the campaign looks at replies only: the server is mostly `tcprove` itself, and
/// a build without optimization needs seven seconds of CPU time to find the half a million basic blocks of one.
pub(crate) fn fuzz(bench: &Bench, arguments: &[&str]) -> Fuzzed {
    let mut words = [&["fuzz", "--json", "fuzz.json", "--no-progress"], arguments].concat();
    let chooses =
        |argument: &&str| argument.starts_with("--feedback") || argument.starts_with("--coverage");
    if !arguments.iter().any(chooses) {
        words.extend(["--feedback", "shape"]);
    }
    let ended = bench.run(words);
    let report = bench.json("fuzz.json");
    Fuzzed { ended, report }
}

/// A campaign with these arguments on the small C server, compiled with these flags. `None` without a compiler, or where
/// breakpoints are needed and there are none.
pub(crate) fn fuzz_lines(bench: &Bench, flags: &[&str], arguments: &[&str]) -> Option<Fuzzed> {
    let program = compiled("injection/lines.c", &bench.path(""), flags)?;
    let file = data("injection/tcprove.toml");
    let parameter = format!("program={program}");
    let server = ["--file", file.to_str().unwrap(), "--param", &parameter];
    let fuzzed = fuzz(bench, &[&server, arguments].concat());
    if fuzzed.ended.code == Some(3) && fuzzed.ended.all().contains("processor") {
        may_lack("a processor with breakpoints");
        return None;
    }
    Some(fuzzed)
}
