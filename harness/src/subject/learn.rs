//! Learns a server before it is judged: the order of its turns, and the limits that it sets on purpose, which are how many
//! clients it serves, how many requests on one connection, and how long a request may be; whether it runs twice, whether it
//! closes idle connections, and how it sleeps.
//!
//! A limit counts only if the server says so: it answers with something else, closes, resets or refuses. A client that waits
//! for ever is no limit but a finding, which checks report; so is one that waits behind a handful of others. Behind many it
//! waits its turn. Each limit is met twice, with the same number; one that the file
//! states, once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::beside::Second;
use super::client::RehearsalClient;
use super::lessons::Limit;
use super::rest::{AtRest, at_rest, keeps_connections};
use super::search::{Met, Reach, Refusal, connections, requests};
use super::sizes::{message_bytes, message_bytes_at};
use super::unasked::Unasked;
use super::{
    Interrupt, Limits, Origin, Place, Rehearsal, RehearsalError, Subject, Tried, beside, block_on,
    order,
};
use crate::talk::Talk;

/// The most connections that are tried: more than any check opens.
const CONNECTIONS_MAX: usize = 402;
/// The most requests that are tried on one connection.
const REQUESTS_MAX: usize = 300;
/// The size of the longest request that is tried, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// How long one limit is looked for.
const SEARCH_TIME: Duration = Duration::from_millis(1_500);
/// How long connections are looked for: each of them stays open.
const CONNECTIONS_TIME: Duration = Duration::from_millis(2_500);
/// How long a server may take to serve others after its clients have left.
const RECOVERY: Duration = Duration::from_secs(3);
/// An exchange may take this many times as long as the slowest one of the rehearsal, within these bounds.
const SLOWER: u32 = 20;
const PATIENCE_MIN: Duration = Duration::from_millis(500);
const PATIENCE_MAX: Duration = Duration::from_secs(4);
/// How often a limit is looked for again.
const AGAIN: usize = 4;
/// Pause before that, if two searches had different results.
const AGAIN_PAUSE: Duration = Duration::from_millis(150);
/// Pause between two attempts to be served again.
const RECOVERY_PAUSE: Duration = Duration::from_millis(20);

/// Learns the order of the turns and the limits of a server, on an instance of its own. Returns the subject with a conversation
/// that states the order, and of which only one instance is started at a time if more do not run. A connection is watched for
/// at least `idle` whether it is closed.
///
/// # Errors
/// The server does not start, or the user interrupted.
pub(crate) fn learn(
    subject: &Subject,
    rehearsal: &mut Rehearsal,
    idle: Duration,
    interrupt: &Interrupt,
) -> Result<Subject, RehearsalError> {
    let mut learned = subject.clone();
    if rehearsal.single_client.is_some() {
        return Ok(learned);
    }
    let begun = Instant::now();
    let lessons = block_on(async {
        tokio::select! {
            lessons = of_server(subject, rehearsal, idle) => lessons,
            () = interrupt.wait() => Err(RehearsalError::Interrupted),
        }
    })?;
    if lessons.runs_once.is_some()
        && let Origin::Spawn(launch) = &mut learned.origin
    {
        launch.singleton = true;
    }
    rehearsal.order = lessons.places;
    rehearsal.limits = lessons.limits;
    rehearsal.tried = lessons.tried;
    rehearsal.runs_once = lessons.runs_once;
    rehearsal.at_rest = lessons.at_rest;
    rehearsal.keeps_connections = lessons.keeps_connections;
    rehearsal.unasked = lessons.unasked;
    rehearsal.took += begun.elapsed();
    learned.talk = Arc::new(lessons.talk);
    Ok(learned)
}

/// What was learned.
struct Lessons {
    places: Vec<Place>,
    /// The conversation, which states the places.
    talk: Talk,
    limits: Limits,
    tried: Tried,
    runs_once: Option<String>,
    at_rest: Vec<AtRest>,
    keeps_connections: bool,
    unasked: Option<Unasked>,
}

async fn of_server(
    subject: &Subject,
    rehearsal: &Rehearsal,
    idle: Duration,
) -> Result<Lessons, RehearsalError> {
    let patience = (rehearsal.pace.exchange * SLOWER).clamp(PATIENCE_MIN, PATIENCE_MAX);
    let (client, second) = beside::start(subject, patience).await?;
    let done = tokio::sync::Notify::new();
    let lessons = async {
        let lessons = lessons(subject, &client).await;
        done.notify_one();
        lessons
    };
    let mut unasked = None;
    let watched = async {
        let Second::Runs(second) = &second else {
            return None;
        };
        let until = async {
            tokio::join!(done.notified(), tokio::time::sleep(idle));
        };
        beside::idle_close(second, until, &mut unasked).await
    };
    let (mut lessons, idle_close) = tokio::join!(lessons, watched);
    // A connection that ends with the reply is not idle.
    let idle_close = idle_close.filter(|_| lessons.talk.carries_many_turns());
    lessons.limits.idle_close_s = idle_close.map(|after| after.as_secs_f64());
    lessons.unasked = unasked;
    if let Second::Refuses(how) = second {
        lessons.runs_once = Some(how);
    }
    Ok(lessons)
}

/// What one instance shows.
async fn lessons(subject: &Subject, client: &RehearsalClient) -> Lessons {
    let stated = &subject.promise.limits;
    let mut tried = Tried::default();
    let (mut places, mut talk) = order::learn(client).await;
    let mut requests_per_connection = None;
    if talk.carries_many_turns() {
        let reach = Reach {
            most: REQUESTS_MAX,
            time: SEARCH_TIME,
        };
        let stated = stated.requests_per_connection;
        let counted = counted(client, stated, reach, requests).await;
        requests_per_connection = counted.limit;
        tried.requests_per_connection = counted.accepted;
    }
    // One request is no number of requests but a property of the first turn.
    let is_one = |limit: &mut Limit| limit.accepts == 1 && limit.then.is_some();
    if let Some(one) = requests_per_connection.take_if(is_one) {
        places.extend(order::only_once(&mut talk, &one));
    }
    // A connection that has carried its last turn is no longer there.
    let client = &client.speaking(subject, &talk);
    let reach = Reach {
        most: CONNECTIONS_MAX,
        time: CONNECTIONS_TIME,
    };
    let connections = counted(client, stated.connections, reach, connections).await;
    tried.connections = connections.accepted;
    tried.connections_cut_short = connections.is_cut_short;
    let message_bytes = sized(client, stated.message_bytes, &mut tried).await;
    Lessons {
        places,
        talk,
        limits: Limits {
            connections: connections.limit,
            requests_per_connection,
            message_bytes,
            idle_close_s: None,
        },
        tried,
        runs_once: None,
        at_rest: at_rest(client.server()).await,
        keeps_connections: keeps_connections(client).await,
        unasked: None,
    }
}

/// What is known of a number that may be limited.
struct Counted {
    limit: Option<Limit>,
    /// How many were accepted.
    accepted: usize,
    /// Whether the search ended for lack of time.
    is_cut_short: bool,
}

impl Counted {
    fn new(limit: Option<Limit>, accepted: usize) -> Self {
        Self {
            limit,
            accepted,
            is_cut_short: false,
        }
    }
}

/// The limit of a number: as the file states it, if a search confirms that, or else as two searches find it.
async fn counted(
    client: &RehearsalClient,
    stated: Option<usize>,
    reach: Reach,
    search: impl AsyncFn(&RehearsalClient, Reach) -> Met,
) -> Counted {
    if let Some(stated) = stated {
        if stated >= reach.most {
            return Counted::new(Some(Limit::stated(stated, 0)), 0);
        }
        let most = stated + 1;
        let limit = match search(client, Reach { most, ..reach }).await {
            Met::Limit(refusal) if refusal.accepts == stated => {
                Some(Limit::seen(refusal, Some(stated)))
            }
            Met::AtLeast(accepts) if accepts <= stated => Some(Limit::stated(stated, accepts)),
            _ => None,
        };
        let served = serves_again(client).await;
        if limit.is_some() && served.is_some() {
            let accepts = limit.as_ref().map_or(0, |limit| limit.accepts);
            return Counted::new(limit, accepts);
        }
    }
    let found = twice(client, async || search(client, reach).await).await;
    let accepted = accepted(&found);
    let is_cut_short = matches!(found, Err(Met::AtLeast(accepts)) if accepts < reach.most);
    let limit = match stated {
        Some(stated) => Some(instead(stated, found)),
        None => found.ok().map(|refusal| Limit::seen(refusal, None)),
    };
    Counted {
        limit,
        accepted,
        is_cut_short,
    }
}

/// How many were accepted.
fn accepted(found: &Result<Refusal, Met>) -> usize {
    match found {
        Ok(refusal) => refusal.accepts,
        Err(Met::AtLeast(accepts) | Met::Announced(accepts) | Met::Left(accepts, _)) => *accepts,
        Err(Met::Limit(_) | Met::Nothing) => 0,
    }
}

/// What was found where the file states otherwise.
fn instead(stated: usize, found: Result<Refusal, Met>) -> Limit {
    match found {
        Ok(refusal) => Limit::seen(refusal, Some(stated)),
        // Checks stay below the number that is served.
        Err(Met::Left(accepts, then)) if accepts < stated => {
            let refusal = Refusal {
                accepts,
                then,
                closes: false,
            };
            Limit::seen(refusal, Some(stated))
        }
        Err(Met::AtLeast(accepts) | Met::Announced(accepts) | Met::Left(accepts, _)) => {
            Limit::stated(stated, accepts)
        }
        Err(Met::Limit(_) | Met::Nothing) => Limit::stated(stated, 0),
    }
}

/// The limit of the size of a message, and what else is known about sizes.
async fn sized(
    client: &RehearsalClient,
    stated: Option<usize>,
    tried: &mut Tried,
) -> Option<Limit> {
    if let Some(stated) = stated
        && let Ok(Met::Limit(refusal)) = message_bytes_at(client, stated).await
    {
        tried.message_bytes = refusal.accepts;
        return Some(Limit::seen(refusal, Some(stated)));
    }
    let reach = Reach {
        most: MESSAGE_BYTES_MAX,
        time: SEARCH_TIME,
    };
    let mut trouble = None;
    let found = twice(client, async || {
        let met = message_bytes(client, reach).await;
        met.unwrap_or_else(|(accepts, odd)| {
            let how = odd.how.clone();
            trouble = Some(odd);
            Met::Left(accepts, how)
        })
    });
    let found = found.await;
    tried.trouble = trouble;
    tried.message_bytes = accepted(&found);
    match stated {
        Some(stated) => Some(instead(stated, found)),
        None => found.ok().map(|refusal| Limit::seen(refusal, None)),
    }
}

/// Looks for a limit until two searches in a row find the same. A server may need a while to give back what clients held, or refuse
/// at random before it is full, as MaxStartups of sshd does: then the smallest number counts. The error is what was met instead.
async fn twice(
    client: &RehearsalClient,
    mut search: impl AsyncFnMut() -> Met,
) -> Result<Refusal, Met> {
    let mut all = vec![refusal(search().await)?];
    for _ in 0..AGAIN {
        serves_again(client).await.ok_or(Met::Nothing)?;
        let next = refusal(search().await)?;
        let is_same = all.last().is_some_and(|last| next.accepts == last.accepts);
        all.push(next);
        if is_same {
            break;
        }
        tokio::time::sleep(AGAIN_PAUSE).await;
    }
    serves_again(client).await.ok_or(Met::Nothing)?;
    settled(all).ok_or(Met::Nothing)
}

/// The limit that these searches have found, in their order. Numbers that only fall are none: clients that have left still hold
/// their places.
fn settled(mut all: Vec<Refusal>) -> Option<Refusal> {
    let last = all.pop()?;
    if all.last()?.accepts == last.accepts {
        return Some(last);
    }
    let is_rising = |pair: &[Refusal]| pair[0].accepts < pair[1].accepts;
    all.push(last);
    let varies = all.windows(2).any(is_rising);
    let smallest = all.into_iter().min_by_key(|refusal| refusal.accepts);
    smallest.filter(|_| varies)
}

fn refusal(met: Met) -> Result<Refusal, Met> {
    match met {
        Met::Limit(refusal) => Ok(refusal),
        other => Err(other),
    }
}

/// Waits until the server serves a client; `None` if it does not.
async fn serves_again(client: &RehearsalClient) -> Option<()> {
    let begun = Instant::now();
    while client.exchange().await.is_err() {
        if begun.elapsed() >= RECOVERY {
            return None;
        }
        tokio::time::sleep(RECOVERY_PAUSE).await;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(accepts: &[usize]) -> Option<usize> {
        let refusal = |accepts: &usize| Refusal {
            accepts: *accepts,
            then: "the server closes it".into(),
            closes: true,
        };
        let all = accepts.iter().map(refusal).collect();
        settled(all).map(|refusal| refusal.accepts)
    }

    #[test]
    fn a_limit_that_varies_is_the_smallest_that_was_met() {
        assert_eq!(limit(&[9, 20, 20]), Some(20));
        assert_eq!(limit(&[14, 11, 17, 12, 30]), Some(11));
        assert_eq!(limit(&[12, 10, 8, 6, 4]), None, "places are lost");
        assert_eq!(limit(&[5]), None);
    }
}
