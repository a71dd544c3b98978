//! What holds of every service whatever it is sent: the hook of the fuzz targets.

use super::{Flow, Protocol};

/// A limit small enough that a short input can pass it.
const MAX_MESSAGE: usize = 64;

/// Reads `data` as a protocol (first byte), cut points (a count, then one byte each) and a stream,
/// and asserts that the replies do not depend on how the stream is cut.
///
/// The tutorial's protocol has no frame: there a cut may end the request, so it must only answer at
/// most once and never panic.
///
/// # Panics
/// If the replies differ: that is the finding.
pub fn cuts_change_nothing(data: &[u8]) {
    let [selector, count, rest @ ..] = data else {
        return;
    };
    let protocol = Protocol::all()[usize::from(*selector) % Protocol::all().len()];
    let cuts = usize::from(*count) % 8;
    if rest.len() < cuts {
        return;
    }
    let (cuts, stream) = rest.split_at(cuts);
    let mut points: Vec<usize> = cuts
        .iter()
        .map(|cut| usize::from(*cut).min(stream.len()))
        .collect();
    points.sort_unstable();
    let whole = replies(protocol, &[stream]);
    let mut pieces = Vec::new();
    let mut start = 0;
    for point in points {
        pieces.push(&stream[start..point]);
        start = point;
    }
    pieces.push(&stream[start..]);
    let cut = replies(protocol, &pieces);
    if protocol != Protocol::Tutorial {
        assert_eq!(whole, cut, "{protocol}: the replies depend on the cuts");
    }
}

/// Everything that the service answers to these pieces.
fn replies(protocol: Protocol, pieces: &[&[u8]]) -> Vec<u8> {
    let mut service = protocol.service(MAX_MESSAGE);
    let mut out = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        if service.on_bytes(piece, &mut out) == Flow::Close {
            return out;
        }
    }
    service.on_eof(&mut out);
    out
}
