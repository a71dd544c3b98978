//! A cut at every offset of an opening.

use std::time::Duration;

use super::split_each_offset::offsets;
use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight, skip, way};
use crate::talk::Opening;

/// Cuts each request of an opening in two at each offset in turn.
pub(super) const ENTRY: Check = Check {
    id: "opening-split",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; a greeting or a login may arrive in several reads too (Pithikos/python-websocket-server#26 reads the handshake with one recv(1024))",
    stimulus: "each request of the opening in two segments, cut at each offset in turn, each time on a new connection; the second is sent once the server has read the first; then the rest of the opening and a request",
    needs: &[Need::Opening, Need::Frame],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; c=lambda: {bare}; o={opening}; s=c(); s.settimeout(5); s.setsockopt(6,1,1); [(s.send(m[:len(m)//2]), time.sleep(.2), s.send(m[len(m)//2:]), print(s.recv(4096))) for m in o]; s.send({request}); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

/// Maximum number of cuts of all requests together.
const CUTS_MAX: usize = 80;
/// Minimum number of cuts of one request.
const CUTS_MIN: usize = 4;
/// Time budget. A server with a slow opening gets fewer cuts.
const TIME_BUDGET: Duration = Duration::from_secs(6);

async fn run(cx: &Cx) -> Checked {
    let steps = way::to_plain(cx.talk());
    let requests = steps.iter().filter(|step| sends(step)).count();
    let in_time = TIME_BUDGET.as_secs_f64() / cx.pace().exchange.as_secs_f64().max(1e-6);
    let most = (in_time as usize).min(CUTS_MAX) / requests.max(1);
    let lengths = uncut(cx, &steps).await?;
    let (mut cuts, mut read) = (0, 0);
    for (number, length) in lengths.into_iter().enumerate() {
        for offset in offsets(length, most.max(CUTS_MIN)) {
            let label = way::label(&steps[number]);
            read += usize::from(
                cut(cx, &steps, number, offset)
                    .await
                    .at(|| format!("{label}, cut after byte {offset} of {length}"))?,
            );
            cuts += 1;
        }
    }
    if cuts == 0 {
        return skip("the requests of the opening are single bytes and cannot be cut");
    }
    cx.note("cuts", cuts);
    cx.note("first_parts_read", read);
    cx.others_are_served().await
}

fn sends(step: &Opening) -> bool {
    matches!(step, Opening::Exchange(exchange) if exchange.send.is_some())
}

/// Performs the opening as a whole. Returns the length of what each step sends, in bytes.
async fn uncut(cx: &Cx, steps: &[Opening]) -> Checked<Vec<usize>> {
    let mut client = cx.connect().await?;
    client.handshake().await?;
    let mut lengths = Vec::new();
    for step in steps {
        if let Opening::Exchange(exchange) = step {
            let turn = client.voice().render(exchange, way::PAYLOAD)?;
            client.exchange(&turn).await?;
            lengths.push(turn.request.len());
        } else {
            client.perform(step).await?;
            lengths.push(0);
        }
    }
    client.close();
    Ok(lengths)
}

/// Performs the opening with one request cut in two, and the plain exchange. Returns whether the server is known to
/// have read the first part before the second was sent.
async fn cut(cx: &Cx, steps: &[Opening], number: usize, offset: usize) -> Checked<bool> {
    let Opening::Exchange(exchange) = &steps[number] else {
        return Ok(false);
    };
    let mut client = cx.connect().await?;
    way::walk(&mut client, &steps[..number]).await?;
    let turn = client.voice().render(exchange, way::PAYLOAD)?;
    let (first, second) = turn.request.split_at(offset.min(turn.request.len()));
    client.send(first).await?;
    let is_read = way::is_read(cx, &mut client).await;
    if is_read {
        cx.proved(format!(
            "the server had read {} bytes of a request of the opening, or ended the connection, before the rest was sent",
            first.len()
        ));
    }
    client.send(second).await?;
    client.expect(&turn).await?;
    for step in &steps[number + 1..] {
        client.perform(step).await?;
    }
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    client.close();
    Ok(is_read)
}
