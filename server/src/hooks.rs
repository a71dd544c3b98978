//! The fixed places where a planted fault may act. A sound server has none of them set.

use std::any::Any;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::PollFlags;
use socket2::Socket;

use crate::Config;
use crate::service::Flow;

/// What a fault keeps about one connection; dropped when the connection has ended.
pub type Scratch = Option<Box<dyn Any + Send>>;

/// The places where a fault acts, as data. [`Hooks::NONE`] is a sound server.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// Settings that the fault gets wrong; applied whenever the settings are read.
    pub configure: Option<fn(&mut Config)>,
    /// The socket has its options and is not bound yet.
    pub before_listen: Option<fn(&Socket)>,
    /// `accept` returned: with a connection, or with an error for which the server is about to
    /// do what it returns. Runs on the accepting thread.
    pub after_accept: Option<AfterAccept>,
    /// A connection begins, on the thread that carries it: makes its scratch.
    pub connected: Option<fn() -> Scratch>,
    /// `recv` returned: the bytes may be changed before the protocol sees them.
    pub after_read: Option<fn(&mut Scratch, BorrowedFd<'_>, Received<'_>)>,
    /// A reply was made, whole, and was not sent yet: its bytes may be changed, or the connection
    /// closed at once.
    pub replied: Option<Replied>,
    /// Replies are about to be sent: the fault may send some of it by itself, or drop it, by
    /// removing it from the queue, or have the connection closed.
    pub before_write: Option<fn(BorrowedFd<'_>, &mut Vec<u8>) -> Flow>,
    /// What a stop signal does.
    pub on_signal: OnSignal,
    /// Events to wait for besides those that the server can act on (models with threads only).
    pub watch: PollFlags,
}

/// See [`Hooks::after_accept`].
pub type AfterAccept = fn(BorrowedFd<'_>, Result<BorrowedFd<'_>, &io::Error>) -> Retry;

/// See [`Hooks::replied`].
pub type Replied = fn(&mut Scratch, BorrowedFd<'_>, &mut [u8]) -> Flow;

impl Hooks {
    /// No fault.
    pub const NONE: Self = Self {
        configure: None,
        before_listen: None,
        after_accept: None,
        connected: None,
        after_read: None,
        replied: None,
        before_write: None,
        on_signal: OnSignal::Drain,
        watch: PollFlags::empty(),
    };
}

/// What `recv` returned.
#[derive(Debug)]
pub enum Received<'a> {
    /// Some bytes, and the size of the buffer they were read into.
    Bytes(&'a mut Vec<u8>, usize),
    /// The peer's FIN.
    Eof,
    /// The connection failed.
    Error(&'a io::Error),
}

/// When to call `accept` again after it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// At once: the error concerned one connection only.
    Now,
    /// After a pause: a resource is missing and will be missing still.
    Later,
}

/// What a stop signal does to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSignal {
    /// Finishes what is in flight, then exits.
    Drain,
    /// Nothing.
    Ignore,
    /// Exits with code 0 and drops what is in flight.
    Exit,
}
