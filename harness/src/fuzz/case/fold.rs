//! Runs of equal bytes written as repetitions, so that a person reads them as one and the minimizer shortens them as
//! one. The bytes stay the same.

use super::{Data, DataPart};

/// Minimum units of a repetition.
const COUNT_MIN: usize = 16;

/// Maximum bytes of a unit.
const UNIT_BYTES_MAX: usize = 8;

/// Maximum bytes of a short repetition that is written out.
const WRITTEN_OUT_MAX: usize = 1024;

/// The same bytes with long repetitions as such and short ones written out.
pub(in crate::fuzz) fn folded(data: &Data) -> Data {
    let unfolded: Data = data.parts().iter().map(unfold).collect();
    let mut out = Vec::new();
    for part in unfolded.parts() {
        match part {
            DataPart::Bytes(bytes) => find(bytes, &mut out),
            repeat => out.push(repeat.clone()),
        }
    }
    join(out).into_iter().collect()
}

fn unfold(part: &DataPart) -> DataPart {
    match part {
        DataPart::Repeat { unit, count }
            if (*count as usize) < COUNT_MIN && part.len() <= WRITTEN_OUT_MAX =>
        {
            DataPart::Bytes(unit.repeat(*count as usize))
        }
        other => other.clone(),
    }
}

/// Splits bytes at the runs in them.
fn find(bytes: &[u8], out: &mut Vec<DataPart>) {
    let (mut begin, mut at) = (0, 0);
    while at < bytes.len() {
        let Some((start, unit, count)) = run_at(bytes, at) else {
            at += 1;
            continue;
        };
        out.push(DataPart::Bytes(bytes[begin..start].to_vec()));
        at = start + unit * count;
        out.push(DataPart::Repeat {
            unit: bytes[start..start + unit].to_vec(),
            count: u32::try_from(count).unwrap_or(u32::MAX),
        });
        begin = at;
    }
    out.push(DataPart::Bytes(bytes[begin..].to_vec()));
}

/// The run that begins at `at`: its start, the length of its unit, and its count. The shortest unit wins: a longer
/// one would be a multiple of it.
fn run_at(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let mut units = (1..=UNIT_BYTES_MAX).map(|unit| (unit, count(&bytes[at..], unit)));
    let (unit, count_here) = units.find(|(_, count)| *count >= COUNT_MIN)?;
    // A unit with a line end is easier to read if it ends with it.
    let line_end = bytes[at..at + unit].iter().rposition(|byte| *byte == b'\n');
    let shift = line_end.map_or(0, |end| (end + 1) % unit);
    let shifted = count(&bytes[at + shift..], unit);
    match shifted >= COUNT_MIN {
        true => Some((at + shift, unit, shifted)),
        false => Some((at, unit, count_here)),
    }
}

/// How often the first `unit` bytes occur in a row.
fn count(bytes: &[u8], unit: usize) -> usize {
    let Some(first) = bytes.get(..unit) else {
        return 0;
    };
    bytes
        .chunks_exact(unit)
        .take_while(|chunk| *chunk == first)
        .count()
}

/// Merges adjacent repetitions of the same unit and absorbs equal bytes beside them.
fn join(parts: Vec<DataPart>) -> Vec<DataPart> {
    let mut out: Vec<DataPart> = Vec::new();
    for part in parts {
        match (out.last_mut(), part) {
            (Some(DataPart::Repeat { unit, count }), DataPart::Bytes(bytes)) => {
                let more = bytes.chunks_exact(unit.len());
                let more = more.take_while(|chunk| chunk == unit).count();
                *count = count.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
                let rest = bytes[more * unit.len()..].to_vec();
                if !rest.is_empty() {
                    out.push(DataPart::Bytes(rest));
                }
            }
            (
                Some(DataPart::Repeat { unit, count }),
                DataPart::Repeat {
                    unit: same,
                    count: more,
                },
            ) if *unit == same => {
                *count = count.saturating_add(more);
            }
            (Some(DataPart::Bytes(bytes)), DataPart::Repeat { unit, mut count }) => {
                while bytes.ends_with(&unit) {
                    bytes.truncate(bytes.len() - unit.len());
                    count = count.saturating_add(1);
                }
                out.push(DataPart::Repeat { unit, count });
            }
            (_, part) => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(unit: &[u8], count: u32) -> DataPart {
        DataPart::Repeat {
            unit: unit.to_vec(),
            count,
        }
    }

    #[test]
    fn runs_are_found_and_the_bytes_stay() {
        let plain = |text: &[u8]| DataPart::Bytes(text.to_vec());
        let text = [
            b"GET ".as_slice(),
            &[b'A'; 300],
            b"\r\n",
            &b"*1\r\n".repeat(20),
            b"x",
        ]
        .concat();
        let data = Data::from(text.clone());
        let folded_once = folded(&data);
        let parts = [
            plain(b"GET "),
            repeat(b"A", 300),
            plain(b"\r\n"),
            repeat(b"*1\r\n", 20),
            plain(b"x"),
        ];
        assert_eq!(folded_once.parts(), parts);
        assert_eq!(folded_once.to_bytes(), text);
        assert_eq!(folded(&folded_once), folded_once);
    }

    #[test]
    fn neighbours_are_joined_and_short_ones_written_out() {
        let data = Data::from_iter([
            DataPart::Bytes(b"xabab".to_vec()),
            repeat(b"ab", 30),
            repeat(b"ab", 20),
            DataPart::Bytes(b"abc".to_vec()),
            repeat(b"d", 3),
        ]);
        let folded = folded(&data);
        let parts = [
            DataPart::Bytes(b"x".to_vec()),
            repeat(b"ab", 53),
            DataPart::Bytes(b"cddd".to_vec()),
        ];
        assert_eq!(folded.parts(), parts);
        assert_eq!(folded.to_bytes(), data.to_bytes());
    }
}
