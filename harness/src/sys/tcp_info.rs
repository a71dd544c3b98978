//! `TCP_INFO`: what the kernel knows about one end of a connection.
#![expect(unsafe_code, reason = "getsockopt(TCP_INFO) has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The fields of `struct tcp_info` worth having. A kernel too old to know a field leaves it zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Window scale shift we use for what the peer may send / the peer uses for us: (send, receive).
    pub window_scale: (u8, u8),
    /// Segment size for sending, in bytes.
    pub mss: u32,
    /// Segment size seen when receiving, in bytes.
    pub rcv_mss: u32,
    /// Segments sent and not yet acknowledged.
    pub unacked: u32,
    /// Time since the last data was received.
    pub last_data_recv: Duration,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Deviation of the round-trip time.
    pub rtt_var: Duration,
    /// Smallest round-trip time seen.
    pub rtt_min: Duration,
    /// Congestion window, in segments.
    pub snd_cwnd: u32,
    /// Segments sent again so far.
    pub total_retrans: u32,
    /// Bytes this end sent that the other acknowledged (the SYN counts as one on some kernels).
    pub bytes_acked: u64,
    /// Bytes this end received in order (in its kernel; its program may not have read them).
    pub bytes_received: u64,
    /// Bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Bytes sent again.
    pub bytes_retrans: u64,
    /// Segments out, in.
    pub segments: (u32, u32),
    /// Segments with data out, in.
    pub data_segments: (u32, u32),
    /// Bytes written and not yet sent.
    pub notsent: u32,
    /// Time this end had data to send.
    pub busy_time: Duration,
    /// Part of `busy_time` in which the peer's receive window held it back.
    pub rwnd_limited: Duration,
    /// Part of `busy_time` in which its own send buffer held it back.
    pub sndbuf_limited: Duration,
    /// Segments delivered to the peer.
    pub delivered: u32,
    /// The window the peer offers, in bytes.
    pub snd_wnd: u32,
    /// The window this end offers, in bytes.
    pub rcv_wnd: u32,
}

/// Bytes of `struct tcp_info` we are ready to take; newer kernels cut theirs to it.
const ROOM: usize = 512;

/// Reads `TCP_INFO` of a socket of ours.
///
/// # Errors
/// Those of getsockopt(2), such as `ENOPROTOOPT` for what is not TCP.
pub fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
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
    /// Reads the kernel's `struct tcp_info` from bytes; what lies beyond their end is zero.
    pub fn parse(raw: &[u8]) -> TcpInfo {
        let u32_at = |at| u32::from_ne_bytes(bytes_at(raw, at));
        let u64_at = |at| u64::from_ne_bytes(bytes_at(raw, at));
        let micros = |at| Duration::from_micros(u64::from(u32_at(at)));
        let scale = raw.get(6).copied().unwrap_or(0);
        TcpInfo {
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
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

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
