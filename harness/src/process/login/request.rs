//! What tcprove and the host of logins write to each other.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::LoginCommand;
use crate::process::Exit;

/// Maximum length of a request, in bytes. Longer commands are refused.
const REQUEST_BYTES_MAX: usize = 128 * 1024;
/// Number of descriptors of a request.
const DESCRIPTORS: usize = 3;

/// A program to start, without its descriptors.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    words: Vec<String>,
    dir: PathBuf,
}

/// A program to start.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) command: LoginCommand,
    /// The connection.
    pub(super) connection: OwnedFd,
    /// Where the program prints.
    pub(super) output: OwnedFd,
    /// Where the host writes how it ended.
    pub(super) end: OwnedFd,
}

/// Sends a request: the connection, the output, the end.
///
/// # Errors
/// Those of sendmsg(2).
pub(super) fn send(
    control: &OwnedFd,
    command: &LoginCommand,
    descriptors: [BorrowedFd<'_>; DESCRIPTORS],
) -> std::io::Result<()> {
    let written = Written {
        words: command.words.clone(),
        dir: command.dir.clone(),
    };
    let text = serde_json::to_vec(&written)?;
    if text.len() > REQUEST_BYTES_MAX {
        return Err(std::io::Error::from_raw_os_error(libc::E2BIG));
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let bytes = [IoSlice::new(&text)];
    sendmsg(control, &bytes, &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives a request. `None` if the other end is closed.
///
/// # Errors
/// Those of recvmsg(2); `InvalidData` for anything but a request.
pub(super) fn receive(control: impl AsFd) -> std::io::Result<Option<Request>> {
    let mut text = vec![0; REQUEST_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(&mut text)];
    let received = recvmsg(control, &mut bytes, &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = ancillary.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    let mut descriptor = || descriptors.next().ok_or(std::io::ErrorKind::InvalidData);
    let (connection, output, end) = (descriptor()?, descriptor()?, descriptor()?);
    let Written { words, dir } = serde_json::from_slice(&text[..received.bytes])?;
    Ok(Some(Request {
        command: LoginCommand { words, dir },
        connection,
        output,
        end,
    }))
}

/// How a program ended, or that it did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Exit(Exit),
    NotStarted(i32),
}

impl Ended {
    pub(super) fn write(self) -> String {
        match self {
            Self::Exit(Exit::Code(code)) => format!("exit {code}"),
            Self::Exit(Exit::Signal(signal)) => format!("signal {signal}"),
            Self::NotStarted(errno) => format!("error {errno}"),
        }
    }

    pub(super) fn parse(text: &[u8]) -> Option<Ended> {
        let (word, number) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        let number = number.parse().ok()?;
        match word {
            "exit" => Some(Self::Exit(Exit::Code(number))),
            "signal" => Some(Self::Exit(Exit::Signal(number))),
            "error" => Some(Self::NotStarted(number)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn a_request_carries_its_descriptors() {
        let (ours, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let pairs = [(); DESCRIPTORS].map(|()| UnixStream::pair().unwrap());
        let command = LoginCommand {
            words: vec!["é".into(), String::new()],
            dir: "/x".into(),
        };
        send(
            &ours,
            &command,
            [0, 1, 2].map(|at: usize| pairs[at].0.as_fd()),
        )
        .unwrap();
        drop(ours);
        let request = receive(&theirs).unwrap().unwrap();
        assert_eq!(request.command, command);
        let descriptors = [request.connection, request.output, request.end];
        for (descriptor, (_, mut other)) in descriptors.into_iter().zip(pairs) {
            UnixStream::from(descriptor).write_all(b"x").unwrap();
            other.read_exact(&mut [0]).unwrap();
        }
        assert!(receive(&theirs).unwrap().is_none());
    }

    #[test]
    fn ends() {
        for end in [
            Ended::Exit(Exit::Code(3)),
            Ended::Exit(Exit::Signal(9)),
            Ended::NotStarted(2),
        ] {
            assert_eq!(Ended::parse(end.write().as_bytes()), Some(end));
        }
        assert_eq!(Ended::parse(b""), None);
        assert_eq!(Ended::parse(b"exit"), None);
    }
}
