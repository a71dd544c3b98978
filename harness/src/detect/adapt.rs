//! Holds a candidate's conversation with the server, leaves out what the server does not do, and confirms the rest.

use std::time::Duration;

use super::candidate::Candidate;
use super::framing::part_of_header;
use super::line::{Example, Line};
use super::prober::{Client, Prober};
use super::sketch::List;
use super::{BLIND, Change, DetectError, LIKELY, Missed, Sketch, no_talk};
use crate::file::File;
use crate::process::{Ready, StartFailure};
use crate::session::ConnectionEnd;
use crate::subject::{Interrupt, RehearsalError, Subject, rehearse};
use crate::talk::{Bindings, Close, Exchange, Frame, Judgement};

/// Time in which a server that closes after its reply does so, and in which bytes after a reply arrive.
const AFTER: Duration = Duration::from_millis(250);
/// How long a refusal may take: some servers let a client wait that makes mistakes.
const REFUSAL: Duration = Duration::from_secs(2);
/// How often a conversation is held on a fresh server before it is accepted.
const CONFIRMATIONS: usize = 2;

/// A conversation that the server holds.
pub(super) struct Held {
    pub sketch: Sketch,
    pub file: File,
    /// A request of the plain exchange and the reply to it.
    pub example: Example,
    pub changes: Vec<Change>,
}

/// The result of a step: what was held, or what was missed.
type Step<T> = Result<Result<T, Missed>, DetectError>;

/// Returns early with what was missed.
macro_rules! held {
    ($step:expr) => {
        match $step? {
            Ok(held) => held,
            Err(missed) => return Ok(Err(missed)),
        }
    };
}

/// Holds the candidate's conversation, as far as the server does.
///
/// # Errors
/// The server does not start, or the user interrupted.
pub(super) fn adapt(prober: &mut Prober<'_>, candidate: &Candidate) -> Step<Held> {
    let limit = if candidate.likely { LIKELY } else { BLIND };
    let mut client = prober.client(&candidate.file);
    let (example, end) = held!(plain(prober, &client, &candidate.file, limit));
    let answers_early = held!(by_accident(prober, &candidate.file, &example.0));
    let mut sketch = candidate.sketch.clone();
    let mut file = candidate.file.clone();
    let mut changes: Vec<Change> = answers_early.into_iter().collect();
    if end != ConnectionEnd::StillOpen && file.talk.carries_many_turns() {
        sketch.close_after_reply();
        file.talk.close = Close::ServerAfterReply;
        client = prober.client(&file);
        changes.push(Change::ClosesAfterReply);
    }
    let turns = leave_out(prober, &client, &file, List::Turn)?;
    let bad = leave_out(prober, &client, &file, List::Bad)?;
    for (list, left_out) in [(List::Turn, turns), (List::Bad, bad)] {
        for (index, _) in left_out.iter().rev() {
            sketch.remove(list, *index);
        }
        changes.extend(left_out.into_iter().map(|(_, missed)| Change::LeftOut {
            label: missed.label.clone(),
            missed,
        }));
    }
    let file = sketch
        .file(candidate.name)
        .map_err(|error| DetectError::Failed(error.to_string()))?;
    held!(confirm(prober, &file));
    Ok(Ok(Held {
        sketch,
        file,
        example,
        changes,
    }))
}

/// A request and its reply, and what became of the connection.
type Plain = (Example, ConnectionEnd);

/// The plain exchange on a new connection, and what follows it.
fn plain(prober: &mut Prober<'_>, client: &Client, file: &File, limit: Duration) -> Step<Plain> {
    prober.fresh()?;
    let mut line = held!(prober.open(client, limit));
    let exchange = file.talk.plain();
    let example = held!(prober.hold(&mut line, exchange));
    let (rest, end) = prober.rest(&mut line, AFTER)?;
    if !rest.is_empty() && file.talk.pushed(&file.talk.reply, &rest).is_none() {
        let actual = format!("after the reply came {}", super::quoted(&rest));
        return Ok(Err(Missed {
            label: exchange.label.clone(),
            sent: example.0,
            actual,
            died: None,
        }));
    }
    Ok(Ok((example, end)))
}

/// A talk whose replies equal its requests also seems to fit a server that sends back anything. It counts only if
/// the server sends back nothing before a message is complete, and nothing that is not a message. A shorter length than that of
/// the talk would be complete with a part of its header, and be sent back with no more bytes than came. More bytes are the header of
/// a server that takes what one read returns for the whole of it: that is a bug, for the checks to report.
fn by_accident(prober: &mut Prober<'_>, file: &File, request: &[u8]) -> Step<Option<Change>> {
    if !is_its_own_reply(file) || file.talk.request == Frame::None {
        return Ok(Ok(None));
    }
    let Some((last, start)) = request.split_last() else {
        return Ok(Ok(None));
    };
    let mut answers_early = None;
    let mut line = prober.token().into_bytes();
    line.push(*last);
    let mut probes = vec![start.to_vec()];
    if line.len() != request.len() {
        probes.push(line);
    }
    let echo = no_talk()?;
    if let Some(part) = part_of_header(&file.talk.request, request) {
        prober.fresh()?;
        let heard = prober.hear(&echo, "", part, BLIND)?;
        if heard.got.len() > part.len() {
            answers_early = Some(Change::AnswersPartOfHeader);
        } else if heard.is_answered() {
            return Ok(Err(Missed {
                label: "talk.turn[0]".to_owned(),
                sent: part.to_vec(),
                actual: "the server answered a part of the header, so its header is shorter"
                    .to_owned(),
                died: None,
            }));
        }
    }
    for sent in probes {
        prober.fresh()?;
        let heard = prober.hear(&echo, "", &sent, BLIND)?;
        if heard.is_echo() {
            return Ok(Err(Missed {
                label: "talk.turn[0]".to_owned(),
                sent,
                actual: "the server sent it back, though it is no message of this talk".to_owned(),
                died: None,
            }));
        }
    }
    Ok(Ok(answers_early))
}

/// Whether the plain request, sent back, would be a right reply.
fn is_its_own_reply(file: &File) -> bool {
    let bindings = Bindings {
        tok: "abcdefgh1234".to_owned(),
        payload: b"ping".to_vec(),
        ..Bindings::default()
    };
    let turn = file.talk.plain().render(&file.talk, &bindings);
    turn.is_ok_and(|turn| matches!(turn.judge_message(&turn.request), Judgement::Match(_)))
}

/// The exchanges of a list that the server does not hold. The plain exchange has been held before.
fn leave_out(
    prober: &mut Prober<'_>,
    client: &Client,
    file: &File,
    list: List,
) -> Result<Vec<(usize, Missed)>, DetectError> {
    let (exchanges, held_before, limit) = match list {
        List::Turn => (&file.talk.turns, 1, LIKELY),
        List::Bad => (&file.talk.bad, 0, REFUSAL),
    };
    // A server may close after a refusal.
    let keeps = list == List::Turn && file.talk.carries_many_turns();
    let mut line = None;
    let mut left_out = Vec::new();
    for (index, exchange) in exchanges.iter().enumerate().skip(held_before) {
        match hold_on(prober, client, line.take(), exchange, limit)? {
            Ok(held) => line = keeps.then_some(held),
            // A refusal that ends the server is a bug of the server, not a property of its talk.
            Err(missed) if list == List::Bad && missed.died.is_some() => {}
            Err(missed) => left_out.push((index, missed)),
        }
    }
    Ok(left_out)
}

/// Holds an exchange on this connection, or on a new one. Returns the connection.
fn hold_on(
    prober: &mut Prober<'_>,
    client: &Client,
    line: Option<Line>,
    exchange: &Exchange,
    limit: Duration,
) -> Step<Line> {
    let mut line = match line {
        Some(line) => line,
        None => held!(prober.open(client, LIKELY)),
    };
    line.set_limit(limit);
    held!(prober.hold(&mut line, exchange));
    Ok(Ok(line))
}

/// Holds the whole conversation on fresh servers, each time with other tokens. A server that does not do so right after
/// its start, but did before, may listen before it is ready.
pub(super) fn confirm(prober: &mut Prober<'_>, file: &File) -> Step<()> {
    let missed = match confirm_at_once(prober, file)? {
        Ok(()) => return Ok(Ok(())),
        Err(missed) => missed,
    };
    let is_first = missed.label.starts_with("talk.open") || missed.label == "talk.turn[0]";
    let Some(before) = is_first
        .then(|| prober.set_ready(Ready::Exchange))
        .flatten()
    else {
        return Ok(Err(missed));
    };
    let later = rehearse_all(prober, file)?;
    if later.is_err() {
        prober.set_ready(before);
        return Ok(Err(missed));
    }
    Ok(Ok(()))
}

/// Holds the whole conversation on fresh servers, right after their start.
pub(super) fn confirm_at_once(prober: &mut Prober<'_>, file: &File) -> Step<()> {
    prober.renew();
    rehearse_all(prober, file)
}

fn rehearse_all(prober: &mut Prober<'_>, file: &File) -> Step<()> {
    for _ in 0..CONFIRMATIONS {
        let subject = prober.subject(file);
        held!(rehearsed(&subject, prober.interrupt()));
    }
    Ok(Ok(()))
}

fn rehearsed(subject: &Subject, interrupt: &Interrupt) -> Step<()> {
    match rehearse(subject, interrupt) {
        Ok(_) => Ok(Ok(())),
        Err(RehearsalError::Start(failure)) => match *failure {
            StartFailure::NoExchange { why, .. } => Ok(Err(Missed::unknown(&why))),
            failure => Err(DetectError::Start(Box::new(failure))),
        },
        Err(RehearsalError::Interrupted) => Err(DetectError::Interrupted),
        Err(RehearsalError::Conversation { label, actual, .. }) => Ok(Err(Missed {
            actual: format!("{label}: {actual}"),
            label,
            sent: Vec::new(),
            died: None,
        })),
        Err(error) => Err(DetectError::Failed(error.to_string())),
    }
}
