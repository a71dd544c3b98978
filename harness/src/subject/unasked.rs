//! Messages that a server sends on an idle connection without a request, and that its file does not declare. One that comes between
//! a request and its reply looks like a wrong reply.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use crate::session::{ConnectionEnd, Session};
use crate::talk::{PushReader, Talk};
use crate::text::{escape, toml_string};

/// What comes sooner after a reply belongs to it.
const SURPLUS: Duration = Duration::from_millis(200);
/// A message is over when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(50);
/// Maximum number of bytes that are kept, and of characters that are shown.
const BYTES_MAX: usize = 4096;
const CHARS_MAX: usize = 120;

/// Bytes that came without a request.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub(crate) struct Unasked {
    /// How long after the last reply they came, in seconds.
    pub after_s: f64,
    /// The bytes, escaped and shortened.
    pub shown: String,
    /// The bytes.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl Unasked {
    /// It as a phrase.
    pub(crate) fn phrase(&self) -> String {
        format!(
            "sends \"{}\" {:.1} s after a reply, without a request: [[talk.push]] declares such messages",
            self.shown, self.after_s
        )
    }

    /// The message as a string of TOML, if it is one message of the talk's replies and text.
    pub(crate) fn one_message(&self, talk: &Talk) -> Option<String> {
        let len = talk.reply.decoder().next(&self.bytes).ok().flatten()?;
        let text = std::str::from_utf8(&self.bytes).ok()?;
        (len == self.bytes.len()).then(|| toml_string(text))
    }
}

/// How long the server leaves an idle connection open, within this time. What it sends meanwhile goes into `unasked`; not what it
/// says before it closes.
pub(super) async fn closed_after(
    session: &mut Session,
    talk: &Talk,
    limit: Duration,
    unasked: &mut Option<Unasked>,
) -> Option<Duration> {
    let begun = Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let (heard, end) = session.hear(left, QUIET, BYTES_MAX).await;
        let elapsed = begun.elapsed();
        if end != ConnectionEnd::StillOpen {
            return Some(elapsed);
        }
        if heard.is_empty() {
            return None;
        }
        let after = elapsed.saturating_sub(QUIET);
        let undeclared = undeclared(talk, heard);
        if after > SURPLUS && !undeclared.is_empty() {
            unasked.get_or_insert_with(|| Unasked {
                after_s: after.as_secs_f64(),
                shown: escape(&undeclared, CHARS_MAX),
                bytes: undeclared,
            });
        }
    }
}

/// What is not a message that the talk declares.
fn undeclared(talk: &Talk, mut heard: Vec<u8>) -> Vec<u8> {
    let mut pushes = PushReader::new(talk);
    while let Ok((_, len)) = pushes.next(talk, &heard) {
        heard.drain(..len);
        pushes.reset();
    }
    heard
}
