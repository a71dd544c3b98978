//! The replies of one connection that wait for their time, sans-IO.

use std::collections::VecDeque;
use std::time::Instant;

use crate::Protocol;
use crate::delay::Draws;

/// Counts bytes of a connection's replies from its first one on. They are with the kernel up to
/// `sent`, may go there up to `free`, and exist up to `made`.
pub(super) struct Held {
    draws: Draws,
    protocol: Protocol,
    made: u64,
    free: u64,
    sent: u64,
    /// When the bytes that are being answered were read.
    read_at: Instant,
    /// A delay was drawn for them.
    drawn: bool,
    /// When the newest replies may go.
    due: Instant,
    /// Those that are not sent whole. There are no more of them than bytes of replies, which
    /// [`Config::write_bound`](crate::Config::write_bound) limits.
    replies: VecDeque<Reply>,
}

struct Reply {
    /// The byte after its last one.
    end: u64,
    read_at: Instant,
    due: Instant,
}

impl Held {
    pub(super) fn new(draws: Draws, protocol: Protocol, now: Instant) -> Self {
        Self {
            draws,
            protocol,
            made: 0,
            free: 0,
            sent: 0,
            read_at: now,
            drawn: false,
            due: now,
            replies: VecDeque::new(),
        }
    }

    /// A read has returned something, and the replies that follow are to it.
    pub(super) fn read(&mut self, now: Instant) {
        (self.read_at, self.drawn) = (now, false);
    }

    /// Takes note of replies that were just made, all of them whole.
    pub(super) fn made(&mut self, replies: &[u8]) {
        let mut rest = replies;
        while !rest.is_empty() {
            if !self.drawn {
                // Not before those in front of it.
                self.due = self.due.max(self.read_at + self.draws.draw());
                self.drawn = true;
            }
            let length = self.protocol.reply_length(rest);
            self.made += length as u64;
            self.replies.push_back(Reply {
                end: self.made,
                read_at: self.read_at,
                due: self.due,
            });
            rest = &rest[length..];
        }
    }

    /// How many bytes may be sent by now.
    pub(super) fn free(&mut self, now: Instant) -> usize {
        let waiting = self.replies.partition_point(|reply| reply.due <= now);
        if let Some(last) = waiting.checked_sub(1) {
            self.free = self.replies[last].end;
        }
        usize::try_from(self.free - self.sent).unwrap_or(usize::MAX)
    }

    /// When more bytes may be sent than now.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.replies.partition_point(|reply| reply.end <= self.free);
        self.replies.get(waiting).map(|reply| reply.due)
    }

    /// The kernel has taken bytes.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.sent += count as u64;
        while let Some(reply) = self.replies.front()
            && reply.end <= self.sent
        {
            self.draws
                .took(now.saturating_duration_since(reply.read_at));
            self.replies.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Held;
    use crate::delay::{Delay, Delays};
    use crate::{Config, Protocol};

    const MS: Duration = Duration::from_millis(1);

    fn held(begin: Instant) -> Held {
        let config = Config {
            delay: Some(Delay::Fixed(5 * MS)),
            ..Config::default()
        };
        let draws = Delays::new(&config).unwrap().next_connection().unwrap();
        Held::new(draws, Protocol::Line, begin)
    }

    #[test]
    fn replies_to_one_read_become_free_together_and_reads_apart() {
        let begin = Instant::now();
        let mut held = held(begin);
        held.read(begin);
        held.made(b"a\nbc\n");
        held.read(begin + MS);
        held.made(b"d\n");
        assert_eq!(held.free(begin + 4 * MS), 0);
        assert_eq!(held.next_due(), Some(begin + 5 * MS));
        assert_eq!(held.free(begin + 5 * MS), 5);
        assert_eq!(held.next_due(), Some(begin + 6 * MS));
        assert_eq!(held.free(begin + 6 * MS), 7);
        assert_eq!(held.next_due(), None);
    }

    #[test]
    fn what_was_sent_in_part_stays_free() {
        let begin = Instant::now();
        let mut held = held(begin);
        held.read(begin);
        held.made(b"abc\nd\n");
        assert_eq!(held.free(begin + 5 * MS), 6);
        held.sent(5, begin + 5 * MS);
        assert_eq!(held.replies.len(), 1);
        held.read(begin + 6 * MS);
        held.made(b"e\n");
        assert_eq!(held.free(begin + 7 * MS), 1);
        held.sent(1, begin + 7 * MS);
        assert_eq!(held.free(begin + 7 * MS), 0);
        assert_eq!(held.next_due(), Some(begin + 11 * MS));
    }
}
