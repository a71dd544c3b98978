//! Sends what the server's code compares with what it reads: as a message of its own after the others, in place of the last
//! message, or somewhere in it. Not in the list of mutators, since there are hints only where the code is seen.

use super::dictionary::place;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::text;
use crate::fuzz::random::Random;
use crate::fuzz::{SendStep, Step};
use crate::talk::Frame;

/// The name, for statistics.
pub(in crate::fuzz) const HINTED: &str = "hints";

/// Maximum steps of a case to which a message is added.
const STEPS_MAX: usize = 48;

/// Applies one of the hints, of which the first are the most promising. Returns false if there was nothing to change.
pub(in crate::fuzz) fn hinted(mutating: &mut Mutating<'_>, hints: &[Vec<u8>]) -> bool {
    let Some(hint) = pick(mutating.random, hints) else {
        return false;
    };
    match mutating.random.below(8) {
        0..=2 => {
            let is_done = append(mutating, &hint);
            // What the message has changed may show only at the next one.
            if mutating.random.one_in(3)
                && let Some(next) = pick(mutating.random, hints)
            {
                append(mutating, &next);
            }
            is_done
        }
        3..=4 => replace(mutating, &hint),
        5 => command(mutating, &hint),
        _ => mutating.edit(Lengths::MostlyTrue, |bytes, random, _| {
            place(bytes, &hint, random);
            true
        }),
    }
}

/// A hint: each power of two of positions is equally likely. Numbers may have been swapped before they are compared.
fn pick(random: &mut Random, hints: &[Vec<u8>]) -> Option<Vec<u8>> {
    let at = match random.one_in(4) {
        true => random.below(hints.len()),
        false => random.size(hints.len()).saturating_sub(1),
    };
    let mut hint = hints.get(at)?.clone();
    let is_number = matches!(hint.len(), 2 | 4 | 8) && !hint.iter().all(u8::is_ascii_graphic);
    if is_number && random.one_in(2) {
        hint.reverse();
    }
    Some(hint)
}

/// A whole message with this content.
fn message(mutating: &mut Mutating<'_>, content: &[u8]) -> Vec<u8> {
    let turns = &mutating.material.payload_turns;
    if mutating.random.one_in(3)
        && let Some(turn) = mutating.random.pick(turns)
        && let Some(made) = mutating.material.with_payload(*turn, content)
    {
        return made;
    }
    let frame = mutating.material.request_frame();
    let mut message = frame.wrap(content);
    match frame {
        Frame::Until(ends) => {
            let end = mutating.random.pick(ends.all());
            message.extend_from_slice(end.map(Vec::as_slice).unwrap_or_default());
        }
        Frame::LastLine(_) | Frame::Lines(_) => message.push(b'\n'),
        _ => {}
    }
    message
}

fn append(mutating: &mut Mutating<'_>, hint: &[u8]) -> bool {
    let ends = |step: &Step| matches!(step, Step::HalfClose | Step::Reset | Step::Close);
    if mutating.case.steps.len() >= STEPS_MAX || mutating.case.steps.last().is_some_and(ends) {
        return replace(mutating, hint);
    }
    let message = message(mutating, hint);
    // Without a wait for the reply, some servers take both messages for one.
    let follows = matches!(mutating.case.steps.last(), Some(Step::Send(_)));
    if follows && (mutating.answered || mutating.random.one_in(8)) {
        mutating.case.steps.push(Step::Receive);
    }
    mutating.touch(mutating.case.steps.len());
    mutating
        .case
        .steps
        .push(Step::Send(SendStep::whole(message)));
    true
}

fn replace(mutating: &mut Mutating<'_>, hint: &[u8]) -> bool {
    let Some(at) = mutating.pick_send() else {
        return false;
    };
    let message = message(mutating, hint);
    mutating.case.steps[at] = Step::Send(SendStep::whole(message));
    mutating.touch(at);
    true
}

/// Replaces the first word of a message.
fn command(mutating: &mut Mutating<'_>, hint: &[u8]) -> bool {
    mutating.edit(Lengths::MostlyTrue, |bytes, _, _| {
        let first = text::words(bytes).into_iter().next();
        let first = first.unwrap_or(0..0);
        bytes.splice(first, hint.iter().copied());
        true
    })
}
