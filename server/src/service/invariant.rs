//! Properties of every service that hold for any input. The fuzz targets call this module.

use super::{Flow, Protocol};

/// Maximum request size in bytes, small enough that short inputs exceed it.
const MAX_MESSAGE: usize = 64;
/// Maximum memory for an unfinished request, in bytes. A growing vector may double its capacity.
const BUFFERED_MAX: usize = 2 * MAX_MESSAGE;

/// Parses `data` as a protocol (first byte), cut points (a count, then one byte each) and a stream,
/// and asserts that
/// - the replies do not depend on how the stream is cut,
/// - after every piece, memory stays within twice the maximum request size,
/// - a text protocol refuses invalid UTF-8, and nothing else.
///
/// The tutorial's protocol has no frame, so a cut may end its request. For it, the first property
/// reduces to not panicking.
///
/// # Panics
/// A property does not hold.
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
    only_texts_are_accepted(protocol, stream, &whole);
    if protocol != Protocol::Tutorial {
        assert_eq!(whole, cut, "{protocol}: the replies depend on the cuts");
    }
}

/// The replies of the service to these pieces.
fn replies(protocol: Protocol, pieces: &[&[u8]]) -> Vec<u8> {
    let mut service = protocol.service(MAX_MESSAGE);
    let mut out = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        let flow = service.on_bytes(piece, &mut out);
        let buffered = service.buffered();
        assert!(
            buffered <= BUFFERED_MAX,
            "{protocol}: {buffered} bytes are buffered for a request of at most {MAX_MESSAGE}"
        );
        if flow == Flow::Close {
            return out;
        }
    }
    service.on_eof(&mut out);
    out
}

/// Computes the expected refusals independently, from whole lines.
fn only_texts_are_accepted(protocol: Protocol, stream: &[u8], whole: &[u8]) {
    let is_text = std::str::from_utf8(stream).is_ok();
    match protocol {
        Protocol::Line => {
            let mut expected = Vec::new();
            for line in stream.split_inclusive(|byte| *byte == b'\n') {
                let Some(text) = line.strip_suffix(b"\n") else {
                    break;
                };
                let text = text.strip_suffix(b"\r").unwrap_or(text);
                if line.len() > MAX_MESSAGE {
                    break;
                }
                match std::str::from_utf8(text) {
                    Ok(text) => expected.extend_from_slice(text.as_bytes()),
                    Err(_) => expected.extend_from_slice(b"ERR not valid UTF-8"),
                }
                expected.push(b'\n');
            }
            let rest = whole.strip_prefix(&expected[..]);
            assert!(
                matches!(rest, Some(b"" | b"ERR line too long\n")),
                "{protocol}: {whole:?}, expected {expected:?}"
            );
        }
        Protocol::Tutorial if stream.len() <= MAX_MESSAGE && !is_text => {
            assert_eq!(whole, b"error: not valid UTF-8", "{protocol}: {stream:?}");
        }
        Protocol::Tutorial | Protocol::Echo | Protocol::Frame => {}
    }
}
