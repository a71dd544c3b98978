//! A server whose stdout nobody reads.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
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
    stimulus: "the pipe on the server's stdout is not read; one client sends 250 requests; tcprove fills the pipe, so that nothing more fits into it; the client sends up to 2,000 more, then another sends one",
    needs: &[Need::Spawned],
    runs: Runs::OwnServer,
    weight: Weight::Warns,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "{cmd} | sleep 30 & sleep 1; python3 -c \"import socket; r={request}; f=lambda n: (lambda s: (s.settimeout(5), s.send(r), s.recv(4096), print(n, end=' ')))(socket.create_connection(('{host}',{port}))); [f(n) for n in range(3000)]\"; kill %1",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of requests. A runtime that prints in blocks of 8 KiB has something to print by then, if it prints one line
/// per request.
const REQUESTS: usize = 2_000;
/// Number of requests that show whether the server prints anything about them, and of those that follow if it does not.
const FIRST_REQUESTS: usize = 250;
const FEW_REQUESTS: usize = 20;
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
    let before = waiting_in_pipe(cx);
    let mut client = Client {
        cx,
        session: None,
        answered: 0,
    };
    let mut met = client.ask(FIRST_REQUESTS, begun).await;
    let prints = waiting_in_pipe(cx) != before;
    // The server's next line finds the pipe full, however fast it is.
    let filled = fill_pipe(cx);
    if met.is_ok() {
        let more = if prints { REQUESTS } else { FEW_REQUESTS };
        met = client.ask(more, Instant::now()).await;
    }
    let answered = client.answered;
    drop(client);
    let waiting = waiting_in_pipe(cx);
    cx.note("answered", answered);
    cx.note("prints_about_requests", prints);
    cx.note("stdout_bytes_unread", waiting);
    let read = cx.server().printed().stdout - read_before;
    let full = match filled {
        Some(bytes) => {
            format!("tcprove filled it up with {bytes} bytes after {FIRST_REQUESTS} requests")
        }
        None => "stdout is no pipe any more".to_owned(),
    };
    cx.proved(format!(
        "{answered} requests were answered while tcprove read {read} bytes of the server's stdout; {full}; {} wait in it",
        waiting.map_or("an unknown number of bytes".into(), |bytes| format!("{bytes} bytes"))
    ));
    let expected = "the server keeps serving when nobody reads its stdout";
    met.ascribe(FailureKind::Blocked, expected)?;
    cx.is_alive().await
}

/// A client that sends one request after the other.
struct Client<'a> {
    cx: &'a Cx,
    session: Option<Session>,
    answered: usize,
}

impl Client<'_> {
    async fn ask(&mut self, requests: usize, begun: Instant) -> Checked {
        for _ in 0..requests {
            if begun.elapsed() >= TIME_MAX {
                break;
            }
            exchange(self.cx, &mut self.session).await?;
            self.answered += 1;
        }
        Ok(())
    }
}

/// One exchange, on the previous connection if the talk keeps it open.
async fn exchange(cx: &Cx, kept: &mut Option<Session>) -> Checked {
    let exchange = bulk::exchange(cx);
    let mut session = match kept.take() {
        Some(session) => session,
        None => cx.open_for(exchange).await?,
    };
    let turn: Turn = match exchange.uses_payload() {
        true => bulk::turn(cx, exchange)?,
        false => session.turn()?,
    };
    let reply = session.exchange(&turn).await?;
    // A connection that carries few requests is left after each.
    let goes_on = cx.talk().repeats(exchange) && cx.requests(REQUESTS) == REQUESTS;
    *kept = (goes_on && !cx.talk().announces_close(&reply.bytes)).then_some(session);
    Ok(())
}

/// Fills the pipe on stdout, which the server and this process write to, until nothing fits into it. Returns the number of
/// bytes.
fn fill_pipe(cx: &Cx) -> Option<u64> {
    let mut end = stdout_pipe(cx, File::options().write(true))?;
    let mut filled = 0;
    for size in [4096, 1] {
        while let Ok(count) = end.write(&vec![b'\n'; size]) {
            filled += count as u64;
        }
    }
    Some(filled)
}

/// Number of bytes printed and not read; `None` if stdout is no longer a pipe.
fn waiting_in_pipe(cx: &Cx) -> Option<u64> {
    rustix::io::ioctl_fionread(stdout_pipe(cx, File::options().read(true))?).ok()
}

fn stdout_pipe(cx: &Cx, options: &mut OpenOptions) -> Option<File> {
    let path = format!("/proc/{}/fd/1", cx.server().pid()?);
    let end = options.custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    end.metadata().ok()?.file_type().is_fifo().then_some(end)
}
