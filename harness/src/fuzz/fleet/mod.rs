//! Campaigns that work together through a folder: a fleet. Each member reads what the others have found and settles what
//! nobody else does.
//!
//! `shelf` is the folder, `claim` names who settles what, `member` decides, without a clock of its own, and `simulation` runs up
//! to 1,000 members. A [`Fleet`] is a member of a running campaign; a thread of its own looks after the folder, so that no lane
//! waits for it.

mod claim;
mod member;
#[cfg(test)]
mod memory;
mod shelf;
#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(in crate::fuzz) use claim::ClaimEnd;
use serde_json::{Value, json};

use self::member::{KnownCases, Member, News, Permission};
use self::shelf::{Drawer, Folder, Shelf as _};
use super::plan::MemberNumber;
use super::{Case, CaseFile, Finding, corpus};

/// Maximum time between two signs of life of a member that settles something.
const BEAT_MAX: Duration = Duration::from_secs(10);

/// A member of a fleet, in a running campaign.
pub(in crate::fuzz) struct Fleet {
    inner: Arc<Inner>,
    courier: Option<(Sender<()>, JoinHandle<()>)>,
}

struct Inner {
    begun: Instant,
    name: String,
    folder: Folder,
    known: KnownCases,
    member: Mutex<Member<Folder>>,
    /// Cases that no lane has run yet, and their number.
    cases: Mutex<VecDeque<Case>>,
    waiting: AtomicUsize,
    events: Mutex<Vec<FleetEvent>>,
    has_events: AtomicBool,
}

/// What a member hears of others.
#[derive(Debug)]
pub(in crate::fuzz) enum FleetEvent {
    /// A finding was settled before this campaign began.
    Earlier(Box<Finding>),
    /// A finding was settled.
    Settled(Box<Finding>),
    /// A finding has nobody to settle it any more: its id, and what was seen.
    Orphan(String, Value),
    /// The finding with this id could not be shown again.
    Tried(String),
    /// Something cannot be read or written.
    Trouble(String),
}

/// Whether a campaign may settle a finding.
#[derive(Debug)]
pub(in crate::fuzz) enum Standing {
    /// It does, until it says how that ended.
    Ours,
    /// The member with this name does.
    Theirs(String),
    /// It is settled.
    Settled(Box<Finding>),
    /// Members have tried it often enough.
    Tried,
}

impl Fleet {
    /// Joins the fleet of a folder, and reads what is there.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(in crate::fuzz) fn join(
        folder: &Path,
        number: Option<MemberNumber>,
        sync: Duration,
    ) -> io::Result<Self> {
        let shelf = Folder::new(folder);
        shelf.prepare()?;
        let name = unique_name(number);
        let member = Member::new(shelf.clone(), name.clone(), sync.min(BEAT_MAX));
        let inner = Arc::new(Inner {
            begun: Instant::now(),
            name,
            folder: shelf,
            known: member.cases(),
            member: Mutex::new(member),
            cases: Mutex::default(),
            waiting: AtomicUsize::new(0),
            events: Mutex::default(),
            has_events: AtomicBool::new(false),
        });
        inner.look(FleetEvent::Earlier)?;
        let (stop, stopped) = channel();
        let courier = {
            let inner = inner.clone();
            let tick = sync.min(BEAT_MAX);
            std::thread::spawn(move || {
                let mut looked = Instant::now();
                while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                    inner.told(inner.member().beat(inner.begun.elapsed()));
                    if looked.elapsed() >= sync {
                        inner.told(inner.look(FleetEvent::Settled));
                        looked = Instant::now();
                    }
                }
            })
        };
        Ok(Self {
            inner,
            courier: Some((stop, courier)),
        })
    }

    /// Gives a case to the others.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::fuzz) fn keep(&self, case: &Case) -> io::Result<()> {
        let (name, text) = corpus::named(case);
        self.inner.known.add(&name);
        self.inner
            .folder
            .create(Drawer::Cases, &name, text.as_bytes())
            .map(drop)
    }

    /// A case of another member that no lane has run yet.
    pub(in crate::fuzz) fn case(&self) -> Option<Case> {
        // Nearly always there is none: most of the cases cost one load here.
        if self.inner.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let case = locked(&self.inner.cases).pop_front()?;
        self.inner.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(case)
    }

    /// What was heard since the last call.
    pub(in crate::fuzz) fn events(&self) -> Vec<FleetEvent> {
        match self.inner.has_events.swap(false, Ordering::AcqRel) {
            true => std::mem::take(&mut locked(&self.inner.events)),
            false => Vec::new(),
        }
    }

    /// Looks at the folder now.
    pub(in crate::fuzz) fn look(&self) {
        self.inner.told(self.inner.look(FleetEvent::Settled));
    }

    /// Asks to settle a finding. `suspect` is what was seen, for the member that takes over if this one vanishes.
    ///
    /// # Errors
    /// The folder cannot be read or written.
    pub(in crate::fuzz) fn claim(&self, id: &str, suspect: Value) -> io::Result<Standing> {
        let now = self.inner.begun.elapsed();
        Ok(match self.inner.member().claim(id, suspect, now)? {
            Permission::Ours => Standing::Ours,
            Permission::Theirs(member) => Standing::Theirs(member),
            Permission::Tried => Standing::Tried,
            Permission::Settled(content) => Standing::Settled(Box::new(parsed(id, &content)?)),
        })
    }

    /// Tells the others of a finding that this member has settled, or of a later version of it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::fuzz) fn settle(&self, finding: &Finding) -> io::Result<()> {
        let text = text(finding, &self.inner.name);
        self.inner.member().settle(&finding.id, text.as_bytes())
    }

    /// Gives up a finding that this member was to settle.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(in crate::fuzz) fn give_up(&self, id: &str, end: ClaimEnd) -> io::Result<()> {
        self.inner.member().give_up(id, end)
    }

    /// Leaves a finding that nobody has claimed to whoever has time.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(in crate::fuzz) fn offer(&self, id: &str, suspect: Value) -> io::Result<()> {
        self.inner.member().offer(id, suspect)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if let Some((stop, courier)) = self.courier.take() {
            drop(stop);
            // A panic there has been printed.
            let _ = courier.join();
        }
        // If this fails, others take over after a while, as if this member had been killed.
        let _ = self.inner.member().end();
    }
}

impl Inner {
    fn member(&self) -> MutexGuard<'_, Member<Folder>> {
        locked(&self.member)
    }

    /// Looks at the folder. `settled` makes an event of a finding.
    fn look(&self, settled: fn(Box<Finding>) -> FleetEvent) -> io::Result<()> {
        let now = self.begun.elapsed();
        let news = {
            let mut member = self.member();
            let news = member.look(now)?;
            member.beat(self.begun.elapsed())?;
            news
        };
        self.take_in(news, settled);
        Ok(())
    }

    fn take_in(&self, news: News, settled: fn(Box<Finding>) -> FleetEvent) {
        let mut events: Vec<FleetEvent> =
            news.troubles.into_iter().map(FleetEvent::Trouble).collect();
        let mut cases = VecDeque::new();
        for (name, content) in news.cases {
            match CaseFile::parse(&String::from_utf8_lossy(&content)) {
                Ok(file) => cases.extend(file.cases),
                Err(error) => events.push(FleetEvent::Trouble(format!("{name}: {error}"))),
            }
        }
        for (id, content) in news.findings {
            events.push(match parsed(&id, &content) {
                Ok(finding) => settled(Box::new(finding)),
                Err(error) => FleetEvent::Trouble(error.to_string()),
            });
        }
        let orphans = news.orphans.into_iter();
        events.extend(orphans.map(|(id, suspect)| FleetEvent::Orphan(id, suspect)));
        events.extend(news.tried.into_iter().map(FleetEvent::Tried));
        let mut waiting = locked(&self.cases);
        waiting.append(&mut cases);
        self.waiting.store(waiting.len(), Ordering::Release);
        drop(waiting);
        self.heard(events);
    }

    fn heard(&self, mut events: Vec<FleetEvent>) {
        if !events.is_empty() {
            locked(&self.events).append(&mut events);
            self.has_events.store(true, Ordering::Release);
        }
    }

    fn told(&self, done: io::Result<()>) {
        if let Err(error) = done {
            self.heard(vec![FleetEvent::Trouble(error.to_string())]);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The file of a finding: a case file, so that `tcprove replay` reads it.
fn text(finding: &Finding, member: &str) -> String {
    let mut file = CaseFile::of(finding.cases.clone());
    let seen = finding.seen();
    // Plain data: serializing it cannot fail.
    let mut about = serde_json::to_value(finding).unwrap_or_default();
    about["found_by"] = json!(member);
    about["cases"] = json!([]);
    (about["seen"], about["of"]) = (json!(seen.seen), json!(seen.of));
    file.finding = Some(about);
    file.text()
}

fn parsed(id: &str, content: &[u8]) -> io::Result<Finding> {
    let wrong = |error: String| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("findings/{id}: {error}"),
        )
    };
    let file = CaseFile::parse(&String::from_utf8_lossy(content))
        .map_err(|error| wrong(error.to_string()))?;
    let about = file.finding.unwrap_or_default();
    let finding: Finding =
        serde_json::from_value(about).map_err(|error| wrong(error.to_string()))?;
    if finding.id != id {
        return Err(wrong(format!("it is about {}", finding.id)));
    }
    Ok(Finding {
        cases: file.cases,
        ..finding
    })
}

/// A name that no other campaign has: the number, the machine, the process, and the time.
fn unique_name(number: Option<MemberNumber>) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |char: &char| char.is_ascii_alphanumeric() || *char == '-';
    let machine: String = machine.chars().filter(plain).take(32).collect();
    let number = number.map_or(String::new(), |number| {
        format!("{}of{}-", number.index, number.count)
    });
    let time = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!(
        "{number}{machine}-{}-{:x}",
        std::process::id(),
        time.as_nanos() & 0xffff_ffff
    )
}
