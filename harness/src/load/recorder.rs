//! Records the times that one engine thread measures: histograms per window, and those of unanswered requests.

use base64::Engine as _;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use super::histogram::{Times, times};
use super::packed;

/// Serializes a histogram as `HdrHistogram` V2 in base64.
///
/// # Errors
/// The serializer fails.
pub fn encoded<S: Serializer>(times: &Times, serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::new();
    V2Serializer::new()
        .serialize(times, &mut bytes)
        .map_err(serde::ser::Error::custom)?;
    base64::engine::general_purpose::STANDARD
        .encode(bytes)
        .serialize(serializer)
}

/// The samples of one window of the measured period.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Window {
    /// Response times: from the intended start of a request to the last byte of its reply.
    #[serde(with = "packed")]
    #[schemars(with = "String")]
    pub response: Times,
    /// Service times: from the write of a request's last byte to the last byte of its reply.
    #[serde(with = "packed")]
    #[schemars(with = "String")]
    pub service: Times,
    /// Replies received in the window.
    pub ops: u64,
}

/// The measured period, in nanoseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MeasuredPeriod {
    /// First nanosecond of the period.
    pub from: u64,
    /// First nanosecond after the period.
    pub to: u64,
}

impl Window {
    /// An empty window. Its histograms are zero pages that cost no memory until they are written; a clone of
    /// another window would write all of them.
    fn new() -> Self {
        Self {
            response: times(),
            service: times(),
            ops: 0,
        }
    }

    /// Adds what another thread recorded in the same window.
    pub fn add(&mut self, other: &Self) {
        // This cannot fail: all histograms have the same bounds.
        let _ = self.response.add(&other.response);
        let _ = self.service.add(&other.service);
        self.ops += other.ops;
    }
}

impl MeasuredPeriod {
    /// Whether `moment` lies in the period.
    pub fn has(self, moment: u64) -> bool {
        (self.from..self.to).contains(&moment)
    }
}

/// Records what one engine thread measures. All memory is allocated before the period begins.
#[derive(Debug)]
pub struct Recorder {
    period: MeasuredPeriod,
    window_ns: u64,
    windows: Vec<Window>,
    /// The window of the last reply, and when that window ends.
    current: usize,
    current_end: u64,
    /// Waiting times of the requests of the period that got no reply.
    pub unanswered: Times,
    /// Delays from the intended to the actual send of a request, where the client caused them.
    pub lag: Times,
}

impl Recorder {
    /// Records the period in `windows` windows of equal length.
    pub fn new(period: MeasuredPeriod, windows: usize) -> Self {
        let window_ns = ((period.to - period.from) / windows as u64).max(1);
        Self {
            period,
            window_ns,
            windows: std::iter::repeat_with(Window::new).take(windows).collect(),
            current: 0,
            current_end: period.from + window_ns,
            unanswered: times(),
            lag: times(),
        }
    }

    /// The period that is measured.
    pub fn period(&self) -> MeasuredPeriod {
        self.period
    }

    /// Records a reply that arrived at `now`, to a request that was due at `intended` and written at `sent`.
    pub fn reply(&mut self, intended: u64, sent: u64, now: u64) {
        if now >= self.current_end {
            self.turn_over(now);
        }
        let window = &mut self.windows[self.current];
        if self.period.has(now) {
            window.ops += 1;
        }
        if self.period.has(intended) {
            window.response.saturating_record(now - intended);
            window.service.saturating_record(now.saturating_sub(sent));
        }
    }

    /// Records a request that was due at `intended` and has no reply at `now`. A request of the warm-up counts if it
    /// waited through the whole period, in which its connection could not send another.
    pub fn lost(&mut self, intended: u64, now: u64) {
        let waited_through = intended < self.period.from && now >= self.period.to;
        if self.period.has(intended) || waited_through {
            self.unanswered.saturating_record(now - intended);
        }
    }

    /// Records that a request due at `intended` was passed to the kernel at `now`.
    pub fn sent(&mut self, intended: u64, now: u64) {
        if self.period.has(intended) {
            self.lag.saturating_record(now.saturating_sub(intended));
        }
    }

    /// Switches to the window of `now`. Replies after the period count in the last window.
    fn turn_over(&mut self, now: u64) {
        let place = now.saturating_sub(self.period.from) / self.window_ns;
        let last = self.windows.len() - 1;
        self.current = usize::try_from(place).unwrap_or(last).min(last);
        self.current_end = if self.current == last {
            u64::MAX
        } else {
            self.period.from + (self.current as u64 + 1) * self.window_ns
        };
    }

    /// The windows in chronological order, the waiting times of unanswered requests, and the send lag.
    pub fn into_windows(self) -> (Vec<Window>, Times, Times) {
        (self.windows, self.unanswered, self.lag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: MeasuredPeriod = MeasuredPeriod {
        from: 1_000_000,
        to: 2_000_000,
    };

    #[test]
    fn requests_count_by_due_time_and_replies_by_arrival() {
        let mut recorder = Recorder::new(PERIOD, 10);
        recorder.reply(900_000, 900_000, 1_050_000); // due before the period
        recorder.reply(1_100_000, 1_150_000, 1_250_000);
        recorder.reply(1_900_000, 1_900_000, 2_300_000); // received after it
        recorder.lost(1_950_000, 2_500_000);
        recorder.lost(2_100_000, 2_500_000); // due after the period
        recorder.lost(900_000, 1_999_999); // waited through a part of the period only
        let (windows, unanswered, _) = recorder.into_windows();
        let ops: Vec<u64> = windows.iter().map(|window| window.ops).collect();
        assert_eq!(ops, [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
        let samples: u64 = windows.iter().map(|window| window.response.len()).sum();
        assert_eq!((samples, unanswered.len()), (2, 1));
        assert!(
            windows[2]
                .response
                .equivalent(windows[2].response.max(), 150_000)
        );
        assert!(
            windows[2]
                .service
                .equivalent(windows[2].service.max(), 100_000)
        );
        assert!(unanswered.equivalent(unanswered.max(), 550_000));
        assert_eq!(windows[9].response.len(), 1);
    }

    #[test]
    fn an_encoded_histogram_can_be_decoded_and_merged() {
        let mut written = times();
        (1..=1000).for_each(|n| written.saturating_record(n * 1000));
        let text = encoded(&written, serde_json::value::Serializer).unwrap();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text.as_str().unwrap())
            .unwrap();
        let mut read: Times = hdrhistogram::serialization::Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .unwrap();
        assert_eq!(read, written);
        read.add(&written).unwrap();
        assert_eq!(read.len(), 2000);
    }

    #[test]
    fn a_request_that_waits_from_the_warm_up_to_the_end_counts() {
        let mut recorder = Recorder::new(PERIOD, 10);
        recorder.lost(900_000, 2_000_000);
        assert!(
            recorder
                .unanswered
                .equivalent(recorder.unanswered.max(), 1_100_000)
        );
    }
}
