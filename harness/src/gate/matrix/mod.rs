//! The matrix: the same short loads on base and candidate in turn, over a few sizes and numbers of connections.
//!
//! Both servers live all the time, and only one of them has anything to do. A round visits every cell A B B A,
//! or the other way round; one log ratio of it is what the rule is given. After some rounds both are started
//! anew, the other one first. A cell that is suspect gets fresh rounds, as in the duet.

mod plan;
mod record;
mod standing;
mod visit;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng as _;

pub use self::plan::{MatrixCell, MatrixPlan, cells};
use self::record::Record;
use self::visit::{Round, Visit, turns};
use super::metric::Tier;
use super::result::{Broken, GateResult, Skipped};
use super::run::{Gate, LAST_MOMENTS, side_name};
use crate::event::Event;
use crate::load::{Load, cores, summarize};
use crate::process::{Server, StartOptions};
use crate::stats::shuffle;
use crate::subject::{Subject, runtime};

/// Visits that are made again, at most.
const REPEATED_MAX: usize = 3;
/// The first visit to a fresh server is warmed up so many times longer.
const FIRST_WARMUP: u32 = 2;

/// Why no more visits are made.
enum End {
    /// Somebody asked for it.
    Interrupted,
    /// A server did what it must not.
    Broken(Broken),
    /// A load cannot be put on these servers.
    Cannot(String),
}

/// Measures the matrix and adds its cells.
pub(super) fn add(result: &mut GateResult, gate: &Gate<'_>, plan: &MatrixPlan) {
    let mut matrix = Matrix {
        gate,
        plan,
        runtime: runtime(),
        records: Vec::new(),
        left_out: Vec::new(),
        servers: None,
        unvisited: [true; 2],
        done: 0,
        all: plan.rounds * plan.cells.len(),
        repeated: 0,
        notes: Vec::new(),
    };
    let end = matrix.run().err();
    matrix.report(result);
    match end {
        Some(End::Broken(broken)) => result.broken = Some(broken),
        Some(End::Cannot(reason)) => result.skipped.push(Skipped {
            tier: Tier::Matrix,
            reason,
        }),
        Some(End::Interrupted) | None => {}
    }
}

/// A matrix under way.
struct Matrix<'a> {
    gate: &'a Gate<'a>,
    plan: &'a MatrixPlan,
    runtime: tokio::runtime::Runtime,
    records: Vec<Record>,
    /// Cells that the base does not stand, and why.
    left_out: Vec<(MatrixCell, String)>,
    servers: Option<[Server; 2]>,
    /// Nobody has visited it yet.
    unvisited: [bool; 2],
    /// Rounds of single cells that are done, and all there will be.
    done: usize,
    all: usize,
    /// Visits that came to nothing and were made again.
    repeated: usize,
    notes: Vec<String>,
}

impl Matrix<'_> {
    fn run(&mut self) -> Result<(), End> {
        self.start(0)?;
        let cells = self.standing()?;
        self.records = cells.into_iter().map(Record::new).collect();
        self.all = self.plan.rounds * self.records.len();
        let everywhere: Vec<usize> = (0..self.records.len()).collect();
        self.rounds(&everywhere, self.plan.rounds, false)?;
        let suspicion = |place: &usize| self.records[*place].suspicion(self.gate.plan);
        let mut suspects: Vec<(usize, f64)> = everywhere
            .iter()
            .filter_map(|place| Some((*place, suspicion(place)?)))
            .collect();
        suspects.sort_by(|one, other| other.1.total_cmp(&one.1));
        suspects.truncate(self.plan.fresh_cells);
        let suspects: Vec<usize> = suspects.into_iter().map(|(place, _)| place).collect();
        self.all += self.plan.fresh * suspects.len();
        self.rounds(&suspects, self.plan.fresh, true)
    }

    /// Rounds of these cells, in another order each.
    fn rounds(&mut self, places: &[usize], rounds: usize, fresh: bool) -> Result<(), End> {
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
                match fresh {
                    true => record.fresh.push(round),
                    false => record.first.push(round),
                }
                self.done += 1;
            }
        }
        Ok(())
    }

    fn round(&mut self, place: usize, number: usize) -> Result<Round, End> {
        let cell = self.records[place].cell.clone();
        (self.gate.sink)(Event::Step {
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

    /// A visit that the server spoils is made again; one that it does not survive is not.
    fn visit(&mut self, side: usize, cell: &MatrixCell) -> Result<Visit, End> {
        loop {
            let why = match self.load(side, cell)? {
                Ok(visit) => return Ok(visit),
                Err(why) => why,
            };
            let exit = self.exit(side);
            if exit.is_none() && self.repeated < REPEATED_MAX {
                let name = side_name(side, false);
                self.repeated += 1;
                self.notes.push(format!(
                    "a load was put on again: the {name}, {}: {why}",
                    cell.at
                ));
                continue;
            }
            let what = match exit {
                Some(exit) => format!("died: {exit} ({}: {why})", cell.at),
                None => format!("did not stand its load ({}): {why}", cell.at),
            };
            let side = side_name(side, false);
            return Err(End::Broken(Broken { side, what }));
        }
    }

    /// A connection that is closed is seen before the end of its process.
    fn exit(&self, side: usize) -> Option<String> {
        let server = &self.servers.as_ref()?[side];
        let exit = self.runtime.block_on(server.wait_exit(LAST_MOMENTS));
        exit.map(|exit| exit.to_string())
    }

    /// The inner error is what the server did that it must not.
    fn load(&mut self, side: usize, cell: &MatrixCell) -> Result<Result<Visit, String>, End> {
        let gate = self.gate;
        let mut workload = self.plan.workload(cell);
        if std::mem::take(&mut self.unvisited[side]) {
            workload.warmup *= FIRST_WARMUP;
        }
        let (subject, Some(servers)) = (self.subject(side), &self.servers) else {
            return Err(End::Interrupted);
        };
        let load = Load {
            workload: &workload,
            talk: &subject.talk,
            values: subject.values_of(&servers[side]),
            server: &servers[side],
            interrupt: gate.interrupt,
            // Visits are too short for progress of their own.
            sink: &|_| {},
        };
        let measured = load.run().map_err(|error| End::Cannot(error.to_string()))?;
        if measured.interrupted || gate.interrupt.is_set() {
            return Err(End::Interrupted);
        }
        Ok(Visit::of(&measured, &summarize(&workload, &measured)))
    }

    fn subject(&self, side: usize) -> &'_ Subject {
        [self.gate.base, self.gate.candidate][side]
    }

    /// Ends both servers and starts both anew; they take turns in who is first.
    fn start(&mut self, life: usize) -> Result<(), End> {
        self.servers = None;
        self.unvisited = [true; 2];
        let cpus = cores(self.plan.workload.threads).map(|(_, servers)| servers);
        let start = |side: usize| {
            let options = StartOptions {
                cpus: cpus.clone(),
                fixed_addresses: true,
                ..StartOptions::default()
            };
            let started = self.runtime.block_on(self.subject(side).server(options));
            started.map_err(|failure| {
                End::Broken(Broken {
                    side: side_name(side, false),
                    what: format!("did not start: {failure}"),
                })
            })
        };
        let first = life % 2;
        let (one, other) = (start(first)?, start(1 - first)?);
        self.servers = Some(match first {
            0 => [one, other],
            _ => [other, one],
        });
        Ok(())
    }
}
