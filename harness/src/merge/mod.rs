//! Merges the reports of the parts of one run into the report of the whole.
//!
//! A report is read back from its JSON. What belongs together has the same plan, apart from the number of the part; whatever
//! does not is refused, with what differs. To add a kind of run that is divided into parts: a file beside `battery`, and a line in
//! [`KINDS`]. Campaigns and gates are no parts of a whole, but several of the same (`campaign`, `gate`).

mod battery;
mod calls;
#[cfg(test)]
mod calls_tests;
mod campaign;
mod corpus;
mod difference;
mod gate;
#[cfg(test)]
mod gate_tests;
mod load;
#[cfg(test)]
mod load_tests;
mod sweep;
#[cfg(test)]
mod sweep_tests;
#[cfg(test)]
mod tests;

pub(crate) use self::battery::stored_outcomes;
pub(crate) use self::corpus::{MergedCorpus, write_corpus};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::data::Shard;
use crate::load::OBSERVER;
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
    /// A folder cannot be written.
    #[error("{} cannot be written: {error}", path.display())]
    Write {
        /// The folder.
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

/// A kind of run whose parts can be merged.
#[derive(Debug)]
struct Kind {
    /// The command that runs a part.
    command: &'static str,
    /// What a run is called, and how a part of it is run, for messages.
    name: &'static str,
    how: &'static str,
    /// Where the plan has the number of the part: a JSON pointer.
    number: &'static str,
    /// What becomes of a whole that lacks parts.
    incomplete: Incomplete,
    /// The result of the whole, of which some parts may be missing if `incomplete` allows that.
    whole: fn(&[PartReport], &[usize]) -> Result<Body, MergeError>,
}

/// What becomes of a whole of which a part is missing or was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Incomplete {
    /// There is no whole.
    Refused,
    /// The whole is invalid, and says why.
    Invalid,
}

/// Every kind of run whose parts can be merged.
const KINDS: [&Kind; 4] = [&battery::KIND, &calls::KIND, &load::KIND, &sweep::KIND];

/// A report of this version, as its JSON says.
struct StoredReport {
    path: PathBuf,
    head: Head,
    json: Value,
}

/// The report of a part, as its JSON says.
#[derive(Clone, Debug)]
pub(crate) struct PartReport {
    kind: &'static Kind,
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

/// The report of the whole, of which these files are the parts or the members, in whatever order.
///
/// # Errors
/// A file cannot be read or merged, or the reports do not belong together.
pub(crate) fn of_files(paths: &[PathBuf]) -> Result<Report, MergeError> {
    let stored: Result<Vec<_>, _> = paths.iter().map(|path| StoredReport::read(path)).collect();
    let stored = stored?;
    let command = stored.first().map(|first| first.head.command.as_str());
    match command {
        Some("fuzz") => campaign::merged(stored),
        Some("gate") => gate::merged(stored),
        _ => {
            let parts: Result<Vec<_>, _> = stored.into_iter().map(PartReport::of).collect();
            merged(parts?)
        }
    }
}

impl StoredReport {
    fn read(path: &Path) -> Result<Self, MergeError> {
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
        Ok(Self {
            path: path.to_owned(),
            head,
            json,
        })
    }
}

impl PartReport {
    /// The report of a part.
    ///
    /// # Errors
    /// It is none, or its run came to no end.
    fn of(stored: StoredReport) -> Result<Self, MergeError> {
        let StoredReport { path, head, json } = stored;
        match part_of(&head) {
            Ok((kind, shard)) => Ok(Self {
                kind,
                path,
                shard,
                head,
                json,
            }),
            Err(why) => Err(MergeError::Unfit { path, why }),
        }
    }

    #[cfg(test)]
    fn of_json(path: &Path, text: &str) -> Result<Self, String> {
        let stored = StoredReport::of_json(path, text)?;
        Self::of(stored).map_err(|error| error.to_string())
    }

    /// The plan without the number of the part.
    fn plan_of_whole(&self) -> Value {
        let mut plan = self.head.plan.clone();
        if let Some(number) = plan.pointer_mut(self.kind.number) {
            *number = Value::Null;
        }
        plan
    }

    /// It cannot be merged.
    fn unfit(&self, why: String) -> MergeError {
        MergeError::Unfit {
            path: self.path.clone(),
            why,
        }
    }

    /// The name of the part, for messages.
    fn name(&self) -> String {
        let Shard { index, count } = self.shard;
        match self.observes() {
            true => format!("{} (the observer)", self.path.display()),
            false => format!("{} (part {index} of {count})", self.path.display()),
        }
    }

    /// Whether this process generated nothing, and observed the server of a load.
    fn observes(&self) -> bool {
        self.shard.index == OBSERVER
    }
}

/// What a part is of, and its number.
fn part_of(head: &Head) -> Result<(&'static Kind, Shard), String> {
    // A command may run several kinds: their plans differ in where the number of the part is.
    let of_command = || KINDS.iter().filter(|kind| kind.command == head.command);
    let exact = of_command().find(|kind| head.plan.pointer(kind.number).is_some());
    let Some(kind) = exact.or_else(|| of_command().next()) else {
        let ways: Vec<_> = KINDS.iter().map(|kind| kind.how).collect();
        return Err(format!(
            "it is the report of `tcprove {}`, which has no parts; these can be merged: {}, campaigns with campaigns, and gates with gates",
            head.command,
            ways.join(", ")
        ));
    };
    if head.interrupted && kind.incomplete == Incomplete::Refused {
        return Err("this part was interrupted, so there is no whole: run it again".into());
    }
    let shard = head.plan.pointer(kind.number);
    let shard = shard.and_then(|shard| Shard::deserialize(shard).ok());
    let shard = shard.ok_or_else(|| {
        format!(
            "it is a whole {} and no part of one: run parts with {}",
            kind.name, kind.how
        )
    })?;
    Ok((kind, shard))
}

/// The report of the whole, of which these are the parts, in whatever order.
///
/// # Errors
/// The parts do not belong together, or one is there twice, or there is no whole without those that are missing.
fn merged(mut parts: Vec<PartReport>) -> Result<Report, MergeError> {
    // Who only observed comes last.
    parts.sort_by_key(|part| (part.observes(), part.shard.index));
    belong_together(&parts).map_err(MergeError::Apart)?;
    are_there_once(&parts).map_err(MergeError::Apart)?;
    let kind = parts[0].kind;
    let missing = missing(&parts);
    if kind.incomplete == Incomplete::Refused && !missing.is_empty() {
        return Err(MergeError::Apart(are_missing(&missing, &parts)));
    }
    let body = (kind.whole)(&parts, &missing)?;
    let first = &parts[0].head;
    let header = Header {
        command: kind.command,
        run_id: first.run_id.clone(),
        seed: first.seed,
        plan: Some(parts[0].plan_of_whole()),
        plan_hash: first.plan_hash.clone(),
        environment: first.environment.clone(),
        target: first.target.clone(),
        interrupted: false,
        duration_s: parts
            .iter()
            .map(|part| part.head.duration_s)
            .fold(0.0, f64::max),
    };
    Ok(Report::new(header, Ok(body)))
}

/// All parts have the first one's command and plan.
fn belong_together(parts: &[PartReport]) -> Result<(), String> {
    let Some((first, others)) = parts.split_first() else {
        return Err("no reports were given".into());
    };
    if first.observes() {
        return Err(format!(
            "{} says what the server used, and the reports of the parts are missing: give them too",
            first.name()
        ));
    }
    for other in others {
        if other.kind.name != first.kind.name {
            return Err(format!(
                "{} is a part of a {}, and {} of a {}",
                first.path.display(),
                first.kind.name,
                other.path.display(),
                other.kind.name
            ));
        }
        let is_divided_alike = other.observes() || other.shard.count == first.shard.count;
        if other.head.plan_hash == first.head.plan_hash && is_divided_alike {
            continue;
        }
        let plans = [first, other].map(|part| {
            let mut plan = part.plan_of_whole();
            // An observer does not know how many there are.
            let counted = if part.observes() { first } else { part };
            plan["parts"] = counted.shard.count.into();
            plan
        });
        let differ = difference::between(&plans[0], &plans[1]);
        return Err(format!(
            "{} and {} are not parts of the same run; they differ in{}",
            first.name(),
            other.name(),
            difference::lines(&differ)
        ));
    }
    Ok(())
}

/// Fails if something is there twice, with its name and the files of both.
fn twice<T>(
    there: &[(&T, &Path)],
    is_same: impl Fn(&T, &T) -> bool,
    name: impl Fn(&T) -> String,
) -> Result<(), String> {
    for (place, (one, file)) in there.iter().enumerate() {
        let earlier = &there[..place];
        if let Some((_, before)) = earlier.iter().find(|(known, _)| is_same(known, one)) {
            return Err(format!(
                "{} is there twice: {} and {}",
                name(one),
                before.display(),
                file.display()
            ));
        }
    }
    Ok(())
}

/// No part is there twice.
fn are_there_once(parts: &[PartReport]) -> Result<(), String> {
    let twice = parts
        .windows(2)
        .find(|pair| pair[0].shard.index == pair[1].shard.index);
    twice.map_or(Ok(()), |pair| {
        Err(format!(
            "the same part is there twice: {} and {}",
            pair[0].name(),
            pair[1].name()
        ))
    })
}

/// The numbers of the parts that are not there.
fn missing(parts: &[PartReport]) -> Vec<usize> {
    let there: BTreeSet<usize> = parts.iter().map(|part| part.shard.index).collect();
    let count = parts.first().map_or(0, |part| part.shard.count);
    (1..=count).filter(|index| !there.contains(index)).collect()
}

fn are_missing(missing: &[usize], parts: &[PartReport]) -> String {
    let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
    format!(
        "part {} of {} is missing: give the reports of all parts",
        missing.join(", "),
        parts[0].shard.count
    )
}
