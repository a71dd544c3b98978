//! Learns which turns only work after others, which a connection carries only once, and after which the server closes it: what
//! `after`, `once` and `last` would say.

use std::time::{Duration, Instant};

use super::client::RehearsalClient;
use super::lessons::{Limit, Place};
use crate::talk::{Exchange, Talk};

/// How long the order is looked for.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// How often the server has to close after a turn for that to be a property of the turn.
const TRIES: usize = 2;

/// Learns the order of the turns. Returns what is special about them, and the conversation that says so. A file that states an
/// order is taken at its word. A turn for which the time does not suffice comes after all before it in the file, which is what
/// the rehearsal has tried.
pub(super) async fn learn(client: &RehearsalClient) -> (Vec<Place>, Talk) {
    let begun = Instant::now();
    let mut talk = client.talk().clone();
    let mut places = Vec::new();
    if talk.turns.iter().any(|turn| !turn.order.is_free()) || !talk.carries_many_turns() {
        return (places, talk);
    }
    for index in 1..talk.turns.len() {
        let deadline = begun + SEARCH_TIME;
        let Some(way) = shortest_way(client, index, deadline).await else {
            continue;
        };
        if way.is_empty() {
            places.extend(closes_after(client, index, deadline).await.then(|| {
                talk.turns[index].order.last = true;
                Place {
                    turn: talk.turns[index].label.clone(),
                    after: Vec::new(),
                    once: false,
                    last: true,
                }
            }));
            continue;
        }
        let once = Instant::now() >= deadline || !works(client, &way, &[index, index]).await;
        let after: Vec<String> = way.iter().map(|step| name(&mut talk, *step)).collect();
        let turn = &mut talk.turns[index];
        turn.order.after.clone_from(&after);
        turn.order.once = once;
        let label = |step: &usize| talk.turns[*step].label.clone();
        places.push(Place {
            turn: label(&index),
            after: way.iter().map(label).collect(),
            once,
            last: false,
        });
    }
    (places, talk)
}

/// Notes that a connection carries the first turn once, as this limit shows.
pub(super) fn only_once(talk: &mut Talk, limit: &Limit) -> Option<Place> {
    let plain = talk.turns.first_mut()?;
    (plain.order.once, plain.order.last) = (!limit.closes, limit.closes);
    Some(Place {
        turn: plain.label.clone(),
        after: Vec::new(),
        once: plain.order.once,
        last: plain.order.last,
    })
}

/// The fewest turns right before this one after which it works, on a new connection; all of them if they are not found before
/// the deadline. `None` if it does not work after all of them either, as when replies vary.
async fn shortest_way(
    client: &RehearsalClient,
    index: usize,
    deadline: Instant,
) -> Option<Vec<usize>> {
    for start in (0..=index).rev() {
        if Instant::now() >= deadline {
            return Some((0..index).collect());
        }
        let way: Vec<usize> = (start..index).collect();
        // With two tokens: one of them may suit the server by chance.
        if works(client, &way, &[index]).await && works(client, &way, &[index]).await {
            return Some(way);
        }
    }
    None
}

/// Whether the server answers this turn and then closes the connection, twice: an HTTP server may do so after an error.
async fn closes_after(client: &RehearsalClient, index: usize, deadline: Instant) -> bool {
    for _ in 0..TRIES {
        if Instant::now() >= deadline || !client.ends_after(&client.talk().turns[index]).await {
            return false;
        }
    }
    true
}

/// Whether these turns can be held on a new connection, one after the other.
async fn works(client: &RehearsalClient, way: &[usize], turns: &[usize]) -> bool {
    let turns = way.iter().chain(turns);
    let turns: Vec<Exchange> = turns
        .map(|index| client.talk().turns[*index].clone())
        .collect();
    client.hold(&turns).await.is_ok()
}

/// The name of a turn, which gets one if it has none.
fn name(talk: &mut Talk, index: usize) -> String {
    let turn = &mut talk.turns[index];
    let label = turn.label.clone();
    turn.name.get_or_insert(label).clone()
}
