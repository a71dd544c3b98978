//! The limits that the file states.

use std::time::{Duration, Instant};

use crate::check::{
    Check, Checked, Cx, Failure, FailureKind, Need, Runs, Shortfall, Weight, idle, skip,
};
use crate::session::ConnectionEnd;
use crate::subject::{
    Met, Reach, Refusal, RehearsalClient, Sized, Trouble, connections_accepted, grouped,
    message_bytes_at, requests_accepted,
};

/// Goes up to each stated limit, and one beyond.
pub(super) const ENTRY: Check = Check {
    id: "limits-hold",
    group: super::GROUP,
    battery: 1,
    requirement: "[limits]: the server accepts as much as the file states, and refuses more by a message, a close or a reset: the other checks, campaigns and loads rely on it",
    stimulus: "as many connections, requests on one connection and bytes in a request as stated, and one more of each; a connection that is idle for the stated time",
    needs: &[Need::Limits, Need::Reply],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(400),
    by_hand: "python3 -c \"import socket; n=int(input('connections in [limits]: ')); c=[socket.create_connection(('{host}',{port})) for _ in range(n+1)]; [(s.settimeout(2), s.sendall({request})) for s in c]; print([s.recv(99) for s in c])\"",
    run: |cx| Box::pin(run(cx)),
};

/// The most connections that are opened without `--slow`, and with it: tcprove needs a descriptor for each.
const CONNECTIONS_MAX: usize = 400;
const CONNECTIONS_MAX_SLOW: usize = 400_000;
/// Descriptors that tcprove needs for everything else.
const DESCRIPTORS_BESIDE: u64 = 500;
/// How long a search may take, without `--slow` and with it.
const TIME: Duration = Duration::from_secs(10);
const TIME_SLOW: Duration = Duration::from_secs(120);
/// Time by which an idle connection may be closed later than stated: many servers look at their timers once per second or
/// less often.
const IDLE_SLACK: Duration = Duration::from_secs(5);

/// What was seen of one limit.
enum Seen {
    /// It is as stated.
    Holds(String),
    /// The server accepts less, or refuses more in no way that a client notices.
    Broken(Failure),
    /// The server accepts more.
    Wider(Failure),
    /// It takes too long.
    NotTried(String),
}

async fn run(cx: &Cx) -> Checked {
    let stated = cx.promise().limits.clone();
    let client = cx.rehearsal_client();
    let mut seen = Vec::new();
    if let Some(most) = stated.requests_per_connection
        && cx.talk().carries_many_turns()
    {
        let requests = Number {
            name: "requests_per_connection",
            what: "requests on a connection",
            one: "request",
            most,
        };
        let reach = requests.reach(cx);
        seen.push(requests.judge(cx, requests_accepted(&client, reach).await));
    }
    if let Some(bytes) = stated.message_bytes {
        seen.push(match cx.payload_is_answered() {
            Ok(()) if cx.voice().payload_exchange().is_some() => {
                message(bytes, message_bytes_at(&client, bytes).await)
            }
            _ => Seen::NotTried("no [[talk.turn]] with a reply sends {payload}".to_owned()),
        });
    }
    if let Some(after) = stated.idle_close {
        seen.push(idle(cx, after).await?);
    }
    if let Some(most) = stated.connections {
        seen.push(connections(cx, &client, most).await);
    }
    verdict(cx, seen)
}

/// The worst that was seen.
fn verdict(cx: &Cx, seen: Vec<Seen>) -> Checked {
    let (mut hold, mut broken, mut wider, mut not_tried) = (vec![], vec![], vec![], vec![]);
    for one in seen {
        match one {
            Seen::Holds(how) => hold.push(how),
            Seen::Broken(failure) => broken.push(failure),
            Seen::Wider(failure) => wider.push(failure),
            Seen::NotTried(why) => not_tried.push(why),
        }
    }
    if !hold.is_empty() {
        cx.note("as_stated", hold.clone());
    }
    if !not_tried.is_empty() {
        cx.note("not_tried", not_tried.clone());
    }
    let tried = hold.len() + broken.len() + wider.len();
    if tried > 0 {
        cx.proved(format!(
            "stated limits that were tried, up to each and beyond: {tried}"
        ));
    }
    match (together(broken), together(wider)) {
        (Some(failure), _) => Err(Shortfall::Failed(failure)),
        (None, Some(failure)) => Err(Shortfall::Warned(failure)),
        (None, None) if tried > 0 => Ok(()),
        (None, None) if not_tried.is_empty() => {
            skip("no limit of [limits] applies to this conversation")
        }
        (None, None) => cx.skip_as_slow(not_tried.join("; ")),
    }
}

/// Several failures as one.
fn together(failures: Vec<Failure>) -> Option<Failure> {
    let kind = failures.first()?.kind;
    let all = |part: fn(&Failure) -> &String| {
        let texts: Vec<&str> = failures.iter().map(|one| part(one).as_str()).collect();
        texts.join("; ")
    };
    let expected = all(|failure| &failure.mismatch.expected);
    let actual = all(|failure| &failure.mismatch.actual);
    Some(Failure::new(kind, expected, actual))
}

/// A limit of a number.
struct Number {
    name: &'static str,
    what: &'static str,
    one: &'static str,
    most: usize,
}

impl Number {
    fn reach(&self, cx: &Cx) -> Reach {
        Reach {
            most: self.most + 1,
            time: if cx.is_slow() { TIME_SLOW } else { TIME },
        }
    }

    fn stated(&self) -> String {
        format!("`{} = {}` in [limits]", self.name, self.most)
    }

    fn judge(&self, cx: &Cx, met: Met) -> Seen {
        let Self {
            what, one, most, ..
        } = self;
        let expected = format!("{}: {} {what}", self.stated(), grouped(*most));
        let next = |accepts: usize| format!("{one} {}", grouped(accepts + 1));
        let broken = |kind, actual: String| Seen::Broken(Failure::new(kind, &expected, actual));
        match met {
            Met::Limit(Refusal { accepts, then, .. }) if accepts == *most => Seen::Holds(format!(
                "{} {what}, and of {}: {then}",
                grouped(accepts),
                next(accepts)
            )),
            Met::Announced(accepts) if accepts == *most => Seen::Holds(format!(
                "{} {what}, the last reply announces the close",
                grouped(accepts)
            )),
            Met::Limit(Refusal { accepts, then, .. }) => broken(
                FailureKind::Refused,
                format!(
                    "{} {what}, and of {}: {then}",
                    grouped(accepts),
                    next(accepts)
                ),
            ),
            Met::Announced(accepts) => broken(
                FailureKind::Refused,
                format!(
                    "{} {what}, the last reply announces the close",
                    grouped(accepts)
                ),
            ),
            Met::Left(accepts, how) => broken(
                FailureKind::Blocked,
                format!(
                    "{} {what}; {} got no answer and was not refused: {how}",
                    grouped(accepts),
                    next(accepts)
                ),
            ),
            Met::AtLeast(accepts) if accepts > *most => Seen::Wider(Failure::new(
                FailureKind::Accepted,
                format!("{expected}, and no more"),
                format!(
                    "{} {what} are accepted: state what is true now, or remove the line",
                    grouped(accepts)
                ),
            )),
            Met::AtLeast(accepts) => Seen::NotTried(format!(
                "{}: {} were tried within {:?}",
                self.stated(),
                grouped(accepts),
                self.reach(cx).time
            )),
            Met::Nothing => broken(
                FailureKind::Refused,
                format!("not even the first {one} was accepted"),
            ),
        }
    }
}

async fn connections(cx: &Cx, client: &RehearsalClient, most: usize) -> Seen {
    let connections = Number {
        name: "connections",
        what: "connections at the same time",
        one: "connection",
        most,
    };
    let (soft, _) =
        crate::sys::raise_nofile_limit().unwrap_or_else(|_| crate::sys::initial_nofile());
    let room = usize::try_from(soft.saturating_sub(DESCRIPTORS_BESIDE)).unwrap_or(usize::MAX);
    let most_tried = match cx.is_slow() {
        true => room.min(CONNECTIONS_MAX_SLOW),
        false => room.min(CONNECTIONS_MAX),
    };
    if most >= most_tried {
        return Seen::NotTried(format!(
            "{}: at most {most_tried} connections are opened",
            connections.stated()
        ));
    }
    let reach = connections.reach(cx);
    connections.judge(cx, connections_accepted(client, reach).await)
}

/// A request of the stated size, and the next longer one.
fn message(bytes: usize, met: Sized) -> Seen {
    let stated = format!("`message_bytes = {bytes}` in [limits]");
    let expected = format!(
        "{stated}: a request of {} bytes is answered, a longer one refused",
        grouped(bytes)
    );
    match met {
        Ok(Met::Limit(Refusal { accepts, then, .. })) => Seen::Holds(format!(
            "{} bytes in a request, and of a longer one: {then}",
            grouped(accepts)
        )),
        Ok(Met::AtLeast(accepts)) if accepts > bytes => Seen::Wider(Failure::new(
            FailureKind::Accepted,
            expected,
            format!(
                "a request of {} bytes is answered: state what is true now, or remove the line",
                grouped(accepts)
            ),
        )),
        Err((_, Trouble { bytes, how })) => Seen::Broken(Failure::new(
            FailureKind::LostReply,
            expected,
            format!("a request of {} bytes: {how}", grouped(bytes)),
        )),
        Ok(Met::Nothing) => Seen::Broken(Failure::new(
            FailureKind::Refused,
            expected,
            format!(
                "the longest request of at most {} bytes is refused",
                grouped(bytes)
            ),
        )),
        Ok(_) => Seen::NotTried(format!("{stated}: the talk has no longer message")),
    }
}

/// A connection that is idle after an exchange.
async fn idle(cx: &Cx, stated: Duration) -> Checked<Seen> {
    let longest = idle::longest(cx);
    if stated > longest {
        return Ok(Seen::NotTried(format!(
            "`idle_close` is {stated:?}; at most {longest:?} are waited for"
        )));
    }
    let mut client = cx.open().await?;
    if cx.talk().carries_many_turns() {
        let turn = client.turn()?;
        client.exchange(&turn).await?;
    }
    let begun = Instant::now();
    let end = client.drained(stated + IDLE_SLACK).await;
    let waited = begun.elapsed().as_secs_f64();
    let expected =
        format!("`idle_close` in [limits]: an idle connection is closed after {stated:?}");
    let early = (stated / 4).max((stated / 2).min(Duration::from_secs(1)));
    Ok(match end {
        ConnectionEnd::StillOpen => Seen::Wider(Failure::new(
            FailureKind::NotClosed,
            expected,
            format!("it is still open after {waited:.1} s"),
        )),
        _ if waited + early.as_secs_f64() < stated.as_secs_f64() => Seen::Broken(Failure::new(
            FailureKind::Refused,
            expected,
            format!("it is closed after {waited:.1} s"),
        )),
        _ => Seen::Holds(format!("an idle connection is closed after {waited:.1} s")),
    })
}
