//! Conformance: the server violates its own conversation. It accepts what it must refuse, or its reply contains
//! something else than the request: text cut at a NUL, bytes replaced while decoding, a lost byte.
//!
//! The probes are derived from the talk. Silence and a close count as refusals, and so does any error message.

use super::claim::Claim;
use crate::fuzz::Data;
use crate::fuzz::case::{Case, SendStep, Step};
use crate::fuzz::epoch::Epoch;
use crate::fuzz::symptom::{FindingKind, Symptom};
use crate::talk::{Exchange, Expectation, Frame, Judgement, Opening, Turn};
use crate::text::escape;

/// Payloads with NUL bytes.
const WITH_NUL: [&[u8]; 3] = [b"abc\0def", b"abc\0", b"a\0\0b\0c"];
/// Payloads that are not valid UTF-8.
const NOT_UTF8: [&[u8]; 6] = [
    b"a\xffb",
    b"a\x80b",
    b"a\xc0\xafb",
    b"a\xed\xa0\x80b",
    b"a\xf4\x90\x80\x80b",
    b"a\xe2\x82",
];
/// Payload length in bytes up to which every length is tried.
const EVERY_LENGTH: usize = 1100;
/// Maximum payload length in bytes if the talk promises none.
const UNPROMISED_MAX: usize = 4096;
/// Minimum share of the expected reply that a reply must contain to count as an altered one.
const ALIKE: f64 = 0.8;

/// A reply that the server must not have sent.
pub(crate) struct Breach {
    pub symptom: Symptom,
    /// The case that triggers it.
    pub case: Case,
    /// The wrong reply.
    pub claim: Claim,
}

/// Runs all probes on one server until `stop` returns true. Returns at most one breach per type of probe.
pub(crate) fn probe(epoch: &mut Epoch<'_>, stop: &dyn Fn() -> bool) -> Vec<Breach> {
    let talk = epoch.target.subject.talk.clone();
    let mut breaches = Vec::new();
    // Text lines may use any encoding unless the talk promises one.
    let lines = matches!(
        talk.request,
        Frame::Until(_) | Frame::LastLine(_) | Frame::Lines(_)
    );
    let any_bytes = lines && epoch.target.subject.promise.encoding.is_none();
    for bad in &talk.bad {
        if !stop() && epoch.canary(epoch.target.silence).is_ok() {
            breaches.extend(accepted(epoch, bad, any_bytes));
        }
    }
    // Without a delimiter, a short reply may be the beginning of the right one.
    let whole = |turn: &&Exchange| turn.reply_frame(&talk).has_end();
    let comes_back = talk.payload_turns().filter(|turn| turn.expects_payload());
    for exchange in comes_back.filter(whole) {
        if stop() {
            break;
        }
        let nul = WITH_NUL.iter();
        breaches.extend(
            nul.into_iter()
                .find_map(|payload| cut_at_nul(epoch, exchange, payload)),
        );
        if epoch.target.subject.promise.encoding.is_some() {
            let invalid = NOT_UTF8.iter();
            breaches.extend(
                invalid
                    .into_iter()
                    .find_map(|payload| replaced(epoch, exchange, payload)),
            );
        }
        let lengths = lengths(epoch);
        let found = lengths.into_iter().take_while(|_| !stop());
        breaches.extend(
            found
                .into_iter()
                .find_map(|length| altered(epoch, exchange, length)),
        );
    }
    breaches
}

/// Runs the cases; returns a symptom if the last one gets the wrong reply of the claim.
pub(crate) fn test(epoch: &mut Epoch<'_>, claim: &Claim, cases: &[Case]) -> Option<Symptom> {
    let wrong = claim.wrong_reply.as_deref()?;
    let mut last = None;
    for case in cases {
        last = Some(epoch.run(case).ok()?);
    }
    let answer = last?.observed.connections.pop()?;
    (steady(&answer.bytes) == steady(wrong)).then(|| {
        Symptom::new(
            FindingKind::Conformance,
            "reply",
            format!("answered with \"{}\"", escape(wrong, 100)),
        )
    })
}

/// The reply without what changes with time: digits, and the field with the date of an HTTP head.
fn steady(reply: &[u8]) -> Vec<u8> {
    let is_date = |line: &&[u8]| {
        let name = line.get(..5).unwrap_or_default();
        !name.eq_ignore_ascii_case(b"date:")
    };
    let lines = reply.split_inclusive(|byte| *byte == b'\n').filter(is_date);
    let mask = |byte: &u8| if byte.is_ascii_digit() { b'#' } else { *byte };
    lines.flatten().map(mask).collect()
}

/// Sends a request that must be refused, and checks that the reply matches the talk.
///
/// With `any_bytes`, invalid UTF-8 alone is no reason to refuse a request.
fn accepted(epoch: &mut Epoch<'_>, bad: &Exchange, any_bytes: bool) -> Option<Breach> {
    let (turn, reply) = epoch.ask(bad, b"ping").ok()?;
    if any_bytes && std::str::from_utf8(&turn.request).is_err() {
        return None;
    }
    let judged = match turn.frame.has_end() {
        true => turn.judge_message(&reply),
        // The reply may be incomplete.
        false => turn.expect.judge(&reply, false),
    };
    if !matches!(judged, Judgement::Mismatch(_)) {
        return None;
    }
    let title = format!(
        "{} must be refused but is answered with \"{}\"",
        turn.label,
        escape(&reply, 80)
    );
    let key = format!("accepts {}", turn.label);
    breach(epoch, bad, &turn, &reply, key, title)
}

fn cut_at_nul(epoch: &mut Epoch<'_>, exchange: &Exchange, payload: &[u8]) -> Option<Breach> {
    let cut = &payload[..memchr::memchr(0, payload)?];
    taken_as(epoch, exchange, payload, cut, "cut at a NUL")
}

fn replaced(epoch: &mut Epoch<'_>, exchange: &Exchange, payload: &[u8]) -> Option<Breach> {
    let lossy = String::from_utf8_lossy(payload).into_owned();
    taken_as(
        epoch,
        exchange,
        payload,
        lossy.as_bytes(),
        "not UTF-8, and silently replaced",
    )
    .or_else(|| taken_as(epoch, exchange, payload, payload, "not UTF-8, and accepted"))
}

/// Whether `payload` gets the reply that belongs to `other`.
fn taken_as(
    epoch: &mut Epoch<'_>,
    exchange: &Exchange,
    payload: &[u8],
    other: &[u8],
    how: &str,
) -> Option<Breach> {
    if !epoch.target.talk().payload_is_safe(payload) {
        return None;
    }
    let (turn, reply) = epoch.ask(exchange, payload).ok()?;
    let right = turn.judge_message(&reply);
    if payload != other && matches!(right, Judgement::Match(_)) {
        return None;
    }
    let expected = epoch.voice().render_like(&turn, exchange, other).ok()?;
    if !matches!(expected.judge_message(&reply), Judgement::Match(_)) {
        return None;
    }
    let title = format!(
        "a payload is {how}: \"{}\" came back for \"{}\"",
        escape(&reply, 50),
        escape(payload, 30)
    );
    breach(epoch, exchange, &turn, &reply, how.into(), title)
}

/// The payload lengths to try: every length up to [`EVERY_LENGTH`], and lengths around the powers of two above.
fn lengths(epoch: &Epoch<'_>) -> Vec<usize> {
    let promised = epoch.target.subject.promise.longest_message();
    let most = promised.map_or(UNPROMISED_MAX, |max| max / 2);
    let powers = (0..)
        .map(|power| 2048 << power)
        .take_while(|size| *size <= most);
    let around = powers.flat_map(|size: usize| [size - 14, size - 13, size - 1, size, size + 1]);
    (1..=EVERY_LENGTH.min(most)).chain(around).collect()
}

/// Sends a payload of this length and checks that the reply is not a slightly altered one.
fn altered(epoch: &mut Epoch<'_>, exchange: &Exchange, length: usize) -> Option<Breach> {
    let letters = (b'a'..=b'z').cycle().take(length);
    let payload: Vec<u8> = letters.collect();
    // A frame that never ends may have lost a byte; the divergence oracle detects that.
    let (turn, reply) = epoch.ask(exchange, &payload).ok()?;
    let Expectation::Exact(expected) = &turn.expect else {
        return None;
    };
    let body = turn.frame.body(&reply);
    if *body == *expected || alike(&body, expected) < ALIKE {
        return None;
    }
    let title = format!(
        "a request of {} bytes is answered with {} bytes instead of {}, or with altered bytes",
        turn.request.len(),
        body.len(),
        expected.len()
    );
    breach(epoch, exchange, &turn, &reply, "altered".into(), title)
}

/// The share of the expected reply that the reply contains at its beginning and end.
fn alike(reply: &[u8], expected: &[u8]) -> f64 {
    let same = |(one, other): &(&u8, &u8)| one == other;
    let begin = reply.iter().zip(expected).take_while(same).count();
    let rest = reply.len().min(expected.len()) - begin;
    let end = reply
        .iter()
        .rev()
        .zip(expected.iter().rev())
        .take(rest)
        .take_while(same)
        .count();
    (begin + end) as f64 / expected.len().max(1) as f64
}

/// The breach as a case, with everything that its connection received: the replies of the opening and the wrong reply
/// with its frame. `None` if the server replies differently when the case runs.
fn breach(
    epoch: &mut Epoch<'_>,
    exchange: &Exchange,
    turn: &Turn,
    reply: &[u8],
    key: String,
    title: String,
) -> Option<Breach> {
    let mut steps = lead_in(epoch, exchange);
    steps.push(Step::Send(SendStep::whole(Data::from(
        turn.request.clone(),
    ))));
    steps.push(Step::Receive);
    let case = Case::new(steps);
    let wrong = epoch.run(&case).ok()?.observed.connections.pop()?.bytes;
    memchr::memmem::find(&wrong, reply)?;
    let hex: String = wrong.iter().map(|byte| format!("{byte:02x}")).collect();
    let symptom = Symptom::new(FindingKind::Conformance, key, title)
        .with("turn", turn.label.clone())
        .with("reply", escape(reply, 200))
        .with("reply_hex", hex);
    Some(Breach {
        symptom,
        case,
        claim: Claim {
            kind: FindingKind::Conformance,
            wrong_reply: Some(wrong),
        },
    })
}

/// The steps of a connection before it carries this exchange.
pub(crate) fn lead_in(epoch: &Epoch<'_>, exchange: &Exchange) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut programs = 0;
    let talk = epoch.target.talk();
    for opening in &talk.open {
        match opening {
            Opening::Exec(_) => {
                steps.push(Step::Login(programs));
                programs += 1;
            }
            Opening::Exchange(exchange) => steps.extend(exchange_steps(epoch, exchange)),
            Opening::StartTls => {}
        }
    }
    for index in talk.before(exchange) {
        if let Some(exchange) = talk.turns.get(index) {
            steps.extend(exchange_steps(epoch, exchange));
        }
    }
    steps
}

/// The steps of an exchange of the opening, or of one that comes before a turn. None if it cannot be rendered.
fn exchange_steps(epoch: &Epoch<'_>, exchange: &Exchange) -> impl Iterator<Item = Step> {
    let turn = epoch.voice().render(exchange, b"ping").ok();
    turn.into_iter()
        .flat_map(move |turn| Step::of_exchange(turn.request, exchange.expect.has_reply()))
}

#[cfg(test)]
mod tests {
    use super::alike;

    #[test]
    fn one_lost_byte_is_alike_and_a_refusal_is_not() {
        assert!(alike(b"abcdefghj\n", b"abcdefghij\n") > 0.9);
        assert!(alike(b"ERR too long\n", b"abcdefghijklmnop\n") < 0.3);
        assert!(alike(b"", b"abc\n") < 0.1);
    }
}
