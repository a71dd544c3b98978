//! What the tcprove binary does instead of a command if its first argument is a hidden one.

use super::acceptor::{ACCEPT, accept};
use super::injector::{KEEP, keep};
use super::login::{LOG_IN, host_is, log_in};
use super::supervisor::{SUPERVISE, supervise};

/// Runs this process as the supervisor, the acceptor or the keeper of a server, or as the host of logins, if its arguments say so;
/// otherwise returns. `main`
/// must call it before it starts any thread.
pub fn run_hidden() {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().as_ref().and_then(|first| first.to_str()) {
        Some(SUPERVISE) => supervise(arguments),
        Some(ACCEPT) => accept(arguments),
        Some(KEEP) => keep(arguments),
        Some(LOG_IN) => log_in(arguments),
        _ => {
            // This executable can be any of them.
            if let Ok(own) = std::env::current_exe() {
                host_is(&own);
            }
        }
    }
}
