//! TCP state of sampled connections at both ends, and what it says limited the throughput.

use serde::Serialize;

use super::engine::ClientEnd;
use crate::process::PeerSocket;
use crate::sys::TcpInfo;

/// Minimum share of the time with data to send for which a limit is reported.
const NOTABLE: f64 = 0.1;

/// TCP state of the sampled connections: medians, sums and shares over all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transport {
    /// Number of sampled connections.
    pub sampled: usize,
    /// The client's ends.
    pub client: End,
    /// The server's ends, if the server runs on this machine.
    pub server: Option<End>,
    /// What delayed the data, if anything did for a notable share of the time.
    pub why: Option<String>,
}

/// One end of the connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct End {
    /// Effective `SO_RCVBUF`, in bytes: the kernel doubles the requested size and enforces a minimum.
    pub so_rcvbuf: u64,
    /// Effective `SO_SNDBUF`, in bytes.
    pub so_sndbuf: u64,
    /// Maximum segment size for sending, in bytes.
    pub mss: u32,
    /// Advertised receive window, in bytes, at the end of the measured period.
    pub rcv_wnd: u32,
    /// Window scale (shift count) of the advertised window.
    pub window_scale: u8,
    /// Smoothed round-trip time in microseconds.
    pub rtt_us: f64,
    /// Number of retransmitted segments.
    pub retransmits: u64,
    /// Share of the time with data to send in which the peer's receive window was full.
    pub rwnd_limited: f64,
    /// Share of the time with data to send in which its own send buffer was full.
    pub sndbuf_limited: f64,
}

impl Transport {
    /// Summarizes sampled connections; `None` if there are none.
    pub fn of(ends: &[(ClientEnd, Option<PeerSocket>)]) -> Option<Self> {
        if ends.is_empty() {
            return None;
        }
        let ours: Vec<Seen> = ends.iter().map(|(end, _)| Seen::client(end)).collect();
        let theirs = ends.iter().filter_map(|(_, peer)| peer.as_ref());
        let theirs: Vec<Seen> = theirs.map(Seen::server).collect();
        let client = End::of(&ours);
        let server = (!theirs.is_empty()).then(|| End::of(&theirs));
        Some(Self {
            sampled: ends.len(),
            why: why(&client, server.as_ref()),
            client,
            server,
        })
    }
}

/// TCP state of one end of one connection.
struct Seen {
    rcvbuf: u64,
    sndbuf: u64,
    info: TcpInfo,
}

impl Seen {
    fn client(end: &ClientEnd) -> Self {
        Self {
            rcvbuf: end.so_rcvbuf as u64,
            sndbuf: end.so_sndbuf as u64,
            info: end.info,
        }
    }

    fn server(peer: &PeerSocket) -> Self {
        Self {
            rcvbuf: u64::from(peer.rcvbuf),
            sndbuf: u64::from(peer.sndbuf),
            info: peer.info,
        }
    }
}

impl End {
    fn of(seen: &[Seen]) -> Self {
        let middle = |figure: &dyn Fn(&Seen) -> f64| {
            let all: Vec<f64> = seen.iter().map(figure).collect();
            crate::stats::median(&all).unwrap_or(0.0)
        };
        let busy: f64 = seen
            .iter()
            .map(|one| one.info.busy_time.as_secs_f64())
            .sum();
        let share = |part: &dyn Fn(&TcpInfo) -> f64| {
            let part: f64 = seen.iter().map(|one| part(&one.info)).sum();
            if busy > 0.0 { part / busy } else { 0.0 }
        };
        Self {
            so_rcvbuf: middle(&|one| one.rcvbuf as f64) as u64,
            so_sndbuf: middle(&|one| one.sndbuf as f64) as u64,
            mss: middle(&|one| f64::from(one.info.mss)) as u32,
            rcv_wnd: middle(&|one| f64::from(one.info.rcv_wnd)) as u32,
            window_scale: middle(&|one| f64::from(one.info.window_scale.1)) as u8,
            rtt_us: middle(&|one| one.info.rtt.as_secs_f64() * 1e6),
            retransmits: seen
                .iter()
                .map(|one| u64::from(one.info.total_retrans))
                .sum(),
            rwnd_limited: share(&|info| info.rwnd_limited.as_secs_f64()),
            sndbuf_limited: share(&|info| info.sndbuf_limited.as_secs_f64()),
        }
    }
}

/// A sentence about what delayed the data.
fn why(client: &End, server: Option<&End>) -> Option<String> {
    let percent = |share: f64| (share * 100.0).round();
    let mut causes = Vec::new();
    let peer_rcvbuf = |bytes: Option<u64>| {
        bytes.map_or(String::new(), |bytes| {
            format!(" (effective SO_RCVBUF {bytes})")
        })
    };
    if client.rwnd_limited >= NOTABLE {
        causes.push(format!(
            "the server's receive window was full for {} % of the time in which requests waited to be sent{}",
            percent(client.rwnd_limited),
            peer_rcvbuf(server.map(|server| server.so_rcvbuf))
        ));
    }
    if client.sndbuf_limited >= NOTABLE {
        causes.push(format!(
            "the client's send buffer was full for {} % of the time in which requests waited to be sent (effective SO_SNDBUF {})",
            percent(client.sndbuf_limited),
            client.so_sndbuf
        ));
    }
    if let Some(server) = server {
        if server.rwnd_limited >= NOTABLE {
            causes.push(format!(
                "the client's receive window was full for {} % of the time in which replies waited to be sent{}",
                percent(server.rwnd_limited),
                peer_rcvbuf(Some(client.so_rcvbuf))
            ));
        }
        if server.sndbuf_limited >= NOTABLE {
            causes.push(format!(
                "the server's send buffer was full for {} % of the time in which replies waited to be sent (effective SO_SNDBUF {})",
                percent(server.sndbuf_limited),
                server.so_sndbuf
            ));
        }
    }
    let again = client.retransmits + server.map_or(0, |server| server.retransmits);
    if again > 0 {
        causes.push(format!("{again} segments were retransmitted"));
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_full_window_is_named_as_the_cause() {
        let info = TcpInfo {
            busy_time: Duration::from_millis(1028),
            rwnd_limited: Duration::from_millis(844),
            mss: 1448,
            ..TcpInfo::default()
        };
        let end = ClientEnd {
            local: "127.0.0.1:1".parse().unwrap(),
            info,
            so_rcvbuf: 2304,
            so_sndbuf: 4608,
        };
        let seen = Transport::of(&[(end, None), (end, None)]).unwrap();
        assert_eq!(
            (seen.sampled, seen.client.mss, seen.server),
            (2, 1448, None)
        );
        assert!(
            seen.why
                .unwrap()
                .starts_with("the server's receive window was full for 82 % of the time")
        );
        let idle = ClientEnd {
            info: TcpInfo::default(),
            ..end
        };
        assert_eq!(Transport::of(&[(idle, None)]).unwrap().why, None);
        assert_eq!(Transport::of(&[]), None);
    }
}
