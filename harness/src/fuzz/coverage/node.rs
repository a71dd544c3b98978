//! The functions and blocks that a Node server executes, by the precise coverage of its engine.
//!
//! A hook asks the engine whenever tcprove asks the hook, by a file that the server's event loop watches. That takes 1 to 3 ms,
//! longer than most cases. So tcprove asks once for many cases, and for each of them only if there was something new.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Known;
use super::map::Map;
use super::script::Watcher;
use super::source::{Entry, Found, Look, Offer, Pace, Sight, Source};
use crate::process::{Interpreter, Server, StartOptions};

const SCRIPT: &str = include_str!("node.js");
/// Maximum wait for an answer. One that comes later tells of other cases than it should.
const ANSWER: Duration = Duration::from_millis(500);
/// The time from one look to the next is at least this many times the time that the first one took.
const REST: u32 = 8;
/// How long to sleep between two looks for an answer: a part of the time that it has taken so far, as on a busy machine the
/// server needs the core.
const POLL: Duration = Duration::from_micros(50);
const POLL_MAX: Duration = Duration::from_millis(2);
const POLL_PART: u32 = 4;

pub(super) const ENTRY: Entry = Entry { name: "node", of };

fn of(look: &Look<'_>) -> Offer {
    if Interpreter::Node.among(look.programs).is_none() {
        return look
            .is_asked
            .then(|| Err("node does not run the server".into()));
    }
    let hook = Watcher::new(look.launch, Interpreter::Node, SCRIPT, trouble);
    Some(hook.map(|hook| Box::new(Node(hook)) as Box<dyn Source>))
}

fn trouble(state: u32) -> Option<String> {
    (state != 1).then(|| Interpreter::Node.excuse().into())
}

/// A Node server.
#[derive(Debug)]
struct Node(Watcher);

impl Source for Node {
    fn unit(&self) -> &'static str {
        "functions and blocks"
    }

    fn about(&self) -> String {
        "functions and blocks of Node".into()
    }

    fn places(&self) -> usize {
        self.0.places()
    }

    fn begin(&self) -> Found<Box<dyn Sight>> {
        let map = self.0.map()?;
        Ok(Box::new(Asked {
            questions: map.questions()?,
            map,
            number: AtomicU32::new(0),
            has_run: AtomicBool::new(true),
            looks: Mutex::new(Looks::default()),
        }))
    }

    fn leave_out(&self, place: u32) {
        self.0.leave_out(place);
    }

    fn hints(&self, _: &[Known], _: &[u32]) -> Vec<Vec<u8>> {
        self.0.words()
    }
}

/// A server that has to be asked.
#[derive(Debug)]
struct Asked {
    map: Map,
    questions: File,
    /// The number of the last question.
    number: AtomicU32,
    /// Whether a case has run since then.
    has_run: AtomicBool,
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    count: usize,
    /// The next look is due whatever it costs.
    is_urgent: bool,
    /// Before then, another one would take too much of the time.
    rests_until: Option<Instant>,
}

impl Asked {
    /// Makes the hook write to the map what was executed since the last time.
    fn ask(&self) {
        let number = self.number.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if self
            .questions
            .write_all_at(&number.to_le_bytes(), 0)
            .is_err()
        {
            return;
        }
        self.has_run.store(false, Ordering::Relaxed);
        let begun = Instant::now();
        while self.map.answer() != number && begun.elapsed() < ANSWER {
            std::thread::sleep((begun.elapsed() / POLL_PART).clamp(POLL, POLL_MAX));
        }
    }
}

impl Sight for Asked {
    fn prepare(&self, options: &mut StartOptions) {
        self.map.prepare(options);
    }

    fn trouble(&self) -> Option<String> {
        self.map.trouble()
    }

    fn take(&self, pace: Pace) -> Vec<u32> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        let rests = looks.rests_until.is_some_and(|until| begun < until);
        match pace {
            Pace::Free => return Vec::new(),
            Pace::Due if rests && !looks.is_urgent => return Vec::new(),
            Pace::Due | Pace::Now => {}
        }
        self.ask();
        looks.count += 1;
        looks.is_urgent = false;
        looks.rests_until = Some(Instant::now() + begun.elapsed() * REST);
        self.map.take(Pace::Now)
    }

    fn again(&self, places: &[u32], server: &Server) -> bool {
        // What was executed before is of no interest, but must not be told later.
        if self.has_run.load(Ordering::Relaxed) {
            self.take(Pace::Now);
        }
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        looks.is_urgent = true;
        self.map.again(places, server)
    }

    fn mark(&self) -> usize {
        self.has_run.store(true, Ordering::Relaxed);
        0
    }

    fn looks(&self) -> Option<usize> {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        Some(looks.count)
    }
}
