//! A cut inside the delimiter or the length field.

use std::time::Duration;

use super::pieces;
use crate::check::{Check, Checked, Cx, Need, Runs, Weight, skip};

/// Cuts a request inside its delimiter or length field.
pub(super) const ENTRY: Check = Check {
    id: "split-delimiter",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 9293 section 2.2: a byte-stream service; a delimiter or a length may arrive in two reads",
    stimulus: "one request in two segments, cut inside the delimiter or the length field",
    needs: &[Need::Frame],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(20),
    by_hand: "python3 -c \"import socket,time; m={request}; s=socket.create_connection(('{host}',{port})); s.setsockopt(6,1,1); s.send(m[:-1]); time.sleep(.1); s.send(m[-1:]); print(s.recv(4096))\"",
    run: |cx| Box::pin(run(cx)),
};

async fn run(cx: &Cx) -> Checked {
    let many_turns = cx.talk().carries_many_turns();
    let mut client = cx.open().await?;
    let points = cx.talk().request.cut_points(&client.turn()?.request);
    if points.is_empty() {
        return skip("a request has no delimiter or length of several bytes that can be cut");
    }
    for (number, point) in points.into_iter().enumerate() {
        if number > 0 && !many_turns {
            client = cx.open().await?;
        }
        let turn = client.turn()?;
        pieces::exchange(cx, &mut client, &turn, &[point], false).await?;
        cx.proved(format!(
            "the server had read {point} bytes, up to the middle of the delimiter or length, before the rest was sent"
        ));
    }
    super::end(cx, client).await?;
    cx.others_are_served().await
}
