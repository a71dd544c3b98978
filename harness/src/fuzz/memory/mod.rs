//! Cases put to a server in the same process: any future over `AsyncRead + AsyncWrite`, polled by hand over
//! streams in memory. No socket, no runtime, no thread: more cases a second than any other way (`cargo bench -p
//! tcprove-benches --bench in_process`), and the same case does the same again.
//!
//! A server that is written with Tokio becomes a fuzz target in a few lines, see
//! `harness/examples/fuzz_your_server.rs`:
//!
//! ```ignore
//! // fuzz/fuzz_targets/server.rs
//! #![no_main]
//! use tcprove::fuzz::{Case, memory::drive};
//!
//! libfuzzer_sys::fuzz_target!(|case: Case| { drive(my_server::serve, &case); });
//! ```
//!
//! where `async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin)` carries one connection. A panic is a
//! finding by itself; more is asserted on what [`drive`] returns:
//!
//! ```
//! use tcprove::fuzz::memory::{StreamEnd, Stream, drive};
//! use tcprove::fuzz::{Case, SendStep, Step};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn serve(mut stream: Stream) -> std::io::Result<()> {
//!     let mut buffer = [0; 4];
//!     while let count @ 1.. = stream.read(&mut buffer).await? {
//!         stream.write_all(&buffer[..count]).await?;
//!     }
//!     Ok(())
//! }
//!
//! let hello = SendStep { data: b"hello"[..].into(), cuts: vec![2] };
//! let answers = drive(serve, &Case::new(vec![Step::Send(hello)]));
//! assert_eq!(answers[0].bytes, b"hello");
//! assert_eq!(answers[0].end, StreamEnd::Closed);
//! ```
//!
//! What is shared between connections goes into the closure: `drive(|stream| serve(stream, state.clone()),
//! &case)`. There is no runtime: a service that spawns tasks or sleeps is driven up to there, and panics
//! there, as Tokio does without one; take such parts by parameter.

mod reply;
mod stream;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use super::case::{CONNECTIONS_MAX, Case, SendStep, Step};

pub use reply::{Reply, StreamEnd};
pub use stream::{ANSWER_BYTES_MAX, Stream, WRITE_BYTES_MAX};
use stream::{Client, Gone};

/// Futures are polled at most so often in a case, so that one that wakes itself for ever comes to an end.
pub const POLLS_MAX: usize = 65_536;

/// Has a service carry the connections of a case, and returns what each answered, in the order they were
/// opened.
///
/// `service` makes the future that carries one connection. Every step is taken when nothing is left to do for
/// any connection: so each piece of a cut is a read of its own (or more, if the server's buffer is small).
/// Replies are read at once, but the stream takes only [`WRITE_BYTES_MAX`] of them at a time, so that
/// writes are cut and have to wait. To wait for a reply or for a time does nothing.
///
/// A reset is `ConnectionReset` for the server's reads, once it has read what had arrived, and `BrokenPipe`
/// for its writes; after a close it reads the end of the stream, and its writes fail too.
///
/// # Panics
/// As the service does: that is the finding.
pub fn drive<F: Future>(service: impl FnMut(Stream) -> F, case: &Case) -> Vec<Reply> {
    let mut driver = Driver {
        service,
        connections: Vec::with_capacity(1),
        current: 0,
        polls_left: POLLS_MAX,
        bytes: Vec::new(),
    };
    driver.connect();
    for step in &case.steps {
        driver.step(step);
    }
    for index in 0..driver.connections.len() {
        driver.connections[index].client.leave(Gone::Finished);
        driver.settle();
    }
    driver
        .connections
        .into_iter()
        .map(Connection::answer)
        .collect()
}

struct Driver<S, F> {
    service: S,
    connections: Vec<Connection<F>>,
    current: usize,
    polls_left: usize,
    /// Of one send; kept for the next one.
    bytes: Vec<u8>,
}

impl<S: FnMut(Stream) -> F, F: Future> Driver<S, F> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Send(send) => return self.send(send),
            Step::Connect => return self.connect(),
            Step::Switch(to) if usize::from(*to) < self.connections.len() => {
                self.current = usize::from(*to);
            }
            Step::HalfClose => self.client().leave(Gone::Finished),
            Step::Reset => self.client().leave(Gone::Reset),
            Step::Close => self.client().leave(Gone::Closed),
            Step::Switch(_) | Step::Receive | Step::DelayMs(_) => return,
        }
        self.settle();
    }

    fn client(&self) -> &Client {
        &self.connections[self.current].client
    }

    fn connect(&mut self) {
        if self.connections.len() == CONNECTIONS_MAX {
            return;
        }
        let (client, stream) = stream::pair();
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.current = self.connections.len();
        self.connections.push(Connection {
            client,
            future: Some(Box::pin((self.service)(stream))),
            waker: Waker::from(Arc::clone(&woken)),
            woken,
        });
        self.settle();
    }

    fn send(&mut self, send: &SendStep) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        send.data.write(&mut bytes);
        for piece in send.pieces(&bytes) {
            self.client().send(piece);
            self.settle();
        }
        self.bytes = bytes;
    }

    /// Polls until no future has anything to do: one may wake another.
    fn settle(&mut self) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for connection in &mut self.connections {
                // One poll each: who wakes itself for ever does not keep the others from their turn.
                if self.polls_left > 0 && connection.poll() {
                    self.polls_left -= 1;
                    is_settled = false;
                }
            }
        }
    }
}

struct Connection<F> {
    client: Client,
    /// Until it is ready; by then the server has most often let go of the stream.
    future: Option<Pin<Box<F>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

impl<F: Future> Connection<F> {
    /// Polls the future if it was woken. False if there was nothing to do.
    fn poll(&mut self) -> bool {
        let Some(future) = &mut self.future else {
            return false;
        };
        if !self.woken.take() {
            return false;
        }
        let mut context = Context::from_waker(&self.waker);
        if future.as_mut().poll(&mut context).is_ready() {
            self.future = None;
        }
        self.client.read();
        true
    }

    fn answer(self) -> Reply {
        let is_busy = self.future.is_some() && self.woken.take();
        let (bytes, length, state) = self.client.answer();
        let end = if is_busy { StreamEnd::Busy } else { state };
        Reply { bytes, length, end }
    }
}

/// Whether a future is to be polled.
struct Woken(AtomicBool);

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
