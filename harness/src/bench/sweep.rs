//! Runs a sweep: rounds of visits, each a short load on a server started with the settings of the cell.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::axis::Dimension;
use super::grid::{Grid, ServerBatch};
use super::plan::{Slice, SweepPlan};
use super::possible::refuse;
use super::recommend::recommend;
use super::record::CellRecord;
use super::result::{SweepCell, SweepResult};
use super::visit::Visit;
use crate::event::{Event, Sink};
use crate::load::engine::EngineError;
use crate::load::script::payload;
use crate::load::{Load, Workload, cores, summarize};
use crate::process::{Server, StartFailure, StartOptions};
use crate::subject::{Interrupt, Origin, Subject};
use crate::talk::Bindings;

/// Factor by which the warm-up of the first visit to a fresh server is longer.
const FIRST_WARMUP: u32 = 2;
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
    /// Runs the sweep.
    ///
    /// # Errors
    /// See [`SweepError`]. A cell that cannot be measured is not an error: it is reported as invalid.
    pub(crate) fn run(&self) -> Result<SweepResult, SweepError> {
        refuse(self.subject, self.plan).map_err(SweepError::Plan)?;
        let mut running = RunningSweep::new(self)?;
        for round in 0..self.plan.rounds {
            if self.interrupt.is_set() {
                break;
            }
            running.round(round)?;
            running.merge();
        }
        Ok(running.result())
    }
}

/// A sweep in progress.
struct RunningSweep<'a> {
    sweep: &'a Sweep<'a>,
    axes: &'a [Dimension],
    grid: Grid,
    records: Vec<CellRecord>,
    runtime: tokio::runtime::Runtime,
    begun: Instant,
    /// Completed rounds.
    rounds: usize,
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
            records: vec![CellRecord::new(sweep.plan.rounds); grid.cells()],
            grid,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            begun: Instant::now(),
            rounds: 0,
            done: 0,
            repeated: 0,
            overhead: None,
            has_started: false,
        })
    }

    fn round(&mut self, round: usize) -> Result<(), SweepError> {
        let plan = self.sweep.plan;
        let records = &self.records;
        let batches = self
            .grid
            .round(round, plan.seed, |cell| records[cell].is_wanted());
        let visits: usize = batches.iter().map(|batch| batch.cells.len()).sum();
        let (left, begun) = (plan.rounds - round, Instant::now());
        let all = self.done + visits * left;
        let overhead = self
            .overhead
            .unwrap_or_else(|| SweepPlan::overhead(visits, batches.len()));
        let left = plan.budget.saturating_sub(self.begun.elapsed()) / left as u32;
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
        self.rounds += 1;
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
        let mut server: Option<Server> = None;
        for (at, cell) in batch.cells.iter().enumerate() {
            if self.sweep.interrupt.is_set() {
                break;
            }
            let (workload, subject) = self.settings(*cell);
            let mut warmup = slice.warmup;
            let alive = match server.take().filter(|server| !server.is_gone()) {
                Some(server) => server,
                None => match self.start(&subject, &workload) {
                    Ok(server) => {
                        warmup *= FIRST_WARMUP;
                        server
                    }
                    Err(failure) => {
                        let why = one_line(&failure.to_string());
                        for cell in &batch.cells[at..] {
                            self.records[*cell].did_not_start(&why);
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
            let slice = Slice { warmup, ..slice };
            if let Some(visit) = self.visit(*cell, &subject, workload, &alive, slice)? {
                self.records[*cell].take(round, visit);
            }
            self.done += 1;
            server = Some(alive);
        }
        Ok(None)
    }

    /// One visit, repeated if the machine disturbed it. `None` after an interrupt.
    fn visit(
        &mut self,
        cell: usize,
        subject: &Subject,
        mut workload: Workload,
        server: &Server,
        slice: Slice,
    ) -> Result<Option<Visit>, SweepError> {
        workload.warmup = slice.warmup;
        workload.duration = slice.measured;
        let visit = self.measure(subject, &workload, server)?;
        let most = self.grid.cells() * self.sweep.plan.rounds / REPEATED_SHARE;
        let disturbed = visit.as_ref().is_some_and(Visit::was_disturbed);
        let has_time = self.repeated < most && self.begun.elapsed() < self.sweep.plan.budget;
        if !disturbed || !has_time || server.is_gone() {
            return Ok(visit);
        }
        self.repeated += 1;
        self.records[cell].repeats();
        self.measure(subject, &workload, server)
    }

    fn measure(
        &self,
        subject: &Subject,
        workload: &Workload,
        server: &Server,
    ) -> Result<Option<Visit>, SweepError> {
        let measured = Load {
            begin: None,
            workload,
            talk: &subject.talk,
            values: subject.values_of(server),
            server,
            interrupt: self.sweep.interrupt,
            // Visits are too short for progress of their own.
            sink: &|_| {},
        }
        .run()?;
        if measured.interrupted {
            return Ok(None);
        }
        let result = summarize(workload, &measured);
        Ok(Some(Visit::new(result)))
    }

    fn start(&self, subject: &Subject, workload: &Workload) -> Result<Server, StartFailure> {
        let cores = cores(workload.threads).filter(|_| workload.pin);
        let options = StartOptions {
            cpus: cores.map(|(_, server)| server),
            // No setting may win because of the addresses at which its server was loaded.
            fixed_addresses: true,
            ..StartOptions::default()
        };
        self.runtime.block_on(subject.server(options))
    }

    /// The workload and the server of a cell.
    fn settings(&self, cell: usize) -> (Workload, Subject) {
        let mut workload = self.sweep.plan.base.clone();
        let mut params = BTreeMap::new();
        for (axis, place) in self.axes.iter().zip(self.grid.place(cell)) {
            axis.apply(place, &mut workload, &mut params);
        }
        let mut subject = self.sweep.subject.clone();
        if let Origin::Spawn(launch) = &mut subject.origin {
            launch.params.extend(params);
        }
        (workload, subject)
    }

    /// Merges cells with the same settings in force: a later one refers to the earliest.
    fn merge(&mut self) {
        let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for cell in 0..self.records.len() {
            let place = self.grid.place(cell);
            let Some(in_force) = self.records[cell].in_force(self.axes, &place) else {
                continue;
            };
            let in_force = in_force.settings();
            match seen.get(&in_force) {
                Some(earlier) => self.records[cell].same_as = Some(*earlier),
                None => {
                    seen.insert(in_force, cell);
                }
            }
        }
    }

    fn result(&self) -> SweepResult {
        let places: Vec<Vec<usize>> = (0..self.records.len())
            .map(|cell| self.grid.place(cell))
            .collect();
        let entries: Vec<_> = self
            .records
            .iter()
            .zip(&places)
            .enumerate()
            .map(|(cell, (record, place))| record.entry(self.axes, place, self.message_bytes(cell)))
            .collect();
        let cells = self.records.iter().zip(&places);
        let mut cells: Vec<_> = cells
            .map(|(record, place)| record.cell(self.axes, place))
            .collect();
        for cell in 0..cells.len() {
            if let Some(same) = cells[cell].same_as.map(|earlier| cells[earlier].clone()) {
                let axes = std::mem::take(&mut cells[cell].axes);
                let same_as = cells[cell].same_as;
                cells[cell] = SweepCell {
                    axes,
                    same_as,
                    ..same
                };
            }
        }
        SweepResult {
            axes: self.axes.iter().map(Dimension::axis).collect(),
            rounds: self.rounds,
            cells,
            recommendation: recommend(self.axes, &entries),
        }
    }

    /// Bytes of the longest request of a cell, if it can be rendered without a server.
    fn message_bytes(&self, cell: usize) -> Option<usize> {
        let (workload, subject) = self.settings(cell);
        let bindings = Bindings {
            tok: crate::talk::token(workload.seed, 0),
            payload: payload(workload.payload_bytes, workload.seed),
            values: subject.values(),
            ..Bindings::default()
        };
        let talk = &subject.talk;
        let turns = workload
            .turns
            .iter()
            .filter_map(|turn| talk.turns.get(*turn));
        turns
            .filter_map(|turn| Some(turn.render(talk, &bindings).ok()?.request.len()))
            .max()
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
