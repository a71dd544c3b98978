//! Formats a case for people.

use super::{Case, Data, DataPart, SendStep, Step};
use crate::text::escape;

/// Maximum bytes shown of one part; the case file contains all of them.
const SHOWN_BYTES: usize = 120;
/// Maximum cuts shown of one send.
const CUTS_SHOWN: usize = 8;
/// Minimum equal bytes in a row that are shown as a repetition.
const RUN_MIN: usize = 24;

/// One line per step, safe to print: `send "ECHO \xff" + "A" x 70000 + "\r\n", cut at 3`.
pub fn shown(case: &Case) -> Vec<String> {
    case.steps.iter().map(step).collect()
}

fn step(step: &Step) -> String {
    match step {
        Step::Send(send) => sent(send),
        Step::Receive => "receive a reply".into(),
        Step::Login(program) => format!("log in with program {program} of the opening"),
        Step::DelayMs(ms) => format!("wait {ms} ms"),
        Step::HalfClose => "half-close (FIN)".into(),
        Step::Reset => "reset (RST)".into(),
        Step::Close => "close".into(),
        Step::Connect => "connect once more".into(),
        Step::Switch(to) => format!("switch to connection {to}"),
        Step::Inject(inject) => format!("inject: {inject}"),
    }
}

fn sent(send: &SendStep) -> String {
    let parts: Vec<String> = readable(&send.data).iter().map(part).collect();
    let mut line = format!("send {}", parts.join(" + "));
    let every_byte = send.data.len() > 2 && send.cuts.len() + 1 == send.data.len();
    let shown = send.cuts.iter().take(CUTS_SHOWN);
    let shown: Vec<String> = shown.map(u32::to_string).collect();
    match send.cuts.len() {
        0 => {}
        _ if every_byte => line.push_str(", cut after every byte"),
        count if count > CUTS_SHOWN => {
            line.push_str(&format!(", cut at {} … ({count} cuts)", shown.join(", ")));
        }
        _ => line.push_str(&format!(", cut at {}", shown.join(", "))),
    }
    line
}

fn part(part: &DataPart) -> String {
    let quoted = |bytes: &[u8]| {
        let kept = &bytes[..bytes.len().min(SHOWN_BYTES)];
        // Escaping takes at most four characters per byte.
        let text = escape(kept, 4 * SHOWN_BYTES).replace('"', "\\\"");
        match bytes.len() - kept.len() {
            0 => format!("\"{text}\""),
            _ => format!("\"{text}\"… ({} bytes)", bytes.len()),
        }
    };
    match part {
        DataPart::Bytes(bytes) => quoted(bytes),
        DataPart::Repeat { unit, count } => format!("{} x {count}", quoted(unit)),
    }
}

/// The same bytes, with long runs of one byte as repetitions.
pub fn readable(data: &Data) -> Vec<DataPart> {
    let mut parts = Vec::new();
    for part in data.parts() {
        match part {
            DataPart::Bytes(bytes) => runs(bytes, &mut parts),
            DataPart::Repeat { .. } => parts.push(part.clone()),
        }
    }
    parts
}

fn runs(bytes: &[u8], parts: &mut Vec<DataPart>) {
    let mut plain = Vec::new();
    for run in bytes.chunk_by(|one, next| one == next) {
        if run.len() < RUN_MIN {
            plain.extend_from_slice(run);
            continue;
        }
        if !plain.is_empty() {
            parts.push(DataPart::Bytes(std::mem::take(&mut plain)));
        }
        parts.push(DataPart::Repeat {
            unit: run[..1].to_vec(),
            count: u32::try_from(run.len()).unwrap_or(u32::MAX),
        });
    }
    if !plain.is_empty() {
        parts.push(DataPart::Bytes(plain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_step() {
        let mut data = Data::from(&b"ECHO \xff\""[..]);
        data.push(DataPart::Repeat {
            unit: b"A".to_vec(),
            count: 70_000,
        });
        data.push(DataPart::Bytes(b"\r\n".to_vec()));
        let case = Case::new(vec![
            Step::Send(SendStep {
                data,
                cuts: vec![3],
            }),
            Step::Receive,
            Step::DelayMs(5),
            Step::Connect,
            Step::Switch(0),
            Step::Send(SendStep {
                data: b"abc"[..].into(),
                cuts: vec![1, 2],
            }),
            Step::Reset,
        ]);
        assert_eq!(
            shown(&case),
            [
                r#"send "ECHO \xff\"" + "A" x 70000 + "\r\n", cut at 3"#,
                "receive a reply",
                "wait 5 ms",
                "connect once more",
                "switch to connection 0",
                r#"send "abc", cut after every byte"#,
                "reset (RST)",
            ]
        );
    }

    #[test]
    fn long_bytes_are_cut_and_runs_are_counted() {
        let mut bytes = vec![b'x'; 30];
        bytes.extend((0..200).map(|number| b'a' + number % 20));
        let parts = readable(&bytes.clone().into());
        let data: Data = parts.iter().cloned().collect();
        assert_eq!((parts.len(), data.to_bytes()), (2, bytes.clone()));
        let line = &shown(&Case::sending(bytes))[0];
        assert!(line.starts_with(r#"send "x" x 30 + "abc"#), "{line}");
        assert!(line.ends_with("\"… (200 bytes)"), "{line}");
    }
}
