//! The search for a talk: nonsense first, then the built-in talks, then what can be learned.

use std::time::Instant;

use super::adapt;
use super::candidate::{self, Candidate};
use super::heard::Heard;
use super::learn;
use super::prober::Prober;
use super::{
    Assumed, Change, DetectError, Detected, FIRST_WORD, LATE_GREETING, Missed, Sketch, TOGETHER,
    TOTAL, Tried, no_talk,
};
use crate::file::File;
use crate::process::{Launch, Ready};
use crate::subject::{Interrupt, Origin};

/// A running search.
pub(super) struct Search<'a> {
    origin: &'a Origin,
    prober: Prober<'a>,
    /// What the server said unasked, and to nonsense.
    said: Vec<Heard>,
    tried: Vec<Tried>,
    begun: Instant,
}

impl<'a> Search<'a> {
    pub(super) fn new(origin: &'a Origin, seed: u64, interrupt: &'a Interrupt) -> Self {
        Self {
            origin,
            prober: Prober::new(origin, false, seed, interrupt),
            said: Vec::new(),
            tried: Vec::new(),
            begun: Instant::now(),
        }
    }

    /// Waits for a greeting, talks nonsense, and tries the built-in talks.
    pub(super) fn builtin(&mut self) -> Result<Option<Detected>, DetectError> {
        self.said = self.nonsense()?;
        let found = self.candidates()?;
        if found.is_some()
            || self
                .said
                .iter()
                .any(|heard| heard.is_answered() || heard.is_closed())
        {
            return Ok(found);
        }
        self.prober.fresh()?;
        let greeting = self.prober.hear(&no_talk()?, "", b"", LATE_GREETING)?;
        self.note(&greeting);
        if !greeting.is_answered() {
            return Ok(None);
        }
        self.said = vec![greeting];
        self.candidates()
    }

    /// Tries the talks for which something speaks, then the others, several at the same time, then, because some servers serve
    /// one client at a time, one after the other.
    fn candidates(&mut self) -> Result<Option<Detected>, DetectError> {
        let (likely, blind): (Vec<_>, Vec<_>) = candidate::in_order(&self.said)
            .into_iter()
            .partition(|candidate| candidate.likely);
        for candidate in &likely {
            if let Some(found) = self.attempt(candidate)? {
                return Ok(Some(found));
            }
        }
        let mut later = Vec::new();
        for mut group in in_groups(blind) {
            let files: Vec<&File> = group.iter().map(|candidate| &candidate.file).collect();
            let results = self.prober.hold_all(&files, TOGETHER)?;
            for (candidate, result) in group.iter_mut().zip(results) {
                candidate.likely = result.is_ok();
                if candidate.likely
                    && let Some(found) = self.attempt(candidate)?
                {
                    return Ok(Some(found));
                }
            }
            later.extend(group.into_iter().filter(|candidate| !candidate.likely));
        }
        for candidate in later {
            if self.begun.elapsed() >= TOTAL {
                break;
            }
            if let Some(found) = self.attempt(&candidate)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn attempt(&mut self, candidate: &Candidate) -> Result<Option<Detected>, DetectError> {
        match adapt::adapt(&mut self.prober, candidate)? {
            Ok(held) => Ok(Some(self.finish(held, Assumed::Builtin(candidate.name)))),
            Err(missed) => {
                self.missed(candidate.name, &missed);
                Ok(None)
            }
        }
    }

    /// Notes what a talk led to.
    fn missed(&mut self, talk: &str, missed: &Missed) {
        self.tried.push(Tried {
            what: talk.to_owned(),
            came: missed.outcome(),
        });
    }

    pub(super) fn learned(&mut self) -> Result<Detected, DetectError> {
        match learn::learn(&mut self.prober, &self.said)? {
            Ok((held, learned)) => Ok(self.finish(held, Assumed::Learned(learned))),
            Err(missed) => {
                let mut tried = std::mem::take(&mut self.tried);
                tried.extend(missed.map(|missed| Tried {
                    what: "a talk learned from the replies".to_owned(),
                    came: missed.outcome(),
                }));
                Err(DetectError::Unknown { tried })
            }
        }
    }

    fn finish(&self, held: adapt::Held, assumed: Assumed) -> Detected {
        let (mut sketch, mut file, mut changes) = (held.sketch, held.file, held.changes);
        match self.origin {
            Origin::Spawn(launch) => {
                let learned = self.prober.learned_launch(launch);
                if matches!(learned.ready, Ready::Exchange) {
                    changes.push(Change::ReadyLater);
                }
                sketch.set_server(&learned);
                file = with_server(&sketch, file, launch, assumed.name());
            }
            Origin::Attach { .. } => sketch.remove_server(),
        }
        Detected {
            sketch,
            file,
            assumed,
            example: held.example,
            changes,
            port: None,
        }
    }

    /// What the server says unasked, and to words that mean nothing.
    fn nonsense(&mut self) -> Result<Vec<Heard>, DetectError> {
        let echo = no_talk()?;
        let mut said = vec![self.prober.hear(&echo, "", b"", FIRST_WORD)?];
        for end in ["", "\n", "\r\n"] {
            if said.iter().any(Heard::is_answered) {
                break;
            }
            let token = self.prober.token();
            let sent = format!("{token}{end}");
            self.prober.fresh()?;
            said.push(
                self.prober
                    .hear(&echo, &token, sent.as_bytes(), FIRST_WORD)?,
            );
        }
        said.iter().for_each(|heard| self.note(heard));
        Ok(said)
    }

    /// Notes what a probe led to.
    fn note(&mut self, heard: &Heard) {
        self.tried.push(Tried {
            what: heard.request(),
            came: heard.answer(),
        });
    }
}

/// The file with the server that was started, read back from its own text.
fn with_server(sketch: &Sketch, file: File, launch: &Launch, talk: &str) -> File {
    match sketch.file(talk) {
        Ok(mut whole) => {
            if let Some(server) = &mut whole.server {
                server.cwd.clone_from(&launch.cwd);
                server.params.clone_from(&launch.params);
            }
            whole
        }
        Err(_) => file,
    }
}

/// Groups of candidates that are tried at the same time: as many connections as even a cautious server takes from one
/// address.
fn in_groups(mut candidates: Vec<Candidate>) -> Vec<Vec<Candidate>> {
    let mut groups = Vec::new();
    while !candidates.is_empty() {
        let rest = candidates.split_off(candidates.len().min(GROUP));
        groups.push(std::mem::replace(&mut candidates, rest));
    }
    groups
}

/// The most connections at the same time.
const GROUP: usize = 4;
