//! Records and segments that do not coincide with messages.

use std::time::Duration;

use crate::check::{Ascribe, Check, Checked, Cx, Need, Runs, Weight};

/// Cuts records into segments, requests into records, and puts several records into a segment.
pub(super) const ENTRY: Check = Check {
    id: "tls-record-split",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 8446 section 5.1: message boundaries are not preserved in the record layer; a record may arrive in any number of TCP segments, and a segment may contain several records",
    stimulus: "a request in one record that is cut inside its header and its body; a request of one record per byte, all in one segment; and the same in a segment each",
    needs: &[Need::Tls],
    runs: Runs::Shared,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Length of a record's header, in bytes.
const HEADER_BYTES: usize = 5;
/// Maximum length of a request that is sent in records of one byte.
const BYTEWISE_MAX: usize = 400;

async fn run(cx: &Cx) -> Checked {
    for place in [
        Cut::Header(1),
        Cut::Header(3),
        Cut::Header(HEADER_BYTES),
        Cut::Middle,
        Cut::BeforeLast,
    ] {
        let mut client = cx.open().await?;
        let turn = client.turn()?;
        let record = client.sealed(&turn.request);
        let at = place.offset(record.len());
        client.send_raw(&record[..at]).await?;
        client.until_read().await?;
        cx.proved("the server had read each piece of the record before the next was sent");
        client.send_raw(&record[at..]).await?;
        let reply = client.expect(&turn).await;
        reply.at(|| format!("a record of {} bytes, cut after {at}", record.len()))?;
        client.close();
    }
    for coalesced in [true, false] {
        bytewise(cx, coalesced).await?;
    }
    Ok(())
}

/// A request in records of one byte, in one segment or in a segment each.
async fn bytewise(cx: &Cx, coalesced: bool) -> Checked {
    let mut client = cx.open().await?;
    let turn = client.turn()?;
    let (bytes, rest) = turn.request.split_at(turn.request.len().min(BYTEWISE_MAX));
    let mut records = Vec::new();
    for byte in bytes {
        let record = client.sealed(&[*byte]);
        if coalesced {
            records.extend(record);
        } else {
            client.send_raw(&record).await?;
        }
    }
    if !rest.is_empty() {
        records.extend(client.sealed(rest));
    }
    if !records.is_empty() {
        client.send_raw(&records).await?;
    }
    cx.note("records", bytes.len());
    let segments = if coalesced {
        "one segment"
    } else {
        "a segment each"
    };
    let reply = client.expect(&turn).await;
    reply.at(|| format!("a request in records of one byte, in {segments}"))?;
    client.close();
    Ok(())
}

/// Where a record is cut.
#[derive(Clone, Copy)]
enum Cut {
    /// After this many bytes.
    Header(usize),
    Middle,
    BeforeLast,
}

impl Cut {
    fn offset(self, record: usize) -> usize {
        match self {
            Self::Header(bytes) => bytes,
            Self::Middle => record / 2,
            Self::BeforeLast => record - 1,
        }
    }
}
