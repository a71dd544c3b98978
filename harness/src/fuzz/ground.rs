//! What all lives of a campaign stand on: the server, its conversation, and how fast it is here and now.

use std::time::Duration;

use super::wire::Limits;
use crate::subject::{Pace, Rehearsal, Subject};
use crate::talk::{Frame, Talk};

/// A server that answers no new client for this long has stopped serving, unless it is slow by nature.
const SILENCE: Duration = Duration::from_secs(2);

/// The same for a first look.
const HASTE: Duration = Duration::from_millis(300);

/// The server of a campaign.
#[derive(Clone)]
pub struct Ground {
    /// The server and its conversation.
    pub subject: Subject,
    /// How fast it is.
    pub pace: Pace,
    /// How long a case waits for things.
    pub limits: Limits,
    /// It serves one connection at a time: others have to wait by nature.
    pub sequential: bool,
    /// How long a canary may take before the server counts as silent.
    pub silence: Duration,
}

impl Ground {
    /// The ground that a rehearsal of the conversation has found.
    pub fn new(subject: Subject, rehearsal: &Rehearsal) -> Self {
        Self {
            limits: Limits::of(rehearsal.pace.exchange),
            pace: rehearsal.pace,
            sequential: false,
            silence: SILENCE.max(rehearsal.pace.exchange * 20),
            subject,
        }
    }

    /// The conversation.
    pub fn talk(&self) -> &Talk {
        &self.subject.talk
    }

    /// How the talk's replies end: the frame of the plain turn.
    pub fn reply(&self) -> &Frame {
        self.talk().plain().reply_frame(self.talk())
    }

    /// Whether there is a fresh server for every look.
    pub fn is_fresh(&self) -> bool {
        self.subject.launch().is_some()
    }

    /// The same for the minimizer, which asks often: what it takes for silence is confirmed in full later.
    pub fn hasty(&self) -> Self {
        Self {
            silence: HASTE.max(self.pace.exchange * 20),
            ..self.clone()
        }
    }
}
