//! How the listener of a filter gets from a new process to tcprove: over a Unix socket with an abstract name, which the
//! supervisor connects before it starts the server.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Tcprove's end.
#[derive(Debug)]
pub(super) struct Link {
    socket: UnixListener,
    name: String,
}

impl Link {
    /// Opens it with a name that cannot be guessed.
    ///
    /// # Errors
    /// Those of bind(2).
    pub(super) fn open() -> io::Result<Link> {
        let random = || RandomState::new().build_hasher().finish();
        let name = format!("tcprove-calls-{:016x}{:016x}", random(), random());
        let socket = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Link { socket, name })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The connection of the supervisor, if it is there. Those of other users are dropped.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        let (stream, _) = self.socket.accept().ok()?;
        let user = socket_peercred(&stream).ok()?.uid;
        (user == rustix::process::geteuid()).then_some(stream)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Connects the supervisor to the [`Link`] of this name.
///
/// # Errors
/// Those of connect(2).
pub(in crate::process) fn connect(name: &str) -> io::Result<OwnedFd> {
    let address = SocketAddr::from_abstract_name(name)?;
    Ok(UnixStream::connect_addr(&address)?.into())
}

/// Receives what comes with a descriptor, at most 8 bytes.
///
/// # Errors
/// Those of recvmsg(2).
pub(super) fn receive(stream: impl AsFd) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = [0; 8];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let descriptor = descriptors.next();
    Ok((bytes[..received.bytes].to_vec(), descriptor))
}

/// Sends a descriptor with one byte.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn send(stream: impl AsFd, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        stream,
        &[IoSlice::new(&[0])],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_passes() {
        let link = Link::open().unwrap();
        assert!(link.accept().is_none());
        let theirs = connect(link.name()).unwrap();
        let ours = link.accept().unwrap();
        let (read, write) = std::io::pipe().unwrap();
        send(&theirs, write.as_fd()).unwrap();
        let (bytes, descriptor) = receive(&ours).unwrap();
        assert_eq!(bytes, [0]);
        drop(write);
        rustix::io::write(descriptor.unwrap(), b"x").unwrap();
        let mut byte = [0];
        rustix::io::read(&read, &mut byte).unwrap();
        assert_eq!(&byte, b"x");
        drop(theirs);
        assert!(receive(&ours).unwrap().1.is_none());
    }
}
