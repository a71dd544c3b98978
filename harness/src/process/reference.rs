//! The reference server as a mode of this program, for a test suite that has no `tcprove serve`.

use std::ffi::OsString;

use tcprove_server::{Config, Model, Protocol, Shutdown, bind, run};

/// The hidden first argument that makes a program the reference server: a protocol and a port follow.
pub(crate) const REFERENCE: &str = "__reference";
/// Number of connections that it serves at once: few, because some checks fill them.
const CONNECTIONS: usize = 200;

/// Runs this process as the reference server, with the arguments after [`REFERENCE`].
pub(super) fn reference(mut arguments: impl Iterator<Item = OsString>) -> ! {
    let mut word = || arguments.next().and_then(|word| word.into_string().ok());
    let protocol = match word().as_deref() {
        Some("frame") => Protocol::Frame,
        _ => Protocol::Line,
    };
    let port = word().and_then(|word| word.parse().ok()).unwrap_or(0);
    let config = Config {
        port,
        protocol,
        model: Model::Threads,
        max_connections: CONNECTIONS,
        ..Config::default()
    };
    let served = Shutdown::new().and_then(|shutdown| {
        let listener = bind(&config)?;
        run(listener, config, shutdown)
    });
    if let Err(error) = served {
        eprintln!("the reference server: {error}");
        std::process::exit(1);
    }
    std::process::exit(0)
}
