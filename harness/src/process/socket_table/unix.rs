//! Listening Unix sockets, from `/proc/net/unix` (proc_pid_net(5)).

use std::io;
use std::path::{Path, PathBuf};

/// The flag of a socket that accepts connections (`SO_ACCEPTCON`).
const ACCEPTS: u32 = 1 << 16;

/// A listening Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnixListener {
    /// Its path, as the server gave it to bind(2).
    pub path: PathBuf,
    /// Its inode, which identifies it in `/proc/PID/fd`.
    pub inode: u32,
}

/// The sockets that listen at `path`. The table has the path that the server gave to bind(2), which may be relative.
///
/// # Errors
/// `/proc/net/unix` cannot be read.
pub(crate) fn unix_listeners(path: &Path) -> io::Result<Vec<UnixListener>> {
    let table = std::fs::read_to_string("/proc/net/unix")?;
    let all = table.lines().skip(1).filter_map(listener);
    Ok(all
        .filter(|listener| path.ends_with(&listener.path))
        .collect())
}

/// A line: `Num RefCount Protocol Flags Type St Inode Path`.
fn listener(line: &str) -> Option<UnixListener> {
    let mut fields = line.split_ascii_whitespace();
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let inode = fields.nth(2)?.parse().ok()?;
    let path = fields.next()?;
    (flags & ACCEPTS != 0).then(|| UnixListener {
        path: path.into(),
        inode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_sockets_are_found_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("listening.sock");
        assert_eq!(unix_listeners(&path).unwrap(), []);
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let _client = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let found = unix_listeners(&path).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, path);
        drop(listener);
        assert_eq!(unix_listeners(&path).unwrap(), []);
    }

    #[test]
    fn lines_of_the_table() {
        let line = "ffff9: 00000002 00000000 00010000 0001 01 81234 /run/a.sock";
        assert_eq!(listener(line).unwrap().inode, 81234);
        let connected = "ffff9: 00000003 00000000 00000000 0001 03 81235 /run/a.sock";
        assert_eq!(listener(connected), None);
        assert_eq!(
            listener("ffff9: 00000002 00000000 00010000 0001 01 7"),
            None
        );
    }
}
