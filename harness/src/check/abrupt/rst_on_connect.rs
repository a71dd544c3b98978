//! A client that leaves right after connecting.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight};
use crate::process::TcpState;

/// Connects and resets, before and after the server has accepted.
pub(super) const ENTRY: Check = Check {
    id: "rst-on-connect",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX recv(): ECONNRESET, \"a connection was forcibly closed by a peer\", concerns one connection, not the whole server",
    stimulus: "50 times: connect, then RST; every other time after the server has accepted",
    needs: &[Need::Tcp],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,struct,time; c=lambda: {bare}; [(lambda s: (time.sleep(.01), s.setsockopt(1,13,struct.pack('ii',1,0)), s.close()))(c()) for _ in range(50)]; s=socket.create_connection(('{host}',{port})); s.settimeout(5); s.send({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients, one after the other.
const ROUNDS: usize = 50;
/// Time for the server to accept. A server that waits in accept needs microseconds.
const ACCEPTED_WITHIN: Duration = Duration::from_millis(20);

async fn run(cx: &Cx) -> Checked {
    let (mut established, mut accepted) = (0, 0);
    let mut handed_over = Ok(());
    for round in 0..cx.connections(ROUNDS) {
        let mut client = cx.connect().await?;
        if round % 2 == 1 {
            cx.eventually(ACCEPTED_WITHIN, || {
                cx.peer(&client).is_some_and(|peer| peer.is_held())
            })
            .await;
        }
        // Over TLS, some shake hands first, so that they reach the service.
        if round % 4 == 3 {
            client.handshake().await?;
        }
        if let Some(peer) = cx
            .peer(&client)
            .filter(|peer| peer.state == TcpState::Established)
        {
            established += 1;
            accepted += usize::from(peer.is_held());
        }
        handed_over = handed_over.and(cx.is_handed_over(&client));
        client.reset()?;
        if established > 0 {
            cx.proved(format!(
                "{established} of {} connections were ESTABLISHED in the server's socket table before the reset, {accepted} of them accepted",
                round + 1
            ));
        }
    }
    cx.note("accepted_before_the_reset", accepted);
    cx.is_alive().await?;
    if established == 0 {
        handed_over
    } else {
        Ok(())
    }
}
