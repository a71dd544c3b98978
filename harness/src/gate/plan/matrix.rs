//! Which loads the matrix compares, and how its time is divided. Pure.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::rule::second_sessions;
use crate::load::Workload;
use crate::load::script::payload;
use crate::load::visit::{
    MEASURED_LEAST, MEASURED_USUAL, VISIT_OVERHEAD, WARMUP_LEAST, longest_request,
};
use crate::subject::Subject;
use crate::text::size;

/// Payload sizes in bytes: one so small that its size does not matter, one whose copying costs time.
const PAYLOADS: [usize; 2] = [64, 16 << 10];
/// Numbers of connections: a few, and far more than a server has cores.
const CONNECTIONS: [usize; 2] = [10, 50];
/// Minimum number of rounds: with fewer a cell can hardly become suspect.
const ROUNDS_LEAST: usize = 8;
/// Visits per round and cell: base, candidate, candidate, base, or the reverse.
const VISITS: usize = 4;
/// Rounds after which both servers are restarted: the luck of a start, such as memory placement, averages out.
const ROUNDS_PER_START: usize = 5;
/// Maximum number of suspect cells that get fresh rounds: one that fails is enough.
const FRESH_CELLS: usize = 2;

/// One load of the matrix.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct MatrixCell {
    /// Its name: `payload 64 B, 10 connections`.
    pub at: String,
    /// Connections.
    pub connections: usize,
    /// Bytes of `{payload}`, if the turns have one.
    pub payload_bytes: Option<usize>,
    /// The turns to say: indices into the talk.
    pub turns: Vec<usize>,
}

/// The loads of a gate.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct MatrixPlan {
    /// The loads.
    pub cells: Vec<MatrixCell>,
    /// Rounds of the first stage: each visits every cell twice on each side.
    pub rounds: usize,
    /// Fresh rounds of a cell that is suspect.
    pub fresh: usize,
    /// Maximum number of suspect cells that get fresh rounds.
    pub fresh_cells: usize,
    /// Rounds after which both servers are restarted.
    pub life: usize,
    /// Unmeasured load at the start of each visit.
    #[serde(rename = "warmup_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub warmup: Duration,
    /// The measured part of each visit.
    #[serde(rename = "measured_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub measured: Duration,
    /// Time to start and stop both servers.
    #[serde(skip)]
    pub overhead: Duration,
    /// Settings that all cells share.
    #[serde(skip)]
    pub workload: Workload,
}

/// The cells for this server. `turns` are those that may be said; a payload size in `asked` replaces the usual
/// ones.
///
/// A size that the conversation cannot carry or the server does not promise to accept is halved until it fits.
pub(crate) fn cells(subject: &Subject, turns: &[usize], asked: Option<usize>) -> Vec<MatrixCell> {
    let talk = &subject.talk;
    let uses = |turn: &usize| {
        let turn = talk.turns.get(*turn);
        turn.is_some_and(crate::talk::Exchange::uses_payload)
    };
    let with: Vec<usize> = turns.iter().copied().filter(uses).collect();
    let sizes = asked.map_or_else(|| PAYLOADS.to_vec(), |size| vec![size]);
    let mut payloads: Vec<usize> = Vec::new();
    for size in sizes.into_iter().filter(|_| !with.is_empty()) {
        if let Some(size) = halves(size).find(|size| is_taken(subject, &with, *size)) {
            payloads.push(size);
        }
    }
    payloads.sort_unstable();
    payloads.dedup();
    let kinds: Vec<(Option<usize>, Vec<usize>)> = if payloads.is_empty() {
        vec![(None, turns.to_vec())]
    } else {
        payloads
            .into_iter()
            .map(|size| (Some(size), with.clone()))
            .collect()
    };
    let connections = connections(subject.promise.most_connections());
    let cell = |(payload, turns): &(Option<usize>, Vec<usize>), connections: usize| {
        MatrixCell::new(*payload, turns.clone(), connections)
    };
    kinds
        .iter()
        .flat_map(|kind| connections.iter().map(move |number| cell(kind, *number)))
        .collect()
}

fn halves(size: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(size), |size| Some(size / 2).filter(|half| *half > 0))
}

/// Leaves one promised connection for whoever inspects the server meanwhile.
fn connections(promised: Option<usize>) -> Vec<usize> {
    let most = promised.map_or(usize::MAX, |promised| promised.saturating_sub(1).max(1));
    let mut all = CONNECTIONS.map(|number| number.min(most)).to_vec();
    all.dedup();
    all
}

/// Whether all these turns can be said with a payload of this size.
fn is_taken(subject: &Subject, turns: &[usize], size: usize) -> bool {
    let talk = &subject.talk;
    let payload = payload(size, subject.seed);
    // Values known only once the server runs, such as its port, are short.
    let bytes = |turn| longest_request(subject, &[turn], size, subject.seed).unwrap_or(size);
    let longest = subject.promise.longest_message().unwrap_or(usize::MAX);
    let known = turns.iter().filter(|turn| **turn < talk.turns.len());
    { known }
        .all(|turn| bytes(*turn) <= longest && talk.turns[*turn].payload_is_safe(talk, &payload))
}

impl MatrixCell {
    /// A cell with its name.
    pub fn new(payload_bytes: Option<usize>, turns: Vec<usize>, connections: usize) -> Self {
        let many = match connections {
            1 => "1 connection".to_owned(),
            _ => format!("{connections} connections"),
        };
        let at = match payload_bytes {
            Some(bytes) => format!("payload {}, {many}", size::show(bytes as u64)),
            None => many,
        };
        Self {
            at,
            connections,
            payload_bytes,
            turns,
        }
    }

    /// The cell on one connection, for servers that serve one client at a time.
    #[must_use]
    pub(crate) fn alone(&self) -> Self {
        Self::new(self.payload_bytes, self.turns.clone(), 1)
    }
}

impl MatrixPlan {
    /// The shortest useful plan. One that decides includes fresh rounds for a suspect cell.
    pub fn least(
        cells: Vec<MatrixCell>,
        workload: Workload,
        overhead: Duration,
        decides: bool,
    ) -> Self {
        Self {
            cells,
            rounds: ROUNDS_LEAST,
            fresh: second_sessions(ROUNDS_LEAST),
            fresh_cells: usize::from(decides),
            life: ROUNDS_PER_START,
            warmup: WARMUP_LEAST,
            measured: MEASURED_LEAST,
            overhead,
            workload,
        }
    }

    /// Extends the plan to fit into a time: longer visits first, then fresh rounds, then more rounds. `None` if even
    /// the plan itself does not fit.
    pub(crate) fn within(self, time: Duration) -> Option<Self> {
        if self.time() > time {
            return None;
        }
        let usual = |fresh_cells| Self {
            fresh_cells,
            measured: MEASURED_USUAL,
            ..self.clone()
        };
        let fresh_cells = (self.fresh_cells..=FRESH_CELLS.min(self.cells.len())).rev();
        let Some(usual) = fresh_cells.map(usual).find(|plan| plan.time() <= time) else {
            let more = (time - self.time()) / self.visits() as u32;
            return Some(Self {
                measured: (self.measured + more).min(MEASURED_USUAL),
                ..self
            });
        };
        let fits = |plan: &Self| plan.time() <= time;
        let more = (usual.rounds..).map(|rounds| usual.with_rounds(rounds));
        more.take_while(fits).last()
    }

    /// The plan with another number of rounds.
    #[must_use]
    pub(crate) fn with_rounds(&self, rounds: usize) -> Self {
        Self {
            rounds,
            fresh: second_sessions(rounds),
            ..self.clone()
        }
    }

    /// Approximate maximum duration.
    pub(crate) fn time(&self) -> Duration {
        let starts = self.rounds.div_ceil(self.life) + self.fresh.div_ceil(self.life);
        self.visit() * self.visits() as u32 + self.overhead * starts as u32
    }

    /// Duration of a visit.
    fn visit(&self) -> Duration {
        self.warmup + self.measured + VISIT_OVERHEAD
    }

    /// Visits of all rounds, and one trial visit to each cell on both sides.
    fn visits(&self) -> usize {
        let of_cells = self.rounds * self.cells.len() + self.fresh * self.fresh_cells;
        2 * self.cells.len() + VISITS * of_cells
    }

    /// The load of a cell.
    pub(crate) fn workload(&self, cell: &MatrixCell) -> Workload {
        Workload {
            connections: cell.connections,
            payload_bytes: cell.payload_bytes.unwrap_or(self.workload.payload_bytes),
            turns: cell.turns.clone(),
            warmup: self.warmup,
            duration: self.measured,
            ..self.workload.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::subject::Origin;

    fn subject(talk: &str) -> Subject {
        let file = crate::file::builtin(talk).unwrap();
        Subject {
            origin: Origin::Attach {
                endpoint: crate::transport::Endpoint::plain(std::net::SocketAddr::from((
                    [127, 0, 0, 1],
                    1,
                ))),
                pid: None,
            },
            talk: Arc::new(file.talk),
            promise: file.promise,
            seed: 1,
        }
    }

    fn names(subject: &Subject, turns: &[usize], asked: Option<usize>) -> Vec<String> {
        let cells = cells(subject, turns, asked);
        cells.into_iter().map(|cell| cell.at).collect()
    }

    #[test]
    fn cells_are_what_the_conversation_carries_and_the_server_promises() {
        let mut line = subject("line");
        let four = [
            "payload 64 B, 10 connections",
            "payload 64 B, 50 connections",
            "payload 16 KiB, 10 connections",
            "payload 16 KiB, 50 connections",
        ];
        assert_eq!(names(&line, &[0, 1], None), four);
        assert!(
            cells(&line, &[0, 1], None)
                .iter()
                .all(|cell| cell.turns == [1])
        );
        assert_eq!(
            names(&line, &[0], None),
            ["10 connections", "50 connections"]
        );
        line.promise.max_message = Some(16 << 10);
        line.promise.max_connections = Some(31);
        let few = names(&line, &[1], None);
        assert_eq!(few[1], "payload 64 B, 30 connections");
        // The token and the line ending are part of the message.
        assert_eq!(few[2], "payload 8 KiB, 10 connections");
        line.promise.max_connections = Some(1);
        assert_eq!(
            names(&line, &[1], Some(100)),
            ["payload 100 B, 1 connection"]
        );
        line.promise.max_message = Some(40);
        assert_eq!(names(&line, &[1], None), ["payload 16 B, 1 connection"]);
    }

    #[test]
    fn time_is_given_to_visits_then_to_second_looks_then_to_rounds() {
        let overhead = Duration::from_millis(20);
        let all = cells(&subject("line"), &[1], None);
        let least =
            |decides| MatrixPlan::least(all.clone(), Workload::default(), overhead, decides);
        let within = |seconds: u64, decides| least(decides).within(Duration::from_secs(seconds));
        assert_eq!(within(10, false), None);
        assert!(least(true).time() > least(false).time());
        let mut before: Option<MatrixPlan> = None;
        for seconds in [20, 25, 30, 40, 60, 120, 600] {
            let plan = within(seconds, true).unwrap();
            assert!(plan.time() <= Duration::from_secs(seconds), "{plan:?}");
            assert!(plan.rounds >= 8 && plan.fresh >= 12 && plan.fresh_cells >= 1);
            assert!(plan.warmup + plan.measured <= Duration::from_millis(150));
            if let Some(before) = before {
                assert!(plan.rounds >= before.rounds && plan.measured >= before.measured);
            }
            before = Some(plan);
        }
        assert!(before.unwrap().rounds > 100);
    }
}
