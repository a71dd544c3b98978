//! Many clients, each of which asks once.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::served;
use crate::check::{
    Check, Checked, Cx, Failure, FailureKind, Need, Runs, Shortfall, Weight, failed, skip,
};

/// Lets clients come and go.
pub(super) const ENTRY: Check = Check {
    id: "churn",
    group: super::GROUP,
    battery: 1,
    requirement: "a connection that has ended leaves nothing behind that the next one needs; a server that loses a slot with each of them stops serving after some hundreds",
    stimulus: "2,000 clients, eight at a time: each connects, sends one request, reads the reply and closes",
    needs: &[Need::Reply],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(120),
    by_hand: "python3 -c \"import socket; r={request}; [(lambda s: (s.settimeout(5), s.sendall(r), s.recv(4096) or print('closed by the server:', n), s.close()))(socket.create_connection(('{host}',{port}), 5)) for n in range(2000)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients.
const CLIENTS: usize = 2_000;
/// Minimum number for a verdict.
const CLIENTS_MIN: usize = 50;
/// Number of clients at the same time.
const AT_ONCE: usize = 8;
/// No client comes after this time, without and with `--slow`.
const TIME_MAX: Duration = Duration::from_secs(3);
const TIME_SLOW: Duration = Duration::from_secs(60);
/// A slow server gets this many times as long to reach the minimum, once it has served this part of it: what else the machine
/// does does not decide whether there is a verdict.
const LONGER: u32 = 4;
const NEARLY: usize = 5;
/// How long a server may refuse clients that come too fast. (inetd and its like stop for 10 s.)
const RATE_LIMITED: Duration = Duration::from_secs(11);
/// Pause between two attempts of a client that was refused.
const PAUSE: Duration = Duration::from_millis(20);
/// Time limit for the end of the server to become visible.
const DYING: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    let time_max = if cx.is_slow() { TIME_SLOW } else { TIME_MAX };
    let churn = Rc::new(Churn::default());
    let begun = Instant::now();
    let clients = cx.crowd(cx.connections(AT_ONCE), |cx, _| {
        let churn = churn.clone();
        async move {
            while churn.goes_on() && begun.elapsed() < churn.time(time_max) {
                churn.come.set(churn.come.get() + 1);
                match one(&cx).await? {
                    None => churn.served.set(churn.served.get() + 1),
                    Some(failure) => *churn.trouble.borrow_mut() = Some(failure),
                }
            }
            Ok(())
        }
    });
    clients.await.into_iter().collect::<Checked<Vec<()>>>()?;
    let served = churn.served.get();
    cx.note("clients", churn.come.get());
    cx.note("served", served);
    cx.proved(format!(
        "{served} clients connected, had a reply to their own request, and closed"
    ));
    if let Some(failure) = churn.trouble.take() {
        return judge(cx, served, &failure).await;
    }
    if served < CLIENTS_MIN {
        let reason = format!(
            "the server answers too slowly: {served} clients came and went within {time_max:?}"
        );
        return if cx.is_slow() {
            skip(reason)
        } else {
            cx.skip_as_slow(reason)
        };
    }
    Ok(())
}

#[derive(Default)]
struct Churn {
    come: Cell<usize>,
    served: Cell<usize>,
    trouble: RefCell<Option<Failure>>,
}

impl Churn {
    fn goes_on(&self) -> bool {
        self.come.get() < CLIENTS && self.trouble.borrow().is_none()
    }

    /// After which time no client comes.
    fn time(&self, usual: Duration) -> Duration {
        match self.served.get() {
            served if (CLIENTS_MIN / NEARLY..CLIENTS_MIN).contains(&served) => usual * LONGER,
            _ => usual,
        }
    }
}

/// One client. Where the number of clients is limited, one that is refused comes again: the server may not have noticed yet
/// that others have left.
async fn one(cx: &Cx) -> Checked<Option<Failure>> {
    let is_limited = cx.connections(usize::MAX) < usize::MAX;
    let deadline = Instant::now() + cx.pace().reply_limit();
    loop {
        let failure = served::once(cx, deadline).await?;
        if failure.is_none() || !is_limited || Instant::now() + PAUSE >= deadline {
            return Ok(failure);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Decides what it means that a client was not served, by what happens to the next ones.
async fn judge(cx: &Cx, served: usize, failure: &Failure) -> Checked {
    let actual = &failure.mismatch.actual;
    if let Some(exit) = cx.server().wait_exit(DYING).await {
        return failed(
            FailureKind::Died,
            "the server keeps running",
            format!("after {served} clients the server {exit} ({actual})"),
        );
    }
    let begun = Instant::now();
    let mut round = 0;
    while let Some(still) = served::once(cx, Instant::now() + cx.pace().reply_limit()).await? {
        let is_silent = matches!(still.kind, FailureKind::Blocked | FailureKind::LostReply);
        if begun.elapsed() >= RATE_LIMITED || (is_silent && round > 0) {
            let actual = format!(
                "after {served} clients, none of which is connected any more, nobody is served: {}",
                still.mismatch.actual
            );
            let expected = "clients that have come and gone leave nothing behind";
            return Err(Shortfall::Failed(Failure {
                seen: still.seen,
                ..Failure::new(FailureKind::Leak, expected, actual)
            }));
        }
        tokio::time::sleep(PAUSE).await;
        round += 1;
    }
    if round > 0 {
        return skip(format!(
            "after {served} clients the server refused others for {:.0?}, as one that limits their rate does: {actual}",
            begun.elapsed()
        ));
    }
    let actual =
        format!("after {served} clients one was not served, and the next one was: {actual}");
    Err(Shortfall::Failed(Failure {
        seen: failure.seen,
        ..Failure::new(failure.kind, "every client is served", actual)
    }))
}
