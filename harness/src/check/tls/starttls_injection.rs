//! A command in plain text behind the request to switch to TLS.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip};
use crate::talk::{Exchange, Judgement, Opening};

/// Sends a request in plain text in the segment that asks for TLS.
pub(super) const ENTRY: Check = Check {
    id: "starttls-injection",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 3207 section 6, CVE-2011-0411: what a client sent before the TLS handshake must not be used after it, since anybody on the way could have put it there",
    stimulus: "the request to switch to TLS and a whole request in one segment; after the handshake the client waits, and sends another request",
    needs: &[Need::StartTls],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Time for a reply to the injected request to arrive.
const ANSWERED_WITHIN: Duration = Duration::from_millis(500);

async fn run(cx: &Cx) -> Checked {
    let mut client = cx.connect().await?;
    let mut before = Vec::new();
    for step in &cx.talk().open {
        match step {
            Opening::Exchange(exchange) => before.push(exchange.clone()),
            Opening::StartTls => break,
            Opening::Exec(_) => return skip("a program performs the opening"),
        }
    }
    let Some(switch) = before.pop() else {
        return skip("no request asks for TLS");
    };
    for exchange in &before {
        plain(&mut client, exchange).await?;
    }
    let injected = client.turn()?;
    let ask = client.voice().render(&switch, &[])?;
    let together = [ask.request.as_slice(), &injected.request].concat();
    client.send(&together).await?;
    cx.proved(format!(
        "{} bytes of plain text followed the request for TLS in the same segment",
        injected.request.len()
    ));
    // A server that refuses the segment as a whole is safe too.
    if client.expect(&ask).await.is_err() || client.start_tls().await.is_err() {
        cx.note("refused", true);
        return cx.is_alive().await;
    }
    // A server may answer at once, or with the next request.
    let mut answers = client.leftover(ANSWERED_WITHIN).await;
    let next = client.turn()?;
    client.send(&next.request).await?;
    answers.extend(client.leftover(ANSWERED_WITHIN).await);
    cx.note("bytes_after_the_handshake", answers.len());
    client.close();
    let mut decoder = injected.frame.decoder();
    let first = decoder
        .next(&answers)
        .ok()
        .flatten()
        .unwrap_or(answers.len());
    let (first, rest) = answers.split_at(first);
    let is_injected = matches!(injected.judge_message(first), Judgement::Match(_));
    let is_next = matches!(next.judge_message(first), Judgement::Match(_));
    if is_injected && (!is_next || !rest.is_empty()) {
        return failed(
            FailureKind::Accepted,
            "a request in plain text is not answered inside TLS",
            "the reply to the injected request came after the handshake",
        );
    }
    cx.is_alive().await
}

async fn plain(client: &mut crate::session::Session, exchange: &Exchange) -> Result<(), Shortfall> {
    let turn = client.voice().render(exchange, &[])?;
    client.exchange(&turn).await?;
    Ok(())
}
