//! The tutorial's lesson about SO_REUSEADDR.

use std::net::SocketAddr;
use std::time::Duration;

use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Weight, inconclusive, skip,
};
use crate::process::TcpState;
use crate::session::ConnectionEnd;

/// Makes the server close first, ends it, and restarts it immediately.
pub(super) const ENTRY: Check = Check {
    id: "restart-timewait",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 3.6.1: the side that closes first stays in TIME-WAIT for two maximum segment lifetimes; without SO_REUSEADDR a server cannot restart during that time",
    stimulus: "the server's side closes a connection first, which leaves TIME_WAIT on its port; the server is killed and restarted immediately",
    needs: &[
        Need::Spawned,
        Need::OwnSocket,
        Need::SingleClient,
        Need::Tcp,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "{cmd} & p=$!; sleep 1; python3 -c \"import os,socket,time; s=socket.create_connection(('{host}',{port})); s.sendall({request}); s.recv(4096); os.kill($p,9); time.sleep(.5); s.recv(4096)\"; ss -tan 'sport = :{port}'; {cmd}",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for killed processes and their connections to end.
const ENDS: Duration = Duration::from_secs(3);
const EXPECTED: &str = "a server restarted immediately binds its port and serves";

async fn run(cx: &Cx) -> Checked {
    let again = cx.again()?;
    let number = cx.server().port();
    let client = end_first(cx).await?;
    if !is_left(cx, client).await {
        if let Some(full) = table_is_full() {
            return skip(full);
        }
        return inconclusive(format!("unproven: no TIME_WAIT was left on port {number}"));
    }
    cx.proved(format!(
        "the kernel's socket table: TIME_WAIT on port {number}, and no process of the server left"
    ));
    let server = cx
        .start(again)
        .await
        .ascribe(FailureKind::NoRestart, EXPECTED)?;
    cx.note(
        "restart_ms",
        (server.started_in().as_secs_f64() * 1e4).round() / 10.0,
    );
    cx.on(server)
        .exchange()
        .await
        .ascribe(FailureKind::NoRestart, EXPECTED)?;
    Ok(())
}

/// Part of the kernel's room for TIME_WAIT that may be in use before it counts as full.
const FULL: f64 = 0.95;

/// Why the kernel keeps no further TIME_WAIT, if it does not: loads and campaigns on this machine have left as many as it keeps
/// (ip-sysctl: `tcp_max_tw_buckets`), for a minute.
fn table_is_full() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let most: f64 = read("/proc/sys/net/ipv4/tcp_max_tw_buckets")?
        .trim()
        .parse()
        .ok()?;
    let sockets = read("/proc/net/sockstat")?;
    let (_, rest) = sockets.split_once("\nTCP:")?;
    let mut words = rest.lines().next()?.split_whitespace();
    words.find(|word| *word == "tw")?;
    let kept: f64 = words.next()?.parse().ok()?;
    (kept >= FULL * most).then(|| {
        format!("the kernel has left {kept} connections in TIME_WAIT and keeps {most} (net.ipv4.tcp_max_tw_buckets): in a minute there is room again")
    })
}

/// One exchange, after which the server's side closes first: by itself if the talk says so,
/// otherwise because all its processes are killed and the kernel closes for them. Returns the
/// client's address.
async fn end_first(cx: &Cx) -> Checked<Option<SocketAddr>> {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    let local = client.local();
    cx.step("SIGKILL to every process of the server");
    let left = kill_all(cx).await;
    if !left.is_empty() {
        return inconclusive(format!(
            "on our own side: not killed within {ENDS:?}: {left}"
        ));
    }
    match client.drained(ENDS).await {
        ConnectionEnd::Eof => client.close(),
        ConnectionEnd::Reset => {
            return inconclusive(
                "unproven: the server's side ended with a reset, which leaves no TIME_WAIT",
            );
        }
        ConnectionEnd::StillOpen => {
            return inconclusive(
                "the connection is still open after all processes of the server ended: another process holds it",
            );
        }
    }
    Ok(local)
}

/// Kills until no process is left: one may be started between listing and signal.
async fn kill_all(cx: &Cx) -> String {
    let begun = tokio::time::Instant::now();
    loop {
        cx.server().signal_tree(libc::SIGKILL);
        let left = super::left_after(cx.server(), super::LOOK * 10).await;
        if left.is_empty() || begun.elapsed() > ENDS {
            return super::names(&left);
        }
    }
}

/// Whether the server's end of that connection is in TIME_WAIT.
async fn is_left(cx: &Cx, client: Option<SocketAddr>) -> bool {
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < ENDS {
        if cx
            .server()
            .peer_socket(client)
            .is_some_and(|peer| peer.state == TcpState::TimeWait)
        {
            return true;
        }
        tokio::time::sleep(super::LOOK).await;
    }
    false
}
