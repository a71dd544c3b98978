//! Cut points inside delimiters and length fields.

use memchr::memmem;

use super::{Frame, LenFrame, websocket};

/// Maximum number of cut points per request.
const CUTS_MAX: usize = 64;

pub(super) fn cut_points(frame: &Frame, request: &[u8]) -> Vec<usize> {
    let mut cuts = match frame {
        Frame::Until(delimiters) => delimiters
            .all()
            .iter()
            .flat_map(|delimiter| inside_each(request, delimiter))
            .collect(),
        Frame::LastLine(_) | Frame::Lines(_) => inside_line_ends(request),
        Frame::Len(len) => inside_length(len, request),
        Frame::WebSocket => match websocket::header(request) {
            Ok(Some(header)) => (1..header.size).collect(),
            _ => Vec::new(),
        },
        Frame::Resp => inside_resp(request),
        Frame::Http1 | Frame::Header(_) => inside_head_end(request),
        Frame::Several(several) => cut_points(&several.each, request),
        Frame::Fixed(_) | Frame::Eof | Frame::None => Vec::new(),
    };
    cuts.retain(|cut| (1..request.len()).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.truncate(CUTS_MAX);
    cuts
}

fn inside_each(request: &[u8], delimiter: &[u8]) -> Vec<usize> {
    memmem::find_iter(request, delimiter)
        .flat_map(|at| match delimiter.len() {
            1 => at..at + 1,
            len => at + 1..at + len,
        })
        .collect()
}

/// Inside the length, or after it if it is a single byte; and before the bytes that end the message.
fn inside_length(len: &LenFrame, request: &[u8]) -> Vec<usize> {
    let Ok(Some(header)) = len.header(request) else {
        return Vec::new();
    };
    let (start, end) = (header.field.start, header.field.end);
    let mut cuts: Vec<usize> = match end - start {
        1 => vec![end],
        _ => (start + 1..end).collect(),
    };
    if !len.after.is_empty() {
        cuts.push(request.len() - len.after.len().min(request.len()));
    }
    cuts
}

/// Between `\r` and `\n`, or before a single `\n`.
fn inside_line_ends(request: &[u8]) -> Vec<usize> {
    memchr::memchr_iter(b'\n', request).collect()
}

/// Inside line ends, and inside the numbers of lines that announce a length.
fn inside_resp(request: &[u8]) -> Vec<usize> {
    let mut cuts = inside_line_ends(request);
    let mut start = 0;
    for line in request.split_inclusive(|byte| *byte == b'\n') {
        if line.first().is_some_and(|kind| b"*$".contains(kind)) {
            cuts.extend(start + 1..start + line.len().saturating_sub(1).min(8));
        }
        start += line.len();
    }
    cuts
}

/// Inside the empty line that ends the head, and inside the line end of the request line.
fn inside_head_end(request: &[u8]) -> Vec<usize> {
    let first = memmem::find(request, b"\r\n").map(|at| at + 1);
    let end = memmem::find(request, b"\r\n\r\n").map(|at| at + 1..at + 4);
    first.into_iter().chain(end.into_iter().flatten()).collect()
}
