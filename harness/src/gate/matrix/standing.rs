//! Which cells the base stands, and what is said of all in the end.

use super::record::{judge, unmeasured};
use super::{End, Matrix, MatrixCell};
use crate::gate::metric::Tier;
use crate::gate::result::{BASE, Broken, GateResult, Loaded, Skipped};

impl Matrix<'_> {
    /// The cells that the base stands; the candidate has to stand them too.
    pub(super) fn standing(&mut self) -> Result<Vec<MatrixCell>, End> {
        let cells = self.those_of_the_base()?;
        for cell in &cells {
            self.visit(1, cell)?;
        }
        Ok(cells)
    }

    /// A server that serves one client at a time leaves the others without a reply: it is asked on one
    /// connection.
    fn those_of_the_base(&mut self) -> Result<Vec<MatrixCell>, End> {
        let cells = self.plan.cells.clone();
        let standing = self.those_that_stand(&cells)?;
        if !standing.is_empty() {
            return Ok(standing);
        }
        let mut alone: Vec<MatrixCell> = cells.iter().map(MatrixCell::alone).collect();
        alone.dedup();
        let standing = self.those_that_stand(&alone)?;
        if !standing.is_empty() {
            let all = std::mem::take(&mut self.left_out).into_iter();
            let (one, many): (Vec<_>, Vec<_>) = all.partition(|(cell, _)| cell.connections == 1);
            self.left_out = one;
            self.notes.extend(many.first().map(|(cell, why)| {
                format!(
                    "the base does not stand {}, so loads are on one connection: {why}",
                    cell.at
                )
            }));
        }
        Ok(standing)
    }

    fn those_that_stand(&mut self, cells: &[MatrixCell]) -> Result<Vec<MatrixCell>, End> {
        let mut standing = Vec::new();
        for cell in cells {
            // What is more of all than what it does not stand takes as long to find out.
            let is_more = |less: &MatrixCell| {
                cell.connections >= less.connections && cell.payload_bytes >= less.payload_bytes
            };
            let less = self.left_out.iter().find(|(less, _)| is_more(less));
            let why = match less {
                Some((_, why)) => Err(why.clone()),
                None => self.load(0, cell)?.map(|_| ()),
            };
            match why {
                Ok(()) => standing.push(cell.clone()),
                Err(why) => {
                    if let Some(exit) = self.exit(0) {
                        let what = format!("died: {exit} ({}: {why})", cell.at);
                        return Err(End::Broken(Broken { side: BASE, what }));
                    }
                    self.left_out.push((cell.clone(), why));
                }
            }
        }
        Ok(standing)
    }

    /// Adds what was measured.
    pub(super) fn report(&self, result: &mut GateResult) {
        let plan = self.gate.plan;
        let cells = judge(&self.records, plan);
        if cells.is_empty() {
            let left_out = self.left_out.iter();
            let open = left_out.flat_map(|(cell, why)| unmeasured(cell, why, plan));
            result.cells.extend(open);
        }
        result.cells.extend(cells);
        result
            .skipped
            .extend(self.left_out.iter().map(|(cell, why)| Skipped {
                tier: Tier::Matrix,
                reason: format!("{}: the base does not stand it: {why}", cell.at),
            }));
        result.notes.extend(self.notes.iter().cloned());
        result
            .notes
            .extend(self.records.iter().filter_map(|record| record.note()));
        let sum = |count: fn(&super::Record) -> usize| self.records.iter().map(count).sum();
        result.matrix = Some(Loaded {
            cells: self.records.len(),
            rounds: self
                .records
                .iter()
                .map(|record| record.first.len())
                .max()
                .unwrap_or(0),
            fresh: sum(|record| record.fresh.len()),
            visit_s: self.plan.measured.as_secs_f64(),
            repeated: self.repeated,
            disturbed: sum(|record| record.disturbed()),
        });
    }
}
