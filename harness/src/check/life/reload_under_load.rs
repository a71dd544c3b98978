//! The reload signal while clients are served.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::check::closing::was_closed_unread;
use crate::check::{
    Check, Checked, Cx, Failure, FailureKind, Need, Runs, Shortfall, Weight, failed, inconclusive,
};
use crate::process::signal_name;
use crate::session::{ConnectionEnd, OpeningError, PeerError, Session};

/// Asks the server to reload while clients send their requests.
pub(super) const ENTRY: Check = Check {
    id: "reload-under-load",
    group: super::GROUP,
    battery: 1,
    requirement: "[server] reload: a server reads its settings again without losing a client: no request remains without a reply, no connect is refused but in the words of the protocol, and the main process lives (signal(7): the default action of SIGHUP ends it)",
    stimulus: "3 clients on connections of their own and 2 with a new connection for each request; meanwhile the reload signal, 6 times, or 24 times if the server closes connections then",
    needs: &[Need::Reload, Need::Spawned, Need::Accepts, Need::Reply],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; e=time.time()+1; n=0\nwhile time.time()<e:\n s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.sendall({request}); assert s.recv(4096); s.close(); n+=1\n if n==50: os.kill($p,1)\"; kill -0 $p && echo it lives; kill $p",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients that keep their connection.
const KEPT: usize = 3;
/// Number of clients that connect for each request.
const NEW: usize = 2;
/// Number of signals: a server may lose a request with some of them only.
const SIGNALS: usize = 6;
/// The same for a server that closes connections when it reloads, which may be just when a request arrives.
const SIGNALS_IF_CLOSING: usize = 24;
/// Time before the first signal, and after each.
const BETWEEN: Duration = Duration::from_millis(250);
/// Time between two requests of a client.
const PAUSE: Duration = Duration::from_millis(2);
/// Number of requests between two pauses once the server has closed connections: a request has to be on its way just then.
const WITHOUT_PAUSE: u64 = 8;
/// Time for the end of the server to become visible.
const SETTLES: Duration = Duration::from_millis(300);

/// What the clients share.
#[derive(Default)]
struct Traffic {
    ends: Cell<bool>,
    exchanges: Cell<u64>,
    /// Connections that the server closed between two requests.
    closed: Cell<u64>,
    /// Clients that the server told at once, in the words of its protocol, to come again.
    turned_away: Cell<u64>,
}

impl Traffic {
    /// Whether the client that has just got its reply pauses.
    fn is_due(&self) -> bool {
        self.closed.get() == 0 || self.exchanges.get().is_multiple_of(WITHOUT_PAUSE)
    }
}

async fn run(cx: &Cx) -> Checked {
    let Some(signal) = cx.launch()?.reload else {
        return inconclusive("the file states no reload signal");
    };
    // A server may handle the signal only some time after it listens.
    cx.exchange().await?;
    let traffic = Rc::new(Traffic::default());
    let crowd = cx.crowd(KEPT + NEW, |cx, number| {
        let traffic = traffic.clone();
        async move {
            let done = client(&cx, &traffic, number < KEPT).await;
            traffic.ends.set(traffic.ends.get() || done.is_err());
            done
        }
    });
    let (clients, signals) = tokio::join!(crowd, signalled(cx, &traffic, signal));
    signals?;
    cx.note("exchanges", traffic.exchanges.get());
    cx.note("closed_between_requests", traffic.closed.get());
    cx.note("turned_away", traffic.turned_away.get());
    let exit = if clients.iter().any(Result::is_err) {
        cx.server().wait_exit(SETTLES).await
    } else {
        cx.server().exit()
    };
    if let Some(exit) = exit {
        return failed(
            FailureKind::Died,
            format!("the server keeps running after {}", signal_name(signal)),
            format!("the server {exit}"),
        );
    }
    clients.into_iter().collect::<Checked<Vec<()>>>()?;
    cx.is_alive().await
}

/// Sends the signals, and ends the traffic.
async fn signalled(cx: &Cx, traffic: &Traffic, signal: i32) -> Checked {
    let name = signal_name(signal);
    let pid = cx.server().pid().unwrap_or_default();
    let between = BETWEEN.max(cx.pace().exchange * 5);
    let mut counts = Vec::new();
    let most = || match traffic.closed.get() {
        0 => SIGNALS,
        _ => SIGNALS_IF_CLOSING,
    };
    while counts.len() < most() {
        if cx.eventually(between, || traffic.ends.get()).await {
            break;
        }
        let sent = cx.server().signal(signal);
        if let Err(error) = sent {
            traffic.ends.set(true);
            return inconclusive(format!(
                "{name} could not be sent to process {pid}: {error}"
            ));
        }
        cx.step(format!("{name} to process {pid}"));
        counts.push(traffic.exchanges.get().to_string());
    }
    cx.eventually(between, || traffic.ends.get()).await;
    traffic.ends.set(true);
    if !counts.is_empty() {
        cx.proved(format!(
            "the kernel delivered {name} to process {pid} after {} exchanges, {} in all",
            counts.join(" and "),
            traffic.exchanges.get()
        ));
    }
    Ok(())
}

/// One client, until the traffic ends.
async fn client(cx: &Cx, traffic: &Traffic, keeps: bool) -> Checked {
    let keeps = keeps && cx.talk().carries_many_turns();
    let mut kept: Option<Session> = None;
    while !traffic.ends.get() {
        let is_first = kept.is_none();
        let mut session = match kept.take() {
            Some(session) => session,
            None => match greeted(cx).await? {
                Some(session) => session,
                None => {
                    traffic.turned_away.set(traffic.turned_away.get() + 1);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
        };
        let turn = session.turn()?;
        match session.exchange(&turn).await {
            Ok(_) => traffic.exchanges.set(traffic.exchanges.get() + 1),
            Err(error) if !is_first && was_closed_unread(cx, &session, &error).await => {
                traffic.closed.set(traffic.closed.get() + 1);
                continue;
            }
            Err(error) => return Err(lost(error)),
        }
        if traffic.is_due() {
            tokio::time::sleep(PAUSE).await;
        }
        if !keeps {
            session.close();
        } else if session.drained(Duration::ZERO).await == ConnectionEnd::StillOpen {
            kept = Some(session);
        } else {
            traffic.closed.set(traffic.closed.get() + 1);
        }
    }
    Ok(())
}

/// A new connection after its opening. `None` if the server greets with something else and closes, as dovecot does with
/// "* BYE Shutting down": such a client has asked nothing yet, and comes again.
async fn greeted(cx: &Cx) -> Checked<Option<Session>> {
    let mut session = cx.connect().await?;
    match session.opening().await {
        Ok(()) => Ok(Some(session)),
        Err(OpeningError {
            error: PeerError::Wrong { .. },
            ..
        }) if session.drained(SETTLES).await != ConnectionEnd::StillOpen => Ok(None),
        Err(error) => Err(Shortfall::from(error)),
    }
}

fn lost(error: PeerError) -> Shortfall {
    match Shortfall::from(error) {
        Shortfall::Failed(failure) => Shortfall::Failed(Failure::new(
            failure.kind,
            "every request gets its reply while the server reloads",
            failure.mismatch.actual,
        )),
        other => other,
    }
}
