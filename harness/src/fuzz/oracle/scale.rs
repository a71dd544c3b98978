//! A case of which one part can be given any size, while everything else stays as it is.

use std::ops::Range;

use crate::fuzz::Case;
use crate::fuzz::case::{Data, DataPart, Step};
use crate::fuzz::material::announced::{self, Announced};
use crate::talk::Frame;

/// Minimum bytes of the part that grows.
const BYTES_MIN: usize = 1024;
/// Maximum bytes before the growing part in which lengths are looked for.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes at the end of a part that stay: they often end a message.
const TAIL_BYTES: usize = 16;

/// A case and the part of it that grows: the largest one.
#[derive(Clone, Debug)]
pub(super) struct Scale<'a> {
    case: &'a Case,
    frame: &'a Frame,
    step: usize,
    part: usize,
    /// The size of the growing part in this case.
    pub(super) bytes: usize,
    /// Lengths in decimal digits that count the growing part.
    lengths: Vec<Announced>,
}

impl<'a> Scale<'a> {
    /// `None` if no part is large enough. `frame` is the frame of requests.
    pub(super) fn of(case: &'a Case, frame: &'a Frame) -> Option<Self> {
        let steps = case.steps.iter().enumerate();
        let parts = steps.flat_map(|(step, of)| {
            let parts = match of {
                Step::Send(send) => send.data.parts(),
                _ => &[],
            };
            let parts = parts.iter().enumerate();
            parts.map(move |(part, data)| (step, part, growing(data)))
        });
        let (step, part, bytes) = parts.max_by_key(|(_, _, bytes)| *bytes)?;
        (bytes >= BYTES_MIN).then(|| Self {
            lengths: lengths(case, frame, step, part),
            case,
            frame,
            step,
            part,
            bytes,
        })
    }

    /// The case with a growing part of at most `bytes`, and its exact size. Correct lengths of it are corrected.
    pub(super) fn sized(&self, bytes: usize) -> (Case, usize) {
        let mut sized = self.case.clone();
        let Some(Step::Send(send)) = sized.steps.get_mut(self.step) else {
            return (sized, 0);
        };
        let mut exact = 0;
        let whole = send.data.clone();
        let parts = whole.parts().iter().enumerate();
        send.data = parts
            .flat_map(|(number, data)| match number == self.part {
                true => {
                    let parts = of_size(data, bytes);
                    exact = parts.iter().map(DataPart::len).sum::<usize>() - kept(data);
                    parts
                }
                false => vec![data.clone()],
            })
            .collect();
        send.cuts.clear();
        if self.frame.adds_to_body() {
            let before = whole.to_bytes();
            let length = self.frame.decoder().next(&before);
            if matches!(length, Ok(Some(length)) if length == before.len()) {
                let mut bytes = send.data.to_bytes();
                announced::repair(self.frame, &before, &mut bytes);
                send.data = folded_again(&bytes, &send.data);
            }
        } else {
            let grown = exact as i64 - self.bytes as i64;
            // From the last one to the first, so that positions stay right.
            for length in self.lengths.iter().rev() {
                let counted = (length.body.len() as i64 + grown).max(0).to_string();
                send.data = with(&send.data, &length.at, counted.as_bytes());
            }
        }
        (sized, exact)
    }

    /// Bytes of the case that do not grow.
    pub(super) fn rest(&self) -> usize {
        self.case.bytes() - self.bytes
    }
}

/// The lengths before a part of a step that count this part.
fn lengths(case: &Case, frame: &Frame, step: usize, part: usize) -> Vec<Announced> {
    let Some(Step::Send(send)) = case.steps.get(step) else {
        return Vec::new();
    };
    let parts = send.data.parts();
    let head: usize = parts[..part].iter().map(DataPart::len).sum();
    if frame.adds_to_body() || head > HEAD_BYTES_MAX {
        return Vec::new();
    }
    let end = head + parts[part].len();
    let mut lengths = announced::announced_by(frame, &send.data.to_bytes(), head);
    lengths.retain(|one| one.body.end >= end);
    lengths
}

/// Data with a range of a plain part replaced.
fn with(data: &Data, at: &Range<usize>, new: &[u8]) -> Data {
    let mut begin = 0;
    let parts = data.parts().iter().map(|part| {
        let from = begin;
        begin += part.len();
        match part {
            DataPart::Bytes(bytes) if from <= at.start && at.end <= begin => {
                let (before, after) = (&bytes[..at.start - from], &bytes[at.end - from..]);
                DataPart::Bytes([before, new, after].concat())
            }
            other => other.clone(),
        }
    });
    parts.collect()
}

/// The bytes with the header of a message corrected; the large part stays a repetition where it was one.
fn folded_again(bytes: &[u8], data: &Data) -> Data {
    let mut parts = Vec::new();
    let mut at = bytes.len();
    // Only the beginning has changed, so the parts are taken from the end.
    for part in data.parts().iter().rev() {
        let from = at.saturating_sub(part.len());
        let mut written = Vec::with_capacity(part.len());
        part.write(&mut written);
        let same = part.len() <= at && written == bytes[from..at];
        parts.push(match same {
            true => part.clone(),
            false => DataPart::Bytes(bytes[from..at].to_vec()),
        });
        at = from;
    }
    if at > 0 {
        parts.push(DataPart::Bytes(bytes[..at].to_vec()));
    }
    parts.into_iter().rev().collect()
}

/// Bytes of a part that grow.
fn growing(data: &DataPart) -> usize {
    data.len() - kept(data)
}

/// Bytes of a part that stay.
fn kept(data: &DataPart) -> usize {
    match data {
        DataPart::Repeat { .. } => 0,
        DataPart::Bytes(bytes) => TAIL_BYTES.min(bytes.len()),
    }
}

/// The part with a growing piece of `bytes`, or of the next smaller possible size.
fn of_size(data: &DataPart, bytes: usize) -> Vec<DataPart> {
    let times = |unit: &[u8]| DataPart::Repeat {
        unit: unit.to_vec(),
        count: u32::try_from(bytes / unit.len().max(1)).unwrap_or(u32::MAX),
    };
    match data {
        DataPart::Repeat { unit, .. } => vec![times(unit)],
        DataPart::Bytes(all) => {
            let (head, tail) = all.split_at(all.len() - kept(data));
            let mut parts = Vec::new();
            // Bytes grow by repetition.
            if bytes >= head.len() && !head.is_empty() {
                parts.push(times(head));
            }
            let rest = bytes % head.len().max(1);
            parts.push(DataPart::Bytes([&head[..rest], tail].concat()));
            parts
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::case::SendStep;

    #[test]
    fn only_the_largest_part_grows() {
        let mut data = Data::from(&b"say "[..]);
        data.push(DataPart::Repeat {
            unit: b"a b ".to_vec(),
            count: 1600,
        });
        data.push(DataPart::Bytes(b"\n".to_vec()));
        let case = Case::sending(data);
        let frame = Frame::until(b"\n");
        let scale = Scale::of(&case, &frame).unwrap();
        assert_eq!((scale.bytes, scale.rest()), (6400, 5));
        assert_eq!(scale.sized(6400), (case.clone(), 6400));
        let (smaller, exact) = scale.sized(403);
        assert_eq!((smaller.bytes(), exact), (4 + 400 + 1, 400));
        assert!(Scale::of(&Case::sending(vec![b'x'; 1000]), &frame).is_none());
    }

    #[test]
    fn plain_bytes_shrink_and_grow_and_keep_their_end() {
        let bytes: Vec<u8> = (0..4096_u32).map(|number| number as u8).collect();
        let case = Case::sending(bytes.clone());
        let frame = Frame::until(b"\n");
        let scale = Scale::of(&case, &frame).unwrap();
        assert_eq!(scale.bytes, 4080);
        for size in [0, 100, 2040, 4080, 8160, 9000] {
            let (sized, exact) = scale.sized(size);
            let sent = sized.sends().next().unwrap().data.to_bytes();
            assert_eq!((exact, sent.len()), (size, size + TAIL_BYTES));
            assert!(sent.ends_with(&bytes[4080..]));
        }
    }

    #[test]
    fn true_lengths_stay_true() {
        let talk = crate::file::builtin("frame").unwrap().talk;
        let whole = talk.request.wrap(&vec![b'x'; 4096]);
        let case = Case::new(vec![Step::Send(SendStep::whole(whole))]);
        let scale = Scale::of(&case, &talk.request).unwrap();
        for size in [1024, 1 << 20] {
            let (sized, exact) = scale.sized(size);
            let sent = sized.sends().next().unwrap();
            let bytes = sent.data.to_bytes();
            let announced = u32::from_be_bytes(bytes[..4].try_into().unwrap());
            assert_eq!(announced as usize, bytes.len() - 4);
            assert_eq!((exact, bytes.len()), (size, size + scale.rest()));
        }
    }
    #[test]
    fn lengths_in_the_text_before_it_count_what_grows() {
        let head = "POST / HTTP/1.1\r\nAge: 4098\r\nContent-Length: 4098\r\n\r\na=";
        let mut data = Data::from(head.as_bytes());
        data.push(DataPart::Repeat {
            unit: b"%4".to_vec(),
            count: 2048,
        });
        let case = Case::sending(data);
        let scale = Scale::of(&case, &Frame::Http1).unwrap();
        for (size, announced) in [(1, 2), (1024, 1026), (8192, 8194), (100_000, 100_002)] {
            let (sized, _) = scale.sized(size);
            let sent = sized.sends().next().unwrap().data.to_bytes();
            let sent = String::from_utf8(sent).unwrap();
            let (head, body) = sent.split_once("\r\n\r\n").unwrap();
            assert_eq!(body.len(), announced);
            let length = format!("Age: 4098\r\nContent-Length: {announced}");
            assert!(head.ends_with(&length), "{head}");
        }
        let redis = Case::new(vec![Step::Send(SendStep::whole(Data::from_iter([
            DataPart::Bytes(b"*1\r\n$2000\r\n".to_vec()),
            DataPart::Repeat {
                unit: b"a".to_vec(),
                count: 2000,
            },
            DataPart::Bytes(b"\r\n".to_vec()),
        ])))]);
        let (sized, _) = Scale::of(&redis, &Frame::Resp).unwrap().sized(500);
        let sent = sized.sends().next().unwrap().data.to_bytes();
        assert!(sent.starts_with(b"*1\r\n$500\r\naaa"));
        // A length that was wrong before stays as it is.
        let wrong = Data::from_iter([
            DataPart::Bytes(b"POST / HTTP/1.1\r\nContent-Length: 7\r\n\r\n".to_vec()),
            DataPart::Repeat {
                unit: b"a".to_vec(),
                count: 2000,
            },
        ]);
        let wrong = Case::sending(wrong);
        let (sized, _) = Scale::of(&wrong, &Frame::Http1).unwrap().sized(4000);
        let sent = sized.sends().next().unwrap().data.to_bytes();
        assert!(sent.starts_with(b"POST / HTTP/1.1\r\nContent-Length: 7\r\n"));
    }
}
