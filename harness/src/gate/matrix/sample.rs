//! Made-up rounds of a load, for tests.

use super::record::MatrixRecord;
use super::visit::{Round, Visit};
use crate::gate::plan::MatrixCell;
use crate::gate::side::Pair;

/// A load whose rounds have these log ratios.
pub(in crate::gate) fn matrix_of(cell: MatrixCell, log_ratios: &[f64]) -> MatrixRecord {
    let visit = |figure: f64| Visit {
        figures: [figure, f64::NAN],
        limited: false,
        disturbed: false,
    };
    let round = |ratio: &f64| Round {
        visits: Pair {
            base: vec![visit(10.0); 2],
            candidate: vec![visit(10.0 * ratio.exp()); 2],
        },
    };
    MatrixRecord {
        first: log_ratios.iter().map(round).collect(),
        ..MatrixRecord::new(cell)
    }
}
