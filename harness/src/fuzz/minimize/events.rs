//! A case as a list of events with explicit connections, so that steps can be removed without renumbering the
//! connections.

use std::ops::Range;

use crate::fuzz::{Case, Step};

/// A connection and a step on it; `None` opens the connection.
pub(super) type ConnectionEvent = (u8, Option<Step>);

/// The events of a case. The first connection is opened before everything else.
pub(super) fn of(case: &Case) -> Vec<ConnectionEvent> {
    let mut events = vec![(0, None)];
    let (mut opened, mut current) = (0, 0);
    for step in &case.steps {
        match step {
            Step::Connect => {
                opened += 1;
                current = opened;
                events.push((current, None));
            }
            Step::Switch(to) => current = *to,
            step => events.push((current, Some(step.clone()))),
        }
    }
    events
}

/// The case of these events. A connection whose opening was removed is opened when it is first used.
pub(super) fn case(events: &[ConnectionEvent]) -> Case {
    let mut steps = Vec::new();
    // The connections in their new order.
    let mut opened: Vec<u8> = Vec::new();
    let mut current = None;
    for (connection, step) in events {
        let place = opened.iter().position(|known| known == connection);
        if place.is_none() {
            // The first connection is open from the beginning.
            if !opened.is_empty() {
                steps.push(Step::Connect);
            }
            opened.push(*connection);
            current = Some(*connection);
        }
        let Some(step) = step else {
            continue;
        };
        if let Some(place) = place
            && current != Some(*connection)
        {
            steps.push(Step::Switch(u8::try_from(place).unwrap_or(u8::MAX)));
            current = Some(*connection);
        }
        steps.push(step.clone());
    }
    Case::new(steps)
}

/// All events except those in the range.
pub(super) fn without(events: &[ConnectionEvent], range: &Range<usize>) -> Vec<ConnectionEvent> {
    let mut left = events.to_vec();
    left.drain(range.start.min(left.len())..range.end.min(left.len()));
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::SendStep;

    #[test]
    fn both_ways() {
        let send = |text: &[u8]| Step::Send(SendStep::whole(text));
        let steps = vec![
            send(b"a"),
            Step::Connect,
            send(b"b"),
            Step::Switch(0),
            Step::Reset,
            Step::Connect,
            Step::Connect,
            Step::Switch(1),
            Step::Receive,
        ];
        let original = Case::new(steps);
        let events = of(&original);
        assert_eq!(case(&events), original);
        let second: Vec<ConnectionEvent> =
            events.iter().filter(|(at, _)| *at == 1).cloned().collect();
        assert_eq!(case(&second).steps, [send(b"b"), Step::Receive]);
        let others: Vec<ConnectionEvent> = events.into_iter().filter(|(at, _)| *at != 1).collect();
        assert_eq!(
            case(&others).steps,
            [send(b"a"), Step::Reset, Step::Connect, Step::Connect]
        );
    }
}
