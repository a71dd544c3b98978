//! Several campaigns on one server, of a fleet or not.
//!
//! Any of them may be missing: what the others have found is true without it. Places that the server's code was seen to reach
//! are not in a report, so the coverage of the whole is at least that of its best member.

#[cfg(test)]
mod tests;
mod union;

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use super::difference::{self, without};
use super::{Head, MergeError, StoredReport, twice};
use crate::fuzz::plan::MemberNumber;
use crate::fuzz::{FuzzResult, MemberRun};
use crate::report::{Body, FuzzReport, Header, Report};

/// Keys of a plan in which members may differ: their numbers, and how many servers each runs.
const OWN: [&str; 2] = ["member", "jobs"];

/// The report of a campaign, or of several that were merged before.
struct Member {
    path: PathBuf,
    head: Head,
    result: FuzzResult,
}

/// The report of all campaigns.
///
/// # Errors
/// They do not belong together, or one is there twice.
pub(super) fn merged(stored: Vec<StoredReport>) -> Result<Report, MergeError> {
    let members: Result<Vec<_>, _> = stored.into_iter().map(Member::of).collect();
    let mut members = members?;
    members.sort_by(|one, other| one.result.members.cmp(&other.result.members));
    belong_together(&members).map_err(MergeError::Apart)?;
    let duration_s = members.iter().map(|member| member.head.duration_s);
    let duration_s = duration_s.fold(0.0, f64::max);
    let Some(first) = members.first().map(|first| first.head.clone()) else {
        return Err(MergeError::Apart("no reports were given".into()));
    };
    let results = members.into_iter().map(|member| member.result);
    let result = results.reduce(union::of).unwrap_or_default();
    let header = Header {
        command: "fuzz",
        run_id: first.run_id,
        seed: first.seed,
        plan: Some(without(&first.plan, &OWN[..1])),
        plan_hash: first.plan_hash,
        environment: first.environment,
        target: first.target,
        interrupted: false,
        duration_s,
    };
    Ok(Report::new(
        header,
        Ok(Body::Fuzz(Box::new(FuzzReport { result }))),
    ))
}

impl Member {
    fn of(stored: StoredReport) -> Result<Self, MergeError> {
        let StoredReport { path, head, json } = stored;
        match Self::result(&head, &json) {
            Ok(result) => Ok(Self { path, head, result }),
            Err(why) => Err(MergeError::Unfit { path, why }),
        }
    }

    fn result(head: &Head, json: &Value) -> Result<FuzzResult, String> {
        if head.command != "fuzz" {
            return Err(format!(
                "it is the report of `tcprove {}`: campaigns can be merged with campaigns only",
                head.command
            ));
        }
        let mut result = FuzzResult::deserialize(json)
            .map_err(|error| format!("the result of the campaign cannot be read: {error}"))?;
        if result.members.is_empty() {
            let member = head.plan.get("member").cloned();
            let run = MemberRun {
                member: member.and_then(|member| MemberNumber::deserialize(member).ok()),
                run_id: head.run_id.clone(),
            };
            if head.interrupted {
                let name = name(&run);
                let note = format!("{name} was interrupted; what it had found until then counts");
                result.notes.push(note);
            }
            result.members.push(run);
        }
        Ok(result)
    }
}

fn name(run: &MemberRun) -> String {
    match run.member {
        Some(member) => format!("campaign {} of {}", member.index, member.count),
        None => format!("the campaign {}", run.run_id),
    }
}

/// All have the first one's plan and server, and each is there once.
fn belong_together(members: &[Member]) -> Result<(), String> {
    let Some((first, others)) = members.split_first() else {
        return Ok(());
    };
    for other in others {
        let differ = difference::between(&compared(first), &compared(other));
        if differ.is_empty() {
            continue;
        }
        return Err(format!(
            "{} and {} are not campaigns of the same plan; they differ in{}",
            first.path.display(),
            other.path.display(),
            difference::lines(&differ)
        ));
    }
    let runs = members.iter().flat_map(|member| {
        let runs = member.result.members.iter();
        runs.map(|run| (run, member.path.as_path()))
    });
    let runs: Vec<(&MemberRun, &Path)> = runs.collect();
    let is_same = |known: &MemberRun, run: &MemberRun| match (known.member, run.member) {
        (Some(one), Some(other)) => one == other,
        _ => known.run_id == run.run_id,
    };
    twice(&runs, is_same, name)
}

/// What has to be the same: the plan, the number of members, and the size of the program, which tells versions of it apart.
fn compared(member: &Member) -> Value {
    let mut plan = without(&member.head.plan, &OWN);
    let numbers = member.result.members.iter().filter_map(|run| run.member);
    plan["members"] = numbers.map(|number| number.count).max().into();
    let blocks = member.result.coverage.blocks;
    plan["blocks of the server"] = blocks.map(|blocks| blocks.all).into();
    plan
}
