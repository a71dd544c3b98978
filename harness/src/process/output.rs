//! The output of a server: all bytes are counted, the last ones are kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Maximum number of bytes kept of each stream.
const OUTPUT_KEPT_BYTES: usize = 64 * 1024;

/// A snapshot of a server's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Bytes read from stdout since the start.
    pub stdout_bytes: u64,
    /// Bytes read from stderr since the start.
    pub stderr_bytes: u64,
    /// The end of stdout, at most 64 KiB. Bytes that are not UTF-8 are replaced.
    pub stdout_tail: String,
    /// The end of stderr, kept in the same way.
    pub stderr_tail: String,
    /// The bytes of the two texts (stdout, stderr), because a replacement character is longer than the byte it replaces.
    raw: [Vec<u8>; 2],
}

/// A position in the output: the bytes printed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Bytes on stdout.
    pub stdout: u64,
    /// Bytes on stderr.
    pub stderr: u64,
}

impl Output {
    pub(super) fn of(stdout: &Stream, stderr: &Stream) -> Output {
        let ((stdout_bytes, stdout), (stderr_bytes, stderr)) =
            (stdout.snapshot(), stderr.snapshot());
        Output::from_raw(stdout_bytes, stdout, stderr_bytes, stderr)
    }

    fn from_raw(stdout_bytes: u64, stdout: Vec<u8>, stderr_bytes: u64, stderr: Vec<u8>) -> Output {
        Output {
            stdout_bytes,
            stderr_bytes,
            stdout_tail: String::from_utf8_lossy(&stdout).into_owned(),
            stderr_tail: String::from_utf8_lossy(&stderr).into_owned(),
            raw: [stdout, stderr],
        }
    }

    /// The position of the end of this snapshot.
    pub fn mark(&self) -> Mark {
        Mark {
            stdout: self.stdout_bytes,
            stderr: self.stderr_bytes,
        }
    }

    /// The output after `mark`: the counts, and the part of the text that was kept.
    pub fn since(&self, mark: Mark) -> Output {
        let stdout_bytes = self.stdout_bytes.saturating_sub(mark.stdout);
        let stderr_bytes = self.stderr_bytes.saturating_sub(mark.stderr);
        let stdout = last_bytes(&self.raw[0], stdout_bytes);
        let stderr = last_bytes(&self.raw[1], stderr_bytes);
        Output::from_raw(stdout_bytes, stdout, stderr_bytes, stderr)
    }
}

fn last_bytes(kept: &[u8], count: u64) -> Vec<u8> {
    kept[kept
        .len()
        .saturating_sub(usize::try_from(count).unwrap_or(usize::MAX))..]
        .to_vec()
}

/// One stream. The thread in `drain` appends to it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    total: AtomicU64,
    kept: Mutex<VecDeque<u8>>,
}

impl Stream {
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = &bytes[bytes.len().saturating_sub(OUTPUT_KEPT_BYTES)..];
        let excess = (kept.len() + fresh.len()).saturating_sub(OUTPUT_KEPT_BYTES);
        kept.drain(..excess);
        kept.extend(fresh);
        // Updated under the lock, so that the count and the text of a snapshot match.
        self.total.fetch_add(bytes.len() as u64, Ordering::Release);
    }

    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Acquire)
    }

    /// The kept bytes after the first `from` bytes, and the number of bytes so far.
    pub(super) fn since(&self, from: u64) -> (Vec<u8>, u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let total = self.total();
        let fresh = last_bytes(kept.make_contiguous(), total.saturating_sub(from));
        (fresh, total)
    }

    /// The number of bytes so far, and the kept ones.
    pub(super) fn snapshot(&self) -> (u64, Vec<u8>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (self.total(), kept.make_contiguous().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded() {
        let stream = Stream::default();
        for _ in 0..100 {
            stream.push(&[b'a'; 10_000]);
        }
        stream.push(b"end");
        let (total, tail) = stream.snapshot();
        assert_eq!((total, tail.len()), (1_000_003, OUTPUT_KEPT_BYTES));
        assert!(tail.ends_with(b"aend"));
        stream.push(&vec![b'b'; 3 * OUTPUT_KEPT_BYTES]);
        assert_eq!(stream.snapshot().1.len(), OUTPUT_KEPT_BYTES);
    }

    #[test]
    fn since_a_mark() {
        let (out, err) = (Stream::default(), Stream::default());
        out.push(b"hello");
        let earlier = Output::of(&out, &err).mark();
        out.push(b" \xff\xff!");
        err.push(b"warning");
        let later = Output::of(&out, &err);
        let fresh = later.since(earlier);
        assert_eq!(
            (fresh.stdout_bytes, fresh.stdout_tail.as_str()),
            (4, " \u{fffd}\u{fffd}!")
        );
        assert_eq!(fresh.stderr_tail, "warning");
        assert_eq!(later.since(later.mark()).stdout_tail, "");
    }
}
