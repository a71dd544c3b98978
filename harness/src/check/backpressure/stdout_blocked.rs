//! A server whose stdout nobody reads.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use super::bulk;
use crate::check::{Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight};
use crate::process::{StartOptions, StdoutMode};
use crate::session::Session;
use crate::talk::Turn;

/// Leaves the server's output unread.
pub(super) const ENTRY: Check = Check {
    id: "stdout-blocked",
    group: super::GROUP,
    battery: 1,
    requirement: "pipe(7): a write to a full pipe blocks until somebody reads; a log that nobody reads must not stop the service",
    stimulus: "the pipe on the server's stdout is not read; one client sends up to 2,000 requests, then another sends one",
    needs: &[Need::Spawned],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "{cmd} | sleep 30 & sleep 1; python3 -c \"import socket; r={request}; f=lambda n: (lambda s: (s.settimeout(5), s.send(r), s.recv(4096), print(n, end=' ')))(socket.create_connection(('{host}',{port}))); [f(n) for n in range(3000)]\"; kill %1",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of requests. A runtime that prints in blocks of 8 KiB fills the pipe of 64 KiB if
/// it prints one line per request.
const REQUESTS: usize = 2_000;
/// Stop after this many requests that added nothing to the pipe, not even a block of 8 KiB: the
/// server does not log requests, or keeps serving although the pipe is full.
const REQUESTS_PER_SAMPLE: usize = 250;
/// Maximum duration of the requests.
const TIME_MAX: Duration = Duration::from_secs(3);

async fn run(cx: &Cx) -> Checked {
    let server = cx
        .start(StartOptions {
            stdout: StdoutMode::Undrained,
            ..StartOptions::default()
        })
        .await?;
    let cx = &cx.on(server);
    let begun = Instant::now();
    let read_before = cx.server().printed().stdout;
    let mut looked = waiting_in_pipe(cx);
    let mut session = None;
    let mut answered = 0_usize;
    let mut met = Ok(());
    while met.is_ok() && answered < REQUESTS && begun.elapsed() < TIME_MAX {
        met = exchange(cx, &mut session).await;
        answered += usize::from(met.is_ok());
        if answered.is_multiple_of(REQUESTS_PER_SAMPLE) {
            let before = std::mem::replace(&mut looked, waiting_in_pipe(cx));
            if before.is_some() && before == looked {
                break;
            }
        }
    }
    drop(session);
    let waiting = waiting_in_pipe(cx);
    cx.note("answered", answered);
    cx.note("stdout_bytes_unread", waiting);
    let read = cx.server().printed().stdout - read_before;
    cx.proved(format!(
        "{answered} requests were answered while tcprove read {read} bytes of the server's stdout; {} wait in the pipe",
        waiting.map_or("an unknown number of bytes".into(), |bytes| format!("{bytes} bytes"))
    ));
    let expected = "the server keeps serving when nobody reads its stdout";
    met.ascribe(FailureKind::Blocked, expected)?;
    cx.is_alive().await
}

/// One exchange, on the previous connection if the talk keeps it open.
async fn exchange(cx: &Cx, kept: &mut Option<Session>) -> Checked {
    let exchange = bulk::exchange(cx);
    let mut session = match kept.take() {
        Some(session) => session,
        None => cx.open_for(exchange).await?,
    };
    let turn: Turn = bulk::turn(cx, exchange)?;
    let reply = session.exchange(&turn).await?;
    let goes_on = cx.talk().repeats(exchange);
    *kept = (goes_on && !cx.talk().announces_close(&reply.bytes)).then_some(session);
    Ok(())
}

/// Number of bytes printed and not read; `None` if stdout is no longer a pipe.
fn waiting_in_pipe(cx: &Cx) -> Option<u64> {
    let path = format!("/proc/{}/fd/1", cx.server().pid()?);
    let end = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    rustix::io::ioctl_fionread(&end).ok()
}
