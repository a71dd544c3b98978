//! The delayed replies of one connection, sans-IO.

use std::collections::VecDeque;
use std::time::Instant;

use crate::Protocol;
use crate::delay::ConnectionDelays;

/// Decides when replies may be sent. All offsets count bytes from the first reply of the
/// connection: `sent <= free <= made`.
pub(super) struct HeldReplies {
    delays: ConnectionDelays,
    protocol: Protocol,
    /// End of the replies made so far.
    made: u64,
    /// End of the replies that may be sent.
    free: u64,
    /// End of the bytes that the kernel has taken.
    sent: u64,
    /// Time of the latest read.
    read_at: Instant,
    /// Whether a delay has been drawn for the latest read.
    drawn: bool,
    /// Time when the newest replies may be sent.
    due: Instant,
    /// The replies that are not fully sent. Their number is limited by the number of unsent bytes
    /// ([`Config::write_bound`](crate::Config::write_bound)).
    replies: VecDeque<HeldReply>,
}

struct HeldReply {
    /// Offset of the first byte after the reply.
    end: u64,
    read_at: Instant,
    due: Instant,
}

impl HeldReplies {
    pub(super) fn new(delays: ConnectionDelays, protocol: Protocol, now: Instant) -> Self {
        Self {
            delays,
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

    /// Records a read. The replies made next belong to it.
    pub(super) fn read(&mut self, now: Instant) {
        (self.read_at, self.drawn) = (now, false);
    }

    /// Records new replies, all of them complete.
    pub(super) fn made(&mut self, replies: &[u8]) {
        let mut rest = replies;
        while !rest.is_empty() {
            if !self.drawn {
                // Never before an earlier reply.
                self.due = self.due.max(self.read_at + self.delays.draw());
                self.drawn = true;
            }
            let length = self.protocol.reply_length(rest);
            self.made += length as u64;
            self.replies.push_back(HeldReply {
                end: self.made,
                read_at: self.read_at,
                due: self.due,
            });
            rest = &rest[length..];
        }
    }

    /// The number of unsent bytes that may be sent now.
    pub(super) fn free(&mut self, now: Instant) -> usize {
        let waiting = self.replies.partition_point(|reply| reply.due <= now);
        if let Some(last) = waiting.checked_sub(1) {
            self.free = self.replies[last].end;
        }
        usize::try_from(self.free - self.sent).unwrap_or(usize::MAX)
    }

    /// The time when the next reply may be sent.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let waiting = self.replies.partition_point(|reply| reply.end <= self.free);
        self.replies.get(waiting).map(|reply| reply.due)
    }

    /// Records that the kernel has taken `count` bytes.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.sent += count as u64;
        while let Some(reply) = self.replies.front()
            && reply.end <= self.sent
        {
            self.delays
                .log(now.saturating_duration_since(reply.read_at));
            self.replies.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::HeldReplies;
    use crate::Protocol;
    use crate::delay::{Delay, Delays};

    const MS: Duration = Duration::from_millis(1);

    fn held(begin: Instant) -> HeldReplies {
        let delays = Delays::new(Some(Delay::Fixed(5 * MS)), None, 0).unwrap();
        HeldReplies::new(delays.next_connection().unwrap(), Protocol::Line, begin)
    }

    #[test]
    fn replies_to_one_read_share_a_delay_and_reads_do_not() {
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
    fn the_rest_of_a_partly_sent_reply_stays_free() {
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
