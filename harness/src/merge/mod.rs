//! Merges the reports of the parts of one run into the report of the whole.
//!
//! A report is read back from its JSON. What belongs together has the same plan, apart from the number of the part; whatever
//! does not is refused, with what differs. To add a kind of run: a file beside `battery`, and a line in [`merged`].

mod battery;
mod difference;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::check::Shard;
use crate::report::{Body, Environment, Header, Report, SCHEMA, TargetReport};

/// Why reports cannot be merged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    /// A file cannot be read.
    #[error("{} cannot be read: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        error: std::io::Error,
    },
    /// A file is no report that can be merged.
    #[error("{}: {why}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The reports do not belong together, or are not all.
    #[error("{0}")]
    Apart(String),
}

/// The report of a part, as its JSON says.
#[derive(Clone, Debug)]
pub(crate) struct PartReport {
    /// The file, for messages.
    path: PathBuf,
    shard: Shard,
    head: Head,
    /// The whole report.
    json: Value,
}

/// What every report has.
#[derive(Clone, Debug, Deserialize)]
struct Head {
    command: String,
    run_id: String,
    seed: u64,
    #[serde(default)]
    plan: Value,
    plan_hash: Option<String>,
    environment: Environment,
    target: Option<TargetReport>,
    interrupted: bool,
    duration_s: f64,
    error: Option<HeadError>,
}

#[derive(Clone, Debug, Deserialize)]
struct HeadError {
    message: String,
}

/// What is looked at before anything else: other versions may have other keys.
#[derive(Deserialize)]
struct Origin {
    schema: Option<String>,
    environment: Option<OriginEnvironment>,
}

#[derive(Deserialize)]
struct OriginEnvironment {
    tcprove: Option<String>,
}

impl PartReport {
    /// Reads the report of a part.
    ///
    /// # Errors
    /// The file cannot be read, is no report of this version, or its run came to no end.
    pub(crate) fn read(path: &Path) -> Result<Self, MergeError> {
        let text = std::fs::read_to_string(path).map_err(|error| MergeError::Read {
            path: path.to_owned(),
            error,
        })?;
        Self::of_json(path, &text).map_err(|why| MergeError::Unfit {
            path: path.to_owned(),
            why,
        })
    }

    fn of_json(path: &Path, text: &str) -> Result<Self, String> {
        let no_report = |error| format!("this is no report of tcprove: {error}");
        let json: Value = serde_json::from_str(text).map_err(no_report)?;
        let origin = Origin::deserialize(&json).map_err(no_report)?;
        let Some(schema) = origin.schema else {
            return Err("this is no report of tcprove: it has no `schema`".into());
        };
        let version = origin
            .environment
            .and_then(|environment| environment.tcprove);
        let this = env!("CARGO_PKG_VERSION");
        if schema != SCHEMA || version.as_deref() != Some(this) {
            return Err(format!(
                "it was written by tcprove {} (schema {schema}), and this is {this} ({SCHEMA}): merge with the version that ran the parts",
                version.as_deref().unwrap_or("of an unknown version")
            ));
        }
        let head = Head::deserialize(&json).map_err(no_report)?;
        if let Some(error) = &head.error {
            return Err(format!(
                "this part could not run, so there is no whole: {}",
                error.message
            ));
        }
        if head.interrupted {
            return Err("this part was interrupted, so there is no whole: run it again".into());
        }
        if head.command != "check" {
            return Err(format!(
                "it is the report of `tcprove {}`: batteries can be merged (`tcprove check --shard I/N --json FILE`)",
                head.command
            ));
        }
        let shard = head.plan.pointer("/selection/shard");
        let shard = shard.and_then(|shard| Shard::deserialize(shard).ok());
        let Some(shard) = shard else {
            return Err(
                "it is a whole battery and no part of one: run parts with --shard I/N".into(),
            );
        };
        Ok(Self {
            path: path.to_owned(),
            shard,
            head,
            json,
        })
    }

    /// The name of the part, for messages.
    fn name(&self) -> String {
        let Shard { index, count } = self.shard;
        format!("{} (part {index} of {count})", self.path.display())
    }
}

/// The report of the whole, of which these are the parts, in whatever order.
///
/// # Errors
/// The parts do not belong together, or are not all, or one is there twice.
pub(crate) fn merged(mut parts: Vec<PartReport>) -> Result<Report, MergeError> {
    parts.sort_by_key(|part| part.shard.index);
    belong_together(&parts).map_err(MergeError::Apart)?;
    are_all(&parts).map_err(MergeError::Apart)?;
    let whole = battery::whole(&parts)?;
    let first = &parts[0].head;
    let header = Header {
        command: "check",
        run_id: first.run_id.clone(),
        seed: first.seed,
        plan: Some(without_shard(&first.plan)),
        plan_hash: first.plan_hash.clone(),
        environment: first.environment.clone(),
        target: first.target.clone(),
        interrupted: false,
        duration_s: parts
            .iter()
            .map(|part| part.head.duration_s)
            .fold(0.0, f64::max),
    };
    Ok(Report::new(header, Ok(Body::Check(whole))))
}

/// The plan without the number of the part.
fn without_shard(plan: &Value) -> Value {
    let mut plan = plan.clone();
    if let Some(shard) = plan.pointer_mut("/selection/shard") {
        *shard = Value::Null;
    }
    plan
}

/// All parts have the first one's plan.
fn belong_together(parts: &[PartReport]) -> Result<(), String> {
    let Some((first, others)) = parts.split_first() else {
        return Err("no reports were given".into());
    };
    for other in others {
        if other.head.plan_hash == first.head.plan_hash && other.shard.count == first.shard.count {
            continue;
        }
        let plans = [first, other].map(|part| {
            let mut plan = without_shard(&part.head.plan);
            plan["parts"] = part.shard.count.into();
            plan
        });
        let differ = difference::between(&plans[0], &plans[1]);
        let differ: Vec<_> = differ
            .iter()
            .map(|differ| format!("\n  {}: {}, and {}", differ.place, differ.one, differ.other))
            .collect();
        return Err(format!(
            "{} and {} are not parts of the same run; they differ in{}",
            first.name(),
            other.name(),
            differ.concat()
        ));
    }
    Ok(())
}

/// Every part is there once.
fn are_all(parts: &[PartReport]) -> Result<(), String> {
    let twice = parts
        .windows(2)
        .find(|pair| pair[0].shard.index == pair[1].shard.index);
    if let Some(pair) = twice {
        return Err(format!(
            "the same part is there twice: {} and {}",
            pair[0].name(),
            pair[1].name()
        ));
    }
    let count = parts.first().map_or(0, |part| part.shard.count);
    let lacking: Vec<_> = (1..=count)
        .filter(|index| parts.iter().all(|part| part.shard.index != *index))
        .map(|index| index.to_string())
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(format!(
        "part {} of {count} is missing: give the reports of all parts",
        lacking.join(", ")
    ))
}
