//! The descriptor limit of tcprove's own process. No unsafe code.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static INITIAL: OnceLock<(u64, u64)> = OnceLock::new();

/// The (soft, hard) descriptor limits that this process had before [`raise_nofile_limit`].
///
/// Servers are started with them: users do not run a server under the limit that tcprove raises for
/// its own connections.
pub(crate) fn initial_nofile() -> (u64, u64) {
    *INITIAL.get_or_init(|| as_pair(getrlimit(Resource::Nofile)))
}

/// Raises the soft descriptor limit of this process to the hard one. Returns the new (soft, hard)
/// limits.
///
/// # Errors
/// Those of `setrlimit`; the limit is then unchanged.
pub(crate) fn raise_nofile_limit() -> io::Result<(u64, u64)> {
    initial_nofile();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(as_pair(getrlimit(Resource::Nofile)))
}

/// rustix represents "no limit" as `None`.
fn as_pair(limit: Rlimit) -> (u64, u64) {
    (
        limit.current.unwrap_or(u64::MAX),
        limit.maximum.unwrap_or(u64::MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raising_reaches_the_hard_limit_and_remembers_the_first() {
        let first = initial_nofile();
        let (soft, hard) = raise_nofile_limit().unwrap();
        assert_eq!(soft, hard);
        assert_eq!(initial_nofile(), first);
    }
}
