//! `TCP_INFO`: the kernel's statistics of one end of a connection.
#![expect(unsafe_code, reason = "getsockopt(TCP_INFO) has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The relevant fields of `struct tcp_info`. A kernel that does not know a field leaves it zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// The kernel's number of the state; 0 if unknown.
    pub state: u8,
    /// Window scale shifts for (sending, receiving).
    pub window_scale: (u8, u8),
    /// Maximum segment size for sending, in bytes.
    pub mss: u32,
    /// Estimated segment size of received data, in bytes.
    pub rcv_mss: u32,
    /// Number of segments sent and not yet acknowledged.
    pub unacked: u32,
    /// Time since data was last received.
    pub last_data_recv: Duration,
    pub rtt: Duration,
    pub rtt_var: Duration,
    pub rtt_min: Duration,
    /// Congestion window, in segments.
    pub snd_cwnd: u32,
    /// Number of retransmitted segments.
    pub total_retrans: u32,
    /// Bytes sent by this end and acknowledged by the peer (some kernels count the SYN as one).
    pub bytes_acked: u64,
    /// Bytes received in order by this end's kernel; its program may not have read them.
    pub bytes_received: u64,
    /// Bytes sent, including retransmissions.
    pub bytes_sent: u64,
    /// Bytes retransmitted.
    pub bytes_retrans: u64,
    /// Number of segments (sent, received).
    pub segments: (u32, u32),
    /// Number of segments with data (sent, received).
    pub data_segments: (u32, u32),
    /// Bytes written and not yet sent.
    pub notsent: u32,
    /// Time during which this end had data to send.
    pub busy_time: Duration,
    /// Part of `busy_time` during which the peer's receive window was the limit.
    pub rwnd_limited: Duration,
    /// Part of `busy_time` during which this end's send buffer was the limit.
    pub sndbuf_limited: Duration,
    /// Number of segments delivered to the peer.
    pub delivered: u32,
    /// Receive window of the peer, in bytes.
    pub snd_wnd: u32,
    /// Receive window of this end, in bytes.
    pub rcv_wnd: u32,
}

/// Maximum size of `struct tcp_info` in bytes. Newer kernels truncate theirs to it.
const ROOM: usize = 512;

/// Reads `TCP_INFO` of one of tcprove's sockets.
///
/// # Errors
/// Those of getsockopt(2), such as `ENOPROTOOPT` if the socket is not TCP.
pub(crate) fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let mut raw = [0u8; ROOM];
    let mut length = ROOM as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `length` bytes into `raw`, which is that long, and any byte is a valid u8.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            raw.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(TcpInfo::parse(&raw[..(length as usize).min(ROOM)]))
}

impl TcpInfo {
    /// Parses the kernel's `struct tcp_info`. Fields beyond the end of `raw` are zero.
    pub(crate) fn parse(raw: &[u8]) -> TcpInfo {
        let u32_at = |at| u32::from_ne_bytes(bytes_at(raw, at));
        let u64_at = |at| u64::from_ne_bytes(bytes_at(raw, at));
        let micros = |at| Duration::from_micros(u64::from(u32_at(at)));
        let scale = raw.get(6).copied().unwrap_or(0);
        TcpInfo {
            state: raw.first().copied().unwrap_or(0),
            window_scale: (scale & 15, scale >> 4),
            mss: u32_at(16),
            rcv_mss: u32_at(20),
            unacked: u32_at(24),
            last_data_recv: Duration::from_millis(u64::from(u32_at(52))),
            rtt: micros(68),
            rtt_var: micros(72),
            rtt_min: micros(148),
            snd_cwnd: u32_at(80),
            total_retrans: u32_at(100),
            bytes_acked: u64_at(120),
            bytes_received: u64_at(128),
            bytes_sent: u64_at(200),
            bytes_retrans: u64_at(208),
            segments: (u32_at(136), u32_at(140)),
            data_segments: (u32_at(156), u32_at(152)),
            notsent: u32_at(144),
            busy_time: Duration::from_micros(u64_at(168)),
            rwnd_limited: Duration::from_micros(u64_at(176)),
            sndbuf_limited: Duration::from_micros(u64_at(184)),
            delivered: u32_at(192),
            snd_wnd: u32_at(228),
            rcv_wnd: u32_at(232),
        }
    }
}

fn bytes_at<const N: usize>(raw: &[u8], at: usize) -> [u8; N] {
    raw.get(at..at + N)
        .and_then(|bytes| bytes.try_into().ok())
        .unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn short_input_is_zero() {
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
        assert_eq!(TcpInfo::parse(&[0xff; 103]).bytes_received, 0);
    }

    #[test]
    fn counts_what_crossed_loopback() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(&[7; 1000]).unwrap();
        let mut got = [0; 1000];
        server.read_exact(&mut got).unwrap();
        assert_eq!(tcp_info(&server).unwrap().bytes_received, 1000);
        let end = tcp_info(&client).unwrap();
        assert!(end.mss > 500 && end.snd_wnd > 1000, "{end:?}");
        assert_eq!(end.bytes_sent, 1000);
    }
}
