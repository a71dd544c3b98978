//! Many concurrent sessions, each with its own replies.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight, inconclusive};
use crate::process::TcpState;
use crate::session::Session;

/// Runs many sessions concurrently, each with its own tokens.
pub(super) const ENTRY: Check = Check {
    id: "crosstalk",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.3.1: each connection has its own state; a reply goes to the client that sent the request, and to no other",
    stimulus: "50 concurrent sessions of 20 requests each, every request with its own token",
    needs: &[Need::DistinctReplies, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,threading as t; r={request}; a=set(); f=lambda: (lambda s: (s.settimeout(5), [(s.send(r), a.add(s.recv(4096))) for _ in range(20)]))(socket.create_connection(('{host}',{port}))); x=[t.Thread(target=f) for _ in range(50)]; [y.start() for y in x]; [y.join() for y in x]; print('distinct replies to one request:', a)\"",
    run: |cx| Box::pin(run(cx)),
};

/// Total number of sessions.
const SESSIONS: usize = 50;
/// Maximum number of requests per session.
const TURNS: u32 = 20;
/// Time budget for all sessions. A slow server gets fewer requests, so that one that serves
/// sessions one by one finishes in time.
const TIME_BUDGET: Duration = Duration::from_secs(8);

async fn run(cx: &Cx) -> Checked {
    // A client that does not fit into the accept queue of a server that serves one by one would
    // wait for seconds.
    let room = cx
        .server()
        .listener()
        .map_or(SESSIONS, |listener| listener.backlog.max(1) as usize);
    let beside = cx.connections(SESSIONS).min(room);
    let turns = turns(cx.pace().exchange);
    let begun = Rc::new(Cell::new(0));
    let replies = Rc::new(Cell::new(0_u32));
    let mut first = Vec::new();
    for _ in 0..beside {
        first.push(cx.connect().await?);
    }
    let open = first.iter().filter(|session| is_open(cx, session)).count();
    let handed_over = first
        .first()
        .map_or(Ok(()), |session| cx.is_handed_over(session));
    let first = Rc::new(Cell::new(first));
    let held = Rc::new(Held::default());
    let results = cx
        .crowd(beside, |cx, _| {
            let (begun, replies, first) = (begun.clone(), replies.clone(), first.clone());
            let held = held.clone();
            async move {
                while begun.replace(begun.get() + 1) < SESSIONS {
                    let session = taken(&first);
                    one_session(&cx, session, turns, (&replies, &held)).await?;
                }
                Ok(())
            }
        })
        .await;
    // The kernel may hand over a connection only with its first bytes (TCP_DEFER_ACCEPT).
    let open = open.max(held.most.get());
    cx.note("sessions_open_at_once", open);
    cx.note("replies", replies.get());
    if open < beside.min(2) {
        handed_over?;
        return inconclusive("unproven: the sessions are not in the server's socket table");
    }
    cx.proved(format!(
        "{open} connections were ESTABLISHED in the server's socket table at once; {} replies were compared with the tokens of their requests",
        replies.get()
    ));
    results.into_iter().collect()
}

fn turns(exchange: Duration) -> u32 {
    let one_by_one = exchange.as_secs_f64() * SESSIONS as f64;
    (TIME_BUDGET.as_secs_f64() / one_by_one.max(1e-6)).clamp(2.0, f64::from(TURNS)) as u32
}

fn is_open(cx: &Cx, session: &Session) -> bool {
    cx.peer(session)
        .is_some_and(|peer| peer.state == TcpState::Established)
}

/// Takes one of the sessions that are already open.
fn taken(first: &Cell<Vec<Session>>) -> Option<Session> {
    let mut sessions = first.take();
    let session = sessions.pop();
    first.set(sessions);
    session
}

/// Sessions that the server holds between their first reply and their last.
#[derive(Default)]
struct Held {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Held {
    fn begin(&self) {
        self.now.set(self.now.get() + 1);
        self.most.set(self.most.get().max(self.now.get()));
    }

    fn end(&self) {
        self.now.set(self.now.get() - 1);
    }
}

/// All turns of one session, on one connection if the talk keeps it open.
async fn one_session(
    cx: &Cx,
    session: Option<Session>,
    turns: u32,
    (replies, held): (&Cell<u32>, &Held),
) -> Checked {
    let one_by_one =
        !cx.talk().carries_many_turns() || cx.requests(turns as usize) < turns as usize;
    let mut session = match session {
        Some(session) => session,
        None => cx.connect().await?,
    };
    // Other sessions may come first if the server serves one by one.
    session.set_limit(cx.pace().reply_limit() + TIME_BUDGET);
    session.opening().await?;
    let mut is_held = false;
    for number in 0..turns {
        if one_by_one && number > 0 {
            session = cx.open().await?;
        }
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        replies.set(replies.get() + 1);
        if number == 0 && turns > 1 && !one_by_one && is_open(cx, &session) {
            held.begin();
            is_held = true;
        }
    }
    if is_held {
        held.end();
    }
    session.close();
    Ok(())
}
