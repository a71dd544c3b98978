//! Fleets of up to 1,000 members on a shelf in memory, with members that vanish at any operation. What they decide is the code
//! of real campaigns; only the shelf and the clock are made up.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::json;

use super::claim::ClaimEnd;
use super::member::{MISSED_MAX, Member, Permission};
use super::memory::{Files, Memory};
use super::shelf::{Drawer, Shelf};
use crate::fuzz::random::Random;

/// Time between two looks, and between two signs of life.
const SYNC: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_secs(10);

/// A member, and what it has done.
struct Simulated {
    member: Member<Memory>,
    memory: Memory,
    /// How often it has run each case.
    ran: BTreeMap<String, u32>,
    /// What it settles, and when it will be done.
    settling: BTreeMap<String, Duration>,
    waits_for: BTreeSet<String>,
    next_look: Duration,
}

impl Simulated {
    fn is_alive(&self) -> bool {
        self.memory.is_alive()
    }
}

/// What is to happen.
#[derive(Clone, Debug)]
struct Plan {
    members: usize,
    discoveries: usize,
    findings: usize,
    /// The share of members that are killed, in percent, all but one at most.
    killed: usize,
    seed: u64,
}

/// What has happened.
#[derive(Default)]
struct Outcome {
    announced: BTreeSet<String>,
    /// How often each finding was begun with, and by how many that were killed before the end.
    begun: BTreeMap<String, u32>,
    killed_claimers: BTreeMap<String, u32>,
    looks: u64,
    look_operations: u64,
    look_operations_allowed: u64,
}

struct Simulation {
    plan: Plan,
    random: Random,
    files: Rc<RefCell<Files>>,
    members: Vec<Simulated>,
    outcome: Outcome,
    now: Duration,
}

impl Simulation {
    fn new(plan: Plan) -> Self {
        let mut random = Random::new(plan.seed, 0);
        let files = Rc::new(RefCell::new(Files::new()));
        let members = (0..plan.members).map(|number| {
            let is_killed = number > 0 && random.below(100) < plan.killed;
            let left = match is_killed {
                true => 1 + random.below(60) as u64,
                false => u64::MAX,
            };
            let memory = Memory::killed_after(&files, left, random.one_in(2));
            Simulated {
                member: Member::new(memory.clone(), format!("m{number}"), BEAT),
                memory,
                ran: BTreeMap::new(),
                settling: BTreeMap::new(),
                waits_for: BTreeSet::new(),
                next_look: Duration::from_secs(random.below(30) as u64),
            }
        });
        Self {
            members: members.collect(),
            plan,
            random,
            files,
            outcome: Outcome::default(),
            now: Duration::ZERO,
        }
    }

    /// Runs until everything was discovered and everyone had the time to hear of it and to take over.
    fn run(mut self) -> Self {
        let mut discoveries: Vec<usize> = (0..self.plan.discoveries).collect();
        // Each finding is met by several members.
        let mut meetings: Vec<usize> = (0..self.plan.findings * 5)
            .map(|number| number % self.plan.findings)
            .collect();
        let step = BEAT;
        let mut quiet = Duration::ZERO;
        // A chain of killed claimers: each is noticed after the signs of life that it misses.
        let most = (BEAT * (MISSED_MAX + 2) + SYNC * 2) * 12;
        while quiet < most {
            for _ in 0..1 + self.plan.members / 16 {
                if let Some(number) = discoveries.pop() {
                    self.discover(number);
                }
                if let Some(number) = meetings.pop() {
                    let member = self.random.below(self.members.len());
                    self.meet(member, &format!("crash-{number}"));
                }
            }
            for member in 0..self.members.len() {
                self.tick(member);
            }
            self.now += step;
            if discoveries.is_empty() && meetings.is_empty() {
                quiet += step;
                if self.is_done() {
                    break;
                }
            }
        }
        self
    }

    /// Whether everyone who is left has run everything, and every finding is settled.
    fn is_done(&self) -> bool {
        let alive = || self.members.iter().filter(|one| one.is_alive());
        let files = self.files.borrow();
        let is_settled =
            |id: &String| files.contains_key(&(Drawer::Findings, format!("{id}.json")));
        alive().all(|one| one.ran.len() == self.outcome.announced.len() && one.waits_for.is_empty())
            && self.outcome.begun.keys().all(is_settled)
    }

    fn discover(&mut self, number: usize) {
        let at = self.random.below(self.members.len());
        let simulated = &mut self.members[at];
        let name = format!("{number:08}.json");
        simulated.member.cases().add(&name);
        let created = simulated.memory.create(Drawer::Cases, &name, b"case");
        // It is announced if the file is there, whether or not its member knows.
        let is_there = self
            .files
            .borrow()
            .contains_key(&(Drawer::Cases, name.clone()));
        assert!(is_there || created.is_err());
        if is_there {
            self.outcome.announced.insert(name.clone());
            *simulated.ran.entry(name).or_default() += 1;
        }
        if created.is_err() {
            self.was_killed(at, None);
        }
    }

    /// A member sees a symptom.
    fn meet(&mut self, at: usize, id: &str) {
        let simulated = &mut self.members[at];
        if !simulated.is_alive() || simulated.settling.contains_key(id) {
            return;
        }
        match simulated.member.claim(id, json!({ "of": id }), self.now) {
            Ok(Permission::Ours) => {
                simulated.waits_for.remove(id);
                *self.outcome.begun.entry(id.into()).or_default() += 1;
                let takes = Duration::from_secs(self.random.between(5, 200) as u64);
                simulated.settling.insert(id.into(), self.now + takes);
            }
            Ok(Permission::Theirs(_)) => {
                simulated.waits_for.insert(id.into());
            }
            Ok(Permission::Settled(content)) => assert_eq!(content, id.as_bytes()),
            Ok(Permission::Tried) => panic!("nothing was given up"),
            Err(_) => self.was_killed(at, Some(id)),
        }
    }

    /// Counts the claims of a member that was just killed.
    fn was_killed(&mut self, at: usize, with: Option<&str>) {
        let settling = std::mem::take(&mut self.members[at].settling);
        for id in settling.into_keys().chain(with.map(str::to_owned)) {
            *self.outcome.killed_claimers.entry(id).or_default() += 1;
        }
    }

    fn tick(&mut self, at: usize) {
        if !self.members[at].is_alive() {
            // It may have been killed while it read a claim, which it takes for a claim that cannot be read.
            return self.was_killed(at, None);
        }
        if self.members[at].member.beat(self.now).is_err() {
            return self.was_killed(at, None);
        }
        let due: Vec<String> = self.members[at]
            .settling
            .iter()
            .filter(|(_, until)| **until <= self.now)
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            if self.members[at].member.settle(&id, id.as_bytes()).is_err() {
                return self.was_killed(at, None);
            }
            self.members[at].settling.remove(&id);
        }
        if self.members[at].next_look <= self.now {
            self.look(at);
        }
    }

    fn look(&mut self, at: usize) {
        let simulated = &mut self.members[at];
        simulated.next_look = self.now + SYNC;
        let before = simulated.memory.operations();
        let Ok(news) = simulated.member.look(self.now) else {
            return self.was_killed(at, None);
        };
        let operations = simulated.memory.operations() - before;
        // Three lists, one read per new file, and two per finding that someone else settles.
        let open = self.plan.findings as u64 * 2;
        self.outcome.looks += 1;
        self.outcome.look_operations += operations;
        self.outcome.look_operations_allowed +=
            3 + news.cases.len() as u64 + news.findings.len() as u64 + open;
        assert!(news.troubles.is_empty(), "{:?}", news.troubles);
        for (name, content) in news.cases {
            assert_eq!(content, b"case", "a half file was taken");
            *simulated.ran.entry(name).or_default() += 1;
        }
        for (id, content) in news.findings {
            assert_eq!(content, id.as_bytes());
            simulated.waits_for.remove(&id);
        }
        let orphans: Vec<String> = news.orphans.into_iter().map(|(id, _)| id).collect();
        for id in orphans {
            self.members[at].waits_for.remove(&id);
            self.meet(at, &id);
        }
    }
}

fn holds(plan: Plan) -> Result<(), TestCaseError> {
    let done = Simulation::new(plan.clone()).run();
    let alive = done.members.iter().filter(|one| one.is_alive());
    for simulated in alive {
        let all: BTreeSet<&String> = simulated.ran.keys().collect();
        prop_assert_eq!(
            all,
            done.outcome.announced.iter().collect(),
            "a case was lost"
        );
        prop_assert!(simulated.ran.values().all(|times| *times == 1));
        prop_assert!(simulated.waits_for.is_empty(), "{:?}", simulated.waits_for);
    }
    for (id, begun) in &done.outcome.begun {
        let killed = done.outcome.killed_claimers.get(id).copied().unwrap_or(0);
        prop_assert!(
            *begun <= 1 + killed,
            "{id}: begun {begun} times, {killed} killed"
        );
        let file = (Drawer::Findings, format!("{id}.json"));
        prop_assert!(done.files.borrow().contains_key(&file), "{id} was lost");
    }
    let Outcome {
        looks,
        look_operations,
        look_operations_allowed,
        ..
    } = done.outcome;
    prop_assert!(look_operations <= look_operations_allowed);
    if std::env::var_os("TCPROVE_FIGURES").is_some() {
        eprintln!(
            "{} members, {} cases: {looks} looks, {:.2} operations a look",
            plan.members,
            done.outcome.announced.len(),
            look_operations as f64 / looks as f64
        );
    }
    Ok(())
}

fn plan(members: usize, discoveries: usize) -> impl Strategy<Value = Plan> {
    (any::<u64>(), 0_usize..100, 1_usize..6).prop_map(move |(seed, killed, findings)| Plan {
        members,
        discoveries,
        findings,
        killed,
        seed,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
    #[test]
    fn eight_members_share_everything_and_settle_once(plan in plan(8, 60)) {
        holds(plan)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn sixty_four_members_share_everything_and_settle_once(plan in plan(64, 120)) {
        holds(plan)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, ..ProptestConfig::default() })]
    #[test]
    fn a_thousand_members_share_everything_and_settle_once(plan in plan(1000, 80)) {
        holds(plan)?;
    }
}

/// One of them is killed while it reads the claim of another.
#[test]
fn a_member_that_is_killed_while_it_looks_counts_as_killed() -> Result<(), TestCaseError> {
    holds(Plan {
        members: 64,
        discoveries: 120,
        findings: 3,
        killed: 93,
        seed: 4_824_361_493_131_056_586,
    })
}

/// A bug in the protocol would show: without signs of life a claim is taken over although its holder lives.
#[test]
fn a_holder_without_signs_of_life_is_taken_for_gone_and_one_with_them_is_not() {
    let files = Rc::default();
    let mut holder = Member::new(Memory::of(&files), "holder".into(), BEAT);
    let mut other = Member::new(Memory::of(&files), "other".into(), BEAT);
    let first = holder.claim("crash-1", json!(1), Duration::ZERO);
    assert_eq!(first.unwrap(), Permission::Ours);
    let mut ask = |now, beats| {
        if beats {
            holder.beat(now).unwrap();
        }
        let orphans = other.look(now).unwrap().orphans;
        let asked = other.claim("crash-1", json!(2), now).unwrap();
        (orphans, asked)
    };
    let theirs = Permission::Theirs("holder".into());
    let mut now = Duration::ZERO;
    for _ in 0..20 {
        now += BEAT;
        assert_eq!(ask(now, true), (Vec::new(), theirs.clone()));
    }
    for _ in 0..MISSED_MAX {
        now += BEAT;
        assert_eq!(ask(now, false), (Vec::new(), theirs.clone()));
    }
    now += BEAT;
    // What the holder has seen is handed on.
    let orphans = vec![("crash-1".to_owned(), json!(1))];
    assert_eq!(ask(now, false), (orphans, Permission::Ours));
}

#[test]
fn what_cannot_be_shown_again_is_tried_a_few_times_in_the_whole_fleet() {
    let files: Rc<RefCell<Files>> = Rc::default();
    let mut tries = 0;
    for number in 0..20 {
        let mut member = Member::new(Memory::of(&files), format!("m{number}"), BEAT);
        match member.claim("crash-1", json!(1), Duration::ZERO).unwrap() {
            Permission::Ours => {
                tries += 1;
                member.give_up("crash-1", ClaimEnd::Tried).unwrap();
            }
            Permission::Tried => {}
            other => panic!("{other:?}"),
        }
        member.end().unwrap();
    }
    assert_eq!(tries, 5);
}

/// Whoever has no time leaves a finding to the others, and a campaign that ends leaves what it holds.
#[test]
fn what_is_left_is_taken_over_at_once() {
    let files: Rc<RefCell<Files>> = Rc::default();
    let mut one = Member::new(Memory::of(&files), "one".into(), BEAT);
    one.offer("crash-1", json!("offered")).unwrap();
    one.claim("crash-2", json!("held"), Duration::ZERO).unwrap();
    one.end().unwrap();
    let mut two = Member::new(Memory::of(&files), "two".into(), BEAT);
    let news = two.look(Duration::ZERO).unwrap();
    let orphans = [("crash-1", "offered"), ("crash-2", "held")];
    assert_eq!(
        news.orphans,
        orphans.map(|(id, seen)| (id.to_owned(), json!(seen)))
    );
    for (id, _) in orphans {
        let asked = two.claim(id, json!(0), Duration::ZERO).unwrap();
        assert_eq!(asked, Permission::Ours);
    }
    assert!(two.look(Duration::ZERO).unwrap().orphans.is_empty());
}
