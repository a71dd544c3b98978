//! All visits to one cell, combined. Pure.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axis::Dimension;
use super::curve::curve;
use super::figures::{Figures, METRICS, P99};
use super::in_force::InForce;
use super::recommend::Entry;
use super::refusal::{Refusal, Trouble, counted};
use super::result::{Estimate, Setting, SweepCell};
use super::visit::Visit;
use crate::load::recorder::{Times, times};
use crate::load::{Remark, Transport, packed};
use crate::stats::hodges_lehmann;

/// Confidence level of the intervals.
const LEVEL: f64 = 0.95;
/// Minimum number of samples above the 99th percentile, over all rounds, for it to be reported.
const SAMPLES_BEYOND: f64 = 100.0;
/// Number of rounds, invalid because of the server, after which a cell that was never valid is given up.
const GIVE_UP_AFTER: usize = 2;

/// All visits to one cell, and what a report of a part stores of them to be merged.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub(crate) struct CellRecord {
    /// By round; `None` if it was not visited.
    rounds: Vec<Option<CellRound>>,
    /// Response times of all valid rounds together.
    #[serde(with = "packed::if_any")]
    #[schemars(with = "Option<String>")]
    response: Option<Times>,
    /// Number of visits that the machine disturbed and that were repeated.
    repeated: usize,
    /// Bytes of its longest request on the wire, if known.
    message_bytes: Option<usize>,
    /// An earlier cell with the same settings in force: the kernel made them equal.
    #[serde(skip)]
    pub same_as: Option<usize>,
}

/// The visit to a cell in one round.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
struct CellRound {
    /// What was measured, or why that is not to be trusted.
    measured: Result<Figures, Refusal>,
    /// Notes of a valid round.
    notes: Vec<Remark>,
    /// The settings in force, if they could be observed.
    transport: Option<Transport>,
}

impl CellRecord {
    /// A cell that is not visited yet.
    pub(crate) fn new(rounds: usize, message_bytes: Option<usize>) -> Self {
        Self {
            rounds: vec![None; rounds],
            response: None,
            repeated: 0,
            message_bytes,
            same_as: None,
        }
    }

    /// Whether to visit it in the next round.
    pub(crate) fn is_wanted(&self) -> bool {
        self.same_as.is_none() && !self.is_given_up()
    }

    /// Whether it never worked, for reasons that will be there again.
    fn is_given_up(&self) -> bool {
        let never_started = || {
            let mut refused = self.refused();
            refused.any(|refusal| matches!(refusal, Refusal::NotStarted(_)))
        };
        let hopeless = || self.refused().filter(|one| one.is_hopeless()).count();
        self.valid_rounds() == 0 && (never_started() || hopeless() >= GIVE_UP_AFTER)
    }

    /// Adds the visit of a round.
    pub(crate) fn take(&mut self, round: usize, visit: Visit) {
        let measured = if visit.reasons.is_empty() {
            // Adding cannot fail: all histograms have the same bounds.
            let _ = self.response.get_or_insert_with(times).add(&visit.response);
            Ok(visit.figures)
        } else {
            Err(Refusal::from(visit.reasons))
        };
        let notes = visit.notes.iter().filter(|_| measured.is_ok());
        self.rounds[round] = Some(CellRound {
            notes: notes.map(Remark::from).collect(),
            measured,
            transport: visit.transport,
        });
    }

    /// Counts a visit that the machine disturbed and that is repeated.
    pub(crate) fn repeats(&mut self) {
        self.repeated += 1;
    }

    /// The server did not start with these settings. If it never has, the cell is given up.
    pub(crate) fn did_not_start(&mut self, round: usize, why: &str) {
        self.rounds[round] = Some(CellRound {
            measured: Err(Refusal::NotStarted(why.to_owned())),
            notes: Vec::new(),
            transport: None,
        });
    }

    /// Adds the rounds of another part.
    ///
    /// # Errors
    /// It is a record of another sweep, or both have the same round.
    pub(crate) fn add(&mut self, other: &Self) -> Result<(), String> {
        if self.rounds.len() != other.rounds.len() {
            let (ours, theirs) = (self.rounds.len(), other.rounds.len());
            return Err(format!("it has {theirs} rounds, and another part {ours}"));
        }
        for (number, (ours, theirs)) in self.rounds.iter_mut().zip(&other.rounds).enumerate() {
            match (&ours, theirs) {
                (_, None) => {}
                (None, Some(theirs)) => *ours = Some(theirs.clone()),
                (Some(_), Some(_)) => {
                    return Err(format!(
                        "another part has measured round {} too",
                        number + 1
                    ));
                }
            }
        }
        if let Some(response) = &other.response {
            // Adding cannot fail: all histograms have the same bounds.
            let _ = self.response.get_or_insert_with(times).add(response);
        }
        self.repeated += other.repeated;
        self.message_bytes = self.message_bytes.or(other.message_bytes);
        Ok(())
    }

    /// The rounds in which it was visited.
    pub(crate) fn visited_rounds(&self) -> impl Iterator<Item = usize> {
        let rounds = self.rounds.iter().enumerate();
        rounds.filter_map(|(round, visit)| visit.is_some().then_some(round))
    }

    fn visited(&self) -> impl DoubleEndedIterator<Item = &CellRound> {
        self.rounds.iter().flatten()
    }

    fn valid(&self) -> impl Iterator<Item = &Figures> {
        self.visited()
            .filter_map(|round| round.measured.as_ref().ok())
    }

    /// The reasons of each invalid round.
    fn refused(&self) -> impl Iterator<Item = &Refusal> {
        self.visited()
            .filter_map(|round| round.measured.as_ref().err())
    }

    fn valid_rounds(&self) -> usize {
        self.valid().count()
    }

    /// The settings in force in the last valid round; a disturbed one shows them as well.
    fn transport(&self) -> Option<&Transport> {
        let valid = self.visited().rev().filter(|round| round.measured.is_ok());
        let mut any = valid.chain(self.visited());
        any.find_map(|round| round.transport.as_ref())
    }

    /// Whether more of its rounds were valid than not.
    pub(crate) fn is_valid(&self) -> bool {
        self.valid_rounds() > self.refused().count()
    }

    /// The settings in force; `None` while they are not known.
    pub(super) fn in_force<'a>(
        &'a self,
        axes: &'a [Dimension],
        place: &'a [usize],
    ) -> Option<InForce<'a>> {
        self.transport().map(|transport| InForce {
            axes,
            place,
            transport,
        })
    }

    /// What the recommendation needs.
    pub(super) fn entry(&self, axes: &[Dimension], place: &[usize]) -> Entry {
        let figures = |round: &Option<CellRound>| round.as_ref()?.measured.as_ref().ok().copied();
        Entry {
            rounds: self.rounds.iter().map(figures).collect(),
            valid: self.is_valid(),
            is_narrow: self
                .in_force(axes, place)
                .is_some_and(|cell| cell.narrow_window().is_some()),
            is_merged: self.same_as.is_some(),
            trouble: self.most_frequent_trouble(),
            message_bytes: self.message_bytes,
        }
    }

    /// The cell as it is reported.
    pub(crate) fn cell(&self, axes: &[Dimension], place: &[usize]) -> SweepCell {
        let in_force = self.in_force(axes, place);
        let settings = axes.iter().zip(place).map(|(axis, place)| {
            let setting = Setting {
                requested: axis.values[*place].text.clone(),
                effective: in_force.and_then(|cell| cell.effective(axis)),
            };
            (axis.knob.to_string(), setting)
        });
        let valid = self.is_valid();
        let transport = self.transport().filter(|_| self.valid_rounds() > 0);
        SweepCell {
            axes: settings.collect(),
            metrics: self.metrics(),
            valid,
            reasons: if valid { Vec::new() } else { self.reasons() },
            notes: self.notes(axes, place),
            same_as: self.same_as,
            why: transport.and_then(|seen| seen.why.clone()),
            curve: self.response.as_ref().map(curve).unwrap_or_default(),
        }
    }

    /// The most frequent kind of reason.
    fn most_frequent_trouble(&self) -> Option<Trouble> {
        let mut kinds: BTreeMap<Trouble, usize> = BTreeMap::new();
        for trouble in self.refused().flat_map(Refusal::troubles) {
            *kinds.entry(trouble).or_default() += 1;
        }
        let most = kinds.into_iter().max_by_key(|(_, times)| *times);
        most.map(|(trouble, _)| trouble)
    }

    fn metrics(&self) -> BTreeMap<&'static str, Estimate> {
        let beyond = self
            .response
            .as_ref()
            .map_or(0.0, |times| times.len() as f64 * 0.01);
        let mut metrics = BTreeMap::new();
        for metric in METRICS {
            if metric.name == P99 && beyond < SAMPLES_BEYOND {
                continue;
            }
            let figures: Vec<f64> = self.valid().filter_map(metric.of).collect();
            if let Some(over) = hodges_lehmann(&figures, LEVEL) {
                let estimate = Estimate {
                    estimate: over.estimate,
                    low: over.low,
                    high: over.high,
                    unit: metric.unit,
                    direction: metric.direction,
                };
                metrics.insert(metric.name, estimate);
            }
        }
        metrics
    }

    /// Each kind of reason once, with the number of rounds that had it.
    fn reasons(&self) -> Vec<Remark> {
        let visited = self.visited().count();
        if visited == 0 {
            return vec![Remark {
                word: "not-measured".into(),
                sentence: "the sweep ended before this cell was visited".into(),
            }];
        }
        counted(self.refused().flat_map(Refusal::remarks))
            .map(|(times, remark)| Remark {
                sentence: format!("{} ({times} of {visited} rounds)", remark.sentence),
                ..remark
            })
            .collect()
    }

    fn notes(&self, axes: &[Dimension], place: &[usize]) -> Vec<Remark> {
        let (valid, refused) = (self.valid_rounds(), self.refused().count());
        let seen = self.visited().flat_map(|round| round.notes.clone());
        let mostly = counted(seen).filter(|(times, _)| times * 2 > valid);
        let mut notes: Vec<Remark> = mostly.map(|(_, note)| note).collect();
        notes.extend(
            self.in_force(axes, place)
                .map(|cell| cell.notes())
                .unwrap_or_default(),
        );
        if self.is_valid() && refused > 0 {
            let troubles = self.refused().flat_map(Refusal::troubles);
            let words: BTreeSet<_> = troubles.map(|trouble| trouble.word).collect();
            let words: Vec<_> = words.into_iter().collect();
            notes.push(Remark {
                word: "left-out".into(),
                sentence: format!(
                    "{refused} of {} rounds were invalid ({})",
                    valid + refused,
                    words.join(", ")
                ),
            });
        }
        if self.repeated > 0 {
            notes.push(Remark {
                word: "repeated".into(),
                sentence: format!("{} visits were disturbed and repeated", self.repeated),
            });
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::axis::parse_all;
    use crate::load::{Note, Reason};

    fn visit(ops_per_s: f64, reasons: &[Reason], notes: &[Note]) -> Visit {
        let mut response = times();
        (1..=100_u64).for_each(|n| response.saturating_record(n * 1000));
        Visit {
            figures: Figures {
                ops_per_s,
                ..Figures::default()
            },
            reasons: reasons.to_vec(),
            notes: notes.to_vec(),
            transport: None,
            response,
        }
    }

    fn starved() -> Reason {
        Reason::ClientStarved { share: 0.3 }
    }

    fn steal() -> Reason {
        Reason::Steal { percent: 9.0 }
    }

    fn lost() -> Reason {
        Reason::ConnectionsLost {
            lost: 1,
            first: None,
        }
    }

    fn texts(remarks: &[Remark]) -> Vec<String> {
        remarks.iter().map(ToString::to_string).collect()
    }

    fn cell(record: &CellRecord) -> SweepCell {
        record.cell(&parse_all(["payload=64"]).unwrap(), &[0])
    }

    #[test]
    fn rounds_that_are_not_valid_are_left_out_as_long_as_they_are_the_fewer() {
        let mut record = CellRecord::new(6, None);
        for round in 0..4 {
            record.take(round, visit(100.0 + round as f64, &[], &[]));
        }
        record.take(4, visit(1.0, &[starved()], &[]));
        record.take(5, visit(1.0, &[starved(), steal()], &[]));
        let seen = cell(&record);
        assert!(seen.valid && seen.reasons.is_empty());
        let figure = seen.metrics["ops_per_s"];
        assert_eq!(
            (figure.low, figure.estimate, figure.high),
            (100.0, 101.5, 103.0)
        );
        assert_eq!(
            texts(&seen.notes),
            ["left-out: 2 of 6 rounds were invalid (client-starved, steal)"]
        );
        assert_eq!(seen.curve.len(), 6);
        assert!(
            !seen.metrics.contains_key("p99_us"),
            "four samples beyond it are too few"
        );
    }

    #[test]
    fn half_of_the_rounds_are_too_many() {
        let mut record = CellRecord::new(2, None);
        record.take(0, visit(100.0, &[], &[]));
        record.take(1, visit(1.0, &[steal()], &[]));
        let seen = cell(&record);
        assert!(!seen.valid && record.is_wanted());
        assert_eq!(
            texts(&seen.reasons),
            ["steal: the hypervisor gave 9.0 % of the CPU time to other machines (1 of 2 rounds)"]
        );
        assert_eq!(
            texts(&cell(&CellRecord::new(2, None)).reasons),
            ["not-measured: the sweep ended before this cell was visited"]
        );
    }

    #[test]
    fn what_never_works_is_given_up_and_what_was_disturbed_is_not() {
        let mut wrong = CellRecord::new(6, None);
        wrong.take(0, visit(1.0, &[lost()], &[]));
        assert!(wrong.is_wanted());
        wrong.take(1, visit(1.0, &[lost()], &[]));
        assert!(!wrong.is_wanted());
        let mut disturbed = CellRecord::new(6, None);
        for round in 0..5 {
            disturbed.take(round, visit(1.0, &[starved()], &[]));
        }
        assert!(disturbed.is_wanted());
        let mut late = CellRecord::new(6, None);
        late.take(0, visit(100.0, &[], &[]));
        late.did_not_start(1, "the port is taken");
        assert!(late.is_wanted(), "it has started before");
        let mut never = CellRecord::new(6, None);
        never.did_not_start(0, "no such option");
        assert!(!never.is_wanted());
        assert!(visit(1.0, &[steal()], &[]).was_disturbed());
        assert!(!visit(1.0, &[steal(), lost()], &[]).was_disturbed());
        assert!(!visit(1.0, &[], &[]).was_disturbed());
    }

    #[test]
    fn a_note_stands_if_most_rounds_had_it() {
        let limited = |busy| Note::ClientSaturated {
            busy,
            server_cores: Some(0.5),
        };
        let mut record = CellRecord::new(3, None);
        record.take(0, visit(1.0, &[], &[limited(0.98)]));
        record.take(1, visit(1.0, &[], &[limited(0.99)]));
        record.take(2, visit(1.0, &[], &[]));
        let notes = cell(&record).notes;
        assert_eq!(
            (notes.len(), notes[0].word.as_ref()),
            (1, "client-saturated")
        );
        assert!(notes[0].sentence.contains("99 %"), "{notes:?}");
        let mut seldom = CellRecord::new(2, None);
        seldom.take(0, visit(1.0, &[], &[limited(0.98)]));
        seldom.take(1, visit(1.0, &[], &[]));
        assert!(cell(&seldom).notes.is_empty());
    }
}
