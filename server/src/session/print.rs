//! The output of the tutorial's protocol: one note per request.

use std::io::Write;

use crate::Config;
use crate::escape::Escaped;
use crate::peer::Peer;
use crate::service::Note;

/// Maximum bytes of a text that are printed.
const PRINTED_BYTES_MAX: usize = 1_024;

/// Prints the peer, length and text of a request, if [`Config::print`] is set.
pub(super) fn note(config: &Config, peer: &Peer, note: &Note) {
    let Some(mut print) = config.print.clone() else {
        return;
    };
    let text = Escaped::new(note.text.as_bytes(), PRINTED_BYTES_MAX);
    let lines = format!("peer: {peer}\nlength: {}\ntext: {text}\n", note.length);
    // Dropped if the queue is full.
    let _ = print.write_all(lines.as_bytes());
}
