//! Turns what the proxy sees of one client into the steps of a case.

use crate::fuzz::case::{BYTES_MAX, STEPS_MAX};
use crate::fuzz::wire::KEPT_BYTES_MAX;
use crate::fuzz::{Case, Data, DataPart, SendStep, Step};

/// The steps of one session so far.
#[derive(Debug)]
pub(super) struct Tape {
    steps: Vec<Step>,
    /// Bytes that can still be recorded.
    room: usize,
    /// Whether the session exceeded the limits of a case.
    pub cut_off: bool,
    /// The client has sent FIN.
    finished: bool,
    /// What the server has replied.
    pub replies: Vec<u8>,
    /// How many bytes of that came before the first send, and after each.
    pub counts: Vec<usize>,
}

impl Tape {
    /// An empty tape that records at most `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            steps: Vec::new(),
            room: bytes_max.min(BYTES_MAX),
            cut_off: false,
            finished: false,
            replies: Vec::new(),
            counts: vec![0],
        }
    }

    /// Records bytes from the client. Bytes without a reply in between become one send.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let kept = &bytes[..bytes.len().min(self.room)];
        self.cut_off |= kept.len() < bytes.len();
        if kept.is_empty() {
            return;
        }
        self.room -= kept.len();
        match self.steps.last_mut() {
            Some(Step::Send(send)) => send.data.push(DataPart::Bytes(kept.to_vec())),
            _ => {
                if !self.is_full() {
                    self.counts.push(0);
                }
                self.push(Step::Send(SendStep::whole(Data::from(kept))));
            }
        }
    }

    /// Records a piece of a reply.
    pub(super) fn replied(&mut self, bytes: &[u8]) {
        let room = KEPT_BYTES_MAX.saturating_sub(self.replies.len());
        let kept = &bytes[..bytes.len().min(room)];
        self.replies.extend_from_slice(kept);
        if let Some(count) = self.counts.last_mut() {
            *count += kept.len();
        }
        self.answered();
    }

    /// Whether the session ended in order, so that every reply was seen.
    pub(super) fn is_complete(&self) -> bool {
        self.finished && !self.cut_off && self.replies.len() < KEPT_BYTES_MAX
    }

    /// Records that the server replied. The client waited for the reply if it sends more afterwards.
    fn answered(&mut self) {
        let waits = !self.finished && self.steps.last() != Some(&Step::Receive);
        if waits {
            self.push(Step::Receive);
        } else if self.finished && self.steps.last() != Some(&Step::HalfClose) {
            self.push(Step::HalfClose);
        }
    }

    /// Records the client's FIN. Every case ends with FIN; it becomes a step only if the server replies to it.
    pub(super) fn finished(&mut self) {
        self.finished = true;
    }

    /// Records that the client reset the connection or stopped reading.
    pub(super) fn disconnected(&mut self) {
        if self.finished {
            // The client had closed the connection, so bytes for it caused a reset.
            self.steps.pop_if(|step| *step == Step::HalfClose);
            self.push(Step::Close);
        } else {
            self.push(Step::Reset);
        }
    }

    fn is_full(&self) -> bool {
        self.steps.len() >= STEPS_MAX
    }

    fn push(&mut self, step: Step) {
        if self.is_full() {
            self.cut_off = true;
        } else {
            self.steps.push(step);
        }
    }

    /// The case; `None` if the client only connected and closed.
    pub(super) fn case(&self) -> Option<Case> {
        let does = |step: &Step| matches!(step, Step::Send(_) | Step::Reset);
        let any = self.steps.iter().any(does);
        any.then(|| Case::new(self.steps.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::case::shown;

    fn recorded(act: impl Fn(&mut Tape)) -> Vec<String> {
        let mut tape = Tape::new(20);
        act(&mut tape);
        tape.case().map_or(Vec::new(), |case| shown(&case))
    }

    #[test]
    fn sends_without_an_answer_in_between_are_one() {
        let steps = recorded(|tape| {
            tape.answered();
            tape.sent(b"a");
            tape.sent(b"b");
            tape.answered();
            tape.answered();
            tape.sent(b"c");
            tape.answered();
            tape.finished();
        });
        let wanted = [
            "receive a reply",
            "send \"ab\"",
            "receive a reply",
            "send \"c\"",
            "receive a reply",
        ];
        assert_eq!(steps, wanted);
    }

    #[test]
    fn replies_are_counted_for_each_send() {
        let mut tape = Tape::new(20);
        tape.replied(b"hello ");
        tape.sent(b"a");
        tape.sent(b"b");
        tape.replied(b"A");
        tape.replied(b"B");
        tape.sent(b"c");
        assert_eq!(
            (tape.counts, tape.replies),
            (vec![6, 2, 0], b"hello AB".to_vec())
        );
    }

    #[test]
    fn ends() {
        let half = |tape: &mut Tape| {
            tape.sent(b"a");
            tape.finished();
            tape.answered();
        };
        assert_eq!(recorded(half), ["send \"a\"", "half-close (FIN)"]);
        let closed = |tape: &mut Tape| {
            half(tape);
            tape.disconnected();
        };
        assert_eq!(recorded(closed), ["send \"a\"", "close"]);
        assert_eq!(recorded(Tape::disconnected), ["reset (RST)"]);
        assert!(recorded(Tape::finished).is_empty());
        assert!(recorded(Tape::answered).is_empty());
    }

    #[test]
    fn what_is_too_long_is_cut_off() {
        let mut tape = Tape::new(3);
        tape.sent(b"abcd");
        assert!(tape.cut_off);
        assert_eq!(shown(&tape.case().unwrap()), ["send \"abc\""]);
        let mut tape = Tape::new(10_000);
        for _ in 0..STEPS_MAX {
            tape.sent(b"x");
            tape.answered();
        }
        assert!(tape.cut_off);
        assert_eq!(tape.case().unwrap().steps.len(), STEPS_MAX);
    }
}
