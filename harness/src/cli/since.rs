//! `--since FILE`: what changed since an earlier run of the same command, by its JSON report.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;
use super::target::usage;
use crate::check::Outcome;
use crate::fuzz::Finding;
use crate::merge::stored_outcomes;
use crate::report::{RunError, SCHEMA, Since};

#[derive(clap::Args, Clone, Debug, Default)]
pub(super) struct SinceArgs {
    /// Compare with the JSON report of an earlier run of the same command: new failures, fixed ones, and what is unchanged.
    /// Changes nothing about the verdict
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
}

/// An earlier run.
pub(super) struct Earlier {
    head: Head,
    outcomes: Vec<Outcome>,
    /// The findings of its campaign; `None` if it had none.
    findings: Option<Vec<FindingHead>>,
}

/// What is read of the report besides its outcomes.
#[derive(Deserialize)]
struct Head {
    schema: String,
    command: String,
    run_id: String,
    plan_hash: Option<String>,
}

#[derive(Deserialize)]
struct FindingHead {
    id: String,
    title: String,
}

impl SinceArgs {
    /// Reads the earlier report, before anything runs. `None` if there is none.
    pub(super) fn read(&self, draft: &Draft) -> Result<Option<Earlier>, RunError> {
        let Some(path) = &self.since else {
            return Ok(None);
        };
        let earlier = read(path, draft.command()).map_err(|why| {
            usage(format!(
                "--since {}: {why}\nnext: give the file that an earlier `tcprove {} --json FILE` has written",
                path.display(),
                draft.command()
            ))
        })?;
        Ok(Some(earlier))
    }
}

fn read(path: &Path, command: &str) -> Result<Earlier, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| format!("no JSON: {error}"))?;
    let head = Head::deserialize(&json)
        .ok()
        .filter(|head| head.schema == SCHEMA)
        .ok_or("it is no report of this version of tcprove")?;
    if head.command != command {
        return Err(format!("it is the report of `tcprove {}`", head.command));
    }
    if !json["outcomes"].is_array() {
        return Err("it has no checks".to_owned());
    }
    let findings = json.pointer("/fuzz/findings").and_then(Value::as_array);
    let head_of = |finding: &Value| FindingHead::deserialize(finding).ok();
    Ok(Earlier {
        head,
        outcomes: stored_outcomes(&json),
        findings: findings.map(|all| all.iter().filter_map(head_of).collect()),
    })
}

impl Earlier {
    /// What changed in the checks.
    pub(super) fn compare(&self, outcomes: &[Outcome], draft: &Draft) -> Since {
        let mut since = Since::of(self.head.run_id.clone(), &self.outcomes, outcomes);
        let planned = draft.plan_hash();
        if planned.is_some() && planned != self.head.plan_hash.as_deref() {
            since.notes.push(
                "The plan was another one: the server's command, its parameters, the selection of checks or the waivers differ."
                    .to_owned(),
            );
        }
        since
    }

    /// Adds what changed in the findings of the campaigns, if both runs had one.
    pub(super) fn compare_findings(&self, since: &mut Since, now: &[Finding]) {
        let Some(earlier) = &self.findings else {
            return;
        };
        let earlier: Vec<_> = earlier
            .iter()
            .map(|finding| (finding.id.clone(), finding.title.clone()))
            .collect();
        let now: Vec<_> = now
            .iter()
            .map(|finding| (finding.id.clone(), finding.symptom.title.clone()))
            .collect();
        since.findings(&earlier, &now);
    }
}
