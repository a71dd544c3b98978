//! Runs a sweep: rounds of visits, each a short load on a server started with the settings of the cell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::axis::Dimension;
use super::grid::{Grid, ServerBatch};
use super::measured::Measured;
use super::plan::SweepPlan;
use super::possible::refuse;
use super::record::CellRecord;
use super::visit::Visit;
use crate::event::{Event, Sink};
use crate::load::engine::EngineError;
use crate::load::visit::{Host, Slice, longest_request, start};
use crate::load::{Workload, server_cores};
use crate::process::StartFailure;
use crate::subject::{Interrupt, Origin, Subject};

/// At most one out of this many visits is repeated because the machine disturbed it.
const REPEATED_SHARE: usize = 2;
/// Maximum length, in characters, of the reason why a server did not start.
const REASON_CHARS: usize = 400;

/// A sweep over the settings of a server and its load.
pub(crate) struct Sweep<'a> {
    /// The server and its conversation.
    pub subject: &'a Subject,
    /// What to measure.
    pub plan: &'a SweepPlan,
    /// Ends the sweep early; what was measured is kept.
    pub interrupt: &'a Interrupt,
    /// Live progress.
    pub sink: Sink<'a>,
}

/// Why a sweep has no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SweepError {
    /// It is impossible on this server or with this conversation.
    #[error("{0}")]
    Plan(String),
    /// The server did not start with any of the settings; this is the last failure.
    #[error("the server did not start with any of the settings: {0}")]
    Start(Box<StartFailure>),
    /// The load could not start.
    #[error(transparent)]
    Load(#[from] EngineError),
    /// The operating system refused something.
    #[error("{0}")]
    Machine(#[from] std::io::Error),
}

impl Sweep<'_> {
    /// Runs the rounds of the sweep, or of this part of it.
    ///
    /// # Errors
    /// See [`SweepError`]. A cell that cannot be measured is not an error: it is reported as invalid.
    pub(crate) fn run(&self) -> Result<Measured, SweepError> {
        refuse(self.subject, self.plan).map_err(SweepError::Plan)?;
        let mut running = RunningSweep::new(self)?;
        let rounds = self.plan.rounds_here();
        for (done, round) in rounds.iter().enumerate() {
            if self.interrupt.is_set() {
                break;
            }
            running.round(*round, rounds.len() - done)?;
            running.measured.find_equal(&self.plan.axes);
        }
        Ok(running.measured)
    }

    /// The workload and the server of a cell.
    fn settings(&self, place: &[usize]) -> (Workload, Subject) {
        let mut workload = self.plan.base.clone();
        let mut params = BTreeMap::new();
        for (axis, place) in self.plan.axes.iter().zip(place) {
            axis.apply(*place, &mut workload, &mut params);
        }
        let mut subject = self.subject.clone();
        if let Origin::Spawn(launch) = &mut subject.origin {
            launch.params.extend(params);
        }
        (workload, subject)
    }

    /// Bytes of the longest request of a cell, if it can be rendered without a server.
    fn message_bytes(&self, place: &[usize]) -> Option<usize> {
        let (workload, subject) = self.settings(place);
        longest_request(
            &subject,
            &workload.turns,
            workload.payload_bytes,
            workload.seed,
        )
    }
}

/// A sweep in progress.
struct RunningSweep<'a> {
    sweep: &'a Sweep<'a>,
    axes: &'a [Dimension],
    grid: Grid,
    measured: Measured,
    runtime: tokio::runtime::Runtime,
    begun: Instant,
    /// Completed visits.
    done: usize,
    repeated: usize,
    /// Time of the last round besides its loads.
    overhead: Option<Duration>,
    has_started: bool,
}

impl<'a> RunningSweep<'a> {
    fn new(sweep: &'a Sweep<'a>) -> Result<Self, SweepError> {
        let grid = Grid::new(&sweep.plan.axes);
        Ok(Self {
            sweep,
            axes: &sweep.plan.axes,
            measured: Measured {
                rounds: 0,
                cells: (0..grid.cells())
                    .map(|cell| sweep.message_bytes(&grid.place(cell)))
                    .map(|bytes| CellRecord::new(sweep.plan.rounds, bytes))
                    .collect(),
            },
            grid,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            begun: Instant::now(),
            done: 0,
            repeated: 0,
            overhead: None,
            has_started: false,
        })
    }

    /// Runs a round, the first of `left` ones.
    fn round(&mut self, round: usize, left: usize) -> Result<(), SweepError> {
        let plan = self.sweep.plan;
        let records = &self.measured.cells;
        let batches = self
            .grid
            .round(round, plan.seed, |cell| records[cell].is_wanted());
        let visits: usize = batches.iter().map(|batch| batch.cells.len()).sum();
        let begun = Instant::now();
        let all = self.done + visits * left;
        let overhead = self
            .overhead
            .unwrap_or_else(|| SweepPlan::overhead(visits, batches.len()));
        let left = plan.budget_here().saturating_sub(self.begun.elapsed()) / left as u32;
        let slice = SweepPlan::slice(left, visits, overhead);
        let mut failure = None;
        for batch in &batches {
            failure = self.batch(round, batch, slice, all)?.or(failure);
        }
        if self.sweep.interrupt.is_set() {
            return Ok(());
        }
        if let Some(failure) = failure.filter(|_| !self.has_started) {
            return Err(SweepError::Start(Box::new(failure)));
        }
        let slices = (slice.warmup + slice.measured) * visits as u32;
        self.overhead = Some(begun.elapsed().saturating_sub(slices));
        self.measured.rounds += 1;
        Ok(())
    }

    /// Starts one server and visits its cells. Returns the failure if it did not start.
    fn batch(
        &mut self,
        round: usize,
        batch: &ServerBatch,
        slice: Slice,
        all: usize,
    ) -> Result<Option<StartFailure>, SweepError> {
        let mut host: Option<Host> = None;
        for (at, cell) in batch.cells.iter().enumerate() {
            if self.sweep.interrupt.is_set() {
                break;
            }
            let (workload, subject) = self.sweep.settings(&self.grid.place(*cell));
            let mut alive = match host.take().filter(|host| !host.server().is_gone()) {
                Some(host) => host,
                None => match self.start(&subject, &workload) {
                    Ok(host) => host,
                    Err(failure) => {
                        let why = one_line(&failure.to_string());
                        for cell in &batch.cells[at..] {
                            self.measured.cells[*cell].did_not_start(round, &why);
                        }
                        self.done += batch.cells.len() - at;
                        return Ok(Some(failure));
                    }
                },
            };
            self.has_started = true;
            (self.sweep.sink)(Event::Step {
                done: self.done,
                all,
                what: self.label(*cell),
            });
            if let Some(visit) = self.visit(*cell, &subject, &workload, &mut alive, slice)? {
                self.measured.cells[*cell].take(round, visit);
            }
            self.done += 1;
            host = Some(alive);
        }
        Ok(None)
    }

    /// One visit, repeated if the machine disturbed it. `None` after an interrupt.
    fn visit(
        &mut self,
        cell: usize,
        subject: &Subject,
        workload: &Workload,
        host: &mut Host,
        slice: Slice,
    ) -> Result<Option<Visit>, SweepError> {
        let (plan, interrupt) = (self.sweep.plan, self.sweep.interrupt);
        let visit = host.visit(subject, workload, slice, interrupt)?;
        let visit = visit.map(Visit::new);
        let most = self.grid.cells() * plan.rounds_here().len() / REPEATED_SHARE;
        let disturbed = visit.as_ref().is_some_and(Visit::was_disturbed);
        let has_time = self.repeated < most && self.begun.elapsed() < plan.budget_here();
        if !disturbed || !has_time || host.server().is_gone() {
            return Ok(visit);
        }
        self.repeated += 1;
        self.measured.cells[cell].repeats();
        let again = host.visit(subject, workload, slice, interrupt)?;
        Ok(again.map(Visit::new))
    }

    fn start(&self, subject: &Subject, workload: &Workload) -> Result<Host, StartFailure> {
        let cpus = server_cores(workload);
        start(&self.runtime, subject, cpus.as_deref(), None).map(Host::new)
    }

    fn label(&self, cell: usize) -> String {
        let settings = self.axes.iter().zip(self.grid.place(cell));
        let settings: Vec<String> = settings.map(|(axis, place)| axis.label(place)).collect();
        settings.join(", ")
    }
}

fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let line = lines.join("; ").replace(":; ", ": ");
    line.chars().take(REASON_CHARS).collect()
}
