//! Complexity: the work of the server grows much faster than its input.
//!
//! Measures CPU time, never wall time, at five sizes of the same input, each twice the previous one. Each of the last
//! two doublings must multiply the CPU time by at least 2^1.6, and the second largest size must take at least 20 ms.

use std::time::{Duration, Instant};

use super::claim::Rigour;
use crate::fuzz::case::{Case, Data, DataPart, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::material::announced;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::talk::Frame;

/// Minimum growth exponent of a finding: 1 is linear, 2 is quadratic.
const EXPONENT: f64 = 1.6;
/// Minimum CPU time at the second largest size.
const COSTLY: Duration = Duration::from_millis(20);
/// CPU time at which a case is large enough to measure and need not grow further.
const ENOUGH: Duration = Duration::from_millis(400);
/// Factor on [`COSTLY`] for a quick look, so that what passes it will also be confirmed.
const MARGIN: f64 = 1.5;
/// Added to [`EXPONENT`] for a quick look, for the same reason.
const EXPONENT_MARGIN: f64 = 0.1;
/// A doubling of the input that multiplies CPU time by less than this is close to linear. The quick look stops there:
/// on a slow server every long case looks costly at first.
const STEEP: f64 = 2.2;
/// Minimum CPU time that can be told apart from the cost of a connection.
const MEASURABLE: Duration = Duration::from_millis(10);
/// The measured sizes, in sixteenths of the case.
const SIXTEENTHS: [usize; 5] = [1, 2, 4, 8, 16];
/// Maximum time the server may keep computing after it has closed the connection.
const COMPUTING: Duration = Duration::from_secs(10);
/// Bytes at the end of a message that are kept when it is scaled.
const TAIL_BYTES: usize = 16;

/// Minimum bytes of the largest part of a case, so that it can be divided by 16.
const SCALABLE_BYTES_MIN: usize = 1024;

/// Whether the case has a part that is long enough to be scaled.
pub(crate) fn is_scalable(case: &Case) -> bool {
    largest(case).is_some_and(|(_, _, len)| len >= SCALABLE_BYTES_MIN)
}

/// The case, doubled while each doubling costs much more CPU time, up to [`ENOUGH`]. Super-linear growth is easiest to
/// measure at such a size, far above the noise.
pub(crate) fn grown(epoch: &mut Epoch<'_>, case: &Case, bytes_max: usize) -> Case {
    let frame = epoch.target.talk().request.clone();
    let mut best = case.clone();
    if is_steep(epoch, case) != Some(true) {
        return best;
    }
    let mut cost = least(epoch, case, 1).unwrap_or_default();
    while cost < ENOUGH && best.bytes() * 2 <= bytes_max {
        let larger = scaled(&best, 32, &frame);
        match least(epoch, &larger, 1) {
            Some(more) if more >= cost.mul_f64(STEEP) => (best, cost) = (larger, more),
            _ => break,
        }
    }
    best
}

/// Measures the case at five sizes.
pub(crate) fn test(epoch: &mut Epoch<'_>, case: &Case, rigour: Rigour) -> Option<Symptom> {
    if !is_scalable(case) {
        return None;
    }
    let repetitions = match rigour {
        Rigour::Full => 5,
        Rigour::Quick if !is_steep(epoch, case)? => return None,
        Rigour::Quick => 2,
    };
    let mut costs = Vec::new();
    for sixteenths in SIXTEENTHS {
        let smaller = scaled(case, sixteenths, &epoch.target.talk().request);
        costs.push((smaller.bytes(), least(epoch, &smaller, repetitions)?));
    }
    let exponent = |one: usize| {
        let (before, after): ((usize, Duration), (usize, Duration)) = (costs[one], costs[one + 1]);
        let work = after.1.as_secs_f64() / before.1.as_secs_f64().max(1e-6);
        let size = after.0 as f64 / before.0 as f64;
        work.ln() / size.ln().max(0.1)
    };
    let exponents = [exponent(2), exponent(3)];
    let top = costs[3].1;
    let (costly, least_exponent) = match rigour {
        Rigour::Full => (COSTLY, EXPONENT),
        Rigour::Quick => (COSTLY.mul_f64(MARGIN), EXPONENT + EXPONENT_MARGIN),
    };
    if top < costly || exponents.iter().any(|exponent| *exponent < least_exponent) {
        return None;
    }
    let (bytes, cost) = costs[4];
    let title = format!(
        "{bytes} bytes cost {:.0} ms of CPU time, half as many {:.0} ms: the work grows with the size to the power of {:.1}",
        cost.as_secs_f64() * 1e3,
        top.as_secs_f64() * 1e3,
        exponents[1]
    );
    let measured: Vec<String> = costs
        .iter()
        .map(|(bytes, cost)| format!("{bytes} bytes: {:.1} ms", cost.as_secs_f64() * 1e3))
        .collect();
    Some(
        Symptom::new(FindingKind::Complexity, "cpu", title)
            .with("cpu", measured)
            .with("exponent", exponents[1]),
    )
}

/// Whether doubling the input costs much more than twice the CPU time, at the first measurable size. One run per
/// size dismisses most cases quickly.
fn is_steep(epoch: &mut Epoch<'_>, case: &Case) -> Option<bool> {
    let frame = epoch.target.talk().request.clone();
    let mut cost = least(epoch, &scaled(case, 1, &frame), 1)?;
    for sixteenths in [2, 4, 8, 16] {
        let twice = least(epoch, &scaled(case, sixteenths, &frame), 1)?;
        if cost >= MEASURABLE {
            return Some(twice >= cost.mul_f64(STEEP));
        }
        cost = twice;
    }
    Some(true)
}

/// The minimum CPU time of several runs.
fn least(epoch: &mut Epoch<'_>, case: &Case, repetitions: u32) -> Option<Duration> {
    let mut least = Duration::MAX;
    for _ in 0..repetitions {
        let before = epoch.vitals().cpu;
        let ran = epoch.run(case).ok()?;
        if ran.vital.ended.is_some() {
            return None;
        }
        wait_until_idle(epoch);
        least = least.min(epoch.vitals().cpu.saturating_sub(before));
    }
    Some(least)
}

/// Waits until the server is idle: it may keep computing after it has closed the connection.
fn wait_until_idle(epoch: &Epoch<'_>) {
    let mut idle = 0;
    let deadline = Instant::now() + COMPUTING;
    while idle < 2 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
        idle = if epoch.server().is_computing() {
            0
        } else {
            idle + 1
        };
    }
}

/// The largest part of all sends: its step, its index and its length.
fn largest(case: &Case) -> Option<(usize, usize, usize)> {
    let steps = case.steps.iter().enumerate();
    let parts = steps.flat_map(|(at, step)| match step {
        Step::Send(send) => send
            .data
            .parts()
            .iter()
            .enumerate()
            .map(|(part, data)| (at, part, data.len()))
            .collect(),
        _ => Vec::new(),
    });
    parts.max_by_key(|(_, _, len)| *len)
}

/// The case with its largest part scaled to so many sixteenths. The end of the part is kept, and a correct length
/// header is corrected.
fn scaled(case: &Case, sixteenths: usize, frame: &Frame) -> Case {
    let mut scaled = case.clone();
    let Some((at, part, len)) = largest(case) else {
        return scaled;
    };
    let Step::Send(send) = &mut scaled.steps[at] else {
        return scaled;
    };
    let whole = send.data.to_bytes();
    let shrink = |data: &DataPart| match data {
        DataPart::Repeat { unit, count } => vec![DataPart::Repeat {
            unit: unit.clone(),
            count: (*count as usize * sixteenths / 16).max(1) as u32,
        }],
        // Bytes grow by repetition.
        DataPart::Bytes(bytes) if sixteenths > 16 => vec![
            DataPart::Repeat {
                unit: bytes[..len - TAIL_BYTES.min(len)].to_vec(),
                count: (sixteenths / 16) as u32,
            },
            DataPart::Bytes(bytes[len - TAIL_BYTES.min(len)..].to_vec()),
        ],
        DataPart::Bytes(bytes) => {
            let tail = len - TAIL_BYTES.min(len);
            vec![
                DataPart::Bytes(bytes[..tail * sixteenths / 16].to_vec()),
                DataPart::Bytes(bytes[tail..].to_vec()),
            ]
        }
    };
    let parts = send.data.parts().iter().enumerate();
    send.data = parts
        .flat_map(|(number, data)| match number == part {
            true => shrink(data),
            false => vec![data.clone()],
        })
        .collect();
    send.cuts.clear();
    if frame.adds_to_body()
        && matches!(frame.decoder().next(&whole), Ok(Some(length)) if length == whole.len())
    {
        let mut bytes = send.data.to_bytes();
        announced::repair(frame, &whole, &mut bytes);
        send.data = Data::from(bytes);
    }
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::case::SendStep;

    #[test]
    fn a_sixteenth_keeps_its_end() {
        let mut data = Data::from(&b"say "[..]);
        data.push(DataPart::Repeat {
            unit: b"a b ".to_vec(),
            count: 1600,
        });
        data.push(DataPart::Bytes(b"\n".to_vec()));
        let case = Case::sending(data);
        let frame = Frame::until(b"\n");
        assert_eq!(scaled(&case, 16, &frame), case);
        assert_eq!(scaled(&case, 1, &frame).bytes(), 4 + 400 + 1);
        let plain = Case::sending(vec![b'x'; 16_000]);
        assert_eq!(scaled(&plain, 8, &frame).bytes(), (16_000 - 16) / 2 + 16);
    }

    #[test]
    fn true_lengths_stay_true() {
        let talk = crate::file::builtin("frame").unwrap().talk;
        let whole = talk.request.wrap(&vec![b'x'; 4096]);
        let case = Case::new(vec![Step::Send(SendStep::whole(whole))]);
        let smaller = scaled(&case, 4, &talk.request)
            .sends()
            .next()
            .unwrap()
            .data
            .to_bytes();
        assert_eq!(
            u32::from_be_bytes(smaller[..4].try_into().unwrap()) as usize,
            smaller.len() - 4
        );
        assert!(smaller.len() < 1200);
    }
}
