//! Batches of connections that end in different ways. Resources are counted after each batch:
//! growth in the first batch only is a pool, growth in every batch is a leak.

use std::time::{Duration, Instant};

use crate::check::{Checked, Cx, inconclusive};
use crate::process::Usage;
use crate::session::Session;

/// Maximum number of connections of the first batch.
const BATCH_MAX: usize = 400;
/// Minimum number of connections of the first batch, regardless of [`BATCH_TIME`].
const BATCH_MIN: usize = 40;
/// Duration of the first batch. The others have the same number of connections.
const BATCH_TIME: Duration = Duration::from_millis(350);
/// Number of batches.
const BATCHES: usize = 3;
/// Time limit for the server to release resources after a batch.
const SETTLE_MAX: Duration = Duration::from_secs(3);
/// Time in which the server may release what grew: it may keep the connection of a client that has left until its idle time-out
/// (hypercorn: 5 s).
const RELEASES_WITHIN: Duration = Duration::from_secs(10);
/// The count is settled after not changing for this long.
const SETTLED: Duration = Duration::from_millis(200);
/// Time limit for the server to read half a request, longer if this server is slow.
const READ: Duration = Duration::from_millis(100);

/// Resource counts before and after each batch.
pub(super) struct Batches {
    /// Number of connections per batch.
    pub(super) size: usize,
    /// Counts: before, then after each batch.
    pub(super) counts: Vec<usize>,
    /// Number of connections reset after the server had read half a request.
    pub(super) reset_when_read: usize,
    connections: usize,
}

impl Batches {
    /// Growth per connection of each batch.
    pub(super) fn slopes(&self) -> Vec<f64> {
        let growth = |pair: &[usize]| (pair[1] as f64 - pair[0] as f64) / self.size as f64;
        self.counts.windows(2).map(growth).collect()
    }

    /// Whether every batch but the first left at least `slope` per connection behind, and more than
    /// a few in total.
    pub(super) fn grow(&self, slope: f64) -> bool {
        const FEW: f64 = 4.0;
        let least = slope.max(FEW / self.size as f64);
        self.slopes().iter().skip(1).all(|grown| *grown >= least)
    }

    /// Describes how tcprove knows that the stimulus happened.
    pub(super) fn proof(&self) -> String {
        format!(
            "{} connections ended in 4 ways; {} of them were reset after the server had read half a request, according to the kernel",
            self.connections, self.reset_when_read
        )
    }
}

/// Runs the batches. `count` selects the resource that must not grow.
pub(super) async fn run(cx: &Cx, count: fn(&Usage) -> usize) -> Checked<Batches> {
    let mut batches = Batches {
        size: 0,
        counts: vec![],
        reset_when_read: 0,
        connections: 0,
    };
    cx.exchange().await?;
    batches.counts.push(settled(cx, count, 0).await?);
    for number in 0..BATCHES {
        let begun = Instant::now();
        let mut done = 0;
        let go_on = |done: usize, size: usize| match number {
            0 => done < BATCH_MIN || (done < BATCH_MAX && begun.elapsed() < BATCH_TIME),
            _ => done < size,
        };
        while go_on(done, batches.size) {
            batches.reset_when_read += usize::from(one_of_each(cx).await?);
            done += 4;
        }
        batches.size = done;
        batches.connections += done;
        let floor = batches.counts[number];
        batches.counts.push(settled(cx, count, floor).await?);
    }
    cx.note("connections_per_batch", batches.size);
    if batches.reset_when_read == 0 {
        return inconclusive("unproven: no connection was observed to be read before it was reset");
    }
    cx.proved(batches.proof());
    Ok(batches)
}

/// One exchange and three clients that leave: FIN in the middle of a request, RST in the middle of
/// a request, immediate RST. True if the server had read half a request before the first RST.
async fn one_of_each(cx: &Cx) -> Checked<bool> {
    cx.exchange().await?;
    let (fin, _) = half_a_request(cx).await?;
    fin.close();
    let (reset, read) = half_a_request(cx).await?;
    reset.reset()?;
    cx.connect().await?.reset()?;
    Ok(read)
}

async fn half_a_request(cx: &Cx) -> Checked<(Session, bool)> {
    let mut client = cx.open().await?;
    let request = client.turn()?.request;
    client.send(&request[..request.len().div_ceil(2)]).await?;
    let read = is_read(cx, &client).await;
    Ok((client, read))
}

/// Whether the server has read everything sent. A server that answers half a request (without a
/// frame) may already have closed with a FIN, which the kernel sends only if no data was left
/// unread.
async fn is_read(cx: &Cx, client: &Session) -> bool {
    let limit = READ.max(cx.pace().exchange * 2);
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < limit {
        let Some(peer) = cx.server().peer_socket(client.local()) else {
            return false;
        };
        if peer.has_sent_fin() || (peer.recv_q == 0 && client.has_arrived(&peer)) {
            return true;
        }
        crate::session::pause(round).await;
        round += 1;
    }
    false
}

/// The count once the server has released its resources: as soon as it is back at `floor`,
/// otherwise when it no longer changes and the accept queue is empty.
pub(in crate::check) async fn settled(
    cx: &Cx,
    count: fn(&Usage) -> usize,
    floor: usize,
) -> Checked<usize> {
    let begun = Instant::now();
    let mut last = count(&cx.usage()?);
    let mut since = Instant::now();
    loop {
        let waits = cx
            .server()
            .listener()
            .is_some_and(|listener| listener.queued > 0);
        if !waits && (last <= floor || since.elapsed() >= SETTLED) || begun.elapsed() >= SETTLE_MAX
        {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = count(&cx.usage()?);
        if now != last || waits {
            (last, since) = (now, Instant::now());
        }
    }
}

/// Whether the server releases most of what it had more after these counts, the first of which was taken before, if it is given
/// time.
pub(in crate::check) async fn is_released(
    cx: &Cx,
    count: fn(&Usage) -> usize,
    counts: &[usize],
) -> Checked<bool> {
    let (Some(before), Some(after)) = (counts.first(), counts.last()) else {
        return Ok(true);
    };
    let most = before + after.saturating_sub(*before) / 4;
    let begun = Instant::now();
    while count(&cx.usage()?) > most {
        if begun.elapsed() >= RELEASES_WITHIN {
            return Ok(false);
        }
        tokio::time::sleep(SETTLED).await;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(counts: [usize; 4]) -> Batches {
        Batches {
            size: 400,
            counts: counts.to_vec(),
            reset_when_read: 1,
            connections: 1200,
        }
    }

    #[test]
    fn only_what_grows_in_every_batch_is_a_leak() {
        assert!(batches([10, 210, 410, 610]).grow(0.05));
        assert!(!batches([10, 210, 210, 211]).grow(0.05));
        assert!(!batches([10, 210, 410, 410]).grow(0.05));
        assert!(!batches([10, 11, 12, 13]).grow(0.0));
    }
}
