//! TCP state of sampled connections at both ends, and what it says limited the throughput.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::ClientEnd;
use crate::process::PeerSocket;
use crate::sys::TcpInfo;

/// Minimum share of the time with data to send for which a limit is reported.
const NOTABLE: f64 = 0.1;

/// TCP state of the sampled connections: medians, sums and shares over all of them.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, JsonSchema, Serialize, Deserialize)]
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
    pub(crate) fn of(ends: &[SampledEnds]) -> Option<Self> {
        if ends.is_empty() {
            return None;
        }
        let ours: Vec<EndState> = ends.iter().map(|ends| ends.client).collect();
        let theirs: Vec<EndState> = ends.iter().filter_map(|ends| ends.server).collect();
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

/// Both ends of a sampled connection.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct SampledEnds {
    /// The client's end.
    client: EndState,
    /// If the server runs on this machine.
    server: Option<EndState>,
}

impl SampledEnds {
    /// The ends as the kernel reports them.
    pub(super) fn of(client: &ClientEnd, server: Option<&PeerSocket>) -> Self {
        Self {
            client: EndState::of(
                client.so_rcvbuf as u64,
                client.so_sndbuf as u64,
                &client.info,
            ),
            server: server.map(|peer| {
                EndState::of(u64::from(peer.rcvbuf), u64::from(peer.sndbuf), &peer.info)
            }),
        }
    }
}

/// TCP state of one end of one connection.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
struct EndState {
    /// Effective `SO_RCVBUF`, in bytes.
    rcvbuf: u64,
    /// Effective `SO_SNDBUF`, in bytes.
    sndbuf: u64,
    /// Maximum segment size for sending, in bytes.
    mss: u32,
    /// Advertised receive window, in bytes.
    rcv_wnd: u32,
    /// Window scale (shift count) of the advertised window.
    window_scale: u8,
    /// Number of retransmitted segments.
    retransmits: u32,
    /// Smoothed round-trip time.
    rtt: Duration,
    /// Time with data to send.
    busy: Duration,
    /// Time in which the peer's receive window was full.
    rwnd_limited: Duration,
    /// Time in which its own send buffer was full.
    sndbuf_limited: Duration,
}

impl EndState {
    fn of(rcvbuf: u64, sndbuf: u64, info: &TcpInfo) -> Self {
        Self {
            rcvbuf,
            sndbuf,
            mss: info.mss,
            rcv_wnd: info.rcv_wnd,
            window_scale: info.window_scale.1,
            retransmits: info.total_retrans,
            rtt: info.rtt,
            busy: info.busy_time,
            rwnd_limited: info.rwnd_limited,
            sndbuf_limited: info.sndbuf_limited,
        }
    }
}

impl End {
    fn of(seen: &[EndState]) -> Self {
        let middle = |figure: &dyn Fn(&EndState) -> f64| {
            let all: Vec<f64> = seen.iter().map(figure).collect();
            crate::stats::median(&all).unwrap_or(0.0)
        };
        let busy: Duration = seen.iter().map(|one| one.busy).sum();
        let share = |part: &dyn Fn(&EndState) -> Duration| {
            let part: Duration = seen.iter().map(part).sum();
            if busy.is_zero() {
                0.0
            } else {
                part.as_secs_f64() / busy.as_secs_f64()
            }
        };
        Self {
            so_rcvbuf: middle(&|one| one.rcvbuf as f64) as u64,
            so_sndbuf: middle(&|one| one.sndbuf as f64) as u64,
            mss: middle(&|one| f64::from(one.mss)) as u32,
            rcv_wnd: middle(&|one| f64::from(one.rcv_wnd)) as u32,
            window_scale: middle(&|one| f64::from(one.window_scale)) as u8,
            rtt_us: middle(&|one| one.rtt.as_secs_f64() * 1e6),
            retransmits: seen.iter().map(|one| u64::from(one.retransmits)).sum(),
            rwnd_limited: share(&|one| one.rwnd_limited),
            sndbuf_limited: share(&|one| one.sndbuf_limited),
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
        let end_of = |end: &ClientEnd| SampledEnds::of(end, None);
        let seen = Transport::of(&[end_of(&end), end_of(&end)]).unwrap();
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
        assert_eq!(Transport::of(&[end_of(&idle)]).unwrap().why, None);
        assert_eq!(Transport::of(&[]), None);
    }
}
