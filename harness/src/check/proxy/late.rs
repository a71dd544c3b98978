//! A client whose PROXY header does not come.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, Need, Runs, Weight};

/// Sends half a header, and waits.
pub(super) const ENTRY: Check = Check {
    id: "proxy-late",
    group: super::GROUP,
    battery: 1,
    requirement: "POSIX listen(), accept(): a server accepts further connections while one is open; a header that is read in the accept loop holds up everybody",
    stimulus: "three clients send half of a header and stay silent; another one sends its request",
    needs: &[Need::Proxy],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(30),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients without a whole header.
const LATE: usize = 3;

async fn run(cx: &Cx) -> Checked {
    let mut late = Vec::with_capacity(LATE);
    let mut read = 0;
    for _ in 0..LATE {
        let mut client = cx.connect_bare().await?;
        let header = client.proxy_header();
        client.send_raw(&header[..header.len() / 2]).await?;
        // A server that reads headers one after the other does not read the later ones.
        read += usize::from(client.until_read().await.is_ok());
        late.push(client);
    }
    cx.proved(format!(
        "the server has read half of a header on {read} of {LATE} connections"
    ));
    cx.others_are_served().await
}
