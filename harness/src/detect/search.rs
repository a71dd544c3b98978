//! The search for a talk: nonsense first, then the built-in talks, then what can be learned.

use std::time::{Duration, Instant};

use super::adapt;
use super::candidate::{self, Candidate};
use super::heard::Heard;
use super::learn;
use super::prober::Prober;
use super::{
    Assumed, Change, DetectError, Detected, FIRST_WORD, LATE_GREETING, Missed, PATIENT, Sketch,
    TOGETHER, TOTAL, Tried, no_talk,
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
    /// Whether messages with a binary length were tried.
    tried_lengths: bool,
    /// Whether it is known to serve several clients at the same time.
    serves_several: bool,
}

impl<'a> Search<'a> {
    pub(super) fn new(origin: &'a Origin, seed: u64, interrupt: &'a Interrupt) -> Self {
        Self {
            origin,
            prober: Prober::new(origin, false, seed, interrupt),
            said: Vec::new(),
            tried: Vec::new(),
            begun: Instant::now(),
            tried_lengths: false,
            serves_several: false,
        }
    }

    /// Finds the talk.
    ///
    /// # Errors
    /// The server does not start or cannot be reached, nothing fits, or the user interrupted.
    pub(super) fn find(&mut self) -> Result<Detected, DetectError> {
        if let Some(found) = self.builtin()? {
            return Ok(found);
        }
        if self.changes_its_mind()?
            && let Some(found) = self.builtin()?
        {
            return Ok(found);
        }
        self.learned()
    }

    /// Whether the server reacts to the same words differently when it has run for a while: it listened before it was ready.
    /// Then later probes let it settle. What repeats the words comes from a server that is ready.
    fn changes_its_mind(&mut self) -> Result<bool, DetectError> {
        let reaction = self.reaction().filter(|heard| !heard.repeats_its_token());
        let Some(first) = reaction else {
            return Ok(false);
        };
        let (sent, token) = (first.sent.clone(), first.token.clone());
        let talk = no_talk()?;
        self.prober.renew();
        let young = self.prober.hear(&talk, &token, &sent, FIRST_WORD)?;
        let again = self.prober.hear(&talk, &token, &sent, FIRST_WORD)?;
        if again.shape() != young.shape() {
            return Ok(false);
        }
        self.prober.settle()?;
        let old = self.prober.hear(&talk, &token, &sent, FIRST_WORD)?;
        let changed = young.shape() != old.shape();
        if changed {
            self.prober.settle_always();
        }
        Ok(changed)
    }

    /// Waits for a greeting, talks nonsense, and tries the built-in talks.
    fn builtin(&mut self) -> Result<Option<Detected>, DetectError> {
        self.said = self.nonsense()?;
        let rest = match self.candidates()? {
            Ok(found) => return Ok(Some(found)),
            Err(rest) => rest,
        };
        if self.is_silent() {
            self.prober.fresh()?;
            let greeting = self.prober.hear(&no_talk()?, "", b"", LATE_GREETING)?;
            self.note(&greeting);
            if greeting.is_answered() {
                self.said = vec![greeting];
                return Ok(self.candidates()?.ok());
            }
        }
        // A server that waits for more of a length answers no text, and each further talk would be waited for.
        if !self.said.iter().any(Heard::is_answered) {
            self.tried_lengths = true;
            if let Ok((held, learned)) = learn::framed(&mut self.prober)? {
                return Ok(Some(self.finish(held, Assumed::Learned(learned))));
            }
        }
        if !self.serves_several
            && let Some(found) = self.one_by_one(&rest)?
        {
            return Ok(Some(found));
        }
        self.patiently(rest)
    }

    /// Whether the server neither said a word nor closed, whatever was said.
    fn is_silent(&self) -> bool {
        let reacts = |heard: &Heard| heard.is_answered() || heard.is_closed();
        !self.said.iter().any(reacts)
    }

    /// Tries the talks for which something speaks, then the others, several at the same time. Returns those that a server
    /// which serves one client at a time, or has not said a word, may speak nevertheless.
    fn candidates(&mut self) -> Result<Result<Detected, Vec<Candidate>>, DetectError> {
        let (likely, blind): (Vec<_>, Vec<_>) = candidate::in_order(&self.said)
            .into_iter()
            .partition(|candidate| candidate.likely);
        for candidate in &likely {
            if let Some(found) = self.attempt(candidate)? {
                return Ok(Ok(found));
            }
        }
        let limit = self.patience();
        self.serves_several = self.serves_several()?;
        let is_slow = self.reaction().is_none();
        let mut rest = Vec::new();
        for mut group in in_groups(blind, self.group()) {
            if let Some(found) = self.together(&mut group, limit)? {
                return Ok(Ok(found));
            }
            if is_slow || !self.serves_several {
                rest.extend(group.into_iter().filter(|candidate| !candidate.likely));
            }
        }
        Ok(Err(rest))
    }

    /// Tries these talks at the same time, and then those that the server answered.
    fn together(
        &mut self,
        group: &mut [Candidate],
        limit: Duration,
    ) -> Result<Option<Detected>, DetectError> {
        let files: Vec<&File> = group.iter().map(|candidate| &candidate.file).collect();
        let results = self.prober.hold_all(&files, limit)?;
        for (candidate, result) in group.iter_mut().zip(results) {
            candidate.likely = result.is_ok();
            if candidate.likely
                && let Some(found) = self.attempt(candidate)?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Tries these talks with time limits for a slow server.
    fn patiently(&mut self, rest: Vec<Candidate>) -> Result<Option<Detected>, DetectError> {
        for mut group in in_groups(rest, self.group()) {
            if self.begun.elapsed() >= TOTAL {
                break;
            }
            if let Some(found) = self.together(&mut group, PATIENT)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Tries these talks one after the other.
    fn one_by_one(&mut self, rest: &[Candidate]) -> Result<Option<Detected>, DetectError> {
        for candidate in rest {
            if self.begun.elapsed() >= TOTAL {
                break;
            }
            if let Some(found) = self.attempt(candidate)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// How many talks are tried at the same time.
    fn group(&self) -> usize {
        match self.serves_several {
            true => GROUP_WIDE,
            false => GROUP,
        }
    }

    /// How long a message of a talk that nothing speaks for may take, when several are sent at the same time.
    fn patience(&self) -> Duration {
        self.reaction().map_or(TOGETHER, |reaction| {
            (reaction.took * SLOWER).clamp(QUICK, TOGETHER)
        })
    }

    /// What the server said to the first words to which it reacted.
    fn reaction(&self) -> Option<&Heard> {
        self.said.iter().find(|heard| heard.is_reaction())
    }

    /// Whether the server reacts to one client while another, silent one is connected; of one that is silent, whether it reads what
    /// that client says.
    fn serves_several(&mut self) -> Result<bool, DetectError> {
        let reaction = self.reaction().map(|heard| heard.sent.clone());
        if reaction.is_none() && !self.is_silent() {
            return Ok(false);
        }
        let talk = no_talk()?;
        self.prober.fresh()?;
        let client = self.prober.client(&talk);
        let Ok(silent) = self.prober.open(&client, FIRST_WORD)? else {
            return Ok(false);
        };
        let is_several = match reaction {
            Some(sent) => {
                let heard = self.prober.hear(&talk, "", &sent, FIRST_WORD)?;
                heard.is_reaction()
            }
            None => match self.prober.open(&client, FIRST_WORD)? {
                Ok(mut other) => {
                    let sent = self.prober.token();
                    self.prober
                        .is_read(&mut other, sent.as_bytes(), FIRST_WORD)?
                }
                Err(_) => false,
            },
        };
        drop(silent);
        Ok(is_several)
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

    fn learned(&mut self) -> Result<Detected, DetectError> {
        match learn::learn(&mut self.prober, &self.said, self.tried_lengths)? {
            Ok((held, learned)) => Ok(self.finish(held, Assumed::Learned(learned))),
            Err(missed) => {
                let mut tried = std::mem::take(&mut self.tried);
                tried.extend(missed.map(|missed| Tried {
                    what: "a talk learned from the replies".to_owned(),
                    came: missed.outcome(),
                }));
                let printed = self.prober.printed();
                Err(DetectError::Unknown { tried, printed })
            }
        }
    }

    fn finish(&self, held: adapt::Held, assumed: Assumed) -> Detected {
        finish(&self.prober, self.origin, held, assumed)
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

/// The whole file of a talk that was held: with the server as it was started.
pub(super) fn finish(
    prober: &Prober<'_>,
    origin: &Origin,
    held: adapt::Held,
    assumed: Assumed,
) -> Detected {
    let (mut sketch, mut file, mut changes) = (held.sketch, held.file, held.changes);
    match origin {
        Origin::Spawn(launch) => {
            let learned = prober.learned_launch(launch);
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

/// Groups of at most `size` candidates that are tried at the same time.
fn in_groups(mut candidates: Vec<Candidate>, size: usize) -> Vec<Vec<Candidate>> {
    let mut groups = Vec::new();
    while !candidates.is_empty() {
        let rest = candidates.split_off(candidates.len().min(size));
        groups.push(std::mem::replace(&mut candidates, rest));
    }
    groups
}

/// The most connections at the same time: as many as even a cautious server takes from one address ...
const GROUP: usize = 4;
/// ... and to a server that was seen to serve several.
const GROUP_WIDE: usize = 8;
/// A message of a talk may take this many times as long as the server's reaction to nonsense took...
const SLOWER: u32 = 20;
/// ... and at least this long.
const QUICK: Duration = Duration::from_millis(500);
