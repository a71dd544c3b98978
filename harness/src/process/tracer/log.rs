//! What a traced server has reached: memory shared by the supervisor, which appends, and tcprove, which reads.

use std::fs::File;
use std::io;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::sys::{SharedWords, memory_file};

/// Positions of the numbers before the entries.
const STATE: usize = 0;
const ERROR: usize = 1;
const COUNT: usize = 2;
const ASKED: usize = 3;
const DONE: usize = 4;
const AGAIN_COUNT: usize = 5;
const AGAIN: usize = 6;
/// Maximum places of one request.
const AGAIN_MAX: usize = 1024;
/// Where the entries begin.
const ENTRIES: usize = AGAIN + AGAIN_MAX;
/// Entries beyond one for each place, for places that are armed again.
const MORE_ENTRIES: usize = 1 << 17;

/// The places that were reached, in this order.
#[derive(Debug)]
pub(crate) struct TraceLog {
    words: SharedWords,
}

/// Whether the server is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TraceState {
    /// Not yet.
    Starting,
    /// With this number of breakpoints so far.
    Traced(u32),
    /// The system does not allow it: the error number.
    Refused(i32),
}

impl TraceLog {
    /// A new log for this number of places, and its file.
    ///
    /// # Errors
    /// No descriptor or no memory is left.
    pub(super) fn new(places: usize) -> io::Result<(File, Self)> {
        let file = memory_file("tcprove-trace")?;
        let words = ENTRIES + places + MORE_ENTRIES;
        file.set_len((words * size_of::<u32>()) as u64)?;
        let log = Self {
            words: SharedWords::map(&file, words)?,
        };
        Ok((file, log))
    }

    /// The log in the file that [`TraceLog::new`] has made.
    ///
    /// # Errors
    /// The file is no log.
    pub(super) fn open(file: &File) -> io::Result<Self> {
        let words = usize::try_from(file.metadata()?.len()).unwrap_or(0) / size_of::<u32>();
        if words <= ENTRIES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self {
            words: SharedWords::map(file, words)?,
        })
    }

    /// The number of entries so far: one load.
    pub(crate) fn len(&self) -> usize {
        (self.words[COUNT].load(Acquire) as usize).min(self.words.len() - ENTRIES)
    }

    /// The entries from the number `from` on.
    pub(crate) fn since(&self, from: usize) -> Vec<u32> {
        let entries = &self.words[ENTRIES..][from.min(self.len())..self.len()];
        entries.iter().map(|entry| entry.load(Relaxed)).collect()
    }

    /// Appends a place; without room it is lost.
    pub(super) fn append(&self, place: u32) {
        let count = self.words[COUNT].load(Relaxed);
        if let Some(entry) = self.words.get(ENTRIES + count as usize) {
            entry.store(place, Relaxed);
            self.words[COUNT].store(count + 1, Release);
        }
    }

    /// Whether the server is traced.
    pub(crate) fn state(&self) -> TraceState {
        match self.words[STATE].load(Acquire) {
            0 => TraceState::Starting,
            1 => TraceState::Refused(self.words[ERROR].load(Relaxed).cast_signed()),
            armed => TraceState::Traced(armed - 2),
        }
    }

    pub(super) fn set_state(&self, state: TraceState) {
        let number = match state {
            TraceState::Starting => 0,
            TraceState::Refused(error) => {
                self.words[ERROR].store(error.cast_unsigned(), Relaxed);
                1
            }
            TraceState::Traced(armed) => armed.saturating_add(2),
        };
        self.words[STATE].store(number, Release);
    }

    /// Asks for these places to be armed again, and for new mappings to be armed. `None` if there are too many.
    pub(super) fn request(&self, again: &[u32]) -> Option<u32> {
        // Without room for their hits, there would be no answer.
        if again.len() > AGAIN_MAX || self.len() + again.len() + ENTRIES > self.words.len() {
            return None;
        }
        for (word, place) in self.words[AGAIN..].iter().zip(again) {
            word.store(*place, Relaxed);
        }
        let count = u32::try_from(again.len()).ok()?;
        self.words[AGAIN_COUNT].store(count, Relaxed);
        let number = self.words[ASKED].load(Relaxed).wrapping_add(1);
        self.words[ASKED].store(number, Release);
        Some(number)
    }

    pub(super) fn is_done(&self, number: u32) -> bool {
        self.words[DONE].load(Acquire) == number
    }

    /// The places of a request that was not answered yet.
    pub(super) fn requested(&self) -> Option<Vec<u32>> {
        let number = self.words[ASKED].load(Acquire);
        if self.is_done(number) {
            return None;
        }
        let count = (self.words[AGAIN_COUNT].load(Relaxed) as usize).min(AGAIN_MAX);
        let places = self.words[AGAIN..][..count].iter();
        Some(places.map(|place| place.load(Relaxed)).collect())
    }

    /// Tells that the request was fulfilled.
    pub(super) fn answer(&self) {
        let number = self.words[ASKED].load(Relaxed);
        self.words[DONE].store(number, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same() {
        let (file, ours) = TraceLog::new(10).unwrap();
        let theirs = TraceLog::open(&file).unwrap();
        assert_eq!((ours.state(), ours.len()), (TraceState::Starting, 0));
        theirs.append(7);
        theirs.append(3);
        assert_eq!(ours.since(0), [7, 3]);
        assert_eq!((ours.since(1), ours.since(9)), (vec![3], vec![]));
        for state in [TraceState::Traced(0), TraceState::Refused(libc::EPERM)] {
            theirs.set_state(state);
            assert_eq!(ours.state(), state);
        }
        assert_eq!(theirs.requested(), None);
        let number = ours.request(&[4, 5]).unwrap();
        assert!(!ours.is_done(number));
        assert_eq!(theirs.requested(), Some(vec![4, 5]));
        theirs.answer();
        assert!(ours.is_done(number) && theirs.requested().is_none());
        assert_eq!(ours.request(&[0; 1025]), None);
    }

    #[test]
    fn a_full_log_loses_entries_but_not_its_bounds() {
        let (_file, log) = TraceLog::new(1).unwrap();
        (0..MORE_ENTRIES + 10).for_each(|_| log.append(1));
        assert_eq!(log.len(), MORE_ENTRIES + 1);
        assert_eq!(log.request(&[1]), None);
    }
}
