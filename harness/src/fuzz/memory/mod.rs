//! Runs cases against a server in the same process: any future over `AsyncRead + AsyncWrite`, polled by hand over
//! in-memory streams. Without sockets, runtime or threads this is the fastest way to run cases (`cargo bench -p
//! tcprove-benches --bench in_process`), and every run of a case is the same.
//!
//! A server that is written with Tokio becomes a fuzz target in a few lines; see `harness/examples/fuzz_your_server.rs`:
//!
//! ```ignore
//! // fuzz/fuzz_targets/server.rs
//! #![no_main]
//! use tcprove::fuzz::{Case, memory::drive};
//!
//! libfuzzer_sys::fuzz_target!(|case: Case| { drive(my_server::serve, &case); });
//! ```
//!
//! where `async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin)` serves one connection. A panic is a finding.
//! Assert further properties on what [`drive`] returns:
//!
//! ```
//! use tcprove::fuzz::memory::{StreamEnd, MemoryStream, drive};
//! use tcprove::fuzz::{Case, SendStep, Step};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! async fn serve(mut stream: MemoryStream) -> std::io::Result<()> {
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
//! Move state that connections share into the closure: `drive(|stream| serve(stream, state.clone()), &case)`. There is no
//! Tokio runtime: a service that spawns tasks or sleeps panics at that point. Pass such parts in as parameters.

mod reply;
mod stream;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

pub use reply::{ServiceReply, StreamEnd};
pub use stream::{ANSWER_BYTES_MAX, MemoryStream, WRITE_BYTES_MAX};
use stream::{ClientEnd, Departure};

use super::case::{CONNECTIONS_MAX, Case, SendStep, Step};

/// Maximum polls of all futures in a case, so that a future that always wakes itself comes to an end.
pub const POLLS_MAX: usize = 65_536;

/// Lets a service serve the connections of a case. Returns the replies in the order in which the connections were opened.
///
/// `service` creates the future that serves one connection. Each step runs after all futures have become idle, so each
/// piece of a cut send is a read of its own (or several, if the server's buffer is small). The client reads replies
/// immediately, but the stream accepts only [`WRITE_BYTES_MAX`] bytes at a time, so that long writes are split and must
/// wait. Receive, delay and inject steps do nothing.
///
/// After a reset, the server's reads return `ConnectionReset` once it has read what had arrived, and its writes return
/// `BrokenPipe`. After a close, its reads return the end of the stream, and its writes fail too.
///
/// # Panics
/// If the service panics: that is the finding.
pub fn drive<F: Future>(service: impl FnMut(MemoryStream) -> F, case: &Case) -> Vec<ServiceReply> {
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
        driver.connections[index].client.leave(Departure::Finished);
        driver.settle();
    }
    driver
        .connections
        .into_iter()
        .map(DrivenConnection::answer)
        .collect()
}

struct Driver<S, F> {
    service: S,
    connections: Vec<DrivenConnection<F>>,
    current: usize,
    polls_left: usize,
    /// Buffer for the bytes of one send.
    bytes: Vec<u8>,
}

impl<S: FnMut(MemoryStream) -> F, F: Future> Driver<S, F> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Send(send) => return self.send(send),
            Step::Connect => return self.connect(),
            Step::Switch(to) if usize::from(*to) < self.connections.len() => {
                self.current = usize::from(*to);
            }
            Step::HalfClose => self.client().leave(Departure::Finished),
            Step::Reset => self.client().leave(Departure::Reset),
            Step::Close => self.client().leave(Departure::Closed),
            Step::Switch(_)
            | Step::Receive
            | Step::DelayMs(_)
            | Step::Login(_)
            | Step::Inject(_) => return,
        }
        self.settle();
    }

    fn client(&self) -> &ClientEnd {
        &self.connections[self.current].client
    }

    fn connect(&mut self) {
        if self.connections.len() == CONNECTIONS_MAX {
            return;
        }
        let (client, stream) = stream::pair();
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        self.current = self.connections.len();
        self.connections.push(DrivenConnection {
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

    /// Polls until all futures are idle: one may wake another.
    fn settle(&mut self) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            for connection in &mut self.connections {
                // One poll each, so that a future that always wakes itself does not starve the others.
                if self.polls_left > 0 && connection.poll() {
                    self.polls_left -= 1;
                    is_settled = false;
                }
            }
        }
    }
}

struct DrivenConnection<F> {
    client: ClientEnd,
    /// `None` once it is ready; by then the server has usually dropped the stream.
    future: Option<Pin<Box<F>>>,
    woken: Arc<Woken>,
    waker: Waker,
}

impl<F: Future> DrivenConnection<F> {
    /// Polls the future if it was woken; returns whether it was.
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

    fn answer(self) -> ServiceReply {
        let is_busy = self.future.is_some() && self.woken.take();
        let (bytes, length, state) = self.client.answer();
        let end = if is_busy { StreamEnd::Busy } else { state };
        ServiceReply { bytes, length, end }
    }
}

/// Whether a future must be polled.
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
