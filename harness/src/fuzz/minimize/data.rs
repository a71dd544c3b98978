//! Replaces parts of data, with repetitions kept as such.

use std::ops::Range;

use crate::fuzz::material::announced;
use crate::fuzz::{Data, DataPart};
use crate::talk::Frame;

/// Corrects each length in `new` that was correct in `old`. Lengths inside repetitions are not changed.
pub(super) fn repaired(frame: &Frame, old: &Data, new: Data) -> Data {
    let fixes = announced::fixes(frame, &old.to_bytes(), &new.to_bytes());
    let mut new = new;
    for (at, written) in fixes {
        new = spliced(&new, &at, &written).unwrap_or(new);
    }
    new
}

/// Replaces a range of bytes that lies within one plain part.
fn spliced(data: &Data, at: &Range<usize>, written: &[u8]) -> Option<Data> {
    let mut begin = 0;
    let mut parts = data.parts().to_vec();
    for part in &mut parts {
        let end = begin + part.len();
        if begin <= at.start && at.end <= end {
            let DataPart::Bytes(bytes) = part else {
                return None;
            };
            bytes.splice(at.start - begin..at.end - begin, written.iter().copied());
            return Some(parts.into_iter().collect());
        }
        begin = end;
    }
    None
}

/// The cuts of `old` at the corresponding offsets of `new`, which differs in one range.
pub(super) fn moved_cuts(old: &Data, new: &Data, cuts: &[u32]) -> Vec<u32> {
    let (old, new) = (old.to_bytes(), new.to_bytes());
    let same = |(a, b): &(&u8, &u8)| a == b;
    let room = old.len().min(new.len());
    let tail = old.iter().rev().zip(new.iter().rev());
    let tail = tail.take_while(same).count();
    let head = old.iter().zip(&new).take(room - tail);
    let head = head.take_while(same).count();
    let moved = |cut: usize| match cut {
        cut if cut <= head => cut,
        cut if cut >= old.len() - tail => cut + new.len() - old.len(),
        _ => head,
    };
    let moved = cuts.iter().map(|cut| moved(*cut as usize));
    moved.filter_map(|cut| u32::try_from(cut).ok()).collect()
}

/// Replaces one part; an empty part is dropped.
pub(super) fn with_part(data: &Data, at: usize, part: DataPart) -> Data {
    let mut parts = data.parts().to_vec();
    if let Some(place) = parts.get_mut(at) {
        *place = part;
    }
    parts.into_iter().collect()
}

/// The bytes of a part that can be changed: plain bytes, or the unit of a repetition.
pub(super) fn changeable(part: &DataPart) -> &[u8] {
    match part {
        DataPart::Bytes(bytes) => bytes,
        DataPart::Repeat { unit, .. } => unit,
    }
}

/// The same part with other bytes.
pub(super) fn changed(part: &DataPart, bytes: Vec<u8>) -> DataPart {
    match part {
        DataPart::Bytes(_) => DataPart::Bytes(bytes),
        DataPart::Repeat { count, .. } => DataPart::Repeat {
            unit: bytes,
            count: *count,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_repetitions() {
        let of = |digits: &str, count| {
            Data::from_iter([
                DataPart::Bytes(format!("*1\r\n${digits}\r\n").into_bytes()),
                DataPart::Repeat {
                    unit: b"ab".to_vec(),
                    count,
                },
                DataPart::Bytes(b"\r\n".to_vec()),
            ])
        };
        let old = of("1000", 500);
        assert_eq!(repaired(&Frame::Resp, &old, of("1000", 2)), of("4", 2));
        assert_eq!(
            repaired(&Frame::Resp, &of("999", 500), of("999", 2)),
            of("999", 2)
        );
    }

    #[test]
    fn cuts_stay_where_they_were() {
        let (old, new) = (b"abcdef\xc3\xa9\n"[..].into(), b"a\xc3\xa9\n"[..].into());
        assert_eq!(moved_cuts(&old, &new, &[1, 3, 7]), [1, 1, 2]);
    }
}
