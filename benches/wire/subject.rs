//! The server under test and the campaign.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// The argument that makes this bench run as the reference server.
pub const SERVE: &str = "serve";

const SEED: u64 = 1;

/// Runs the reference server with default settings. The only argument is the port.
///
/// # Errors
/// The server cannot listen.
pub fn serve(arguments: &[String]) -> Result<(), Error> {
    let port = arguments.first().ok_or("no port")?.parse()?;
    let config = Config {
        port,
        ..Config::default()
    };
    let listener = tcprove_server::bind(&config)?;
    Ok(tcprove_server::run(listener, config, Shutdown::new()?)?)
}

/// The reference server, started from this executable (which is also the supervisor), with the talk
/// `line`.
pub fn subject() -> Result<Subject, Error> {
    let own = std::env::current_exe()?;
    let words = [&own.display().to_string(), SERVE, "{port}"].map(str::to_owned);
    let file = tcprove::file::builtin("line").ok_or("no talk `line`")?;
    Ok(Subject {
        origin: Origin::Spawn(Box::new(Launch::new(own, words))),
        talk: Arc::new(file.talk.clone()),
        promise: file.promise.clone(),
        seed: SEED,
    })
}

/// The request of the plain turn.
pub fn message() -> Result<Vec<u8>, Error> {
    let talk = subject()?.talk;
    let bindings = Bindings {
        tok: "a4xk0q81mz".into(),
        ..Bindings::default()
    };
    Ok(talk.plain().render(&talk, &bindings)?.request)
}

/// A campaign with default settings that writes its files to `out`.
pub fn campaign(subject: Subject, jobs: usize, duration: Duration, out: &Path) -> Campaign {
    Campaign {
        recipe: Recipe::of(&subject, String::new()),
        subject,
        plan: FuzzPlan {
            jobs,
            duration: Some(duration),
            cases: None,
            inject: false,
            code: false,
            settle: false,
            stop_on_first: false,
            watch: false,
            feedback: FeedbackMode::default(),
            libraries: Vec::new(),
            member: None,
            sync: None,
            corpus: Some(out.join("corpus")),
            logs: out.join("running"),
            out: out.to_owned(),
        },
        strings: Vec::new(),
        waivers: Vec::new(),
        interrupt: Interrupt::default(),
        begun: Instant::now(),
        against: None,
    }
}

/// The servers of the bare loop.
pub struct Servers(Vec<Server>);

impl Servers {
    /// Starts `count` servers.
    ///
    /// # Errors
    /// A server does not start.
    pub fn start(count: usize) -> Result<Self, Error> {
        let (subject, runtime) = (subject()?, runtime());
        let servers = (0..count).map(|_| {
            let start = subject.server(StartOptions::default());
            Ok(LocalSet::new().block_on(&runtime, start)?)
        });
        servers.collect::<Result<Vec<Server>, Error>>().map(Self)
    }

    /// The addresses that the servers listen on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().filter_map(Server::addr).collect()
    }
}
