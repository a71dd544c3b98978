//! A campaign as a member of a fleet: what it shares, and what it waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::setup::{Campaign, CampaignError};
use super::suspect::Suspect;
use super::unsettled::is_settled;
use crate::fuzz::fleet::{ClaimEnd, Fleet, Standing};
use crate::fuzz::oracle::Claim;
use crate::fuzz::symptom::Symptom;
use crate::fuzz::{Case, Finding, corpus};

/// Maximum bytes of cases that other members get to see of a suspect; of more, the last [`CASES_KEPT`].
const SAVED_BYTES_MAX: usize = 4 << 20;
/// The number of last cases of a longer epoch.
const CASES_KEPT: usize = 8;

/// The fleet, and what this member waits for.
pub(super) struct Membership {
    pub(super) fleet: Fleet,
    /// What others settle that was seen here too, by the id of the finding.
    waiting: Mutex<BTreeMap<String, Suspect>>,
    /// Findings that the others know of this member.
    shared: Mutex<BTreeSet<String>>,
}

/// A suspect, as a claim has it.
#[derive(JsonSchema, Serialize, Deserialize)]
struct SavedSuspect {
    symptom: Symptom,
    good: usize,
    cases: Vec<Case>,
    blamed: bool,
    turn: Option<String>,
}

impl Membership {
    /// Joins the fleet, if the campaign belongs to one.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(super) fn join(campaign: &Campaign) -> Result<Option<Self>, CampaignError> {
        let plan = &campaign.plan;
        let (Some(folder), Some(sync)) = (&plan.corpus, plan.sync) else {
            return Ok(None);
        };
        let fleet = Fleet::join(folder, plan.member, sync)
            .map_err(|error| CampaignError::Fleet(folder.clone(), error))?;
        Ok(Some(Self {
            fleet,
            waiting: Mutex::default(),
            shared: Mutex::default(),
        }))
    }

    /// Asks to settle a suspect.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(super) fn claim(&self, suspect: &Suspect) -> io::Result<Standing> {
        let id = suspect.id();
        let standing = self.fleet.claim(&id, saved(suspect))?;
        match standing {
            Standing::Theirs(_) => drop(self.waiting().insert(id, suspect.clone())),
            _ => drop(self.waiting().remove(&id)),
        }
        Ok(standing)
    }

    /// Stops waiting for others to settle the finding with this id, and returns what was seen of it here.
    pub(super) fn stop_waiting(&self, id: &str) -> Option<Suspect> {
        self.waiting().remove(id)
    }

    /// Lets others settle a finding whose cases did not show it again.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn give_up(&self, suspect: &Suspect) -> io::Result<()> {
        self.fleet.give_up(&suspect.id(), ClaimEnd::Tried)
    }

    /// Leaves a suspect that nobody has claimed to whoever has time.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn offer(&self, suspect: &Suspect) -> io::Result<()> {
        self.fleet.offer(&suspect.id(), saved(suspect))
    }

    /// Tells the others of a finding that was settled here, and of what becomes of it later.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(super) fn tell(&self, finding: &Finding) -> io::Result<()> {
        let is_new = !self.shared().contains(&finding.id);
        if finding.found_by.is_some() || is_new && !is_settled(finding) {
            return Ok(());
        }
        let mut told = finding.clone();
        told.unsettled = None;
        self.fleet.settle(&told)?;
        self.shared().insert(told.id);
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<String, Suspect>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shared(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes a case to the corpus, where the others see it if there are any.
///
/// # Errors
/// Why the corpus cannot be written.
pub(super) fn store(
    membership: &Option<Membership>,
    corpus: &Option<PathBuf>,
    case: &Case,
) -> Result<(), String> {
    match (membership, corpus) {
        (Some(membership), _) => membership
            .fleet
            .keep(case)
            .map_err(|error| error.to_string()),
        (None, Some(folder)) => corpus::add(folder, case).map_err(|error| error.to_string()),
        (None, None) => Ok(()),
    }
}

/// What a member has seen that vanished.
pub(super) fn restored(suspect: Value, now: Duration) -> Option<Suspect> {
    let saved = SavedSuspect::deserialize(suspect).ok()?;
    let mut cases = saved.cases;
    cases.iter_mut().for_each(Case::limit);
    Some(Suspect {
        claim: Claim::of(&saved.symptom),
        symptom: saved.symptom,
        good: saved.good,
        cases,
        blamed: saved.blamed,
        turn: saved.turn,
        first_seen: now,
    })
}

/// The finding of another member that was seen here too.
pub(super) fn seen_here(finding: Finding, first_seen: Duration) -> Finding {
    Finding {
        first_seen_s: first_seen.as_secs_f64(),
        ..finding
    }
}

fn saved(suspect: &Suspect) -> Value {
    let bytes: usize = suspect.cases.iter().map(Case::bytes).sum();
    let kept = match bytes {
        ..=SAVED_BYTES_MAX => suspect.cases.len(),
        _ => CASES_KEPT.min(suspect.cases.len()),
    };
    let left_out = suspect.cases.len() - kept;
    let saved = SavedSuspect {
        symptom: suspect.symptom.clone(),
        good: suspect.good.saturating_sub(left_out),
        cases: suspect.cases[left_out..].to_vec(),
        blamed: suspect.blamed,
        turn: suspect.turn.clone(),
    };
    // Plain data: serializing it cannot fail.
    serde_json::to_value(saved).unwrap_or_default()
}
