//! Flood: one message makes the server log many times what it was sent (CWE-779), so that little traffic fills a disk.
//!
//! What the server prints is counted after each case. One part of a case that makes it print much grows while everything
//! else stays: its sizes are an eighth, a quarter, a half and the whole. What is printed must grow with it, from size to size
//! and to at least 64 KiB for each message and each reply of the case: an access log has a line for each, and a stack trace
//! takes some KiB. And it must be at least eight times what was sent: servers that print what they receive, escaped or as
//! hexadecimal digits, print up to five times as much. Twice is enough if nearly all lines are the same apart from numbers: a
//! copy of the message would be one line, or lines that differ.

use std::time::{Duration, Instant};

use super::scale::Scale;
use crate::fuzz::case::{Case, Step};
use crate::fuzz::epoch::{CaseRun, Epoch};
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::process::Mark;
use crate::text::{escape, last_line};

/// Minimum bytes printed for each message and each reply.
const PRINTED_MIN: u64 = 64 << 10;
/// Minimum bytes printed for each byte sent.
const FACTOR: u64 = 8;
/// The same minimum for lines that are the same apart from numbers.
const FACTOR_OF_SAME: u64 = 2;
/// Minimum number of lines that are compared, and how many of a hundred must be the same.
const LINES_MIN: usize = 100;
/// Minimum bytes of such a line, which says something. Others may be copies of what was received.
const LINE_BYTES_MIN: usize = 20;
const SAME_OF_100: usize = 95;
/// Minimum factor between the bytes printed at two sizes, of which one is twice the other.
const GROWTH: f64 = 1.5;
/// The printing is over if nothing more comes in so many of these times while the server is at rest: on a busy machine what it
/// has printed is read late.
const QUIET: Duration = Duration::from_millis(20);
const QUIET_TIMES: u32 = 4;
/// Maximum wait for that.
const QUIET_WITHIN: Duration = Duration::from_secs(4);

/// Whether what was printed since is worth a test. What the cases before have caused may be among it.
pub(crate) fn is_hint(epoch: &Epoch<'_>, before: Mark, case: &Case) -> bool {
    is_much(
        printed_since(epoch, before),
        case.bytes(),
        FACTOR_OF_SAME,
        1,
    )
}

/// The bytes that the server has printed since.
fn printed_since(epoch: &Epoch<'_>, before: Mark) -> u64 {
    let now = epoch.server().printed();
    now.stdout.saturating_sub(before.stdout) + now.stderr.saturating_sub(before.stderr)
}

/// Whether so many bytes are too many for what was sent and for the number of messages.
fn is_much(printed: u64, sent: usize, factor: u64, messages: usize) -> bool {
    printed >= PRINTED_MIN * messages as u64 && printed >= factor * sent as u64
}

/// Whether nearly all lines are the same, apart from decimal numbers.
fn repeats_itself(text: &str) -> bool {
    let mask = |line: &str| {
        let words = line.split(|char: char| char.is_ascii_digit());
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        words.join("0")
    };
    // The first line may have lost its beginning.
    let lines: Vec<String> = text.lines().skip(1).map(mask).collect();
    let Some(usual) = lines.get(lines.len() / 2) else {
        return false;
    };
    let same = lines.iter().filter(|line| *line == usual).count();
    // Bytes that are no text are printed as characters that stand for them.
    let says = usual.is_ascii() && usual.len() >= LINE_BYTES_MIN;
    says && lines.len() >= LINES_MIN && same * 100 >= lines.len() * SAME_OF_100
}

/// What must be printed for each byte sent, after what was printed since.
fn factor(epoch: &Epoch<'_>, before: Mark) -> u64 {
    let output = epoch.server().output().since(before);
    match [&output.stdout_tail, &output.stderr_tail]
        .into_iter()
        .any(|text| repeats_itself(text))
    {
        true => FACTOR_OF_SAME,
        false => FACTOR,
    }
}

/// Measures what the server prints for the case at four sizes.
pub(crate) fn test(epoch: &mut Epoch<'_>, case: &Case) -> Option<Symptom> {
    let request = epoch.target.talk().request.clone();
    let scale = Scale::of(case, &request)?;
    let mut points = Vec::new();
    // The largest two first: they dismiss most cases.
    for part in [1, 2, 4, 8] {
        let (sized, bytes) = scale.sized(scale.bytes / part);
        let before = epoch.server().printed();
        let run = epoch.run(&sized).ok()?;
        let printed = quiet(epoch, before)?;
        let factor = factor(epoch, before);
        if part == 1
            && !is_much(
                printed,
                sized.bytes(),
                factor,
                messages(epoch, &sized, &run),
            )
        {
            return None;
        }
        if let Some((_, more)) = points.last()
            && (*more as f64) < printed as f64 * GROWTH
        {
            return None;
        }
        points.push((bytes, printed));
    }
    points.reverse();
    Some(symptom(epoch, case, &points))
}

/// Waits until the server prints nothing more. Returns what it has printed, `None` if it has ended or there is no time.
fn quiet(epoch: &mut Epoch<'_>, before: Mark) -> Option<u64> {
    let until = Instant::now() + QUIET_WITHIN;
    let mut printed = printed_since(epoch, before);
    let mut still = 0;
    loop {
        std::thread::sleep(epoch.target.deadline.left(QUIET));
        epoch.refresh();
        if epoch.has_ended() || epoch.target.deadline.is_over() {
            return None;
        }
        let now = printed_since(epoch, before);
        still = match now == printed && epoch.comes_to_rest() {
            true => still + 1,
            false => 0,
        };
        if still >= QUIET_TIMES || Instant::now() >= until {
            return Some(now);
        }
        printed = now;
    }
}

/// The messages that the case sends, or the replies to it, whichever are more; at least one.
fn messages(epoch: &Epoch<'_>, case: &Case, run: &CaseRun) -> usize {
    let frame = &epoch.target.talk().request;
    let sent: usize = case
        .steps
        .iter()
        .map(|step| match step {
            Step::Send(send) => frame.whole_messages(&send.data.to_bytes()).0,
            _ => 0,
        })
        .sum();
    let connections = run.observed.connections.iter();
    let replies: usize = connections
        .map(|received| epoch.target.reply().whole_messages(&received.bytes).0)
        .sum();
    sent.max(replies).max(1)
}

fn symptom(epoch: &Epoch<'_>, case: &Case, points: &[(usize, u64)]) -> Symptom {
    let (bytes, printed) = points.last().copied().unwrap_or_default();
    let title = format!(
        "{} bytes make the server print {printed}, and half as many {}",
        case.bytes(),
        points[points.len() - 2].1
    );
    let measured: Vec<String> = points
        .iter()
        .map(|(bytes, printed)| format!("{bytes} bytes: {printed} bytes printed"))
        .collect();
    let output = epoch.server().output();
    let line = last_line(&output.stderr_tail).or_else(|| last_line(&output.stdout_tail));
    let shown = line.map(|line| escape(line.as_bytes(), 200));
    Symptom::new(FindingKind::Flood, "prints", title)
        .with("printed", measured)
        .with("growing_bytes", bytes)
        .with("last_line", shown.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_message_and_an_escaped_copy_are_no_flood() {
        // A thousand requests of 40 bytes, each with a line of 100 bytes in an access log.
        assert!(!is_much(100_000, 40_000, FACTOR_OF_SAME, 1000));
        // A dump with 79 characters for 16 bytes.
        assert!(!is_much(64_000 * 79 / 16, 64_000, FACTOR, 1));
        assert!(is_much(64_000 * 40, 64_000, FACTOR, 1));
        assert!(!is_much(10_000, 100, FACTOR, 1));
    }

    #[test]
    fn a_dump_has_lines_that_differ() {
        let warning = |number| format!("12:{number:02} warning: skip a byte at {number}\n");
        let warnings: String = (0..1000).map(warning).collect();
        assert!(repeats_itself(&warnings));
        let row = |number| format!("{:08x}  61 61 61 61 |aaaa|\n", number * 16);
        let dump: String = (0..1000).map(row).collect();
        assert!(!repeats_itself(&dump));
        assert!(!repeats_itself(&"\\x00".repeat(64_000)));
        assert!(!repeats_itself(
            &"\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\n".repeat(1000)
        ));
        assert!(!repeats_itself(""));
    }
}
