//! One life of a server in a campaign: at most 10,000 cases or 5 s.

use std::time::{Duration, Instant};

use super::lane::{Source, Suspect};
use super::shared::Shared;
use crate::fuzz::life::{Life, Ran};
use crate::fuzz::log::Log;
use crate::fuzz::oracle::{Rigour, Symptom, complexity, divergence, leak, starvation};
use crate::fuzz::wire::End;
use crate::fuzz::{Case, Kind};

/// Cases of one epoch.
const CASES_MAX: usize = 10_000;
/// Time of one epoch, unless the server takes long to start.
const TIME: Duration = Duration::from_secs(5);
/// An epoch lasts at least so many times as long as the start of the server.
const STARTS_MIN: u32 = 20;
/// Cases between two canaries.
const CANARY_CASES: u32 = 64;
/// Time between two canaries.
const CANARY_TIME: Duration = Duration::from_millis(50);
/// A connection that the server reset counts as so many cases: it may have been its last.
const RESET_CASES: u32 = 16;
/// CPU time of one case that hints at a bad algorithm.
const COSTLY: Duration = Duration::from_millis(4);
/// Descriptors or threads more than at the beginning, that hint at a leak.
const LEAKED_MIN: u64 = 12;
/// Tests for complexity in one epoch: on a slow server every long case is dear.
const DEAR_TESTS_MAX: u32 = 3;
/// Cases that are tried one by one when something leaks.
const LEAK_SUSPECTS_MAX: usize = 96;
/// A case that shows something new is tried in pieces too; of the others, one in so many.
const DIVERGENCE_ONE_IN: u64 = 512;

/// How an epoch ended.
pub(super) enum Over {
    /// All is well.
    Calm,
    /// Something is to be looked into.
    Suspect(Box<Suspect>),
}

/// An epoch under way.
pub(super) struct Epoch<'a, 'b> {
    shared: &'a Shared<'a>,
    life: Life<'b>,
    source: &'a mut Source,
    log: &'a mut Log,
    cases: Vec<Case>,
    /// Cases before this one were followed by a healthy look.
    good: usize,
    since_canary: u32,
    last_canary: Instant,
    /// Every second canary is held beside a case.
    beside: bool,
    leak_tried: bool,
    /// Tests that take seconds, which this epoch may still make.
    dear_tests: u32,
    begun: Instant,
}

impl<'a, 'b> Epoch<'a, 'b> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        life: Life<'b>,
        source: &'a mut Source,
        log: &'a mut Log,
    ) -> Self {
        Self {
            shared,
            life,
            source,
            log,
            cases: Vec::new(),
            good: 0,
            since_canary: 0,
            last_canary: Instant::now(),
            beside: false,
            leak_tried: false,
            dear_tests: DEAR_TESTS_MAX,
            begun: Instant::now(),
        }
    }

    /// Case after case until something is wrong, or the epoch is over.
    pub(super) fn run(mut self) -> Over {
        let time = TIME.max(self.life.ground.pace.start * STARTS_MIN);
        let mut suspect = None;
        while suspect.is_none()
            && !self.shared.is_over()
            && self.source.budget > 0
            && self.cases.len() < CASES_MAX
            && !self.log.is_full()
            && self.begun.elapsed() < time
        {
            suspect = self.case();
        }
        if suspect.is_none() {
            suspect = self.last_look();
        }
        self.shared
            .epoch_over(self.life.canaries, self.begun.elapsed());
        match suspect {
            Some(suspect) => Over::Suspect(Box::new(suspect)),
            None => Over::Calm,
        }
    }

    /// One case, and everything that follows it.
    fn case(&mut self) -> Option<Suspect> {
        let (case, kept) = self.source.next();
        if let Err(error) = self.log.append(&case) {
            self.shared
                .note(&format!("the log cannot be written: {error}"));
        }
        let canary_due =
            self.since_canary >= CANARY_CASES || self.last_canary.elapsed() >= CANARY_TIME;
        let (ran, told) = if canary_due && self.beside && !self.life.ground.sequential {
            match self.life.run_beside_canary(&case, self.life.ground.silence) {
                Ok((ran, told)) => (ran, Some(told)),
                Err(error) => return self.ours(&error),
            }
        } else {
            match self.life.run(&case) {
                Ok(ran) => (ran, None),
                Err(error) => return self.ours(&error),
            }
        };
        self.source.budget -= 1;
        self.shared.executed();
        self.cases.push(case);
        if let Some(symptom) = self.life.alarm()
            // A server that survives a bug that is known goes on.
            && !(symptom.kind == Kind::Panic && self.shared.is_known(&symptom.key))
        {
            return Some(self.suspect(symptom));
        }
        if let Some(Ok(took)) = &told
            && starvation::is_hint(&self.life, *took)
            && let Some(suspect) = self.starves()
        {
            return Some(suspect);
        }
        self.hints(&ran, kept)
            .or_else(|| self.canary(&ran, canary_due, told.is_some()))
    }

    /// Our own side failed: ports or descriptors run short. The epoch goes on after a pause.
    fn ours(&mut self, error: &std::io::Error) -> Option<Suspect> {
        self.shared
            .note(&format!("a case could not be run: {error}"));
        std::thread::sleep(Duration::from_millis(20));
        None
    }

    fn suspect(&mut self, symptom: Symptom) -> Suspect {
        Suspect {
            symptom,
            good: self.good,
            cases: std::mem::take(&mut self.cases),
        }
    }

    fn newest(&self) -> Case {
        self.cases.last().cloned().unwrap_or_default()
    }

    /// The feedback, and what hints at bugs that only a test of their own can show.
    fn hints(&mut self, ran: &Ran, kept: bool) -> Option<Suspect> {
        let newest = self.cases.last()?;
        let shown = self.shared.sees(newest, ran);
        if kept {
            self.shared.take_in(newest, &shown);
        }
        let new = match kept {
            true => Vec::new(),
            false => self.shared.fresh(&shown),
        };
        let sampled = self.shared.executions().is_multiple_of(DIVERGENCE_ONE_IN);
        if new.is_empty() && !sampled && ran.cpu < COSTLY {
            return None;
        }
        let case = newest.clone();
        if !new.is_empty() {
            self.admit(&case, &new);
        }
        if (!new.is_empty() || sampled)
            && let Some(cut) = divergence::hint(&mut self.life, &case)
            && let Some(suspect) = self.confirmed_hint(Claimed::Divergence, cut)
        {
            return Some(suspect);
        }
        if ran.cpu >= COSTLY && self.dear_tests > 0 && complexity::is_scalable(&case) {
            self.dear_tests -= 1;
            return self.confirmed_hint(Claimed::Complexity, case);
        }
        None
    }

    /// A case is kept if it shows the same when it is run again.
    fn admit(&mut self, case: &Case, new: &[u64]) {
        let Ok(again) = self.life.run(case) else {
            return;
        };
        let shown = self.shared.sees(case, &again);
        let stable: Vec<u64> = new
            .iter()
            .copied()
            .filter(|one| shown.contains(one))
            .collect();
        if !stable.is_empty() {
            self.shared.keep(case, &stable);
            if self.shared.campaign.orders.cases.is_some() {
                self.source.corpus.push(case.clone());
            }
        }
    }

    /// Puts the oracle's own test to it, on a life of its own.
    fn confirmed_hint(&mut self, claimed: Claimed, case: Case) -> Option<Suspect> {
        let mut other = self.life.another()?;
        let (symptom, case) = match claimed {
            Claimed::Divergence => (divergence::test(&mut other, &[], &case, Rigour::Full), case),
            Claimed::Complexity => {
                let bytes_max = self.source.generator.bytes_max();
                let grown = complexity::grown(&mut other, &case, bytes_max);
                (complexity::test(&mut other, &grown, Rigour::Quick), grown)
            }
        };
        Some(Suspect::alone(symptom?, case))
    }

    fn starves(&mut self) -> Option<Suspect> {
        let case = self.newest();
        let mut other = self.life.another()?;
        let symptom = starvation::test(&mut other, &case, Rigour::Quick)?;
        Some(Suspect::alone(symptom, case))
    }

    /// A healthy client every 64 cases or 50 ms, and whenever a connection ended in an odd way.
    fn canary(&mut self, ran: &Ran, due: bool, held: bool) -> Option<Suspect> {
        self.since_canary += 1;
        let ends = ran.seen.connections.iter().map(|answer| answer.end);
        for end in ends {
            match end {
                End::Refused => self.since_canary = CANARY_CASES,
                End::Reset => self.since_canary += RESET_CASES,
                End::Eof | End::Ours | End::StillOpen => {}
            }
        }
        if held {
            self.healthy();
        } else if due || self.since_canary >= CANARY_CASES * 2 {
            let told = self.life.canary(self.life.ground.silence);
            if let Some(symptom) = self.life.judge(told) {
                return Some(self.suspect(symptom));
            }
            self.healthy();
            return self.leaks();
        }
        None
    }

    fn healthy(&mut self) {
        self.good = self.cases.len();
        self.since_canary = 0;
        self.last_canary = Instant::now();
        self.beside = !self.beside;
    }

    /// More descriptors or threads than at the beginning, with all connections closed?
    fn leaks(&mut self) -> Option<Suspect> {
        let begin = self.life.begin;
        let more = |life: &Life<'_>| {
            let now = life.look();
            let descriptors = now.descriptors.saturating_sub(begin.descriptors);
            descriptors.max(now.threads.saturating_sub(begin.threads)) >= LEAKED_MIN
        };
        if self.leak_tried || !more(&self.life) {
            return None;
        }
        if self
            .life
            .until(Duration::from_millis(100), |life| !more(life))
        {
            return None;
        }
        self.leak_tried = true;
        let recent = self.cases.iter().rev().take(LEAK_SUSPECTS_MAX).cloned();
        for case in recent.collect::<Vec<Case>>() {
            if self.shared.is_over() {
                return None;
            }
            let before = self.life.look();
            for _ in 0..6 {
                self.life.run(&case).ok()?;
            }
            self.life.until(Duration::from_millis(10), |life| {
                let now = life.look();
                now.descriptors <= before.descriptors && now.threads <= before.threads
            });
            let now = self.life.look();
            if now.ended.is_some() {
                return None;
            }
            let grown =
                now.descriptors >= before.descriptors + 3 || now.threads >= before.threads + 3;
            if grown
                && let Some(mut other) = self.life.another()
                && let Some(symptom) = leak::test(&mut other, &case, Rigour::Quick)
            {
                return Some(Suspect::alone(symptom, case));
            }
        }
        None
    }

    /// The end of the epoch: is the server still healthy?
    fn last_look(&mut self) -> Option<Suspect> {
        self.life
            .examine()
            .map(|symptom| self.suspect(symptom))
            .or_else(|| self.leaks())
    }
}

/// Bugs that are known only by a test of their own.
#[derive(Clone, Copy)]
enum Claimed {
    Divergence,
    Complexity,
}
