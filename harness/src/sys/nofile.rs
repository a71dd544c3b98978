//! The descriptor limit of our own process. No unsafe code.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

static INITIAL: OnceLock<(u64, u64)> = OnceLock::new();

/// The (soft, hard) descriptor limit this process had before [`raise_nofile_limit`].
///
/// A server is started with it: the limit raised for our own thousands of connections is not the one
/// its users will run it under.
pub fn initial_nofile() -> (u64, u64) {
    *INITIAL.get_or_init(|| as_pair(getrlimit(Resource::Nofile)))
}

/// Raises our own soft descriptor limit to the hard one; returns what holds now, as (soft, hard).
///
/// # Errors
/// Those of `setrlimit`; the limit is then unchanged.
pub fn raise_nofile_limit() -> io::Result<(u64, u64)> {
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

/// rustix says `None` for "no limit".
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
