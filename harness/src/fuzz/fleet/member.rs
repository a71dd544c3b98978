//! What one member of a fleet does with the files of all. It reads no clock: every call says what time it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::claim::{self, ClaimEnd, ClaimName};
use super::shelf::{Drawer, Shelf};

/// The ending of the file with a member's signs of life.
pub(super) const BEATS: &str = ".beats";
/// Maximum cases that one look takes in; the others wait for the next one.
pub(super) const CASES_MAX: usize = 4096;
/// Signs of life that a holder of a claim must miss before others take over.
pub(super) const MISSED_MAX: u32 = 6;
/// Claims after which a finding counts as one that cannot be shown again.
const TRIES_MAX: u32 = 5;

/// One member.
pub(super) struct Member<S> {
    shelf: S,
    name: String,
    /// Time between two signs of life.
    pub(super) beat_every: Duration,
    cases: KnownCases,
    /// Findings that this member has settled or heard of.
    findings: BTreeSet<String>,
    /// What it settles.
    held: BTreeMap<String, ClaimName>,
    beats: u64,
    last_beat: Option<Duration>,
    /// The last signs of life of others, and when they were new here.
    heard: BTreeMap<String, (u64, Duration)>,
    /// Claims without a holder that were offered already.
    offered: BTreeSet<ClaimName>,
}

/// The names of the cases that a member has written or read. It has a lock of its own: a lane that writes a case must not wait
/// for a look.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownCases(Arc<Mutex<HashSet<String>>>);

impl KnownCases {
    /// Notes a case. Whoever writes it notes it before, so that no look takes it for another member's.
    pub(super) fn add(&self, name: &str) {
        self.all().insert(name.to_owned());
    }

    fn all(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A claim, as its file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ClaimFile {
    /// The member that settles the finding.
    member: String,
    /// What it has seen, so that another one can go on.
    suspect: Value,
}

/// A sign of life.
#[derive(Serialize, Deserialize)]
struct Beat {
    beats: u64,
    /// Seconds between two of them.
    every_s: f64,
}

/// Whether a member may settle a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Permission {
    /// It does.
    Ours,
    /// Another one does, with this name.
    Theirs(String),
    /// It is settled: the content of the file.
    Settled(Vec<u8>),
    /// It was tried often enough.
    Tried,
}

/// What is new.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The content of case files, by name.
    pub cases: Vec<(String, Vec<u8>)>,
    /// The content of the files of findings, by id.
    pub findings: Vec<(String, Vec<u8>)>,
    /// What was seen by members that do not settle it any more, by the id of the finding.
    pub orphans: Vec<(String, Value)>,
    /// Ids of findings that their holder could not show again.
    pub tried: Vec<String>,
    /// What could not be read.
    pub troubles: Vec<String>,
}

impl<S: Shelf> Member<S> {
    pub(super) fn new(shelf: S, name: String, beat_every: Duration) -> Self {
        Self {
            shelf,
            name,
            beat_every,
            cases: KnownCases::default(),
            findings: BTreeSet::new(),
            held: BTreeMap::new(),
            beats: 0,
            last_beat: None,
            heard: BTreeMap::new(),
            offered: BTreeSet::new(),
        }
    }

    /// The cases that it knows.
    pub(super) fn cases(&self) -> KnownCases {
        self.cases.clone()
    }

    /// Looks for what is new: lists three drawers, and reads each new file once. What another member holds costs one more
    /// read a look.
    pub(super) fn look(&mut self, now: Duration) -> io::Result<News> {
        let mut news = News::default();
        self.look_for_cases(&mut news)?;
        for file in self.shelf.names(Drawer::Findings)? {
            let Some(id) = file.strip_suffix(".json") else {
                continue;
            };
            if self.findings.contains(id) {
                continue;
            }
            match self.shelf.read(Drawer::Findings, &file) {
                Ok(content) => {
                    self.findings.insert(id.to_owned());
                    news.findings.push((id.to_owned(), content));
                }
                Err(error) => news.troubles.push(format!("{file}: {error}")),
            }
        }
        self.look_for_orphans(now, &mut news)?;
        Ok(news)
    }

    fn look_for_cases(&mut self, news: &mut News) -> io::Result<()> {
        let mut files = self.shelf.names(Drawer::Cases)?;
        let known = self.cases.clone();
        files.retain(|file| !known.all().contains(file));
        for file in files.into_iter().take(CASES_MAX) {
            match self.shelf.read(Drawer::Cases, &file) {
                Ok(content) => news.cases.push((file.clone(), content)),
                // Someone has tidied up.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => news.troubles.push(format!("{file}: {error}")),
            }
            known.add(&file);
        }
        Ok(())
    }

    fn look_for_orphans(&mut self, now: Duration, news: &mut News) -> io::Result<()> {
        let files = self.shelf.names(Drawer::Claims)?;
        for (id, (name, end)) in claim::newest(&files) {
            let is_done = self.findings.contains(&id) || self.held.contains_key(&id);
            if is_done || self.offered.contains(&name) {
                continue;
            }
            if end == Some(ClaimEnd::Tried) {
                self.offered.insert(name);
                news.tried.push(id);
                continue;
            }
            let Some(file) = self.claim_file(&name) else {
                continue;
            };
            if end == Some(ClaimEnd::Left) || self.has_vanished(&file.member, now)? {
                self.offered.insert(name);
                news.orphans.push((id, file.suspect));
            }
        }
        Ok(())
    }

    fn claim_file(&self, name: &ClaimName) -> Option<ClaimFile> {
        let content = self.shelf.read(Drawer::Claims, &name.file()).ok()?;
        serde_json::from_slice(&content).ok()
    }

    /// Whether a member has ended, or has given no sign of life for too long. Only its own count of them and the time here
    /// are compared: clocks of two machines may differ.
    fn has_vanished(&mut self, member: &str, now: Duration) -> io::Result<bool> {
        let content = match self
            .shelf
            .read(Drawer::Members, &format!("{member}{BEATS}"))
        {
            Ok(content) => content,
            // A member writes this file before its first claim, and removes it at its end.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(error),
        };
        let Ok(beat) = serde_json::from_slice::<Beat>(&content) else {
            return Ok(false);
        };
        let every = Duration::try_from_secs_f64(beat.every_s).unwrap_or_default();
        let heard = self
            .heard
            .entry(member.to_owned())
            .or_insert((beat.beats, now));
        if heard.0 != beat.beats {
            *heard = (beat.beats, now);
        }
        Ok(now.saturating_sub(heard.1) > every.max(self.beat_every) * MISSED_MAX)
    }

    /// Asks to settle a finding. `suspect` is what was seen, for the member that takes over if this one vanishes.
    pub(super) fn claim(
        &mut self,
        id: &str,
        suspect: Value,
        now: Duration,
    ) -> io::Result<Permission> {
        if self.held.contains_key(id) {
            return Ok(Permission::Ours);
        }
        if let Some(content) = self.settled(id)? {
            return Ok(Permission::Settled(content));
        }
        self.beat_now(now)?;
        let file = ClaimFile {
            member: self.name.clone(),
            suspect,
        };
        // Plain data: serializing it cannot fail.
        let content = serde_json::to_vec(&file).unwrap_or_default();
        let mut name = ClaimName {
            id: id.to_owned(),
            generation: 1,
        };
        let mut tried = 0;
        while !self.shelf.create(Drawer::Claims, &name.file(), &content)? {
            match self.obstacle(&name, now)? {
                None => {}
                Some(Obstacle::Tried) => tried += 1,
                Some(Obstacle::Holder(member)) => return Ok(Permission::Theirs(member)),
            }
            if tried >= TRIES_MAX {
                return Ok(Permission::Tried);
            }
            name.generation += 1;
        }
        self.held.insert(id.to_owned(), name);
        // Its holder may have settled it and ended in the meantime.
        if let Some(content) = self.settled(id)? {
            self.held.remove(id);
            return Ok(Permission::Settled(content));
        }
        Ok(Permission::Ours)
    }

    /// What a claim of another member means for the next one. `None`: nothing, since that member is gone.
    fn obstacle(&mut self, name: &ClaimName, now: Duration) -> io::Result<Option<Obstacle>> {
        let is_there = |end| match self.shelf.read(Drawer::Claims, &name.mark(end)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        if is_there(ClaimEnd::Tried)? {
            return Ok(Some(Obstacle::Tried));
        }
        if is_there(ClaimEnd::Left)? {
            return Ok(None);
        }
        let Some(file) = self.claim_file(name) else {
            return Ok(None);
        };
        let is_gone = file.member == self.name || self.has_vanished(&file.member, now)?;
        Ok((!is_gone).then_some(Obstacle::Holder(file.member)))
    }

    fn settled(&self, id: &str) -> io::Result<Option<Vec<u8>>> {
        match self.shelf.read(Drawer::Findings, &format!("{id}.json")) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a finding that this member has settled, or a later version of it.
    pub(super) fn settle(&mut self, id: &str, content: &[u8]) -> io::Result<()> {
        self.shelf
            .replace(Drawer::Findings, &format!("{id}.json"), content)?;
        self.findings.insert(id.to_owned());
        self.held.remove(id);
        Ok(())
    }

    /// Gives up a finding that this member was to settle.
    pub(super) fn give_up(&mut self, id: &str, end: ClaimEnd) -> io::Result<()> {
        let Some(name) = self.held.remove(id) else {
            return Ok(());
        };
        self.offered.insert(name.clone());
        self.shelf
            .create(Drawer::Claims, &name.mark(end), b"")
            .map(drop)
    }

    /// Leaves a finding that nobody has claimed to whoever has time.
    pub(super) fn offer(&mut self, id: &str, suspect: Value) -> io::Result<()> {
        let name = ClaimName {
            id: id.to_owned(),
            generation: 1,
        };
        let file = ClaimFile {
            member: self.name.clone(),
            suspect,
        };
        let content = serde_json::to_vec(&file).unwrap_or_default();
        if self.held.contains_key(id) || self.settled(id)?.is_some() {
            return Ok(());
        }
        if self.shelf.create(Drawer::Claims, &name.file(), &content)? {
            self.held.insert(id.to_owned(), name);
            self.give_up(id, ClaimEnd::Left)?;
        }
        Ok(())
    }

    /// Gives a sign of life if one is due.
    pub(super) fn beat(&mut self, now: Duration) -> io::Result<()> {
        let is_due = |last: Duration| now.saturating_sub(last) >= self.beat_every;
        if self.held.is_empty() || !self.last_beat.is_none_or(is_due) {
            return Ok(());
        }
        self.beat_now(now)
    }

    fn beat_now(&mut self, now: Duration) -> io::Result<()> {
        self.beats += 1;
        self.last_beat = Some(now);
        let beat = Beat {
            beats: self.beats,
            every_s: self.beat_every.as_secs_f64(),
        };
        let content = serde_json::to_vec(&beat).unwrap_or_default();
        self.shelf
            .replace(Drawer::Members, &format!("{}{BEATS}", self.name), &content)
    }

    /// Ends: others may settle at once what this member could not.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let held: Vec<String> = self.held.keys().cloned().collect();
        held.iter()
            .try_for_each(|id| self.give_up(id, ClaimEnd::Left))?;
        self.shelf
            .remove(Drawer::Members, &format!("{}{BEATS}", self.name))
    }
}

/// What keeps a member from settling a finding.
enum Obstacle {
    /// Another member settles it.
    Holder(String),
    /// Another member could not show it again.
    Tried,
}
