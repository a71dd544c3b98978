//! Made-up visits to the cells of a sweep, for tests.

use super::axis::Dimension;
use super::figures::Figures;
use super::grid::Grid;
use super::measured::Measured;
use super::record::CellRecord;
use super::visit::Visit;
use crate::load::recorder::times;
use crate::load::{End, Note, Reason, Transport};

/// What came of a made-up visit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MadeVisit {
    /// Replies per second, and the receive buffer in force.
    Valid(f64, u64),
    /// As a valid one, with a client that was the limit.
    Limited(f64, u64),
    /// The machine disturbed it.
    Disturbed,
    /// The server lost connections.
    Lost,
    /// The server did not start.
    NotStarted,
}

/// What is measured by the process that visits these rounds of this many. `visit` says what comes of a cell in a round.
pub(crate) fn measured(
    axes: &[Dimension],
    rounds: usize,
    takes: impl Fn(usize) -> bool,
    visit: impl Fn(usize, usize) -> Option<MadeVisit>,
) -> Measured {
    let here: Vec<usize> = (0..rounds).filter(|round| takes(*round)).collect();
    let cells = (0..Grid::new(axes).cells()).map(|cell| {
        let mut record = CellRecord::new(rounds, Some(64 + cell));
        for round in &here {
            match visit(cell, *round) {
                Some(MadeVisit::NotStarted) => record.did_not_start(*round, "exited: \"1\": a, b"),
                Some(came) => record.take(*round, made(came)),
                None => record.repeats(),
            }
        }
        record
    });
    Measured {
        rounds: here.len(),
        cells: cells.collect(),
    }
}

fn made(came: MadeVisit) -> Visit {
    let (ops_per_s, buffer, limited) = match came {
        MadeVisit::Valid(ops, buffer) => (ops, buffer, false),
        MadeVisit::Limited(ops, buffer) => (ops, buffer, true),
        _ => (1.0, 4608, false),
    };
    let reasons = match came {
        MadeVisit::Disturbed => vec![Reason::Steal { percent: 9.1 }],
        MadeVisit::Lost => vec![
            Reason::ClientStarved { share: 0.3 },
            Reason::ConnectionsLost {
                lost: 1,
                first: Some("reset: by peer".into()),
            },
        ],
        _ => Vec::new(),
    };
    let note = Note::ClientSaturated {
        busy: 0.97,
        server_cores: None,
    };
    let mut response = times();
    (1..=40_u64).for_each(|n| response.saturating_record(n * (1e9 / ops_per_s) as u64));
    Visit {
        figures: Figures {
            ops_per_s,
            bytes_per_s: ops_per_s * 64.3,
            p50_us: 0.5e6 / ops_per_s,
            p99_us: 1e6 / ops_per_s,
            server_cpu_us_per_op: Some(0.1),
            client_cpu_us_per_op: 1.7,
            client_limited: limited,
        },
        reasons,
        notes: limited.then_some(note).into_iter().collect(),
        transport: (buffer > 0).then(|| Transport {
            sampled: 3,
            client: End {
                so_rcvbuf: buffer,
                rtt_us: 0.1,
                mss: 1448,
                ..End::default()
            },
            server: None,
            why: limited.then(|| "the client's window was full".into()),
        }),
        response,
    }
}
