//! Divergence: the same bytes are answered otherwise when they arrive in other pieces.
//!
//! Only where both ways have frames. Three runs in one piece and three in several, each on a fresh server:
//! both triples must agree within themselves, numbers masked, and differ from each other. Where a
//! connection was reset only what both have is compared: a reset may overtake a reply.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Rigour, Symptom};
use crate::fuzz::Kind;
use crate::fuzz::case::{Case, Send, Step};
use crate::fuzz::life::Life;
use crate::fuzz::wire::{End, Seen, Wire};
use crate::talk::escape;
use crate::target::socket_table;

/// A server that has not read a piece by then gets the next one all the same.
const READ_WITHIN: Duration = Duration::from_millis(200);
/// Up to this length a message is cut at every byte.
const BYTEWISE_MAX: usize = 48;
/// A longer one into so many pieces.
const PIECES: usize = 24;

/// What came on the connections of one run, numbers masked.
type Replies = Vec<(Vec<u8>, End)>;

/// The case in one piece and in several, once each, on this very life: a hint whether the test is worth it.
pub fn hint(life: &mut Life<'_>, case: &Case) -> Option<Case> {
    if !is_fit(life, case) {
        return None;
    }
    let (whole, cut) = (uncut(case), in_pieces(life, case));
    let one = replies(life, &whole)?;
    let other = replies(life, &cut)?;
    differ(&one, &other).then_some(cut)
}

/// The whole test of a case that has cuts.
pub fn test(life: &mut Life<'_>, before: &[Case], case: &Case, rigour: Rigour) -> Option<Symptom> {
    if !is_fit(life, case) || case.sends().all(|send| send.cuts.is_empty()) {
        return None;
    }
    let whole = uncut(case);
    if rigour == Rigour::Quick {
        let (one, other) = (replies(life, &whole)?, replies(life, case)?);
        return differ(&one, &other).then(|| told(case, &one, &other));
    }
    let one = thrice(life, before, &whole)?;
    let other = thrice(life, before, case)?;
    differ(&one, &other).then(|| told(case, &one, &other))
}

fn told(case: &Case, one: &Replies, other: &Replies) -> Symptom {
    let at = one
        .iter()
        .zip(other)
        .position(|(one, other)| one != other)
        .unwrap_or(0);
    let shown = |replies: &Replies| {
        replies
            .get(at)
            .map_or(String::new(), |reply| escape(&reply.0, 120))
    };
    let title = format!(
        "in one piece the reply is \"{}\", in {} pieces it is \"{}\"",
        escape(&one[at].0, 50),
        case.sends().map(|send| send.cuts.len()).max().unwrap_or(0) + 1,
        escape(&other[at].0, 50)
    );
    let longer = one[at].0.len() > other[at].0.len();
    let key = if longer {
        "less in pieces"
    } else {
        "other in pieces"
    };
    Symptom::new(Kind::Divergence, key, title)
        .with("in_one_piece", shown(one))
        .with("in_pieces", shown(other))
}

/// Whether pieces may make no difference: frames both ways, and no more than one message at a time where
/// nothing else was promised.
fn is_fit(life: &Life<'_>, case: &Case) -> bool {
    let talk = life.ground.talk();
    let framed = talk.request.is_delimited() && life.ground.reply().is_delimited();
    let pipelining = life.ground.subject.promise.pipelining == Some(true);
    framed && case.connections() == 1 && (pipelining || one_at_a_time(life, case))
}

fn one_at_a_time(life: &Life<'_>, case: &Case) -> bool {
    let waits = case
        .steps
        .windows(2)
        .all(|pair| !matches!(pair, [Step::Send(_), Step::Send(_)]));
    let single = |send: &Send| {
        let bytes = send.data.to_bytes();
        let first = life.ground.talk().request.decoder().next(&bytes);
        matches!(first, Ok(Some(len)) if len == bytes.len())
    };
    waits && case.sends().all(single)
}

fn uncut(case: &Case) -> Case {
    let mut whole = case.clone();
    whole.sends_mut().for_each(|send| send.cuts.clear());
    whole
}

/// The case cut where it hurts, if it is not cut already.
fn in_pieces(life: &Life<'_>, case: &Case) -> Case {
    let mut cut = case.clone();
    if cut.sends().any(|send| !send.cuts.is_empty()) {
        return cut;
    }
    let frame = &life.ground.talk().request;
    for send in cut.sends_mut() {
        let bytes = send.data.to_bytes();
        let mut cuts: Vec<usize> = match bytes.len() {
            0..=BYTEWISE_MAX => (1..bytes.len()).collect(),
            len => (1..PIECES).map(|piece| len * piece / PIECES).collect(),
        };
        cuts.extend(frame.cut_points(&bytes).into_iter().take(8));
        send.cuts = cuts
            .into_iter()
            .filter_map(|cut| u32::try_from(cut).ok())
            .collect();
    }
    cut.limit();
    cut
}

/// Three runs on fresh servers that agree.
fn thrice(life: &Life<'_>, before: &[Case], case: &Case) -> Option<Replies> {
    let mut first = None;
    for _ in 0..3 {
        let mut fresh = life.another()?;
        for case in before {
            fresh.run(case).ok()?;
        }
        let replies = replies(&mut fresh, case)?;
        match &first {
            None => first = Some(replies),
            Some(first) if differ(first, &replies) => return None,
            Some(_) => {}
        }
    }
    first
}

/// One run, its cuts proved.
fn replies(life: &mut Life<'_>, case: &Case) -> Option<Replies> {
    let ground = life.ground;
    let mut limits = ground.limits;
    limits.wait = limits.wait.max(Duration::from_millis(200));
    limits.case = limits.case.max(Duration::from_secs(5));
    let mut wire =
        Wire::new(life.server().addr(), ground.reply().clone(), limits).prove_cuts(was_read);
    let seen: Seen = wire.run(case).ok()?;
    let masked = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .map(|byte| if byte.is_ascii_digit() { b'#' } else { *byte })
            .collect()
    };
    let answers = seen.connections.iter();
    Some(
        answers
            .map(|answer| (masked(&answer.bytes), answer.end))
            .collect(),
    )
}

fn differ(one: &Replies, other: &Replies) -> bool {
    one.len() != other.len()
        || one
            .iter()
            .zip(other)
            .any(|((one, end), (other, other_end))| {
                let whole = |end: &End| *end == End::Eof;
                let common = one.len().min(other.len());
                match whole(end) && whole(other_end) {
                    true => one != other,
                    false => one[..common] != other[..common],
                }
            })
}

/// Waits until the server has read everything: its kernel has received it, and its queue is empty.
fn was_read(server: SocketAddr, client: SocketAddr, sent: u64) -> bool {
    let until = Instant::now() + READ_WITHIN;
    while Instant::now() < until {
        match socket_table::find(server, client) {
            Ok(Some(socket)) if socket.bytes_received() >= sent && socket.recv_q == 0 => {
                return true;
            }
            Ok(Some(_)) => std::thread::sleep(Duration::from_micros(20)),
            Ok(None) | Err(_) => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_reset_only_what_both_have_counts() {
        let replies = |bytes: &[u8], end| vec![(bytes.to_vec(), end)];
        assert!(differ(&replies(b"a\n", End::Eof), &replies(b"a", End::Eof)));
        assert!(!differ(
            &replies(b"a\n", End::Eof),
            &replies(b"a", End::Reset)
        ));
        assert!(!differ(
            &replies(b"", End::Reset),
            &replies(b"ERR\n", End::Eof)
        ));
        assert!(differ(
            &replies(b"b", End::Reset),
            &replies(b"ERR\n", End::Eof)
        ));
    }
}
