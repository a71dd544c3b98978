//! The server that is talked to, and the campaign on it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tcprove::fuzz::FuzzPlan;
use tcprove::fuzz::campaign::Campaign;
use tcprove::fuzz::feedback::FeedbackMode;
use tcprove::fuzz::reproducer::Recipe;
use tcprove::process::{Launch, Server, StartOptions};
use tcprove::subject::{Interrupt, Origin, Subject, runtime};
use tcprove::talk::Bindings;
use tcprove_server::{Config, Shutdown};
use tokio::task::LocalSet;

use super::Error;

/// The argument by which this bench is told to be the reference server.
pub const SERVE: &str = "serve";

const SEED: u64 = 1;

/// Is the reference server as it is by default, on the port that is the one argument.
///
/// # Errors
/// It cannot listen.
pub fn serve(arguments: &[String]) -> Result<(), Error> {
    let port = arguments.first().ok_or("no port")?.parse()?;
    let config = Config {
        port,
        ..Config::default()
    };
    let listener = tcprove_server::bind(&config)?;
    Ok(tcprove_server::run(listener, config, Shutdown::new()?)?)
}

/// This very executable as supervisor and as server, and the talk `line`.
pub fn subject() -> Result<Subject, Error> {
    let own = std::env::current_exe()?;
    let words = [&own.display().to_string(), SERVE, "{port}"].map(str::to_owned);
    let file = tcprove::file::builtin("line").ok_or("no talk `line`")?;
    Ok(Subject {
        origin: Origin::Spawn(Launch::new(own, words)),
        talk: Arc::new(file.talk.clone()),
        promise: file.promise.clone(),
        seed: SEED,
    })
}

/// The plain turn's message.
pub fn message() -> Result<Vec<u8>, Error> {
    let talk = subject()?.talk;
    let bindings = Bindings {
        tok: "a4xk0q81mz".into(),
        ..Bindings::default()
    };
    Ok(talk.plain().render(&talk, &bindings)?.request)
}

/// A campaign with everything on that is on by default, its files in `out`.
pub fn campaign(subject: Subject, jobs: usize, duration: Duration, out: &Path) -> Campaign {
    Campaign {
        recipe: Recipe::of(&subject, String::new()),
        subject,
        plan: FuzzPlan {
            jobs,
            duration: Some(duration),
            cases: None,
            stop_on_first: false,
            feedback: FeedbackMode::default(),
            corpus: Some(out.join("corpus")),
            logs: out.join("running"),
            out: out.to_owned(),
        },
        strings: Vec::new(),
        waivers: Vec::new(),
        interrupt: Interrupt::default(),
    }
}

/// Servers beside each other, for the bare loop.
pub struct Servers(Vec<Server>);

impl Servers {
    /// So many.
    ///
    /// # Errors
    /// One does not start.
    pub fn start(count: usize) -> Result<Self, Error> {
        let (subject, runtime) = (subject()?, runtime());
        let servers = (0..count).map(|_| {
            let start = subject.server(StartOptions::default());
            Ok(LocalSet::new().block_on(&runtime, start)?)
        });
        servers.collect::<Result<Vec<Server>, Error>>().map(Self)
    }

    /// Where they listen.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(Server::addr).collect()
    }
}
