//! Seeds: valid cases derived from the talk, which every server must handle. Pure.

use std::ops::Range;

use memchr::memmem;

use super::case::folded;
use super::{Case, Data, SendStep, Step};
use crate::talk::{Bindings, Exchange, Frame, Opening, Talk, Tokens, Walk};

/// Payload lengths of seeds, in bytes.
const PAYLOAD_LENS: [usize; 5] = [16, 0, 1, 100, 1024];

/// Maximum turns of a seed.
const TURNS_MAX: usize = 6;

/// Maximum turns of the talk to make seeds of: a file may define thousands.
const EXCHANGES_MAX: usize = 64;

/// Maximum bytes of a cheap message.
const CHEAP_BYTES_MAX: usize = 8 << 10;

/// A case that follows the talk.
#[derive(Clone, Debug)]
pub(super) struct Seed {
    pub case: Case,
    /// The step that sends the turn of this seed.
    pub step: usize,
    /// The position of the payload in that step's data.
    pub payload: Option<Range<usize>>,
    /// The representative of its turn. Variants with another length or with more turns are not basic; families that
    /// visit every turn use basic seeds only.
    pub basic: bool,
    /// The case takes the server or the wire a while.
    pub costly: bool,
    /// The server must refuse the turn.
    pub refused: bool,
}

/// The steps at the beginning of every connection.
pub(super) fn opening(talk: &Talk, bindings: &Bindings) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut bindings = bindings.clone();
    bindings.seq = 0;
    let mut programs = 0;
    for opening in &talk.open {
        let exchange = match opening {
            Opening::Exchange(exchange) => exchange,
            // The steps after it are encrypted, which no case can be.
            Opening::StartTls => break,
            Opening::Exec(_) => {
                steps.push(Step::Login(programs));
                programs += 1;
                continue;
            }
        };
        let mut request = Vec::new();
        bindings.seq += u64::from(exchange.send.is_some());
        let rendered = exchange.render_request(talk, &bindings, &mut request);
        if rendered.is_err() {
            // It needs a value from an earlier reply.
            break;
        }
        steps.extend(Step::of_exchange(request, exchange.expect.has_reply()));
    }
    steps
}

/// The steps that a connection has to carry before this exchange, behind its opening. `None` if one of them cannot be
/// rendered.
pub(super) fn before(talk: &Talk, exchange: &Exchange, bindings: &Bindings) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for (place, index) in talk.before(exchange).into_iter().enumerate() {
        let turn = talk.turns.get(index)?;
        let mut request = Vec::new();
        let bindings = Bindings {
            seq: bindings.seq + place as u64,
            ..bindings.clone()
        };
        turn.render_request(talk, &bindings, &mut request).ok()?;
        steps.extend(Step::of_exchange(request, turn.expect.has_reply()));
    }
    Some(steps)
}

/// The seeds of a talk, the costly ones last.
pub(super) fn all(
    talk: &Talk,
    bindings: &Bindings,
    opening: &[Step],
    tokens: &mut Tokens,
) -> Vec<Seed> {
    let quick = talk.turns.iter().chain(&talk.bad).map(|turn| (turn, false));
    let slow = talk.slow.iter().map(|turn| (turn, true));
    let mut seeds = Vec::new();
    for (number, (exchange, slow)) in quick.chain(slow).take(EXCHANGES_MAX).enumerate() {
        let lens = match exchange.uses_payload() {
            true => &PAYLOAD_LENS[..],
            false => &PAYLOAD_LENS[..1],
        };
        let Some(before) = before(talk, exchange, bindings) else {
            continue;
        };
        let sent = talk.before(exchange).len() as u64;
        let lead_in = [opening, &before].concat();
        for (place, len) in lens.iter().enumerate() {
            if let Some((request, payload)) = request(talk, exchange, bindings, *len, sent, tokens)
            {
                let costly = slow || request.len() > CHEAP_BYTES_MAX;
                seeds.push(Seed {
                    payload,
                    basic: place == 0 && !costly,
                    costly,
                    refused: !slow && number >= talk.turns.len(),
                    ..one_more(&lead_in, vec![Step::Send(whole(request))])
                });
            }
        }
    }
    for message in shortest(&talk.request) {
        seeds.push(one_more(opening, vec![Step::Send(whole(message))]));
    }
    if talk.turns.iter().any(|turn| talk.goes_on_after(turn)) {
        let several = several(talk, bindings, tokens);
        seeds.extend(several.into_iter().map(|steps| one_more(opening, steps)));
    }
    seeds.sort_by_key(|seed| seed.costly);
    seeds
}

/// A seed that is neither basic nor costly.
fn one_more(opening: &[Step], steps: Vec<Step>) -> Seed {
    Seed {
        case: Case::new([opening, &steps].concat()),
        step: opening.len(),
        payload: None,
        basic: false,
        costly: false,
        refused: false,
    }
}

/// A message in one piece, with long repetitions folded.
fn whole(message: Vec<u8>) -> SendStep {
    let data = Data::from(message);
    SendStep::whole(match data.len() > CHEAP_BYTES_MAX {
        true => folded(&data),
        false => data,
    })
}

/// A request after `before` others, and the position of its payload. `None` if it is empty or needs a value from an
/// earlier reply.
fn request(
    talk: &Talk,
    exchange: &Exchange,
    bindings: &Bindings,
    payload_len: usize,
    before: u64,
    tokens: &mut Tokens,
) -> Option<(Vec<u8>, Option<Range<usize>>)> {
    let bindings = Bindings {
        tok: tokens.next(),
        payload: vec![b'a'; payload_len],
        seq: bindings.seq + before,
        ..bindings.clone()
    };
    let mut request = Vec::new();
    let rendered = exchange.render_request(talk, &bindings, &mut request);
    rendered.ok().filter(|()| !request.is_empty())?;
    let payload = (exchange.uses_payload() && payload_len > 1)
        .then(|| memmem::find(&request, &bindings.payload))
        .flatten()
        .map(|at| at..at + payload_len);
    Some((request, payload))
}

/// Cases with several turns on one connection: one after the other, all in one piece, and one repeated.
fn several(talk: &Talk, bindings: &Bindings, tokens: &mut Tokens) -> Vec<Vec<Step>> {
    let mut render = |exchange: &Exchange, before: usize| {
        let before = before as u64;
        let (request, _) = request(talk, exchange, bindings, PAYLOAD_LENS[0], before, tokens)?;
        let has_reply = exchange.expect.has_reply();
        (request.len() <= CHEAP_BYTES_MAX).then_some(Request { request, has_reply })
    };
    let mut good = Vec::new();
    let mut walk = Walk::default();
    for index in (0..talk.turns.len()).chain(0..talk.turns.len()) {
        // What only another connection can carry is left out.
        for step in walk.steps_to(talk, index).unwrap_or_default() {
            if good.len() < TURNS_MAX {
                walk.said(talk, step);
                good.extend(render(&talk.turns[step], good.len()));
            }
        }
    }
    let bad = talk.bad.iter().filter(|bad| bad.order.is_free());
    let bad = bad.take(TURNS_MAX);
    let bad: Vec<Request> = bad.filter_map(|turn| render(turn, 1)).collect();
    let mut cases = Vec::new();
    let Some(first) = good.first() else {
        return Vec::new();
    };
    cases.push(turns(&good));
    let all: Vec<&[u8]> = good.iter().map(|good| good.request.as_slice()).collect();
    cases.push(vec![Step::Send(SendStep::whole(all.concat()))]);
    if talk.repeats(&talk.turns[0]) {
        cases.push(turns(&[first.clone(), first.clone(), first.clone()]));
    }
    for bad in bad {
        cases.push(turns(&[first.clone(), bad.clone()]));
        let then_good = [bad, first.clone()].map(|one| Step::Send(SendStep::whole(one.request)));
        cases.push(then_good.to_vec());
    }
    cases
}

/// A request of a case with several.
#[derive(Clone)]
struct Request {
    request: Vec<u8>,
    has_reply: bool,
}

/// Each request, with a wait for its reply before the next one.
fn turns(requests: &[Request]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (number, one) in requests.iter().enumerate() {
        if number > 0 && requests[number - 1].has_reply {
            steps.push(Step::Receive);
        }
        steps.push(Step::Send(SendStep::whole(one.request.clone())));
    }
    steps
}

/// The shortest messages of the frame.
fn shortest(frame: &Frame) -> Vec<Vec<u8>> {
    match frame {
        Frame::Until(delimiters) => delimiters.all().to_vec(),
        Frame::LastLine(_) | Frame::Lines(_) => vec![b"\n".to_vec(), b"\r\n".to_vec()],
        Frame::Len(_) | Frame::Header(_) | Frame::WebSocket | Frame::Several(_) => {
            vec![frame.wrap(b"")]
        }
        Frame::Fixed(len) => vec![vec![0; (*len).min(1 << 16)]],
        Frame::Resp => [&b"*0\r\n"[..], b"*-1\r\n", b"$-1\r\n", b"\r\n"]
            .map(<[u8]>::to_vec)
            .to_vec(),
        Frame::Http1 => vec![b"\r\n".to_vec(), b"\r\n\r\n".to_vec()],
        Frame::Eof | Frame::None => vec![vec![0], b"\n".to_vec()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::builtin;

    fn seeds(name: &str) -> Vec<Seed> {
        let talk = builtin(name).unwrap().talk;
        let bindings = Bindings::default();
        let opening = opening(&talk, &bindings);
        all(&talk, &bindings, &opening, &mut Tokens::new(1))
    }

    #[test]
    fn openings_come_first_and_no_seed_ends_with_a_wait() {
        for seed in seeds("smtp") {
            assert_eq!(seed.case.steps[0], Step::Receive);
            assert!(matches!(&seed.case.steps[1], Step::Send(_)));
        }
        for (name, _, _) in crate::file::BUILTIN {
            for seed in seeds(name) {
                assert_ne!(seed.case.steps.last(), Some(&Step::Receive), "{name}");
                assert!(matches!(seed.case.steps[seed.step], Step::Send(_)));
            }
        }
    }

    #[test]
    fn a_seed_has_one_turn_if_the_server_closes() {
        assert!(
            seeds("tutorial")
                .iter()
                .all(|seed| seed.case.steps.len() == 1)
        );
        assert!(seeds("line").iter().any(|seed| seed.case.steps.len() > 2));
    }

    #[test]
    fn slow_turns_come_last_and_are_not_basic() {
        let mut talk = builtin("line").unwrap().talk;
        talk.slow = talk.turns.clone();
        let seeds = all(&talk, &Bindings::default(), &[], &mut Tokens::new(1));
        let costly: Vec<bool> = seeds.iter().map(|seed| seed.costly).collect();
        assert!(costly.is_sorted() && costly.contains(&true));
        assert!(seeds.iter().all(|seed| !seed.costly || !seed.basic));
    }

    #[test]
    fn payloads_are_found() {
        let seed = seeds("redis")
            .into_iter()
            .find(|seed| seed.payload.is_some());
        let seed = seed.unwrap();
        let Step::Send(send) = &seed.case.steps[seed.step] else {
            panic!("no send")
        };
        assert_eq!(&send.data.to_bytes()[seed.payload.unwrap()], [b'a'; 16]);
    }
}
