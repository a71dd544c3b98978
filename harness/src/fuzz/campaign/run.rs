//! Runs a campaign: rehearses the conversation, starts the lanes, and completes the findings at the end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use super::clock::CampaignClock;
use super::guidance::{self, Guidance};
use super::membership::Membership;
use super::setup::{Campaign, CampaignError};
use super::state::CampaignState;
use super::{heap, heard, lane, last, news, slow};
use crate::event::{Event, Sink};
use crate::fuzz::deadline::Deadline;
use crate::fuzz::epoch::Epoch;
use crate::fuzz::material::Material;
use crate::fuzz::oracle::conformance::lead_in;
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::wire::Limits;
use crate::fuzz::{Case, FuzzResult, InjectStep, SendStep, Step, corpus, log};
use crate::process::injector::results;
use crate::subject::{Interrupt, RehearsalError, rehearse, runtime};
use crate::talk::Exchange;

/// Interval between two progress events.
const TICK: Duration = Duration::from_millis(200);
/// How often exploring goes on after findings were confirmed in less time than was kept for that.
const ROUNDS_MAX: usize = 4;
/// Minimum time limit of a second client beside a silent one; a server that exceeds it serves one client at a time.
const SEQUENTIAL: Duration = Duration::from_millis(500);
/// The same limit as a multiple of the usual exchange.
const SEQUENTIAL_EXCHANGES: u32 = 20;

/// Clients that send FIN at once, in a first look.
const HASTY_CLIENTS: usize = 5;
/// Maximum turns that they say.
const HASTY_TURNS_MAX: usize = 8;
/// Clients that acknowledge at once, in a first look.
const PROMPT_CLIENTS: usize = 5;
/// Bytes by which a whole reply may be shorter than another one: counters have more digits after a while.
const COUNTER_BYTES: u64 = 4;

impl Campaign {
    /// Runs the campaign.
    ///
    /// # Errors
    /// The campaign cannot start. Everything that happens later is part of the result.
    pub fn run(&self, sink: Sink<'_>) -> Result<FuzzResult, CampaignError> {
        self.hold(sink, None)
    }

    /// Runs the same case again and again, with all the checks of a campaign: measures the campaign's own cost.
    ///
    /// # Errors
    /// As [`Campaign::run`].
    pub fn repeat(&self, case: &Case, sink: Sink<'_>) -> Result<FuzzResult, CampaignError> {
        self.hold(sink, Some(case))
    }

    fn hold(&self, sink: Sink<'_>, only: Option<&Case>) -> Result<FuzzResult, CampaignError> {
        sink(Event::Rehearsing);
        let mut clock = CampaignClock::new(
            self.begun,
            self.plan.duration,
            self.plan.jobs,
            self.interrupt.clone(),
        );
        let rehearsal = match within(&clock.end(), |late| rehearse(&self.subject, late)) {
            Err(RehearsalError::Interrupted) if !self.interrupt.is_set() => {
                return Ok(self.nothing(&clock));
            }
            rehearsal => rehearsal?,
        };
        clock.starts_in(rehearsal.pace.start);
        if let Some(why) = rehearsal.single_client {
            return Err(CampaignError::SingleClient(why));
        }
        let mut target = FuzzTarget::new(self.subject.clone(), &rehearsal);
        std::fs::create_dir_all(&self.plan.logs)
            .map_err(|error| CampaignError::Folder(self.plan.logs.clone(), error))?;
        let membership = Membership::join(self)?;
        let kept = self.kept(membership.is_some())?;
        let left = log::left_behind(&self.plan.logs);
        target.against = self.other_target()?;
        let mut look = first_look(&target.until(clock.end()), &self.plan.libraries);
        target.sequential = look.sequential;
        if let Some(limits) = look.limits {
            target.limits = limits;
        }
        if self.plan.inject {
            target.inject = true;
            look.injections = injections(&target.until(clock.end()))?;
        }
        let guidance = Guidance::choose(&self.plan, &target, &runtime(), &look.programs)
            .map_err(|reason| CampaignError::Feedback(self.plan.feedback, reason))?;
        sink(Event::Guided {
            by: guidance.said.clone(),
        });
        let material = Arc::new(self.material(look));
        let pace = slow::Pace {
            start: rehearsal.pace.start,
            exchange: rehearsal.pace.exchange,
            left_open: 0.0,
            rehearsal: self.begun.elapsed(),
        };
        let state = CampaignState::new(self, &guidance, clock, membership, sink);
        for round in 0..ROUNDS_MAX {
            let first = round == 0;
            let work = |number| lane::Work {
                number,
                campaign: self,
                target: &target,
                state: &state,
                queue: match first {
                    true => share(&kept, number, self.plan.jobs),
                    false => Vec::new(),
                },
                only,
                resumed: !first,
                left: match first && number == 0 {
                    true => left.clone(),
                    false => Vec::new(),
                },
            };
            explore(&state, &work, &material);
            last::in_time(&state, &target);
            if self.plan.cases.is_some() || !state.clock.resume() {
                break;
            }
        }
        last::finish(&state, &target);
        news::leave(&state);
        log::clear(&self.plan.logs);
        Ok(self.result(state, target.sequential, pace))
    }

    /// The corpus of earlier campaigns. What a fleet has kept comes as the cases of other members.
    fn kept(&self, of_fleet: bool) -> Result<Vec<Case>, CampaignError> {
        match &self.plan.corpus {
            Some(folder) if !of_fleet => Ok(corpus::read(folder)?),
            _ => Ok(Vec::new()),
        }
    }

    /// The server whose replies are compared, after its own rehearsal.
    fn other_target(&self) -> Result<Option<Arc<FuzzTarget>>, CampaignError> {
        let Some(other) = &self.against else {
            return Ok(None);
        };
        let rehearsal = rehearse(other, &self.interrupt)
            .map_err(|error| CampaignError::Against(Box::new(error)))?;
        Ok(Some(Arc::new(FuzzTarget::new(other.clone(), &rehearsal))))
    }

    /// What cases are made of.
    fn material(&self, look: FirstLook) -> Material {
        let mut material = Material::of(
            &self.subject.talk,
            &self.subject.promise,
            self.subject.seed,
            &[look.words, self.strings.clone()].concat(),
            self.subject.values(),
        );
        material.lingers = look.drops_at_fin;
        material.injections = look.injections;
        material
    }

    fn result(
        &self,
        state: CampaignState<'_>,
        sequential: bool,
        mut pace: slow::Pace,
    ) -> FuzzResult {
        pace.left_open = state.left_open();
        let mut result = state.result();
        result.jobs = self.plan.jobs;
        if sequential {
            result.notes.push(
                "the server serves one connection at a time, so starvation was not judged".into(),
            );
        }
        if self.subject.launch().is_none() {
            result.notes.push(
                "tcprove did not start this server, so nothing was confirmed on a fresh one, and a crash ends the campaign".into(),
            );
        }
        let findings = result.findings.iter();
        let symptoms = findings.map(|found| (found.id.as_str(), found.bytes, &found.symptom));
        if let Some(heap) = heap::explained(symptoms) {
            result.notes.insert(0, heap);
        }
        if let Some(slow) = slow::explained(&result, &pace) {
            result.notes.insert(0, slow);
        }
        result
    }

    /// The result of a campaign whose time was over before its first case.
    fn nothing(&self, clock: &CampaignClock) -> FuzzResult {
        let note = format!(
            "the server did not start and hold its conversation within {:.1} s, the duration of the campaign\nnext: give \
             a longer --duration",
            self.plan.duration.unwrap_or_default().as_secs_f64()
        );
        FuzzResult {
            jobs: self.plan.jobs,
            time: clock.spent(),
            notes: vec![note],
            ..FuzzResult::default()
        }
    }
}

/// Runs `work` with an interrupt that is set once the deadline is over.
fn within<T>(deadline: &Deadline, work: impl FnOnce(&Interrupt) -> T) -> T {
    let late = Interrupt::default();
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let set = &late;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !deadline.is_over() {
                // Ends at once when the sender is dropped.
                let waited = ended.recv_timeout(deadline.left(TICK));
                if waited == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
            set.set();
        });
        let result = work(set);
        drop(done);
        result
    })
}

/// Runs all lanes until exploring is over.
fn explore<'w>(
    state: &CampaignState<'_>,
    work: &dyn Fn(usize) -> lane::Work<'w>,
    material: &Arc<Material>,
) {
    let lanes = state.begin_lanes();
    std::thread::scope(|scope| {
        for number in 0..lanes {
            let (work, material) = (work(number), material.clone());
            scope.spawn(move || work.run(material));
        }
        watch(state);
    });
}

/// Sends progress events until all lanes have ended.
fn watch(state: &CampaignState<'_>) {
    let begun = state.clock.begun;
    let mut last = (Instant::now(), 0);
    while state.lanes_left() > 0 {
        std::thread::sleep(TICK);
        let (now, executions) = (Instant::now(), state.executions());
        let per_s = (executions - last.1) as f64 / (now - last.0).as_secs_f64();
        last = (now, executions);
        state.progress(begun.elapsed(), per_s);
    }
}

/// One lane's share of the corpus.
fn share(cases: &[Case], lane: usize, lanes: usize) -> Vec<Case> {
    cases
        .iter()
        .skip(lane)
        .step_by(lanes.max(1))
        .cloned()
        .collect()
}

/// What a first look at the server shows.
#[derive(Default)]
struct FirstLook {
    /// A silent client keeps other clients waiting.
    sequential: bool,
    /// A request is not answered, at least sometimes, if the client sends FIN at once.
    drops_at_fin: bool,
    /// Words of its replies.
    words: Vec<Vec<u8>>,
    /// The programs that it runs.
    programs: Vec<PathBuf>,
    /// What cases may inject.
    injections: Vec<InjectStep>,
    /// Time limits of cases, if the server is only slow because acknowledgements are delayed.
    limits: Option<Limits>,
}

fn first_look(target: &FuzzTarget, libraries: &[String]) -> FirstLook {
    let runtime = runtime();
    let Ok(mut epoch) = Epoch::start(target, &runtime) else {
        return FirstLook::default();
    };
    let words = heard::words(&epoch);
    let drops_at_fin = drops_at_fin(&mut epoch);
    let limits = prompt(&mut epoch, target.pace.exchange)
        .and_then(|prompt| Limits::without_delays(target.pace.exchange, prompt));
    let silent = Case::default();
    let limit = SEQUENTIAL.max(target.pace.exchange * SEQUENTIAL_EXCHANGES);
    let beside = epoch.run_beside_canary(&silent, limit);
    FirstLook {
        sequential: matches!(beside, Ok((_, Err(_)))),
        drops_at_fin,
        words,
        programs: guidance::programs(target, &epoch, libraries),
        injections: Vec::new(),
        limits,
    }
}

/// Every result that the kernel may give the socket calls of an exchange.
fn injections(target: &FuzzTarget) -> Result<Vec<InjectStep>, CampaignError> {
    let runtime = runtime();
    let epoch =
        Epoch::start(target, &runtime).map_err(|error| CampaignError::Inject(error.to_string()))?;
    if let Some(trouble) = epoch.cannot_inject() {
        return Err(CampaignError::Inject(trouble.to_owned()));
    }
    let mut found: Vec<InjectStep> = Vec::new();
    for call in epoch.calls() {
        for result in results(call) {
            let step = InjectStep::once(call.name, result);
            if !found.contains(&step) {
                found.push(step);
            }
        }
    }
    if found.is_empty() {
        let why = match epoch.server().calls().has_rings {
            true => "the server uses io_uring: its calls cannot be seen",
            false => "an exchange makes no socket call that could be given another result",
        };
        return Err(CampaignError::Inject(why.into()));
    }
    Ok(found)
}

/// How long a plain exchange takes at most if the client acknowledges at once; `None` if that cannot matter.
fn prompt(epoch: &mut Epoch<'_>, exchange: Duration) -> Option<Duration> {
    if !Limits::may_be_delayed(exchange) {
        return None;
    }
    let plain = epoch.target.talk().plain().clone();
    let mut wire = epoch.other_wire(epoch.target.limits.acknowledging());
    let mut slowest = Duration::ZERO;
    for _ in 0..PROMPT_CLIENTS {
        let request = epoch.voice().render(&plain, b"ping").ok()?.request;
        let mut steps = lead_in(epoch, &plain);
        steps.push(Step::Send(SendStep::whole(request)));
        steps.extend([Step::Receive, Step::Close]);
        let begun = Instant::now();
        wire.run(&Case::new(steps)).ok()?;
        slowest = slowest.max(begun.elapsed());
    }
    Some(slowest)
}

/// Whether less comes back to one of the turns if the FIN follows its request at once. A server that drops no other request may
/// not begin what needs a client that stays, such as another protocol.
fn drops_at_fin(epoch: &mut Epoch<'_>) -> bool {
    let turns = epoch.target.talk().turns.iter();
    let turns: Vec<Exchange> = turns
        .filter(|turn| turn.expect.has_reply())
        .take(HASTY_TURNS_MAX)
        .cloned()
        .collect();
    let mut turns = turns.into_iter();
    turns.any(|turn| is_dropped_at_fin(epoch, &turn).unwrap_or(false))
}

fn is_dropped_at_fin(epoch: &mut Epoch<'_>, turn: &Exchange) -> Option<bool> {
    let request = epoch.voice().render(turn, b"ping").ok()?.request;
    let mut steps = lead_in(epoch, turn);
    steps.push(Step::Send(SendStep::whole(request)));
    let hasty = Case::new(steps.clone());
    steps.push(Step::Receive);
    let patient = Case::new(steps);
    let length = |epoch: &mut Epoch<'_>, case: &Case| {
        let received = epoch.run(case).ok()?.observed.connections.pop()?;
        Some(received.length)
    };
    let whole = length(epoch, &patient)?;
    for _ in 0..HASTY_CLIENTS {
        if length(epoch, &hasty)? + COUNTER_BYTES < whole {
            return Some(true);
        }
    }
    Some(false)
}
