//! What the tutorial's protocol prints about a request.

use std::io::Write;
use std::net::SocketAddr;

use crate::Config;
use crate::escape::Escaped;
use crate::service::Note;

/// What a print shows of the text.
const PRINTED_BYTES_MAX: usize = 1_024;

/// Prints a request, if there is anywhere to print to.
pub(super) fn note(config: &Config, peer: SocketAddr, note: &Note) {
    let Some(mut print) = config.print.clone() else {
        return;
    };
    let text = Escaped::new(note.text.as_bytes(), PRINTED_BYTES_MAX);
    let lines = format!("peer: {peer}\nlength: {}\ntext: {text}\n", note.length);
    // A print that finds no room is dropped: the client comes first.
    let _ = print.write_all(lines.as_bytes());
}
