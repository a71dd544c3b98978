//! Divergence: the reply to the same bytes depends on how they were split into segments.
//!
//! Applies only if requests and replies both have frames. Runs the case three times in one piece and three times in
//! several pieces, each on a fresh server. The three replies of each form must be equal, with digits masked, and the
//! two forms must differ. If a connection was reset, only the common prefix is compared: a reset may overtake a reply.
//!
//! Three differences are permitted behaviour. A server may treat the client's FIN as the end of the session and drop
//! replies that it has not written yet, so both forms run once more with a late FIN. And it may refuse a long message
//! as soon as it has read too much of it, which depends on the pieces. And a server that closes over malformed bytes, in
//! one piece as in several, need not have answered everything that came before them. The text with which HTTP refuses a
//! request is not compared, only its status.

mod replies;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use replies::{MaskedReply, Replies, are_refused_alike, differ, may_refuse, of, one_is_cut_off};

use super::claim::Rigour;
use crate::fuzz::case::{Case, Data, SendStep, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::fuzz::wire::Wire;
use crate::process::socket_table;
use crate::talk::Close;
use crate::text::escape;

/// Maximum wait until the server has read a piece; then the next one is sent anyway.
const READ_WITHIN: Duration = Duration::from_millis(200);
/// The same limit for a hint: some servers stop reading while their replies are not read.
const READ_SOON: Duration = Duration::from_millis(20);
/// Maximum duration of a case that is tried in pieces for a hint.
const HINT_TIME_MAX: Duration = Duration::from_millis(100);
/// Maximum bytes of a message that is cut at every byte.
const BYTEWISE_MAX: usize = 48;
/// Number of pieces of a longer message.
const PIECES: usize = 24;

/// Delay before a late FIN, in milliseconds: all replies have arrived by then.
const ANSWERED_MS: u32 = 250;
/// Delay after which a server that has closed answers writes with a reset, in milliseconds.
const CLOSED_MS: u32 = 50;
/// Minimum bytes of a message that a server may refuse for its length.
const LONG: usize = 1024;

/// Maximum bytes of the common prefix of two replies that the report shows.
const SAME_SHOWN: usize = 24;

/// Runs the case once in one piece and once in several on the current server. Returns the case in pieces if the
/// replies differ, which is a hint that the full test is worth it.
pub(crate) fn hint(epoch: &mut Epoch<'_>, case: &Case) -> Option<Case> {
    if !is_fit(epoch, case) {
        return None;
    }
    let (whole, cut) = (uncut(case), in_pieces(epoch, case));
    let begun = Instant::now();
    let one = replies(epoch, &whole)?;
    // A slow case is even slower in pieces, and a smaller case shows the same bug.
    if begun.elapsed() > HINT_TIME_MAX {
        return None;
    }
    let observed = wire(epoch).prove_cuts(was_read_soon).run(&cut).ok()?;
    differ(&one, &of(observed, epoch.target.reply())).then_some(cut)
}

/// The full test of a case that has cuts.
pub(crate) fn test(
    epoch: &mut Epoch<'_>,
    before: &[Case],
    case: &Case,
    rigour: Rigour,
) -> Option<Symptom> {
    if !is_fit(epoch, case) || case.sends().all(|send| send.cuts.is_empty()) {
        return None;
    }
    let whole = uncut(case);
    let full = rigour == Rigour::Full;
    let (one, other) = match full {
        false => (replies(epoch, &whole)?, replies(epoch, case)?),
        true => (thrice(epoch, before, &whole)?, thrice(epoch, before, case)?),
    };
    if !differ(&one, &other) || crosses_limit(epoch, &one) || crosses_limit(epoch, &other) {
        return None;
    }
    let mut other_epoch = if full { Some(epoch.another()?) } else { None };
    let epoch = other_epoch.as_mut().unwrap_or(epoch);
    let (late, late_cut) = (
        replies(epoch, &unhurried(&whole))?,
        replies(epoch, &unhurried(case))?,
    );
    if !differ(&late, &late_cut) {
        return None;
    }
    let ways = [(&late, &late_cut, &whole), (&late_cut, &late, case)];
    for (refusal, answer, case) in ways {
        if may_refuse(refusal, answer) && is_refused(epoch, case) {
            return None;
        }
    }
    if (one_is_cut_off(&late, &late_cut) || are_refused_alike(&late, &late_cut))
        && is_malformed(epoch, case)
        && closes_itself(epoch, &whole)
        && closes_itself(epoch, case)
    {
        return None;
    }
    Some(symptom(case, &late, &late_cut))
}

/// Whether a server that closes the connection over these bytes refuses them. Where it closes after every reply anyway, a
/// close says nothing, and neither does one after the last turn of a conversation: there only bytes that are no whole
/// messages count.
fn is_malformed(epoch: &Epoch<'_>, case: &Case) -> bool {
    let talk = epoch.target.talk();
    let may_close =
        talk.close == Close::ServerAfterReply || talk.turns.iter().any(|turn| turn.order.last);
    let is_whole = |send: &SendStep| {
        let bytes = send.data.to_bytes();
        let (_, rest) = talk.request.whole_messages(&bytes);
        rest.is_empty()
    };
    !may_close || !case.sends().all(is_whole)
}

/// Whether a connection has carried as many requests as the file says that it does. What the server does with the next one
/// may depend on whether it has read it already.
fn crosses_limit(epoch: &Epoch<'_>, replies: &Replies) -> bool {
    let Some(limit) = epoch.target.subject.promise.limits.requests_per_connection else {
        return false;
    };
    let frame = epoch.target.reply();
    let messages = |reply: &MaskedReply| frame.whole_messages(&reply.bytes).0;
    replies.iter().any(|reply| messages(reply) >= limit)
}

/// The case with a FIN long after the last reply.
fn unhurried(case: &Case) -> Case {
    let mut late = case.clone();
    late.steps.push(Step::DelayMs(ANSWERED_MS));
    late
}

/// Whether the case contains a long message and the server closes on its own initiative.
fn is_refused(epoch: &mut Epoch<'_>, case: &Case) -> bool {
    let frame = &epoch.target.talk().request;
    let is_long = |send: &SendStep| {
        let bytes = send.data.to_bytes();
        let mut rest = &bytes[..];
        while let Ok(Some(length @ 1..=LONG)) = frame.decoder().next(rest) {
            rest = &rest[length.min(rest.len())..];
        }
        rest.len() > LONG
    };
    case.sends().any(is_long) && closes_itself(epoch, case)
}

/// Whether the server closes the connection before the client does.
fn closes_itself(epoch: &mut Epoch<'_>, case: &Case) -> bool {
    // The first write to a closed connection causes a reset; the second one fails.
    let mut probing = case.clone();
    for _ in 0..2 {
        probing.steps.push(Step::DelayMs(CLOSED_MS));
        probing
            .steps
            .push(Step::Send(SendStep::whole(Data::from(&b"\n"[..]))));
    }
    let observed = wire(epoch).run(&probing);
    observed.is_ok_and(|observed| observed.not_taken > 0)
}

fn symptom(case: &Case, one: &Replies, other: &Replies) -> Symptom {
    let mut pairs = one.iter().zip(other);
    let at = pairs.position(|(one, other)| one.masked != other.masked);
    let at = at.unwrap_or(0);
    // Show only the end of the common prefix.
    let masked = one[at].masked.iter().zip(&other[at].masked);
    let same = masked.take_while(|(one, other)| one == other).count();
    let from = match same {
        0..=SAME_SHOWN => 0,
        _ => same - SAME_SHOWN,
    };
    let shown = |reply: &MaskedReply, most: usize| match reply.bytes.len() {
        0 => "nothing".to_owned(),
        len if len == same => format!("nothing more after {len} bytes"),
        _ if from == 0 => format!("\"{}\"", escape(&reply.bytes, most)),
        _ => format!(
            "\"…{}\" from byte {from} on",
            escape(&reply.bytes[from..], most)
        ),
    };
    let title = format!(
        "in one piece the reply is {}, in {} pieces it is {}",
        shown(&one[at], 50),
        case.sends().map(|send| send.cuts.len()).max().unwrap_or(0) + 1,
        shown(&other[at], 50)
    );
    let longer = one[at].bytes.len() > other[at].bytes.len();
    let key = if longer {
        "less in pieces"
    } else {
        "other in pieces"
    };
    Symptom::new(FindingKind::Divergence, key, title)
        .with("in_one_piece", shown(&one[at], 120))
        .with("in_pieces", shown(&other[at], 120))
}

/// Whether the pieces must not make a difference: requests and replies have frames, and the case sends one message at
/// a time unless the server promises pipelining.
fn is_fit(epoch: &Epoch<'_>, case: &Case) -> bool {
    let talk = epoch.target.talk();
    let framed = talk.request.has_end() && epoch.target.reply().has_end();
    let pipelining = epoch.target.subject.promise.pipelining == Some(true);
    framed && case.connections() == 1 && (pipelining || one_at_a_time(epoch, case))
}

fn one_at_a_time(epoch: &Epoch<'_>, case: &Case) -> bool {
    let waits = case
        .steps
        .windows(2)
        .all(|pair| !matches!(pair, [Step::Send(_), Step::Send(_)]));
    let single = |send: &SendStep| {
        let bytes = send.data.to_bytes();
        let first = epoch.target.talk().request.decoder().next(&bytes);
        matches!(first, Ok(Some(len)) if len == bytes.len())
    };
    waits && case.sends().all(single)
}

fn uncut(case: &Case) -> Case {
    let mut whole = case.clone();
    whole.sends_mut().for_each(|send| send.cuts.clear());
    whole
}

/// The case with cuts at the critical offsets of its frames, unless it has cuts already.
fn in_pieces(epoch: &Epoch<'_>, case: &Case) -> Case {
    let mut cut = case.clone();
    if cut.sends().any(|send| !send.cuts.is_empty()) {
        return cut;
    }
    let frame = &epoch.target.talk().request;
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

/// The replies of three runs on fresh servers, if they agree.
fn thrice(epoch: &Epoch<'_>, before: &[Case], case: &Case) -> Option<Replies> {
    let mut first = None;
    for _ in 0..3 {
        let mut fresh = epoch.another()?;
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

/// The replies of one run on this server.
fn replies(epoch: &mut Epoch<'_>, case: &Case) -> Option<Replies> {
    let observed = wire(epoch).run(case).ok()?;
    Some(of(observed, epoch.target.reply()))
}

/// A runner with longer limits that waits until each piece has been read.
fn wire(epoch: &Epoch<'_>) -> Wire {
    let mut limits = epoch.target.limits;
    limits.wait = limits.wait.max(Duration::from_millis(200));
    limits.case = limits.case.max(Duration::from_secs(5));
    epoch.other_wire(limits).prove_cuts(was_read)
}

/// Waits until the server has read everything: the kernel has received it, and the receive queue is empty.
fn was_read(server: SocketAddr, client: SocketAddr, sent: u64) -> bool {
    is_read(server, client, sent, READ_WITHIN)
}

fn was_read_soon(server: SocketAddr, client: SocketAddr, sent: u64) -> bool {
    is_read(server, client, sent, READ_SOON)
}

fn is_read(server: SocketAddr, client: SocketAddr, sent: u64, within: Duration) -> bool {
    let until = Instant::now() + within;
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
