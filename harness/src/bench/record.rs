//! What the visits to one cell came to. Pure.

use std::collections::BTreeMap;

use super::axis::{Buffer, Dimension, Knob};
use super::curve::curve;
use super::recommend::{Entry, Figures};
use super::result::{Cell, Estimate, Setting};
use crate::load::recorder::{Times, times};
use crate::load::{LoadResult, Measurement, Transport};
use crate::stats::hodges_lehmann;

/// The metrics of a cell: name, unit, whether more is better.
pub const METRICS: [(&str, &str, bool); 6] = [
    ("ops_per_s", "1/s", true),
    ("bytes_per_s", "B/s", true),
    ("p50_us", "us", false),
    ("p99_us", "us", false),
    ("server_cpu_us_per_op", "us", false),
    ("client_cpu_us_per_op", "us", false),
];
/// Confidence of intervals.
const LEVEL: f64 = 0.95;
/// Samples beyond the 99th percentile of all rounds together, for it to be shown.
const SAMPLES_BEYOND: f64 = 100.0;
/// A cell that was never valid in so many rounds, and not for the machine's sake, is not visited again.
const PATIENCE: usize = 2;
/// The least buffers that the kernel gives (`SOCK_MIN_SNDBUF` twice), whatever is asked for: nothing
/// that it chooses itself is as small.
const BUFFER_LEAST: u64 = 4608;
/// Words of reasons that are the machine's, and another try may not meet.
const OF_THE_MACHINE: [&str; 5] = [
    "client-starved",
    "steal",
    "throttled",
    "send-lag",
    "not-stationary",
];

/// What one visit measured.
#[derive(Debug, Clone)]
pub struct Visit {
    figures: Figures,
    /// Why the figures are not to be trusted; empty if they are.
    reasons: Vec<String>,
    notes: Vec<String>,
    transport: Option<Transport>,
    response: Times,
}

/// All visits to one cell.
#[derive(Debug, Clone)]
pub struct Record {
    rounds: Vec<Option<Figures>>,
    /// Reasons of each round that was not valid.
    refused: Vec<Vec<String>>,
    /// Notes by their first word, with how many valid rounds had them.
    notes: BTreeMap<String, (usize, String)>,
    response: Option<Times>,
    transport: Option<Transport>,
    repeated: usize,
    is_given_up: bool,
    /// The kernel made the settings of that earlier cell of this one's.
    pub same_as: Option<usize>,
}

impl Visit {
    /// From a load.
    pub fn new(measured: &Measurement, result: LoadResult) -> Self {
        let mut response = times();
        for window in &measured.windows {
            // Adding cannot fail: all histograms have the same bounds.
            let _ = response.add(&window.response);
        }
        let metrics = result.metrics;
        let limited = |note: &String| word(note) == "client-saturated";
        Self {
            figures: Figures {
                ops_per_s: metrics.ops_per_s,
                bytes_per_s: metrics.bytes_per_s,
                p50_us: metrics.response_us.p50,
                p99_us: metrics.response_us.p99,
                server_cpu_us_per_op: metrics.server_cpu_us_per_op,
                client_cpu_us_per_op: metrics.client_cpu_us_per_op,
                client_limited: result.validity.notes.iter().any(limited),
            },
            reasons: result.validity.reasons,
            notes: result.validity.notes,
            transport: result.transport,
            response,
        }
    }

    /// It is not valid, and the machine alone is to blame: another try is worth its time.
    pub fn was_disturbed(&self) -> bool {
        !self.reasons.is_empty() && self.reasons.iter().all(|reason| of_the_machine(reason))
    }
}

fn of_the_machine(reason: &String) -> bool {
    OF_THE_MACHINE.contains(&word(reason))
}

/// The stable word that a reason or note begins with.
fn word(text: &str) -> &str {
    text.split(':').next().unwrap_or(text)
}

impl Record {
    /// Not visited yet, of so many rounds.
    pub fn new(rounds: usize) -> Self {
        Self {
            rounds: vec![None; rounds],
            refused: Vec::new(),
            notes: BTreeMap::new(),
            response: None,
            transport: None,
            repeated: 0,
            is_given_up: false,
            same_as: None,
        }
    }

    /// Whether it is to be visited (again).
    pub fn is_wanted(&self) -> bool {
        !self.is_given_up && self.same_as.is_none()
    }

    /// What a visit in this round measured.
    pub fn take(&mut self, round: usize, visit: Visit) {
        if !visit.reasons.is_empty() {
            self.refused.push(visit.reasons);
            let hopeless = |reasons: &Vec<String>| !reasons.iter().any(of_the_machine);
            let never = self.valid_rounds() == 0;
            self.is_given_up = never
                && self
                    .refused
                    .iter()
                    .filter(|reasons| hopeless(reasons))
                    .count()
                    >= PATIENCE;
            return;
        }
        self.rounds[round] = Some(visit.figures);
        for note in visit.notes {
            let kept = self.notes.entry(word(&note).to_owned()).or_default();
            *kept = (kept.0 + 1, note);
        }
        // Adding cannot fail: all histograms have the same bounds.
        let _ = self.response.get_or_insert_with(times).add(&visit.response);
        self.transport = visit.transport.or(self.transport.take());
    }

    /// A visit was disturbed by the machine, and is made again.
    pub fn repeats(&mut self) {
        self.repeated += 1;
    }

    /// The server did not start with these settings. If it never did, it is not tried again.
    pub fn did_not_start(&mut self, why: &str) {
        self.refused.push(vec![format!("not-started: {why}")]);
        self.is_given_up |= self.valid_rounds() == 0;
    }

    fn valid_rounds(&self) -> usize {
        self.rounds.iter().flatten().count()
    }

    /// More of its rounds were valid than not.
    pub fn is_valid(&self) -> bool {
        self.valid_rounds() > self.refused.len()
    }

    /// What is in force on this axis, as it tells cells apart; `None` while that is not known.
    ///
    /// What the kernel chooses itself changes as it goes, and is never the same as a size that is set.
    pub fn in_force(&self, axis: &Dimension, place: usize) -> Option<String> {
        let asked = &axis.values[place];
        let Some(buffer) = axis.knob.buffer() else {
            return Some(asked.text.clone());
        };
        let transport = self.transport.as_ref()?;
        let Some(bytes) = bytes_in_force(&axis.knob, buffer, transport) else {
            return Some(asked.text.clone());
        };
        let is_own_choice =
            asked.number == Some(0) && (axis.knob.server_param().is_none() || bytes > BUFFER_LEAST);
        Some(match is_own_choice {
            true => "the kernel's own choice".to_owned(),
            false => bytes.to_string(),
        })
    }

    /// The receive window that is set here and holds less than two segments, and their size.
    fn narrow_window(&self, axes: &[Dimension], place: &[usize]) -> Option<(u64, u64)> {
        let transport = self.transport.as_ref()?;
        let asked = |knob: &Knob| {
            let axis = axes.iter().position(|axis| axis.knob == *knob)?;
            axes[axis].values[place[axis]].number
        };
        let seen = transport
            .server
            .map_or(0, |server| server.mss)
            .max(transport.client.mss);
        let asked_mss = asked(&Knob::ClientMss).filter(|mss| *mss > 0);
        let mss = asked_mss.unwrap_or_else(|| u64::from(seen));
        let mut set = axes.iter().filter(|axis| {
            axis.knob.buffer() == Some(Buffer::Receive) && asked(&axis.knob) != Some(0)
        });
        set.find_map(|axis| {
            // The kernel keeps half of the buffer for its own bookkeeping (tcp_adv_win_scale = 1).
            let window = bytes_in_force(&axis.knob, Buffer::Receive, transport)? / 2;
            (window < 2 * mss).then_some((window, mss))
        })
    }

    /// What the recommendation needs of it.
    pub fn entry(
        &self,
        axes: &[Dimension],
        place: &[usize],
        message_bytes: Option<usize>,
    ) -> Entry {
        Entry {
            rounds: self.rounds.clone(),
            valid: self.is_valid(),
            is_narrow: self.narrow_window(axes, place).is_some(),
            is_merged: self.same_as.is_some(),
            message_bytes,
        }
    }

    /// The cell as it is reported.
    pub fn cell(&self, axes: &[Dimension], place: &[usize]) -> Cell {
        let settings = axes.iter().zip(place).map(|(axis, place)| {
            let setting = Setting {
                requested: axis.values[*place].text.clone(),
                effective: self.effective(axis),
            };
            (axis.knob.to_string(), setting)
        });
        let valid = self.is_valid();
        Cell {
            axes: settings.collect(),
            metrics: self.metrics(),
            valid,
            reasons: match valid {
                true => Vec::new(),
                false => self.reasons(),
            },
            notes: self.notes(axes, place),
            same_as: self.same_as,
            why: self.transport.as_ref().and_then(|seen| seen.why.clone()),
            curve: self.response.as_ref().map(curve).unwrap_or_default(),
        }
    }

    fn effective(&self, axis: &Dimension) -> Option<String> {
        let transport = self.transport.as_ref()?;
        if axis.knob == Knob::ClientMss {
            return Some(transport.client.mss.to_string());
        }
        let bytes = bytes_in_force(&axis.knob, axis.knob.buffer()?, transport)?;
        Some(bytes.to_string())
    }

    fn metrics(&self) -> BTreeMap<&'static str, Estimate> {
        let beyond = self
            .response
            .as_ref()
            .map_or(0.0, |times| times.len() as f64 * 0.01);
        let mut metrics = BTreeMap::new();
        for (name, unit, higher_is_better) in METRICS {
            if name == "p99_us" && beyond < SAMPLES_BEYOND {
                continue;
            }
            let rounds = self.rounds.iter().flatten();
            let figures: Vec<f64> = rounds.filter_map(|figures| figures.named(name)).collect();
            if let Some(over) = hodges_lehmann(&figures, LEVEL) {
                let estimate = Estimate {
                    estimate: over.estimate,
                    low: over.low,
                    high: over.high,
                    unit,
                    higher_is_better,
                };
                metrics.insert(name, estimate);
            }
        }
        metrics
    }

    /// Each kind of reason once, with how often it was there.
    fn reasons(&self) -> Vec<String> {
        let visited = self.valid_rounds() + self.refused.len();
        if visited == 0 {
            return vec!["not-measured: the sweep ended before".to_owned()];
        }
        let mut kinds: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for reason in self.refused.iter().flatten() {
            let kept = kinds.entry(word(reason)).or_default();
            *kept = (kept.0 + 1, reason);
        }
        kinds
            .into_values()
            .map(|(times, text)| format!("{text} ({times} of {visited} rounds)"))
            .collect()
    }

    fn notes(&self, axes: &[Dimension], place: &[usize]) -> Vec<String> {
        let valid = self.valid_rounds();
        let mostly = self.notes.values().filter(|(times, _)| times * 2 > valid);
        let mut notes: Vec<String> = mostly.map(|(_, note)| note.clone()).collect();
        if let Some((window, mss)) = self.narrow_window(axes, place) {
            notes.push(format!(
                "narrow-window: a receive window of {window} bytes holds less than two segments of {mss}: each waits for the last one's acknowledgement"
            ));
        }
        if self.is_valid() && !self.refused.is_empty() {
            let words: std::collections::BTreeSet<&str> = self
                .refused
                .iter()
                .flatten()
                .map(|reason| word(reason))
                .collect();
            let words: Vec<&str> = words.into_iter().collect();
            notes.push(format!(
                "left-out: {} of {} rounds were not valid ({})",
                self.refused.len(),
                valid + self.refused.len(),
                words.join(", ")
            ));
        }
        if self.repeated > 0 {
            notes.push(format!(
                "repeated: {} visits were disturbed and made again",
                self.repeated
            ));
        }
        notes
    }
}

impl Figures {
    fn named(&self, name: &str) -> Option<f64> {
        match name {
            "ops_per_s" => Some(self.ops_per_s),
            "bytes_per_s" => Some(self.bytes_per_s),
            "p50_us" => Some(self.p50_us),
            "p99_us" => Some(self.p99_us),
            "server_cpu_us_per_op" => self.server_cpu_us_per_op,
            "client_cpu_us_per_op" => Some(self.client_cpu_us_per_op),
            _ => None,
        }
    }
}

/// The size of that buffer at the end of the connection that the knob turns.
fn bytes_in_force(knob: &Knob, buffer: Buffer, transport: &Transport) -> Option<u64> {
    let end = match knob {
        Knob::Server(_) => transport.server?,
        _ => transport.client,
    };
    Some(match buffer {
        Buffer::Receive => end.so_rcvbuf,
        Buffer::Send => end.so_sndbuf,
    })
}
