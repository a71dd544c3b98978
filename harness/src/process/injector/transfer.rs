//! Short transfers: one byte of a read or write is moved on behalf of the server, though there are more.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::ioctl_fionread;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::caller::Caller;
use super::calls::{Call, CallKind, Shape};
use crate::sys::{PendingCall, report_readable, report_writable};

/// Offsets in the kernel's `struct user_msghdr`, and its length in words of 8 bytes.
const NAME_LENGTH: u64 = 8;
const CONTROL_LENGTH: u64 = 40;
const FLAGS: u64 = 48;
const HEADER_WORDS: usize = 7;
/// Flags of recv and send for which a short transfer would have another meaning.
const SPECIAL: i32 = libc::MSG_PEEK | libc::MSG_OOB | libc::MSG_WAITALL | libc::MSG_ERRQUEUE;

/// A transfer of more than one byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Transfer {
    /// Where the first byte is in the memory of the caller.
    address: u64,
    /// The message header, if the call has one.
    header: Option<u64>,
    is_receive: bool,
}

/// The clients at whose bytes the server has looked with `MSG_PEEK`. What it has seen to be there, it then gets.
#[derive(Debug, Default)]
pub(super) struct Peeked(HashSet<Option<SocketAddr>>);

/// What became of a transfer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// One byte was moved.
    Short,
    /// There is nothing to read yet.
    NotYet,
    /// Less than two bytes would be moved, or the connection has ended: the kernel performs the call.
    NotApplicable,
}

impl Transfer {
    /// The transfer of this call on a connection of `peer`; `None` if it moves less than two bytes or is of a special kind.
    pub(super) fn of(
        caller: &Caller,
        call: &Call,
        pending: &PendingCall,
        peer: Option<SocketAddr>,
        peeked: &mut Peeked,
    ) -> Option<Transfer> {
        let arguments = &pending.arguments;
        let flags = match call.shape {
            Shape::FlaggedBuffer => arguments[3],
            Shape::Message => arguments[2],
            _ => 0,
        };
        if flags as i32 & libc::MSG_PEEK != 0 {
            peeked.0.insert(peer);
        }
        let is_receive = call.kind == CallKind::Receive;
        if flags as i32 & SPECIAL != 0 || (is_receive && peeked.0.contains(&peer)) {
            return None;
        }
        let (address, length, header) = match call.shape {
            Shape::Buffer => (arguments[1], arguments[2], None),
            // An address would have to be written, too.
            Shape::FlaggedBuffer if arguments[4] == 0 => (arguments[1], arguments[2], None),
            Shape::Buffers => {
                let (address, length) = first(caller, arguments[1], arguments[2])?;
                (address, length, None)
            }
            Shape::Message => {
                let header: [u64; HEADER_WORDS] = caller.words(arguments[1]).ok()?;
                let [name, _, parts, count, _, control, _] = header;
                if call.kind == CallKind::Send && (name != 0 || control != 0) {
                    return None;
                }
                let (address, length) = first(caller, parts, count)?;
                (address, length, Some(arguments[1]))
            }
            _ => return None,
        };
        (length > 1).then_some(Transfer {
            address,
            header,
            is_receive,
        })
    }

    /// Moves one byte without waiting.
    ///
    /// # Errors
    /// The memory of the caller cannot be read or written.
    pub(super) fn perform(&self, caller: &Caller, socket: &OwnedFd) -> io::Result<Moved> {
        if self.is_receive {
            self.receive(caller, socket)
        } else {
            self.send(caller, socket)
        }
    }

    fn receive(&self, caller: &Caller, socket: &OwnedFd) -> io::Result<Moved> {
        let mut byte = [0];
        let peek = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match recv(socket, &mut byte, peek) {
            Ok((_, 1)) if ioctl_fionread(socket)? > 1 => {}
            Ok(_) => return Ok(Moved::NotApplicable),
            Err(rustix::io::Errno::AGAIN) => return Ok(Moved::NotYet),
            Err(_) => return Ok(Moved::NotApplicable),
        }
        caller.write(self.address, &byte)?;
        if let Some(header) = self.header {
            // As the kernel leaves it for a stream: no address, no control message, no flags.
            caller.write(header + NAME_LENGTH, &0u32.to_ne_bytes())?;
            caller.write(header + CONTROL_LENGTH, &0u64.to_ne_bytes())?;
            caller.write(header + FLAGS, &0u32.to_ne_bytes())?;
        }
        // Only now it is taken: a byte that could not be delivered must not be lost.
        let taken = recv(socket, &mut byte, RecvFlags::DONTWAIT);
        if !matches!(taken, Ok((_, 1))) {
            return Ok(Moved::NotApplicable);
        }
        report_readable(socket.as_fd());
        Ok(Moved::Short)
    }

    fn send(&self, caller: &Caller, socket: &OwnedFd) -> io::Result<Moved> {
        let mut byte = [0];
        caller.read(self.address, &mut byte)?;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if !matches!(send(socket, &byte, flags), Ok(1)) {
            return Ok(Moved::NotApplicable);
        }
        report_writable(socket.as_fd());
        Ok(Moved::Short)
    }
}

/// The first part of an array of buffers that is not empty, with the length of it and all that follow.
fn first(caller: &Caller, parts: u64, count: u64) -> Option<(u64, u64)> {
    let mut found: Option<(u64, u64)> = None;
    for at in 0..count.min(1024) {
        let [address, length] = caller.words(parts + at * 16).ok()?;
        found = match found {
            None if length > 0 => Some((address, length)),
            Some((first, total)) => Some((first, total.saturating_add(length))),
            None => None,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::super::calls;
    use super::*;

    fn transfer(caller: &Caller, call: &Call, pending: &PendingCall) -> Option<Transfer> {
        Transfer::of(caller, call, pending, None, &mut Peeked::default())
    }

    fn pending(arguments: [u64; 6]) -> PendingCall {
        PendingCall {
            id: 0,
            thread: 0,
            number: 0,
            arguments,
        }
    }

    #[test]
    fn one_byte_is_received_and_the_others_stay() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let own = Caller::of(std::process::id()).unwrap();
        let mut buffer = [0u8; 8];
        let call = calls::of_name("read").unwrap();
        let arguments = pending([0, buffer.as_mut_ptr() as u64, 8, 0, 0, 0]);
        let transfer = transfer(&own, call, &arguments).unwrap();
        let fd: OwnedFd = server.try_clone().unwrap().into();
        assert_eq!(transfer.perform(&own, &fd).unwrap(), Moved::NotYet);
        client.write_all(b"abc").unwrap();
        assert_eq!(transfer.perform(&own, &fd).unwrap(), Moved::Short);
        assert_eq!(
            own.words::<1>(buffer.as_ptr() as u64).unwrap()[0] as u8,
            b'a'
        );
        let mut rest = [0; 2];
        (&server).read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"bc");
        client.write_all(b"d").unwrap();
        assert_eq!(transfer.perform(&own, &fd).unwrap(), Moved::NotApplicable);
    }

    #[test]
    fn one_byte_of_the_first_part_is_sent() {
        let (mut client, server) = UnixStream::pair().unwrap();
        let own = Caller::of(std::process::id()).unwrap();
        let (empty, text) = ([0u8; 0], *b"xyz");
        let parts = [empty.as_ptr() as u64, 0, text.as_ptr() as u64, 3];
        let call = calls::of_name("writev").unwrap();
        let arguments = pending([0, parts.as_ptr() as u64, 2, 0, 0, 0]);
        let transfer = transfer(&own, call, &arguments).unwrap();
        let fd: OwnedFd = server.into();
        assert_eq!(transfer.perform(&own, &fd).unwrap(), Moved::Short);
        drop(fd);
        let mut sent = Vec::new();
        client.read_to_end(&mut sent).unwrap();
        assert_eq!(sent, b"x");
    }

    #[test]
    fn a_single_byte_cannot_be_short() {
        let own = Caller::of(std::process::id()).unwrap();
        let call = calls::of_name("write").unwrap();
        assert!(transfer(&own, call, &pending([0, 1, 1, 0, 0, 0])).is_none());
        let call = calls::of_name("recvfrom").unwrap();
        let peek = libc::MSG_PEEK as u64;
        assert!(transfer(&own, call, &pending([0, 1, 8, peek, 0, 0])).is_none());
    }

    /// The kernel has shown the bytes, so it returns them.
    #[test]
    fn what_was_peeked_at_is_not_read_short() {
        let own = Caller::of(std::process::id()).unwrap();
        let receive = calls::of_name("recvfrom").unwrap();
        let (peek, read) = (libc::MSG_PEEK as u64, 0);
        let client = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        let mut peeked = Peeked::default();
        let mut is_short = |flags, port| {
            let call = pending([0, 1, 8, flags, 0, 0]);
            Transfer::of(&own, receive, &call, client(port), &mut peeked).is_some()
        };
        assert!(is_short(read, 1));
        assert!(!is_short(peek, 1) && !is_short(read, 1));
        assert!(is_short(read, 2));
    }
}
