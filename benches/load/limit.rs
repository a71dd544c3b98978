//! The least client: what no load generator with one message in flight a connection can undercut.
//!
//! Level-triggered epoll, `recv`, `send` and nothing else. Nothing is looked at but the count of
//! bytes, no operation reads a clock, and all connections share one message and one receive buffer.
//!
//! The system calls of an operation stand inlined in one function. To return from a function right
//! after a system call is dear, it seems because the return predictor knows nothing then: through
//! functions that are called, be they libc's or ours, 64 bytes there and back took 5.1 us instead of
//! 4.1 (AMD Zen 4, Linux 6.18).

use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use super::{Measured, thread_cpu};

const BUFFER_BYTES: usize = 64 * 1024;

/// With 256, receiving before sending costs 8 % at 1,000 connections of 16 KiB instead of nothing.
const EVENTS: usize = 32;

const WARM_UP: Duration = Duration::from_millis(200);

/// The clock is read once for so many operations.
const OPERATIONS_A_CLOCK: u64 = 1000;

/// With buffers that begin 16 bytes into a page, 1,000 connections of 16 KiB cost 13 % more.
#[repr(C, align(4096))]
struct Buffer([u8; BUFFER_BYTES]);

/// Keeps one message of `payload` bytes in flight on each of `connections`, for a warm-up and then
/// for `measured`. The connections end with a reset, so that no port stays behind.
///
/// # Errors
/// What a socket says, a connection the server closes, a message the kernel does not take whole, a
/// payload larger than the buffer of 64 KiB.
///
/// # Panics
/// The server sends more than was sent to it.
pub fn run(
    server: SocketAddr,
    connections: usize,
    payload: usize,
    measured: Duration,
) -> std::io::Result<Measured> {
    if payload > BUFFER_BYTES {
        return Err(std::io::Error::other("the payload does not fit the buffer"));
    }
    let mut client = Client::connect(server, connections, payload)?;
    client.exchange(Instant::now() + WARM_UP)?;
    let before = thread_cpu();
    let operations = client.exchange(Instant::now() + measured)?;
    Ok(Measured {
        operations,
        cpu: thread_cpu() - before,
    })
}

struct Client {
    poll: OwnedFd,
    sockets: Vec<OwnedFd>,
    /// Bytes of the reply that each connection still waits for.
    missing: Vec<usize>,
    payload: usize,
    message: Box<Buffer>,
    received: Box<Buffer>,
}

impl Client {
    /// Connects, and sends the first message on every connection.
    fn connect(server: SocketAddr, connections: usize, payload: usize) -> std::io::Result<Self> {
        let mut client = Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            sockets: Vec::with_capacity(connections),
            missing: vec![payload; connections],
            payload,
            message: Box::new(Buffer([b'x'; BUFFER_BYTES])),
            received: Box::new(Buffer([0; BUFFER_BYTES])),
        };
        for number in 0..connections {
            let socket = TcpStream::connect(server)?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
            let token = EventData::new_u64(number as u64);
            epoll::add(&client.poll, &socket, token, EventFlags::IN)?;
            client.sockets.push(socket.into());
        }
        for socket in &client.sockets {
            send_whole(socket, &client.message.0[..payload])?;
        }
        Ok(client)
    }

    /// Answers every whole reply with the next message until `until`, and says how many there were.
    ///
    /// Of one wait's connections all are received from before any is sent to: the kernel's code for
    /// either is then still in the cache, which saves 2-5 % over taking turns.
    fn exchange(&mut self, until: Instant) -> std::io::Result<u64> {
        let message = &self.message.0[..self.payload];
        let mut events = [const { std::mem::MaybeUninit::<Event>::uninit() }; EVENTS];
        let mut complete = [0; EVENTS];
        let (mut operations, mut next_clock) = (0, OPERATIONS_A_CLOCK);
        loop {
            let (ready, _) = epoll::wait(&self.poll, &mut events[..], None)?;
            let mut completed = 0;
            for event in ready {
                let number = event.data.u64() as usize;
                let socket = &self.sockets[number];
                let (received, _) = recv(socket, &mut self.received.0[..], RecvFlags::empty())?;
                if received == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                let missing = &mut self.missing[number];
                assert!(received <= *missing, "more came back than was sent");
                *missing -= received;
                if *missing == 0 {
                    *missing = self.payload;
                    complete[completed] = number;
                    completed += 1;
                }
            }
            for number in &complete[..completed] {
                send_whole(&self.sockets[*number], message)?;
            }
            operations += completed as u64;
            if operations >= next_clock {
                next_clock = operations + OPERATIONS_A_CLOCK;
                if Instant::now() >= until {
                    return Ok(operations);
                }
            }
        }
    }
}

/// With one message in flight the kernel always has room for it; half a message sent would never
/// be answered. Inlined for the reason that the head of this file gives.
#[inline(always)]
fn send_whole(socket: &OwnedFd, message: &[u8]) -> std::io::Result<()> {
    if send(socket, message, SendFlags::empty())? < message.len() {
        return Err(std::io::Error::other("the kernel took half a message"));
    }
    Ok(())
}
