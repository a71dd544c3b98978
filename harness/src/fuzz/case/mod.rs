//! One fuzz input: a list of steps, as bytes on a wire and as text in a file.
//!
//! A case holds everything that is sent, with nothing left to fill in, so that it does the same to every
//! epoch of a server. It can be decoded from raw bytes (for libFuzzer), generated from a talk, recorded from
//! a real client, and run over TCP or over a stream in memory.

mod data;
mod fold;
mod json;
mod raw;
mod show;

use serde::{Deserialize, Serialize};

pub(crate) use data::unhex;
pub use data::{Data, Part};
pub(in crate::fuzz) use fold::folded;
pub use json::{CaseFile, CaseFileError, SCHEMA};
pub use show::{readable, shown};

/// More steps than this a case never has: what comes after them is cut off.
pub const STEPS_MAX: usize = 256;
/// A case never has more connections than this.
pub const CONNECTIONS_MAX: usize = 8;
/// A case never sends more bytes than this.
pub const BYTES_MAX: usize = 8 << 20;
/// No delay is longer than this.
pub const DELAY_MS_MAX: u32 = 1_000;

/// One fuzz input. It begins on a first connection that is open already.
///
/// At its end every connection that is still open is finished in order: FIN, then whatever comes is read
/// until the server closes too, or a limit of time is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Case {
    /// What is done, in this order.
    pub steps: Vec<Step>,
}

/// One thing that a client does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Sends bytes on the current connection.
    Send(SendStep),
    /// Waits for one whole reply on the current connection, or until a limit of time is over.
    Receive,
    /// Waits, at most [`DELAY_MS_MAX`].
    DelayMs(u32),
    /// Says that nothing more will be sent on the current connection (FIN), and keeps it open.
    HalfClose,
    /// Closes the current connection with a reset (RST).
    Reset,
    /// Closes the current connection at once, without reading what is still to come.
    Close,
    /// Opens another connection, which is the current one from now on.
    Connect,
    /// Makes another connection the current one; they are counted from 0, in the order they were opened.
    Switch(u8),
}

/// Bytes for one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SendStep {
    /// The bytes.
    pub data: Data,
    /// Offsets at which they are cut: each piece leaves when the one before it has had time to be read.
    /// Rising, each at least 1 and less than the length; others are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<u32>,
}

impl SendStep {
    /// Bytes in one piece.
    pub fn whole(data: impl Into<Data>) -> Self {
        Self {
            data: data.into(),
            cuts: Vec::new(),
        }
    }

    /// The pieces that `bytes` is cut into.
    pub fn pieces<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let mut begin = 0;
        let mut ends: Vec<usize> = Vec::with_capacity(self.cuts.len() + 1);
        for cut in &self.cuts {
            let cut = *cut as usize;
            if cut > begin && cut < bytes.len() {
                ends.push(cut);
                begin = cut;
            }
        }
        ends.push(bytes.len());
        let mut begin = 0;
        ends.into_iter().map(move |end| {
            let piece = &bytes[begin..end];
            begin = end;
            piece
        })
    }
}

impl Case {
    /// A case of these steps, cut off where the limits are passed.
    pub fn new(steps: Vec<Step>) -> Self {
        let mut case = Self { steps };
        case.limit();
        case
    }

    /// The same bytes sent once.
    pub fn sending(data: impl Into<Data>) -> Self {
        Self::new(vec![Step::Send(SendStep::whole(data))])
    }

    /// All that is sent.
    pub fn sends(&self) -> impl Iterator<Item = &SendStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Send(send) => Some(send),
            _ => None,
        })
    }

    /// The same, to be changed.
    pub fn sends_mut(&mut self) -> impl Iterator<Item = &mut SendStep> {
        self.steps.iter_mut().filter_map(|step| match step {
            Step::Send(send) => Some(send),
            _ => None,
        })
    }

    /// How many bytes are sent.
    pub fn bytes(&self) -> usize {
        self.sends().map(|send| send.data.len()).sum()
    }

    /// How many connections it opens.
    pub fn connections(&self) -> usize {
        let more = self.steps.iter().filter(|step| **step == Step::Connect);
        1 + more.count().min(CONNECTIONS_MAX - 1)
    }

    /// Keeps the limits: takes away what is too much.
    pub fn limit(&mut self) {
        self.steps.truncate(STEPS_MAX);
        let mut connections = 1;
        let mut room = BYTES_MAX;
        self.steps.retain_mut(|step| match step {
            Step::Send(send) => {
                send.data.truncate(room);
                room -= send.data.len();
                let len = send.data.len();
                send.cuts.retain(|cut| (1..len).contains(&(*cut as usize)));
                send.cuts.sort_unstable();
                send.cuts.dedup();
                len > 0
            }
            Step::DelayMs(ms) => {
                *ms = (*ms).min(DELAY_MS_MAX);
                *ms > 0
            }
            Step::Connect => {
                connections += 1;
                connections <= CONNECTIONS_MAX
            }
            Step::Switch(to) => usize::from(*to) < connections,
            Step::Receive | Step::HalfClose | Step::Reset | Step::Close => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_ignore_cuts_that_are_none() {
        let send = SendStep {
            data: b"abcdef"[..].into(),
            cuts: vec![0, 2, 2, 1, 5, 6, 9],
        };
        let pieces: Vec<&[u8]> = send.pieces(b"abcdef").collect();
        assert_eq!(pieces, [&b"ab"[..], b"cde", b"f"]);
        assert_eq!(SendStep::default().pieces(b"").count(), 1);
    }

    #[test]
    fn limits_are_kept() {
        let mut steps = vec![Step::Connect; 20];
        steps.extend([Step::Switch(200), Step::DelayMs(0), Step::DelayMs(90_000)]);
        steps.push(Step::Send(SendStep::whole(Data::repeat(b"ab", 100 << 20))));
        steps.push(Step::Send(SendStep::whole(&b"x"[..])));
        let case = Case::new(steps);
        assert_eq!(
            (case.connections(), case.bytes()),
            (CONNECTIONS_MAX, BYTES_MAX)
        );
        assert_eq!(case.steps[CONNECTIONS_MAX - 1], Step::DelayMs(DELAY_MS_MAX));
    }
}
