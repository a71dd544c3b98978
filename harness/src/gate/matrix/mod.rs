//! The matrix: the same short loads on base and candidate in turn, over a few payload sizes and numbers of
//! connections.
//!
//! Both servers run all the time, and only one of them is loaded. A round visits every cell in the order A B B A
//! or its reverse, and gives the rule one log ratio. After some rounds both servers are restarted, in the other
//! order. A suspect cell gets fresh rounds, as in the duet.

mod record;
#[cfg(test)]
pub(super) mod sample;
mod standing;
mod visit;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

use self::record::MatrixRecord;
pub(super) use self::record::{MatrixRecords, matrix_cells};
use self::visit::{Round, Visit, turns};
use super::metric::Tier;
use super::plan::{GatePlan, MatrixCell, MatrixPlan};
use super::result::{BrokenServer, GateResult, SkippedTier};
use super::servers::{exit_of, start_both};
use super::side::{Pair, Side};
use crate::event::{Event, Sink};
use crate::load::cores;
use crate::load::visit::{Host, Slice};
use crate::stats::shuffle;
use crate::subject::{Interrupt, Subject, runtime};

/// Maximum number of visits that are repeated because the server spoiled them.
const REPEATED_MAX: usize = 3;

/// What the matrix compares, and how.
pub(super) struct Matrix<'a> {
    pub subjects: Pair<&'a Subject>,
    pub plan: &'a MatrixPlan,
    /// The plan of the gate, for budgets and the metrics that decide.
    pub gate: &'a GatePlan,
    pub interrupt: &'a Interrupt,
    pub sink: Sink<'a>,
}

/// Why the matrix ended early.
enum Stopped {
    Interrupted,
    /// A server did what it must not.
    Broken(BrokenServer),
    /// A load cannot be put on these servers.
    Impossible(String),
}

impl Matrix<'_> {
    /// Runs all loads, adds their cells, and returns what was measured.
    pub(super) fn add_to(&self, result: &mut GateResult) -> MatrixRecords {
        let mut running = RunningMatrix {
            matrix: self,
            plan: self.plan,
            runtime: runtime(),
            records: Vec::new(),
            left_out: Vec::new(),
            servers: None,
            done: 0,
            all: self.plan.rounds * self.plan.cells.len(),
            repeated: 0,
            notes: Vec::new(),
        };
        let stopped = running.run().err();
        let records = running.report(result);
        match stopped {
            Some(Stopped::Broken(broken)) => result.broken = Some(broken),
            Some(Stopped::Impossible(reason)) => result.skipped.push(SkippedTier {
                tier: Tier::Matrix,
                reason,
            }),
            Some(Stopped::Interrupted) | None => {}
        }
        records
    }
}

/// A matrix in progress.
struct RunningMatrix<'a> {
    matrix: &'a Matrix<'a>,
    plan: &'a MatrixPlan,
    runtime: tokio::runtime::Runtime,
    records: Vec<MatrixRecord>,
    /// Cells that the base cannot handle, and why.
    left_out: Vec<(MatrixCell, String)>,
    servers: Option<Pair<Host>>,
    /// Rounds of single cells that are done, and their expected total.
    done: usize,
    all: usize,
    /// Visits that were repeated.
    repeated: usize,
    notes: Vec<String>,
}

impl RunningMatrix<'_> {
    fn run(&mut self) -> Result<(), Stopped> {
        self.start(0)?;
        let cells = self.standing()?;
        self.records = cells.into_iter().map(MatrixRecord::new).collect();
        self.all = self.plan.rounds * self.records.len();
        let everywhere: Vec<usize> = (0..self.records.len()).collect();
        self.rounds(&everywhere, self.plan.rounds, false)?;
        let suspects = self.suspects();
        self.all += self.plan.fresh * suspects.len();
        self.rounds(&suspects, self.plan.fresh, true)
    }

    /// The most suspect cells, as many as there is time for.
    fn suspects(&self) -> Vec<usize> {
        let records = self.records.iter().enumerate();
        let mut suspects: Vec<(usize, f64)> = records
            .filter_map(|(place, record)| Some((place, record.suspicion(self.matrix.gate)?)))
            .collect();
        suspects.sort_by(|one, other| other.1.total_cmp(&one.1));
        suspects.truncate(self.plan.fresh_cells);
        suspects.into_iter().map(|(place, _)| place).collect()
    }

    /// Rounds of these cells, each in another order.
    fn rounds(&mut self, places: &[usize], rounds: usize, fresh: bool) -> Result<(), Stopped> {
        let seed = self.plan.workload.seed ^ u64::from(fresh);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut order = places.to_vec();
        for number in 0..rounds {
            if order.is_empty() {
                break;
            }
            if number % self.plan.life == 0 && (number > 0 || fresh) {
                self.start(number / self.plan.life + usize::from(fresh))?;
            }
            shuffle(&mut order, &mut random);
            for place in &order {
                let round = self.round(*place, number)?;
                let record = &mut self.records[*place];
                if fresh {
                    record.fresh.push(round);
                } else {
                    record.first.push(round);
                }
                self.done += 1;
            }
        }
        Ok(())
    }

    fn round(&mut self, place: usize, number: usize) -> Result<Round, Stopped> {
        let cell = self.records[place].cell.clone();
        (self.matrix.sink)(Event::Step {
            done: self.done,
            all: self.all,
            what: format!("loads, round {}: {}", number + 1, cell.at),
        });
        let mut round = Round::default();
        for side in turns(number) {
            let visit = self.visit(side, &cell)?;
            round.visits[side].push(visit);
        }
        Ok(round)
    }

    /// One visit, repeated if the server spoils it but survives.
    fn visit(&mut self, side: Side, cell: &MatrixCell) -> Result<Visit, Stopped> {
        loop {
            let why = match self.load(side, cell)? {
                Ok(visit) => return Ok(visit),
                Err(why) => why,
            };
            let exit = self.exit(side);
            if exit.is_none() && self.repeated < REPEATED_MAX {
                self.repeated += 1;
                self.notes.push(format!(
                    "a load was repeated: the {side}, {}: {why}",
                    cell.at
                ));
                continue;
            }
            let what = match exit {
                Some(exit) => format!("died: {exit} ({}: {why})", cell.at),
                None => format!("cannot handle its load ({}): {why}", cell.at),
            };
            return Err(Stopped::Broken(BrokenServer { side, what }));
        }
    }

    fn exit(&self, side: Side) -> Option<String> {
        exit_of(&self.runtime, self.servers.as_ref()?[side].server())
    }

    /// The inner error is what the server did that it must not.
    fn load(&mut self, side: Side, cell: &MatrixCell) -> Result<Result<Visit, String>, Stopped> {
        let (interrupt, subject) = (self.matrix.interrupt, self.matrix.subjects[side]);
        let workload = self.plan.workload(cell);
        let slice = Slice {
            warmup: workload.warmup,
            measured: workload.duration,
        };
        let Some(hosts) = &mut self.servers else {
            return Err(Stopped::Interrupted);
        };
        let result = hosts[side]
            .visit(subject, &workload, slice, interrupt)
            .map_err(|error| Stopped::Impossible(error.to_string()))?;
        match result {
            Some(result) if !interrupt.is_set() => Ok(Visit::of(&result)),
            _ => Err(Stopped::Interrupted),
        }
    }

    /// Stops both servers and starts them again; they alternate in which is started first.
    fn start(&mut self, number: usize) -> Result<(), Stopped> {
        self.servers = None;
        let cpus = cores(self.plan.workload.threads).map(|(_, servers)| servers);
        let first = Side::alternating(number);
        let started = start_both(
            &self.runtime,
            self.matrix.subjects,
            first,
            cpus.as_deref(),
            self.matrix.interrupt.left(),
        );
        let started = started.map_err(|(side, failure)| {
            if self.matrix.interrupt.is_set() {
                return Stopped::Interrupted;
            }
            let what = format!("did not start: {failure}");
            Stopped::Broken(BrokenServer { side, what })
        })?;
        self.servers = Some(started.map(Host::new));
        Ok(())
    }
}
