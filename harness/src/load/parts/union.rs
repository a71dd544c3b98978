//! Adds up what the parts of a load measured, and judges the whole. Pure.
//!
//! Histograms are added bucket by bucket, window by window. Percentiles, their intervals, the course over time and the
//! validity are computed from the sums, as those of a load by a single process.

use std::time::Duration;

use super::{ClockRecord, PartRecord, PartSummary, Parts, clocks};
use crate::load::metrics::{Metrics, sum, window_summaries};
use crate::load::part::{OBSERVER, Part};
use crate::load::parts_reason::{APART_MAX, PartsReason};
use crate::load::reason::Reason;
use crate::load::recorder::Times;
use crate::load::result::{LoadResult, summarize};
use crate::load::run::Measurement;
use crate::load::validity::Validity;
use crate::load::workload::Workload;

/// How late an observer may begin: as much as the clocks of parts may differ.
const OBSERVER_LATE_MAX: Duration = APART_MAX;

/// The sum of the parts so far.
#[derive(Debug)]
pub(crate) struct Union<'a> {
    workload: &'a Workload,
    measured: Option<Measurement>,
    clocks: Vec<(usize, ClockRecord)>,
    /// Why parts are invalid, each kind of reason once.
    reasons: Vec<Reason>,
    parts: Parts,
}

impl<'a> Union<'a> {
    /// A load of `count` parts, before the first is added. The workload is that of the whole.
    pub(crate) fn new(workload: &'a Workload, count: usize) -> Self {
        Self {
            workload,
            measured: None,
            clocks: Vec::new(),
            reasons: Vec::new(),
            parts: Parts {
                count,
                ..Parts::default()
            },
        }
    }

    /// Adds a part, or an observer. Parts are added in the order of their numbers, an observer behind them.
    ///
    /// # Errors
    /// It is divided into other windows than the plan says.
    pub(crate) fn add(&mut self, record: PartRecord) -> Result<(), String> {
        let PartRecord {
            index,
            clock,
            mut measured,
            ..
        } = record;
        let windows = self.workload.windows();
        let observes = index == OBSERVER;
        if !observes && measured.windows.len() != windows {
            return Err(format!(
                "it has {} windows, and its plan {windows}",
                measured.windows.len()
            ));
        }
        if observes {
            self.judge_observer(&measured);
        } else {
            let valid = self.judge(index, &measured);
            self.parts.each.push(summary(index, &measured, valid));
        }
        if measured.server.is_some() {
            self.parts.server_from.get_or_insert(index);
        }
        self.clocks.push((index, clock));
        // Told of the part; the whole has no start of its own.
        measured.late = Duration::ZERO;
        for trouble in &mut measured.tally.troubles {
            *trouble = format!("part {index}: {trouble}");
        }
        match &mut self.measured {
            Some(whole) => whole.add(&measured),
            none => *none = Some(measured),
        }
        Ok(())
    }

    /// Judges a part by itself, as it has judged itself.
    fn judge(&mut self, index: usize, measured: &Measurement) -> bool {
        let workload = Workload {
            part: Part {
                index: index - 1,
                count: self.parts.count,
            },
            ..self.workload.clone()
        };
        let metrics = Metrics::without_times(measured);
        let windows = window_summaries(&workload, measured);
        let mut reasons = Validity::judge(&workload, measured, &metrics, &windows).reasons;
        let after_s = measured.seconds;
        reasons.extend(
            measured
                .interrupted
                .then(|| PartsReason::Interrupted { after_s }.into()),
        );
        let valid = reasons.is_empty();
        reasons
            .into_iter()
            .for_each(|reason| self.note(index, reason));
        valid
    }

    /// An observer that was late or interrupted has not seen all that the server used.
    fn judge_observer(&mut self, measured: &Measurement) {
        let late_s = measured.late.as_secs_f64();
        let after_s = measured.seconds;
        let late = measured.late > OBSERVER_LATE_MAX;
        let reasons = [
            late.then_some(PartsReason::StartedLate { late_s }),
            measured
                .interrupted
                .then_some(PartsReason::Interrupted { after_s }),
        ];
        for reason in reasons.into_iter().flatten() {
            self.note(OBSERVER, reason.into());
        }
    }

    /// Adds a reason of a part, or counts the part with those that are invalid for the same kind of reason.
    fn note(&mut self, part: usize, reason: Reason) {
        let word = reason.word();
        match self.reasons.iter_mut().find(|known| known.word() == word) {
            Some(Reason::InPart { others, .. }) => *others += 1,
            _ => self.reasons.push(Reason::InPart {
                part,
                others: 0,
                reason: Box::new(reason),
            }),
        }
    }

    /// The result of the whole, of which these parts are missing.
    pub(crate) fn finish(mut self, missing: &[usize]) -> Option<(LoadResult, Parts)> {
        let measured = self.measured?;
        let mut result = summarize(self.workload, &measured);
        let validity = &mut result.validity;
        let count = self.parts.count;
        self.parts.missing = missing.to_vec();
        let mut reasons: Vec<Reason> = Vec::new();
        if !missing.is_empty() {
            let parts = missing.to_vec();
            reasons.push(PartsReason::Missing { parts, count }.into());
        }
        match clocks::agree(&self.clocks) {
            Ok(apart) => self.parts.clocks_apart_us = Some(apart.as_secs_f64() * 1e6),
            Err(reason) => reasons.push(reason.into()),
        }
        // What is said of the whole is not said again of a part.
        let told: Vec<&str> = validity.reasons.iter().map(Reason::word).collect();
        self.reasons.retain(|reason| !told.contains(&reason.word()));
        reasons.append(&mut self.reasons);
        validity.reasons.splice(0..0, reasons);
        validity.valid = validity.reasons.is_empty();
        Some((result, self.parts))
    }
}

fn summary(index: usize, measured: &Measurement, valid: bool) -> PartSummary {
    let response: Vec<&Times> = measured
        .windows
        .iter()
        .map(|window| &window.response)
        .collect();
    let mut all = sum(&response);
    // Adding cannot fail: all histograms have the same bounds.
    let _ = all.add(&measured.unanswered);
    let metrics = Metrics::without_times(measured);
    PartSummary {
        index,
        ops: metrics.ops,
        ops_per_s: metrics.ops_per_s,
        p50_us: all.value_at_quantile(0.5) as f64 / 1e3,
        p99_us: all.value_at_quantile(0.99) as f64 / 1e3,
        late_us: measured.late.as_secs_f64() * 1e6,
        valid,
    }
}

impl Measurement {
    /// Adds what another part of the same load measured at the same time. Associative; commutative except for the order of
    /// descriptions of failures and, if several parts watched the server, which of them is believed.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, window) in self.windows.iter_mut().zip(&other.windows) {
            sum.add(window);
        }
        // Adding cannot fail: all histograms have the same bounds.
        let _ = self.unanswered.add(&other.unanswered);
        let _ = self.lag.add(&other.lag);
        self.tally.add(&other.tally);
        self.threads.extend_from_slice(&other.threads);
        self.ends.extend_from_slice(&other.ends);
        self.seconds = self.seconds.max(other.seconds);
        self.machine = self.machine.worse(&other.machine);
        self.interrupted |= other.interrupted;
        self.late = self.late.max(other.late);
        if self.server.is_none() && other.server.is_some() {
            self.server = other.server;
            self.server_cpus = other.server_cpus;
        }
        if self.died.is_none() {
            self.died.clone_from(&other.died);
        }
    }
}
