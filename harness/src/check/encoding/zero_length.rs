//! Connections without data, and empty requests.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Runs, Weight};
use crate::session::PeerError;
use crate::talk::Frame;

/// Connects and leaves without sending anything, then sends an empty request.
pub(super) const ENTRY: Check = Check {
    id: "zero-length",
    group: super::GROUP,
    battery: 1,
    requirement: "a TCP health check (as of a load balancer) connects and closes; it must not end the server",
    stimulus: "connect and FIN without data; then an empty request, if the frame allows one",
    needs: &[],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket; s={bare}; s.shutdown(1); s.settimeout(2); print(s.recv(10)); s=socket.create_connection(('{host}',{port})); s.sendall({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for a reply. An empty request need not be answered.
const SILENCE: Duration = Duration::from_millis(300);

async fn run(cx: &Cx) -> Checked {
    // Over TLS, the last one shakes hands first, so that it reaches the service.
    for shakes_hands in [false, false, false, true] {
        let mut client = cx.connect().await?;
        if shakes_hands {
            client.handshake().await?;
        }
        client.half_close().await?;
        let ended = client.drained(SILENCE).await;
        cx.proved(format!(
            "a connection was established and ended with a FIN without data (the server's answer: {ended:?})"
        ));
    }
    for empty in empty_requests(&cx.talk().request) {
        let mut client = cx.open().await?;
        match client.send(&empty).await {
            Ok(()) | Err(PeerError::Reset { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        client.leftover(SILENCE).await;
        client.close();
    }
    cx.is_alive().await
}

/// The shortest messages of a frame: a delimiter or length without a body.
fn empty_requests(frame: &Frame) -> Vec<Vec<u8>> {
    match frame {
        Frame::Until(delimiters) => delimiters.all().to_vec(),
        Frame::Len(_) | Frame::Header(_) | Frame::WebSocket => vec![frame.wrap(b"")],
        Frame::Lines(lines) => vec![b"\n".repeat(*lines)],
        Frame::Resp => vec![b"\r\n".to_vec(), b"*0\r\n".to_vec(), b"$0\r\n\r\n".to_vec()],
        Frame::Http1 => vec![b"\r\n\r\n".to_vec()],
        _ => Vec::new(),
    }
}
