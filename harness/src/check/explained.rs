//! What there is to know about a check besides its requirement and its stimulus, in words.

use super::{Check, Promised, Runs, Weight, cause, next};

/// A check in words.
pub(crate) struct Explained {
    /// Under which conditions it applies, one sentence each.
    pub conditions: Vec<String>,
    /// What a failure does to the verdict.
    pub counts: &'static str,
    /// On which server it runs, and for how long at most.
    pub runs: String,
    /// Where the cause of a failure is found, and which promise pins what is judged.
    pub look: Option<String>,
    /// The causes that may explain its failure together with others.
    pub causes: Vec<&'static str>,
}

impl Check {
    /// This check in words.
    pub(crate) fn explained(&self) -> Explained {
        let needs = self.needs.iter();
        let conditions = needs.filter_map(|need| match (need.remedy(), need.reason()) {
            (Some(remedy), _) => Some(format!("needs {remedy}")),
            (None, "") => None,
            (None, reason) if reason.starts_with("needs ") => Some(reason.to_owned()),
            (None, reason) => Some(format!("is skipped if {reason}")),
        });
        let limit = self.limit.as_secs();
        let control = match self.control {
            true => "; a failure counts only if the reference server passes on the same machine",
            false => "",
        };
        Explained {
            conditions: conditions.collect(),
            counts: self.weight.phrase(),
            runs: format!("{}, for at most {limit} s{control}", self.runs.phrase()),
            look: next::advice(self.id),
            causes: cause::of_check(self.id),
        }
    }
}

impl Weight {
    fn phrase(self) -> &'static str {
        match self {
            Self::Fails => "a failure fails the run",
            Self::FailsAtOnce => {
                "a failure fails the run; what the server has left behind afterwards is a warning"
            }
            Self::Warns => "a failure is a warning, which fails nothing",
            Self::WarnsUnless(Promised::DrainsOnStop) => {
                "a failure is a warning, unless [promise] has drains_on_stop = true"
            }
        }
    }
}

impl Runs {
    fn phrase(self) -> &'static str {
        match self {
            Self::Shared => "on a server that other checks use too",
            Self::Injected(_) => "on a server some of whose system calls tcprove answers",
            Self::OwnServer => "on a fresh server",
            Self::AloneOnMachine => "on a fresh server while nothing else runs",
        }
    }
}
