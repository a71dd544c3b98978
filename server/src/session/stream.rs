//! Drives a session over any stream, without a socket, a runtime or timers.

use std::fs::File;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::Session;
use super::wait::Next;
use crate::Config;
use crate::peer::Peer;
use crate::transport::{Transport, ready_or_would_block};

/// The peer in log lines: a stream has no address.
const PEER: Peer = Peer::Ip(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0));

/// Serves one connection over a stream until it ends, with the same session as every model.
///
/// The future is woken only by the stream, so any executor can poll it and the result is
/// deterministic. It has no timers: a silent peer is not timed out, and [`Config::delay`] is
/// ignored. So are [`Config::tls`] and [`Config::proxy`], which concern sockets. A planted fault that uses the descriptor of the socket gets `/dev/null`.
///
/// ```
/// use tcprove_server::{Config, carry};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let (mut client, server) = tokio::io::duplex(1024);
/// let server = tokio::spawn(async { carry(server, &Config::default()).await });
/// client.write_all(b"hello\n").await?;
/// client.shutdown().await?;
/// let mut reply = String::new();
/// client.read_to_string(&mut reply).await?;
/// assert_eq!(reply, "hello\n");
/// server.await?;
/// # Ok(())
/// # }
/// ```
pub async fn carry<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, config: &Config) {
    let changed;
    let config = if config.hooks().configure.is_some() || config.starttls {
        changed = Config {
            starttls: false,
            ..config.clone().effective()
        };
        &changed
    } else {
        config
    };
    let mut session = Session::new(config, None, PEER);
    poll_fn(|context| {
        let mut transport = StreamTransport {
            stream: Pin::new(&mut stream),
            context,
        };
        match session.step(&mut transport, false) {
            Next::Done => Poll::Ready(()),
            Next::Wait(_) => transport.flush(),
        }
    })
    .await;
    // Sends what the stream has buffered. Fails if the connection has failed, which is fine.
    let _ = stream.shutdown().await;
}

/// The stream during one poll of its future.
struct StreamTransport<'a, 'b, S> {
    stream: Pin<&'a mut S>,
    context: &'a mut Context<'b>,
}

impl<S: AsyncRead + AsyncWrite> StreamTransport<'_, '_, S> {
    /// Flushes the buffer of the stream. Ready if the stream has failed, which ends the session.
    fn flush(self) -> Poll<()> {
        match self.stream.poll_flush(self.context) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + AsyncWrite> Transport for StreamTransport<'_, '_, S> {
    fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let polled = self.stream.as_mut().poll_read(self.context, &mut buffer);
        ready_or_would_block(polled)?;
        Ok(buffer.filled().len())
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let polled = self.stream.as_mut().poll_write(self.context, bytes);
        match ready_or_would_block(polled) {
            // As in `write_all`: a stream that takes no bytes never will.
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            result => result,
        }
    }

    fn try_finish(&mut self) -> io::Result<()> {
        ready_or_would_block(self.stream.as_mut().poll_shutdown(self.context))
    }

    /// Only used during a shutdown, which a stream never sees.
    fn has_unread(&self) -> bool {
        false
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        static NOWHERE: LazyLock<File> = LazyLock::new(|| {
            let file = File::options().read(true).write(true).open("/dev/null");
            crate::fault::or_die(file, "open /dev/null")
        });
        NOWHERE.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, duplex};

    use super::carry;
    use crate::{Config, fault};

    /// The bytes that a client receives after sending this request and a FIN.
    async fn answer(config: &Config, request: &[u8]) -> Vec<u8> {
        let (mut client, server) = duplex(64);
        let talk = async {
            let (mut read, mut write) = tokio::io::split(&mut client);
            let mut reply = Vec::new();
            let send = async {
                // The server may close the connection early.
                let _ = write.write_all(request).await;
                let _ = write.shutdown().await;
            };
            let (_, result) = tokio::join!(send, read.read_to_end(&mut reply));
            result.expect("an in-memory stream does not fail");
            reply
        };
        let (reply, ()) = tokio::join!(talk, carry(server, config));
        reply
    }

    #[tokio::test]
    async fn a_stream_that_buffers_is_flushed_while_the_client_waits() {
        let (mut client, server) = duplex(64);
        let config = Config::default();
        let talk = async {
            let mut reply = [0; 6];
            client.write_all(b"hello\n").await.expect("room");
            client.read_exact(&mut reply).await.expect("a reply");
            drop(client);
            reply
        };
        let (reply, ()) = tokio::join!(talk, carry(BufStream::new(server), &config));
        assert_eq!(&reply, b"hello\n");
    }

    #[tokio::test]
    async fn replies_wait_for_room() {
        let lines = b"a line of some length\n".repeat(1_000);
        let config = Config {
            write_bound: 256,
            ..Config::default()
        };
        assert!(answer(&config, &lines).await == lines);
    }

    #[tokio::test]
    async fn a_fault_that_changes_settings_works_too() {
        let line = [vec![b'a'; 99], b"\n".to_vec()].concat();
        let sound = Config {
            max_message: 50,
            ..Config::default()
        };
        let faulty = Config {
            fault: fault::find("unbounded-message"),
            ..sound.clone()
        };
        assert_eq!(answer(&sound, &line).await, b"ERR line too long\n");
        assert_eq!(answer(&faulty, &line).await, line);
    }
}
