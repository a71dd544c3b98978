//! A minimal echo server: one thread, one receive buffer, level-triggered epoll.
//!
//! It is fast enough not to limit the clients that are measured against it. It runs in its own process
//! and exits when its standard input is closed.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt};

/// The argument that makes a bench run as the echo server.
pub const ARGUMENT: &str = "--be-the-echo-server";

const BUFFER_BYTES: usize = 64 * 1024;
const EVENTS: usize = 256;
const BACKLOG: i32 = 4096;

/// The echo server in a child process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// The address that it listens on.
    pub address: SocketAddr,
}

impl Server {
    /// Starts this executable again as the echo server. Its `main` must call [`main`] if the first
    /// argument is [`ARGUMENT`].
    ///
    /// # Errors
    /// The process does not start or does not print its port.
    pub fn start() -> std::io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let port: u16 = line.trim().parse().map_err(std::io::Error::other)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { child, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closing its standard input ends the server.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Runs the echo server on CPU 0: prints the port and serves until standard input is closed.
///
/// # Errors
/// See [`serve`].
pub fn main() -> std::io::Result<()> {
    super::pin(0)?;
    let listener = listen()?;
    println!("{}", listener.local_addr()?.port());
    std::io::stdout().flush()?;
    serve(&listener, std::io::stdin().as_fd())
}

/// Opens a listener on a free port, for [`serve`].
///
/// # Errors
/// No port is free.
pub fn listen() -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // A second `listen` only changes the backlog. std's 128 is too small for 1,000 clients that
    // connect at the same time.
    rustix::net::listen(&listener, BACKLOG)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves the connections of `listener` until the other end of `lifeline` is closed.
///
/// # Errors
/// epoll or `accept` fails. Errors of single connections only close them.
pub fn serve(listener: &TcpListener, lifeline: BorrowedFd<'_>) -> std::io::Result<()> {
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, token(listener), EventFlags::IN)?;
    epoll::add(&poll, lifeline, token(&lifeline), EventFlags::IN)?;
    let accepting = listener.as_raw_fd() as usize;
    let ending = lifeline.as_raw_fd() as usize;

    let mut buffer = vec![0; BUFFER_BYTES];
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut events = [const { std::mem::MaybeUninit::<Event>::uninit() }; EVENTS];
    loop {
        let (ready, _) = epoll::wait(&poll, &mut events[..], None)?;
        for event in ready {
            let number = event.data.u64() as usize;
            if number == ending {
                return Ok(());
            }
            if number == accepting {
                accept(listener, &poll, &mut connections)?;
                continue;
            }
            let Some(connection) = connections.get_mut(number).and_then(Option::as_mut) else {
                continue;
            };
            // Closing the descriptor also removes it from the epoll set.
            if connection.advance(&poll, &mut buffer).is_err() {
                connections[number] = None;
            }
        }
    }
}

fn token(source: &impl AsRawFd) -> EventData {
    EventData::new_u64(source.as_raw_fd() as u64)
}

/// Accepts all waiting connections. `connections` is indexed by descriptor.
fn accept(
    listener: &TcpListener,
    poll: &OwnedFd,
    connections: &mut Vec<Option<Connection>>,
) -> std::io::Result<()> {
    loop {
        let socket = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            Err(Errno::AGAIN) => return Ok(()),
            Err(Errno::CONNABORTED | Errno::INTR) => continue,
            Err(other) => return Err(other.into()),
        };
        sockopt::set_tcp_nodelay(&socket, true)?;
        epoll::add(poll, &socket, token(&socket), EventFlags::IN)?;
        let number = socket.as_raw_fd() as usize;
        if connections.len() <= number {
            connections.resize_with(number + 1, || None);
        }
        connections[number] = Some(Connection {
            socket,
            pending: Vec::new(),
        });
    }
}

/// The connection has ended or failed.
#[derive(Debug)]
struct Over;

#[derive(Debug)]
struct Connection {
    socket: OwnedFd,
    /// Received bytes that could not be sent yet. Nothing is received until they are sent, so they
    /// never exceed the receive buffer.
    pending: Vec<u8>,
}

impl Connection {
    /// Sends or receives after an event.
    fn advance(&mut self, poll: &OwnedFd, buffer: &mut [u8]) -> Result<(), Over> {
        if !self.pending.is_empty() {
            return self.flush(poll);
        }
        let received = match recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return Err(Over),
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(_) => return Err(Over),
        };
        let sent = self.send(&buffer[..received])?;
        if sent < received {
            self.pending.extend_from_slice(&buffer[sent..received]);
            self.wait_for(poll, EventFlags::OUT)?;
        }
        Ok(())
    }

    /// Sends the pending bytes, then waits for input again.
    fn flush(&mut self, poll: &OwnedFd) -> Result<(), Over> {
        let sent = self.send(&self.pending)?;
        self.pending.drain(..sent);
        if self.pending.is_empty() {
            self.wait_for(poll, EventFlags::IN)?;
        }
        Ok(())
    }

    /// Returns the number of bytes that the kernel took, 0 if the send buffer is full.
    fn send(&self, bytes: &[u8]) -> Result<usize, Over> {
        match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(sent) => Ok(sent),
            Err(Errno::AGAIN | Errno::INTR) => Ok(0),
            Err(_) => Err(Over),
        }
    }

    fn wait_for(&self, poll: &OwnedFd, what: EventFlags) -> Result<(), Over> {
        epoll::modify(poll, &self.socket, token(&self.socket), what).map_err(|_| Over)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_peer_that_reads_late_receives_every_byte_and_the_fin() {
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        let (lifeline, alive) = std::io::pipe().unwrap();
        let server = std::thread::spawn(move || serve(&listener, lifeline.as_fd()));

        // More than the socket buffers hold, so that the server has to wait.
        let message: Vec<u8> = (0..32_u32 << 20).map(|i| (i % 251) as u8).collect();
        let mut stream = TcpStream::connect(address).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let writing = std::thread::spawn({
            let message = message.clone();
            move || {
                writer.write_all(&message).unwrap();
                writer.shutdown(std::net::Shutdown::Write).unwrap();
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(100));
        let mut echoed = Vec::new();
        stream.read_to_end(&mut echoed).unwrap();
        writing.join().unwrap();
        assert!(echoed == message, "{} bytes came back", echoed.len());

        drop(alive);
        server.join().unwrap().unwrap();
    }
}
