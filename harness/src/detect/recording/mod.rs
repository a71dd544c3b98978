//! Drafts a talk from recorded sessions of a real client, and tries it on the server.
//!
//! `frames.rs` finds the frame that cuts all sessions into requests with one reply each, `template.rs` has a request with a
//! word of it replaced (both pure). `tryout.rs` sends the recorded requests again, with other words, and learns from what
//! comes which words a reply repeats and what else of it stays the same. `draft.rs` writes the file, leaves out what the
//! server does not hold, and says so.

mod draft;
mod frames;
mod template;
mod tryout;

pub(crate) use self::draft::draft;
use super::{DetectError, quoted};

/// What a client said and heard in each of its sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    /// The sessions, in the order of their files.
    pub sessions: Vec<Conversation>,
}

/// One recorded session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    /// What the server said before the client sent anything.
    pub greeting: Vec<u8>,
    /// What the client sent without a reply in between, and all that came before it sent more.
    pub rounds: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Maximum distinct exchanges that are tried: a file of more is not read by anybody.
const EXCHANGES_MAX: usize = 12;
/// Maximum bytes of a request or a reply from which a turn is made.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;

fn cannot(why: String) -> DetectError {
    DetectError::Unsayable { why }
}

/// A request and its reply, as a phrase.
fn exchange(request: &[u8], reply: &[u8]) -> String {
    format!("{} -> {}", quoted(request), quoted(reply))
}
