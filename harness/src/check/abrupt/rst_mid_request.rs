//! A client that leaves in the middle of a request.

use std::time::Duration;

use super::half;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Resets connections in the middle of a request.
pub(super) const ENTRY: Check = Check {
    id: "rst-mid-request",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX recv(): ECONNRESET in the middle of a request concerns one connection, not the whole server",
    stimulus: "50 times: half a request, then RST once the server has read it",
    needs: &[Need::Frame, Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,struct,time; r={request}; c=lambda: socket.create_connection(('{host}',{port})); [(lambda s: (s.send(r[:len(r)//2]), time.sleep(.01), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for _ in range(50)]; s=c(); s.settimeout(5); s.send(r); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, one after the other.
const ROUNDS: usize = 50;

async fn run(cx: &Cx) -> Checked {
    let half = half::request(cx)?;
    for round in 1..=ROUNDS {
        let mut client = cx.open().await?;
        client.send(&half).await?;
        client.until_read().await?;
        client.reset()?;
        cx.proved(format!(
            "the server had read {} bytes of a request before the reset ({round} times)",
            half.len()
        ));
    }
    cx.is_alive().await
}
