//! Which cells the base can handle, and what the matrix reports in the end.

use super::record::{MatrixRecords, matrix_cells};
use super::{MatrixCell, RunningMatrix, Stopped};
use crate::gate::metric::Tier;
use crate::gate::result::{BrokenServer, GateResult, MatrixSummary, SkippedTier};
use crate::gate::side::Side;

impl RunningMatrix<'_> {
    /// The cells that the base can handle; the candidate has to handle them too.
    pub(super) fn standing(&mut self) -> Result<Vec<MatrixCell>, Stopped> {
        let cells = self.cells_of_base()?;
        for cell in &cells {
            self.visit(Side::Candidate, cell)?;
        }
        Ok(cells)
    }

    /// Falls back to one connection: a server that serves one client at a time leaves the others unanswered.
    fn cells_of_base(&mut self) -> Result<Vec<MatrixCell>, Stopped> {
        let cells = self.plan.cells.clone();
        let standing = self.handled_by_base(&cells)?;
        if !standing.is_empty() {
            return Ok(standing);
        }
        let mut alone: Vec<MatrixCell> = cells.iter().map(MatrixCell::alone).collect();
        alone.dedup();
        let standing = self.handled_by_base(&alone)?;
        if !standing.is_empty() {
            let all = std::mem::take(&mut self.left_out).into_iter();
            let (one, many): (Vec<_>, Vec<_>) = all.partition(|(cell, _)| cell.connections == 1);
            self.left_out = one;
            self.notes.extend(many.first().map(|(cell, why)| {
                format!(
                    "the base cannot handle {}, so loads use one connection: {why}",
                    cell.at
                )
            }));
        }
        Ok(standing)
    }

    fn handled_by_base(&mut self, cells: &[MatrixCell]) -> Result<Vec<MatrixCell>, Stopped> {
        let mut standing = Vec::new();
        for cell in cells {
            // A cell that exceeds a failed one in every respect would fail too, after as long a wait.
            let exceeds = |less: &MatrixCell| {
                cell.connections >= less.connections && cell.payload_bytes >= less.payload_bytes
            };
            let less = self.left_out.iter().find(|(less, _)| exceeds(less));
            let outcome = match less {
                Some((_, why)) => Err(why.clone()),
                None => self.load(Side::Base, cell)?.map(|_| ()),
            };
            match outcome {
                Ok(()) => standing.push(cell.clone()),
                Err(why) => {
                    if let Some(exit) = self.exit(Side::Base) {
                        return Err(Stopped::Broken(BrokenServer {
                            side: Side::Base,
                            what: format!("died: {exit} ({}: {why})", cell.at),
                        }));
                    }
                    self.left_out.push((cell.clone(), why));
                }
            }
        }
        Ok(standing)
    }

    /// Adds what was measured.
    pub(super) fn report(&self, result: &mut GateResult) -> MatrixRecords {
        let plan = self.matrix.gate;
        let records = MatrixRecords {
            cells: self.records.clone(),
            left_out: self.left_out.clone(),
        };
        result.cells.extend(matrix_cells(&[&records], plan));
        result
            .skipped
            .extend(self.left_out.iter().map(|(cell, why)| SkippedTier {
                tier: Tier::Matrix,
                reason: format!("{}: the base cannot handle it: {why}", cell.at),
            }));
        result.notes.extend(self.notes.iter().cloned());
        result
            .notes
            .extend(self.records.iter().filter_map(|record| record.note()));
        let rounds = self.records.iter().map(|record| record.first.len());
        result.matrix = Some(MatrixSummary {
            cells: self.records.len(),
            rounds: rounds.max().unwrap_or(0),
            fresh: self.records.iter().map(|record| record.fresh.len()).sum(),
            visit_s: self.plan.measured.as_secs_f64(),
            repeated: self.repeated,
            disturbed: self.records.iter().map(|record| record.disturbed()).sum(),
        });
        records
    }
}
