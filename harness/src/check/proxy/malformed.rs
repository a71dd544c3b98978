//! PROXY headers that violate the protocol.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};

/// Sends malformed headers.
pub(super) const ENTRY: Check = Check {
    id: "proxy-malformed",
    group: super::GROUP,
    battery: 1,
    requirement: "PROXY protocol sections 2.1 and 2.2: a receiver must reject a header that it cannot parse, and close; the server keeps serving others",
    stimulus: "headers with a wrong address, a port out of range, no end within 107 bytes, a wrong version, a length that does not fit the addresses, and an unknown command; each followed by a whole exchange",
    needs: &[Need::Proxy],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(90),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// The first bytes of a header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Malformed headers and their names.
fn headers() -> Vec<(&'static str, Vec<u8>)> {
    let binary = |rest: &[u8]| [SIGNATURE, rest].concat();
    vec![
        (
            "a wrong address",
            b"PROXY TCP4 999.0.0.1 127.0.0.1 1 2\r\n".to_vec(),
        ),
        (
            "a port out of range",
            b"PROXY TCP4 127.0.0.1 127.0.0.1 1 99999\r\n".to_vec(),
        ),
        ("no end", [b"PROXY TCP4 ", [b'1'; 300].as_slice()].concat()),
        (
            "version 9",
            binary(b"\x91\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02"),
        ),
        (
            "a length that is too small",
            binary(b"\x21\x11\0\x04\x7f\0\0\x01"),
        ),
        (
            "an unknown command",
            binary(b"\x2f\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02"),
        ),
    ]
}

async fn run(cx: &Cx) -> Checked {
    let mut sent = 0;
    for (name, header) in headers() {
        let mut client = cx.connect_bare().await?;
        client.send_raw(&header).await?;
        sent += 1;
        let served = async {
            client.handshake().await?;
            client.opening().await?;
            let turn = client.turn()?;
            client.exchange(&turn).await
        };
        if served.await.is_ok() {
            return failed(
                FailureKind::Accepted,
                "a connection with a malformed header is not served",
                format!("the exchange succeeded after a header with {name}"),
            );
        }
        client.leave();
        cx.is_alive().await?;
    }
    cx.proved(format!(
        "{sent} malformed headers were accepted by the server's kernel"
    ));
    Ok(())
}
