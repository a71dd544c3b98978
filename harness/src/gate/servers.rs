//! How the servers of both sides are started and observed, so that nothing but the program differs.

use std::time::Duration;

use super::side::{Pair, Side};
use crate::load::visit::start;
use crate::process::{Launch, Server, StartFailure};
use crate::subject::{Origin, Subject};

/// How long a server process may outlive its connections before it counts as still running.
const EXIT_AFTER_DISCONNECT: Duration = Duration::from_millis(300);
/// The environment variable that holds the filler.
const FILLER: &str = "TCPROVE_PAD";

/// One of the two servers is not started by tcprove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a gate starts both servers")]
pub(crate) struct Attached;

/// Makes the arguments and environments of both servers equally long.
///
/// They lie above the stack: a longer path moves the stack, and with it what shares a cache line (Mytkowicz et
/// al., Producing Wrong Data Without Doing Anything Obviously Wrong, 2009).
///
/// # Errors
/// One of them runs already.
pub(crate) fn pad_both(base: &mut Subject, candidate: &mut Subject) -> Result<(), Attached> {
    let (Origin::Spawn(base), Origin::Spawn(candidate)) = (&mut base.origin, &mut candidate.origin)
    else {
        return Err(Attached);
    };
    let (one, other) = (length(base), length(candidate));
    let longest = one.max(other);
    for (launch, length) in [(base, one), (candidate, other)] {
        let filler = "x".repeat(longest - length);
        launch.env.insert(FILLER.into(), filler);
    }
    Ok(())
}

fn length(launch: &Launch) -> usize {
    let words = launch.cmd.iter().chain(launch.params.values());
    words.map(String::len).sum()
}

/// Starts the servers of both sides on these cores, `first` before the other one, each within the time `left`.
///
/// # Errors
/// The side that did not start, and why.
pub(super) fn start_both(
    runtime: &tokio::runtime::Runtime,
    subjects: Pair<&Subject>,
    first: Side,
    cpus: Option<&[usize]>,
    left: Option<Duration>,
) -> Result<Pair<Server>, (Side, Box<StartFailure>)> {
    Pair::try_of(first, |side| {
        start(runtime, subjects[side], cpus, left).map_err(|failure| (side, Box::new(failure)))
    })
}

/// How the server exited, if it did: a closed connection is seen before the exit of its process.
pub(super) fn exit_of(runtime: &tokio::runtime::Runtime, server: &Server) -> Option<String> {
    let exit = runtime.block_on(server.wait_exit(EXIT_AFTER_DISCONNECT));
    exit.map(|exit| exit.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn subject(origin: Origin) -> Subject {
        let file = crate::file::builtin("line").unwrap();
        Subject {
            origin,
            talk: Arc::new(file.talk),
            promise: file.promise,
            seed: 1,
        }
    }

    #[test]
    fn arguments_and_environment_are_equally_long_on_both_sides() {
        let spawned = |words: &[&str]| {
            subject(Origin::Spawn(Box::new(Launch::new(
                "x",
                words.iter().copied(),
            ))))
        };
        let mut base = spawned(&["/short/server", "{port}"]);
        let mut candidate = spawned(&["/a/much/longer/path/to/server", "{port}"]);
        pad_both(&mut base, &mut candidate).unwrap();
        let bytes = |subject: &Subject| {
            let launch = subject.launch().unwrap();
            length(launch) + launch.env[FILLER].len()
        };
        assert_eq!(bytes(&base), bytes(&candidate));
        let mut attached = subject(Origin::Attach {
            endpoint: crate::transport::Endpoint::plain(std::net::SocketAddr::from((
                [127, 0, 0, 1],
                1,
            ))),
            pid: None,
        });
        assert_eq!(pad_both(&mut base, &mut attached), Err(Attached));
    }
}
