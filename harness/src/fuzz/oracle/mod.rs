//! Oracles: what counts as a bug, one file each. They are built so that a sound server raises no alarm:
//! what could be chance, or the machine's fault, or the server's right, is no symptom.
//!
//! Three of them look after every case (crash, panic) or every few (hang). The others put cases of their
//! own to a fresh server, and only where something hints at it: that is what [`shows`] does for all of them.

pub mod complexity;
pub mod conformance;
pub mod crash;
pub mod divergence;
pub mod hang;
pub mod leak;
pub mod panic;
pub mod starvation;
mod text;

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::runtime::Runtime;

use super::ground::Ground;
use super::life::Life;
use super::{Case, Kind};

/// What an oracle saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Symptom {
    /// What is wrong.
    pub kind: Kind,
    /// What makes it the same bug as another one.
    pub key: String,
    /// What was seen, in one sentence; safe to show.
    pub title: String,
    /// What was measured or printed, by name; safe to show.
    pub evidence: BTreeMap<String, Value>,
}

impl Symptom {
    /// A symptom without evidence.
    pub fn new(kind: Kind, key: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            kind,
            key: format!("{}: {}", kind.name(), key.into()),
            title: title.into(),
            evidence: BTreeMap::new(),
        }
    }

    /// The main process has ended.
    pub fn is_the_end(&self) -> bool {
        self.kind == Kind::Crash && !self.key.contains(crash::WORKER)
    }

    /// The same with something measured or printed.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.into(), value.into());
        self
    }
}

/// How thoroughly an oracle looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rigour {
    /// As its definition says.
    Full,
    /// With fewer repetitions, where only the minimizer asks: its answer is confirmed in full.
    Quick,
}

/// A bug that is looked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which oracle judges.
    pub kind: Kind,
    /// The reply that must not come: what a conformance finding is about.
    pub wrong_reply: Option<Vec<u8>>,
}

impl From<Kind> for Claim {
    fn from(kind: Kind) -> Self {
        Self {
            kind,
            wrong_reply: None,
        }
    }
}

/// Whether these cases, one after the other on a fresh server, show a bug of this kind. `None`: they do
/// not, or our own side failed.
pub fn shows(
    ground: &Ground,
    runtime: &Runtime,
    claim: &Claim,
    cases: &[Case],
    rigour: Rigour,
) -> Option<Symptom> {
    let mut life = Life::start(ground, runtime).ok()?;
    shows_on(&mut life, claim, cases, rigour)
}

/// The same on a life that is there.
pub fn shows_on(
    life: &mut Life<'_>,
    claim: &Claim,
    cases: &[Case],
    rigour: Rigour,
) -> Option<Symptom> {
    match claim.kind {
        Kind::Crash | Kind::Panic | Kind::Hang => watched(life, cases),
        Kind::Conformance if claim.wrong_reply.is_some() => conformance::test(life, claim, cases),
        // Healthy clients get wrong replies: that is for them to see.
        Kind::Conformance => watched(life, cases),
        kind => {
            let (last, before) = cases.split_last()?;
            for case in before {
                life.run(case).ok()?;
            }
            match kind {
                Kind::Starvation => starvation::test(life, last, rigour),
                Kind::Leak => leak::test(life, last, rigour),
                Kind::Divergence => divergence::test(life, before, last, rigour),
                _ => complexity::test(life, last, rigour),
            }
        }
    }
}

/// Runs the cases with the looks of a campaign.
fn watched(life: &mut Life<'_>, cases: &[Case]) -> Option<Symptom> {
    for case in cases {
        life.run(case).ok()?;
        if let Some(symptom) = life.alarm() {
            return Some(symptom);
        }
    }
    life.examine().or_else(|| life.loses_a_worker())
}
