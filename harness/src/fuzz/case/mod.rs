//! One fuzz input: a list of steps that a client performs.
//!
//! A case contains all bytes that are sent, without placeholders, so that it does the same to every server. Cases are
//! decoded from raw bytes (for libFuzzer), generated from a talk, or recorded from a real client. They run over TCP or
//! over a stream in memory, and are stored as readable JSON.

mod data;
mod fold;
mod inject;
mod json;
#[cfg(feature = "arbitrary")]
mod raw;
mod show;

pub(crate) use data::unhex;
pub use data::{Data, DataPart};
pub(in crate::fuzz) use fold::folded;
pub use inject::InjectStep;
pub use json::{CaseFile, CaseFileError, Recorded, SCHEMA};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub use show::{readable, shown};

/// Maximum steps of a case; further steps are dropped.
pub const STEPS_MAX: usize = 256;
/// Maximum connections of a case.
pub const CONNECTIONS_MAX: usize = 8;
/// Maximum bytes that a case sends.
pub const BYTES_MAX: usize = 8 << 20;
/// Maximum length of a delay, in milliseconds.
pub const DELAY_MS_MAX: u32 = 1_000;

/// One fuzz input. The first connection is open when it begins.
///
/// At the end, every connection that is still open is closed in order: the client sends FIN and reads until the
/// server closes too, or a time limit is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Case {
    /// The steps, in the order in which they are performed.
    pub steps: Vec<Step>,
}

/// One action of the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Sends bytes on the current connection.
    Send(SendStep),
    /// Waits for one complete reply on the current connection, or until a time limit is reached.
    Receive,
    /// Lets a program log in on the current connection. Programs are numbered from 0 in the order in which the talk's
    /// opening names them. Nothing happens if there is none, as in memory.
    Login(u8),
    /// Waits this many milliseconds, at most [`DELAY_MS_MAX`].
    DelayMs(u32),
    /// Sends FIN on the current connection and keeps reading from it.
    HalfClose,
    /// Closes the current connection with a reset (RST).
    Reset,
    /// Closes the current connection without reading what is still to come.
    Close,
    /// Opens another connection and makes it the current one.
    Connect,
    /// Makes another connection the current one. Connections are numbered from 0 in the order they were opened.
    Switch(u8),
    /// Gives some of the server's next system calls another result.
    Inject(InjectStep),
}

impl Step {
    /// The steps of an exchange with this request, which is empty if the server speaks first.
    pub(super) fn of_exchange(request: Vec<u8>, has_reply: bool) -> impl Iterator<Item = Self> {
        let send = (!request.is_empty()).then(|| Self::Send(SendStep::whole(request)));
        send.into_iter().chain(has_reply.then_some(Self::Receive))
    }
}

/// Bytes to send on one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, JsonSchema, Serialize, Deserialize)]
pub struct SendStep {
    /// The bytes.
    pub data: Data,
    /// Ascending offsets at which the bytes are cut into pieces. Each piece is sent after the server has had time to
    /// read the previous one. Offsets outside 1 to length - 1 are ignored.
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

    /// Cuts `bytes` into pieces.
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
    /// A case of these steps, truncated to the limits.
    pub fn new(steps: Vec<Step>) -> Self {
        let mut case = Self { steps };
        case.limit();
        case
    }

    /// A case that sends these bytes once.
    pub fn sending(data: impl Into<Data>) -> Self {
        Self::new(vec![Step::Send(SendStep::whole(data))])
    }

    /// All send steps.
    pub fn sends(&self) -> impl Iterator<Item = &SendStep> {
        self.steps.iter().filter_map(|step| match step {
            Step::Send(send) => Some(send),
            _ => None,
        })
    }

    /// All send steps, mutably.
    pub fn sends_mut(&mut self) -> impl Iterator<Item = &mut SendStep> {
        self.steps.iter_mut().filter_map(|step| match step {
            Step::Send(send) => Some(send),
            _ => None,
        })
    }

    /// The number of bytes sent.
    pub fn bytes(&self) -> usize {
        self.sends().map(|send| send.data.len()).sum()
    }

    /// The number of connections.
    pub fn connections(&self) -> usize {
        let more = self.steps.iter().filter(|step| **step == Step::Connect);
        1 + more.count().min(CONNECTIONS_MAX - 1)
    }

    /// Whether it gives system calls of the server other results, so that the server needs a filter.
    pub fn injects(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| matches!(step, Step::Inject(_)))
    }

    /// Removes the steps that open more connections than these. What would be sent on them is sent on the one before.
    pub fn limit_connections(&mut self, most: usize) {
        let mut connections = 1;
        self.steps.retain(|step| {
            connections += usize::from(*step == Step::Connect);
            *step != Step::Connect || connections <= most
        });
    }

    /// Truncates the case to the limits and removes steps without effect.
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
            Step::Login(_)
            | Step::Receive
            | Step::HalfClose
            | Step::Reset
            | Step::Close
            | Step::Inject(_) => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_ignore_invalid_cuts() {
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
