//! Decides from batches of requests whether a server keeps what it is sent.
//!
//! Growth counts above the highest level so far: garbage collectors let memory rise and fall.

/// Number of flat batches in a row after which memory is bounded.
const FLAT_BATCHES: usize = 3;
/// Number of latest batches that are judged for growth.
const LATEST_BATCHES: usize = 5;
/// Minimum number of batches after which slight growth no longer matters.
const SLIGHT_BATCHES: usize = 10;
/// Maximum growth per byte sent of a flat batch.
const FLAT_PER_BYTE: f64 = 0.1;
/// Maximum growth per byte sent that is no longer examined: caches, and garbage that is collected now and then.
const SLIGHT_PER_BYTE: f64 = 0.25;
/// Minimum growth per byte sent that counts as a failure.
const KEPT_PER_BYTE: f64 = 0.5;
/// Growth of a flat batch, in bytes, that is never counted: allocators take memory in steps.
const NOISE_BYTES: u64 = 32 << 10;
/// Minimum growth in bytes that counts as a failure.
const KEPT_BYTES_MIN: u64 = 24 << 20;

/// The same for a server that may have to store what it is sent. (A Go server without load grew by 3 MB.)
const STORED_BYTES_MIN: u64 = 6 << 20;
/// Minimum number of batches before that is said: the first ones let the heap of a runtime grow too.
const STORED_BATCHES_MIN: usize = 16;

/// What the batches so far show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trend {
    /// Memory no longer grows, or only slightly.
    Flat,
    /// Memory grows with the bytes sent.
    Grows,
    /// Neither yet.
    Open,
}

/// Memory of a server, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    /// Memory in use.
    pub(super) used: u64,
    /// Memory that the server has taken from the kernel, in use or not. A runtime may take its heap at the start and fill
    /// it before it collects garbage for the first time (a sound JVM used 142 MB more after 42 MB of requests).
    pub(super) taken: u64,
}

/// Memory after each batch.
#[derive(Clone, Debug)]
pub(super) struct Slope {
    first: Level,
    highest: Level,
    /// Bytes sent and growth of each batch.
    batches: Vec<(u64, u64)>,
}

impl Slope {
    /// Starts with the memory after the batch that warms up the server.
    pub(super) fn from(level: Level) -> Self {
        Self {
            first: level,
            highest: level,
            batches: Vec::new(),
        }
    }

    /// The memory up to which a batch of so many bytes is flat.
    pub(super) fn flat_below(&self, sent: u64) -> u64 {
        self.highest.used + tolerance(sent)
    }

    /// Adds a batch: the bytes sent, and the memory after it.
    pub(super) fn add(&mut self, sent: u64, level: Level) {
        let grown = level.used.saturating_sub(self.highest.used);
        self.batches.push((sent, grown));
        self.highest = Level {
            used: self.highest.used.max(level.used),
            taken: self.highest.taken.max(level.taken),
        };
    }

    /// Bytes sent in all batches.
    pub(super) fn sent(&self) -> u64 {
        self.batches.iter().map(|(sent, _)| sent).sum()
    }

    /// Growth over all batches, in bytes.
    pub(super) fn kept(&self) -> u64 {
        self.highest.used - self.first.used
    }

    /// Growth of each batch, in bytes.
    pub(super) fn growth(&self) -> Vec<u64> {
        self.batches.iter().map(|(_, grown)| *grown).collect()
    }

    /// Growth per byte sent in the latest batches; 0 before there are enough of them.
    pub(super) fn per_byte(&self) -> f64 {
        let Some(first) = self.batches.len().checked_sub(LATEST_BATCHES) else {
            return 0.0;
        };
        let latest = &self.batches[first..];
        let sent: u64 = latest.iter().map(|(sent, _)| sent).sum();
        let grown: u64 = latest.iter().map(|(_, grown)| grown).sum();
        grown as f64 / sent.max(1) as f64
    }

    /// Whether the latest batches kept so much that it would be a failure if it went on.
    fn is_steep(&self) -> bool {
        self.per_byte() >= KEPT_PER_BYTE
    }

    /// Whether memory goes on growing: in the last batch, and in nearly all of the latest or in both halves of twice as many. A
    /// heap that a collector has not yet cleaned grows by a few big steps (express on Node took 34 MB during 5 batches of
    /// 0.3 MB, none of it in the last two).
    fn is_growing(&self) -> bool {
        let grows = |(sent, grown): &(u64, u64)| *grown > tolerance(*sent);
        let count = self.batches.len();
        if !self.batches.last().is_some_and(grows) {
            return false;
        }
        let latest = &self.batches[count.saturating_sub(LATEST_BATCHES)..];
        if latest.iter().filter(|batch| grows(batch)).count() + 1 >= LATEST_BATCHES {
            return true;
        }
        let Some(first) = count.checked_sub(2 * LATEST_BATCHES) else {
            return false;
        };
        let grown = |batches: &[(u64, u64)]| batches.iter().map(|(_, grown)| grown).sum::<u64>();
        let (early, late) = self.batches[first..].split_at(LATEST_BATCHES);
        let (early, late) = (grown(early), grown(late));
        early.min(late) >= (early + late) / 4
    }

    /// Whether a server whose purpose may be to store things seems to do so: nothing else is found out about it then.
    pub(super) fn is_store(&self) -> bool {
        self.batches.len() >= STORED_BATCHES_MIN
            && self.is_steep()
            && self.kept() >= STORED_BYTES_MIN
    }

    /// Whether the memory in use grew without the server taking more from the kernel.
    pub(super) fn is_inside_heap(&self) -> bool {
        (self.highest.taken - self.first.taken) < self.kept() / 2
    }

    /// Whether the last batch was flat, so that a few more may settle it.
    pub(super) fn is_flattening(&self) -> bool {
        let last = self.batches.last();
        last.is_some_and(|(sent, grown)| *grown <= tolerance(*sent))
    }

    pub(super) fn trend(&self) -> Trend {
        let is_flat = |(sent, grown): &&(u64, u64)| *grown <= tolerance(*sent);
        let flat = self.batches.iter().rev().take_while(is_flat).count();
        let is_slight = self.batches.len() >= SLIGHT_BATCHES && self.per_byte() < SLIGHT_PER_BYTE;
        if flat >= FLAT_BATCHES || is_slight {
            return Trend::Flat;
        }
        let is_much = self.kept() >= KEPT_BYTES_MIN && !self.is_inside_heap();
        if self.is_steep() && is_much && self.is_growing() {
            return Trend::Grows;
        }
        Trend::Open
    }
}

/// Growth of a batch of so many bytes that counts as flat.
fn tolerance(sent: u64) -> u64 {
    NOISE_BYTES.max((sent as f64 * FLAT_PER_BYTE) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;
    const BEFORE: Level = Level {
        used: 50 * MB,
        taken: 90 * MB,
    };

    /// The trend after each batch of 8 MB; the server takes what it uses from the kernel.
    fn trends(used: impl IntoIterator<Item = u64>) -> Vec<Trend> {
        let levels = used.into_iter().map(|used| Level {
            used: used * MB,
            taken: (40 + used) * MB,
        });
        trends_of(levels)
    }

    fn trends_of(levels: impl IntoIterator<Item = Level>) -> Vec<Trend> {
        let mut slope = Slope::from(BEFORE);
        let add = |level| {
            slope.add(8 * MB, level);
            slope.trend()
        };
        levels.into_iter().map(add).collect()
    }

    #[test]
    fn three_flat_batches_in_a_row_end_the_check() {
        let seen = trends([58, 66, 66, 66, 66]);
        assert_eq!(seen[..4], [Trend::Open; 4]);
        assert_eq!(seen[4], Trend::Flat);
    }

    #[test]
    fn a_collector_that_gives_memory_back_is_flat() {
        assert_eq!(trends([60, 70, 80, 51, 61, 71]).last(), Some(&Trend::Flat));
    }

    #[test]
    fn a_server_that_keeps_every_request_grows() {
        let seen = trends((1..=5).map(|batch| 50 + 9 * batch));
        assert_eq!(seen[..4], [Trend::Open; 4], "fewer than five batches");
        assert_eq!(seen[4], Trend::Grows);
    }

    /// Express on Node, with garbage that nothing has collected yet.
    #[test]
    fn a_heap_that_takes_a_few_steps_does_not_grow_yet() {
        let seen = trends([72, 72, 83, 83, 83, 83]);
        assert_eq!(seen[..5], [Trend::Open; 5]);
        assert_eq!(seen[5], Trend::Flat);
    }

    #[test]
    fn a_leak_in_steps_is_seen_later() {
        let seen = trends((1..=10).map(|batch| 50 + 20 * (batch / 2)));
        assert_eq!(seen[..9], [Trend::Open; 9]);
        assert_eq!(seen[9], Trend::Grows);
    }

    #[test]
    fn little_growth_is_no_failure_yet() {
        let seen = trends((1..=5).map(|batch| 50 + 4 * batch));
        assert_eq!(seen, [Trend::Open; 5], "20 MB");
    }

    #[test]
    fn a_heap_that_was_taken_at_the_start_may_fill_up() {
        let filling = (1..=20).map(|batch| Level {
            used: BEFORE.used + 9 * batch * MB,
            taken: BEFORE.taken,
        });
        assert!(trends_of(filling).iter().all(|trend| *trend == Trend::Open));
    }

    #[test]
    fn slight_growth_ends_the_check() {
        let seen = trends((1..=10).map(|batch| 50 + batch + batch / 2));
        assert_eq!(seen[8..], [Trend::Open, Trend::Flat]);
    }
}
