//! Listens on a Unix socket, and removes its file at the end.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::Listener;
use crate::{Config, ServerError};

/// Listens on the path. A socket that an earlier server has left there is replaced; any other file,
/// and the socket of a running server, is an error.
pub(super) fn listen(config: &Config, path: &Path) -> Result<Listener, ServerError> {
    let open = || match open(config, path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_stale(path) => {
            fs::remove_file(path)?;
            open(config, path)
        }
        result => result,
    };
    open().map_err(|source| ServerError::Listen {
        address: format!("unix:{}", path.display()),
        source,
    })
}

fn open(config: &Config, path: &Path) -> io::Result<Listener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if let Some(before_listen) = config.hooks().before_listen {
        before_listen(&socket);
    }
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::of(path)?;
    socket.listen(i32::try_from(config.backlog).unwrap_or(i32::MAX))?;
    Ok(Listener {
        file: Some(file),
        ..Listener::opened(socket)?
    })
}

/// Whether the file is a socket that no process has open. A datagram socket cannot connect to a
/// stream socket, so the probe never reaches a server: the error alone tells whether there is one.
fn is_stale(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let probe = || Socket::new(Domain::UNIX, Type::DGRAM, None)?.connect(&SockAddr::unix(path)?);
    is_socket && probe().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// The file of a listening socket. Dropping it removes the file, unless another server has replaced
/// it.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::symlink_metadata(path)?;
        Ok(Self {
            // The working directory may change.
            path: std::path::absolute(path)?,
            device: file.dev(),
            inode: file.ino(),
        })
    }

    fn is(&self, file: &Metadata) -> bool {
        (file.dev(), file.ino()) == (self.device, self.inode)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| self.is(&file))
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the socket's file");
        }
    }
}
