//! The places in the server where a planted fault may act.

use std::any::Any;
use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustls::Reader;
use socket2::Socket;

use super::Config;
use super::layer::Layer;
use crate::proxy::Parsed;
use crate::service::Flow;
use crate::transport::Transport;

/// What a fault stores per connection. It is dropped when the connection ends.
pub(crate) type Scratch = Option<Box<dyn Any + Send>>;

/// The hooks of a fault. [`Hooks::NONE`] is a sound server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hooks {
    /// Changes settings. Applied whenever the settings are read.
    pub(crate) configure: Option<fn(&mut Config)>,
    /// Called before `bind`, with the options of the socket already set.
    pub(crate) before_listen: Option<fn(&Socket)>,
    /// Called with the line that announces the address. Returns what is printed instead.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the program prints")
    )]
    pub(crate) announced: Option<fn(String) -> String>,
    /// Decides whether one more connection is served: the number of those served and their maximum.
    pub(crate) admits: Option<fn(usize, usize) -> bool>,
    /// Called on the accepting thread after `accept` has returned a connection or an error. After
    /// an error the returned value says when to call `accept` again.
    pub(crate) after_accept: Option<AfterAccept>,
    /// Called after `accept` has returned, with the time it took (only in models that use threads).
    pub(crate) accept_took: Option<fn(Duration)>,
    /// Whether a signal that interrupts the wait for a connection ends that connection (only in models that use threads).
    pub(crate) ends_when_interrupted: bool,
    /// Called on the thread that serves the connection, before the first read. Returns the scratch
    /// of the connection.
    pub(crate) connected: Option<fn() -> Scratch>,
    /// Called after `recv`. May change the bytes before the protocol sees them.
    pub(crate) after_read: Option<fn(&mut Scratch, BorrowedFd<'_>, Received<'_>)>,
    /// Whether each byte of a request starts the idle time-out again.
    pub(crate) every_byte_is_progress: bool,
    /// Called with each whole reply before it is sent. May change its bytes or close the
    /// connection.
    pub(crate) replied: Option<Replied>,
    /// Called before replies are sent. May send or drop bytes by removing them from the queue, or
    /// close the connection.
    pub(crate) before_write: Option<BeforeWrite>,
    /// How the server reacts to a stop signal.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the program handles signals")
    )]
    pub(crate) on_signal: OnSignal,
    /// Called with the listener after a SIGHUP, on a thread of its own.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the program handles signals")
    )]
    pub(crate) reloads: Option<fn(BorrowedFd<'_>)>,
    /// Additional events to poll for (only in models that use threads).
    pub(crate) watch: PollFlags,
    /// The hooks below the protocol.
    pub(crate) layers: LayerHooks,
}

/// The hooks in the PROXY protocol and in TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerHooks {
    /// What the fault shows in; `None` if it shows on a plain connection.
    pub(crate) layer: Option<Layer>,
    /// Called after each read of a PROXY header, with what the bytes so far are. Decides what they
    /// are taken for.
    pub(crate) header_read: Option<fn(Parsed) -> Parsed>,
    /// Called when a peer violates TLS, before the alert is sent.
    pub(crate) tls_failed: Option<fn(&io::Error)>,
    /// Called after a read has been decrypted. Moves what the session gets to the vector.
    pub(crate) decrypted: Option<fn(Reader<'_>, &mut Vec<u8>)>,
    /// Whether a close_notify precedes the end of a TLS stream.
    pub(crate) sends_close_notify: bool,
}

/// The type of [`Hooks::after_accept`].
pub(crate) type AfterAccept = fn(BorrowedFd<'_>, Result<BorrowedFd<'_>, &io::Error>) -> Retry;

/// The type of [`Hooks::before_write`].
pub(crate) type BeforeWrite = fn(&mut dyn Transport, &mut Vec<u8>) -> Flow;

/// The type of [`Hooks::replied`].
pub(crate) type Replied = fn(&mut Scratch, BorrowedFd<'_>, &mut [u8]) -> Flow;

impl Hooks {
    /// No fault.
    pub(crate) const NONE: Self = Self {
        configure: None,
        before_listen: None,
        announced: None,
        admits: None,
        after_accept: None,
        accept_took: None,
        ends_when_interrupted: false,
        connected: None,
        after_read: None,
        every_byte_is_progress: false,
        replied: None,
        before_write: None,
        on_signal: OnSignal::Drain,
        reloads: None,
        watch: PollFlags::empty(),
        layers: LayerHooks::NONE,
    };
}

impl LayerHooks {
    /// No fault.
    pub(crate) const NONE: Self = Self {
        layer: None,
        header_read: None,
        tls_failed: None,
        decrypted: None,
        sends_close_notify: true,
    };
}

/// The result of a `recv`.
#[derive(Debug)]
pub(crate) enum Received<'a> {
    /// Some bytes, and the size of the buffer they were read into.
    Bytes(&'a mut Vec<u8>, usize),
    /// The FIN of the peer.
    Eof,
    /// The connection failed.
    Error(&'a io::Error),
}

/// When to call `accept` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    /// Immediately: there was no error, or it concerned a single connection.
    Now,
    /// After a pause: a resource is exhausted and the same error would follow.
    Later,
}

impl Retry {
    /// What a sound server does after an error of `accept`.
    ///
    /// `accept` also reports errors that a connection had before it was accepted (accept(2)); the
    /// next connection may be fine. Any other error persists until a resource is released.
    pub(crate) fn after(error: &io::Error) -> Self {
        const OF_ONE_CONNECTION: [Errno; 10] = [
            Errno::INTR,
            Errno::CONNABORTED,
            Errno::PROTO,
            Errno::NETDOWN,
            Errno::NOPROTOOPT,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::NETUNREACH,
            Errno::TIMEDOUT,
        ];
        match Errno::from_io_error(error) {
            Some(errno) if OF_ONE_CONNECTION.contains(&errno) => Self::Now,
            _ => Self::Later,
        }
    }
}

/// How the server reacts to a stop signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnSignal {
    /// Finishes the requests in flight, then exits.
    Drain,
    /// Ignores the signal.
    Ignore,
    /// Exits with code 0 and drops the requests in flight.
    Exit,
}
