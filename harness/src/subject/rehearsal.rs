//! The rehearsal: the conversation, held once with a clean server before anything is judged.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::{FailedTurn, RehearsalClient};
use super::latency::{self, Latency};
use super::rest::AtRest;
use super::unasked::Unasked;
use super::{Interrupt, Limits, Pace, Place, Subject, Tried, block_on};
use crate::process::{Exit, Process, Ready, Server, StartFailure, StartOptions};
use crate::session::PeerError;
use crate::talk::Exchange;
use crate::text::{escape, excerpt};

/// What the rehearsal found out about the server.
#[derive(Clone, Debug)]
pub(crate) struct Rehearsal {
    /// How fast the server responds on this machine.
    pub pace: Pace,
    /// `None` if the server serves a second client; otherwise what it did instead.
    pub single_client: Option<String>,
    /// The limits that it sets, as far as they were looked for.
    pub limits: Limits,
    /// How much was tried of what may be limited.
    pub tried: Tried,
    /// How long its replies take.
    pub latency: Latency,
    /// Why a second instance does not run beside the first, if that was tried and it does not.
    pub runs_once: Option<String>,
    /// Its processes, and what their threads do when there is nothing to do.
    pub at_rest: Vec<AtRest>,
    /// Whether it keeps the connection of every client that has left.
    pub keeps_connections: bool,
    /// What it sends on an idle connection that the file does not declare, if anything came while one was watched.
    pub unasked: Option<Unasked>,
    /// The turns with a place of their own among the others, if the file states no order.
    pub order: Vec<Place>,
    /// What the rehearsal cost.
    pub took: Duration,
}

/// The server cannot be started or does not follow its own conversation, so nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The server did not start.
    #[error(transparent)]
    Start(Box<StartFailure>),
    /// A turn of the talk failed on a clean server.
    #[error(
        "the server does not hold the conversation: {label}: sent {sent}; expected {expected}; but {actual}{}",
        tail(stderr)
    )]
    Conversation {
        /// The turn's place in the file.
        label: String,
        /// What was sent, escaped.
        sent: String,
        /// What was expected.
        expected: String,
        /// What happened instead.
        actual: String,
        /// Whether the connection was not accepted.
        refused: bool,
        /// Whether the server did nothing until the time limit.
        silent: bool,
        /// The last lines of the server's stderr.
        stderr: String,
    },
    /// The command exited and left its server running, but tcprove must watch the server's process.
    #[error(
        "the command {exit} and left its server in the background ({left}), where tcprove cannot watch it: \
         start it in the foreground (many servers have a flag for that)"
    )]
    Background {
        /// How the command ended.
        exit: Exit,
        /// The processes that it left behind.
        left: String,
    },
    /// The run was interrupted before anything was judged.
    #[error("interrupted before any check began")]
    Interrupted,
    /// tcprove itself failed.
    #[error("{0}")]
    Harness(String),
}
impl From<StartFailure> for RehearsalError {
    fn from(failure: StartFailure) -> Self {
        Self::Start(Box::new(failure))
    }
}

/// Lines of stderr that are shown.
const LINES_SHOWN: usize = 8;

fn tail(stderr: &str) -> String {
    let lines = excerpt(stderr, LINES_SHOWN);
    if lines.is_empty() {
        return String::new();
    }
    format!("\nthe server's stderr ends with:\n  {}", lines.join("\n  "))
}

/// Time limit of each operation of the rehearsal.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest time after which a late start is given up where `start-ready` judges the delay.
const LATE_START: Duration = Duration::from_secs(10);
/// Factor by which later starts may exceed the ready time-out: the lanes start servers side by side.
const START_PATIENCE: u32 = 4;
/// Time limit for the last output and the exit of a server after the conversation went wrong.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Time for a server that serves a single client to close its listening socket after it.
const STOPS_LISTENING: Duration = Duration::from_millis(60);
/// Time limit for a server that serves a single client to exit after it.
const ENDING: Duration = Duration::from_millis(500);

/// Holds the conversation once with a clean server: every turn of the talk, then a few timed
/// exchanges. Every run does this before it judges or measures anything.
///
/// # Errors
/// The server does not start, or does not follow its own conversation.
pub(crate) fn rehearse(
    subject: &Subject,
    interrupt: &Interrupt,
) -> Result<Rehearsal, RehearsalError> {
    rehearse_with(subject, StartOptions::default(), interrupt)
}

/// Like [`rehearse`], on a server started with these options.
///
/// # Errors
/// Like [`rehearse`].
pub(crate) fn rehearse_with(
    subject: &Subject,
    options: StartOptions,
    interrupt: &Interrupt,
) -> Result<Rehearsal, RehearsalError> {
    block_on(async {
        tokio::select! {
            rehearsal = undisturbed(subject, options) => rehearsal,
            () = interrupt.wait() => Err(RehearsalError::Interrupted),
        }
    })
}

/// Starts a server, or attaches to a running one, from a thread without a runtime.
///
/// # Errors
/// The server does not start.
pub(crate) fn start(subject: &Subject, options: StartOptions) -> Result<Server, StartFailure> {
    block_on(subject.server(options))
}

async fn undisturbed(
    subject: &Subject,
    options: StartOptions,
) -> Result<Rehearsal, RehearsalError> {
    let begun = Instant::now();
    let (pace, latency, single_client) = paced(subject, options).await?;
    Ok(Rehearsal {
        pace,
        single_client,
        limits: Limits::default(),
        tried: Tried::default(),
        latency,
        runs_once: None,
        at_rest: Vec::new(),
        keeps_connections: false,
        unasked: None,
        order: Vec::new(),
        took: begun.elapsed(),
    })
}

/// How fast the server is, and what it did instead of serving a second client.
type Paced = (Pace, Latency, Option<String>);

async fn paced(subject: &Subject, options: StartOptions) -> Result<Paced, RehearsalError> {
    let server = subject.server(options).await?;
    in_the_foreground(&server)?;
    let start = server.started_in();
    let client = RehearsalClient::new(subject, Rc::new(server), PATIENCE);
    every_turn(&client).await?;
    in_the_foreground(client.server())?;
    let (latency, slowest) = match latency::measure(&client).await {
        Ok(measured) => measured,
        Err(error) => return second_client_failed(client.server(), error, start).await,
    };
    let pace = Pace {
        exchange: slowest,
        start,
    };
    tokio::time::sleep(STOPS_LISTENING).await;
    let listens = client.server().is_attached() || client.server().is_listening();
    let stopped = (!listens).then(|| "after its first clients it no longer listens".to_owned());
    Ok((pace, latency, stopped))
}

/// Time for which a server that does not hold the conversation is asked again, and the pause between two attempts.
const BECOMES_READY: Duration = Duration::from_millis(1500);
const BECOMES_READY_PAUSE: Duration = Duration::from_millis(50);

/// After which time a new server that does not hold the conversation at once holds it, if that is soon: it listens before it is
/// ready. `None` also for a server that is awaited until its plain exchange works.
pub(crate) fn becomes_ready(subject: &Subject) -> Option<Duration> {
    if matches!(subject.launch()?.ready, Ready::Exchange) {
        return None;
    }
    block_on(async {
        let server = subject.server(StartOptions::default()).await.ok()?;
        let client = RehearsalClient::new(subject, Rc::new(server), BECOMES_READY);
        let begun = Instant::now();
        let mut failed = false;
        let holds = async {
            // The plain exchange fails faster than all turns do.
            while client.exchange().await.is_err() || every_turn(&client).await.is_err() {
                failed = true;
                tokio::time::sleep(BECOMES_READY_PAUSE).await;
            }
        };
        let held = tokio::select! {
            () = holds => true,
            _ = client.server().wait_exit(BECOMES_READY) => false,
        };
        (held && failed).then(|| begun.elapsed())
    })
}

/// Fails if the command exited successfully and left a listening process: a daemon. (A server that
/// exits after its first client no longer listens, and a crashed one did not exit successfully.)
fn in_the_foreground(server: &Server) -> Result<(), RehearsalError> {
    let Some(exit) = server.exit().filter(|exit| exit.is_success()) else {
        return Ok(());
    };
    if server.listener().is_none() {
        return Ok(());
    }
    let shown = |process: &Process| {
        let name = escape(process.comm.as_bytes(), 40);
        format!("{name} as pid {}", process.pid)
    };
    let left: Vec<String> = server.tree().iter().take(4).map(shown).collect();
    Err(RehearsalError::Background {
        exit,
        left: left.join(", "),
    })
}

/// Options for the first start where `start-ready` judges the delay: it may be a little late.
pub(crate) fn maybe_late(subject: &Subject) -> StartOptions {
    within(subject, 1)
}

/// Options for later starts of a server that was ready in time before.
pub(crate) fn patient(subject: &Subject) -> StartOptions {
    within(subject, START_PATIENCE)
}

fn within(subject: &Subject, factor: u32) -> StartOptions {
    let launch = subject.launch();
    StartOptions {
        give_up: launch.map(|launch| (launch.ready_timeout * factor).max(LATE_START)),
        ..StartOptions::default()
    }
}

/// All turns in order, on one connection as far as the talk keeps it open.
async fn every_turn(client: &RehearsalClient) -> Result<(), RehearsalError> {
    let talk = client.talk();
    for (number, tour) in talk.tours().into_iter().enumerate() {
        let turns = tour.into_iter().filter_map(|index| talk.turns.get(index));
        let served = together(client, &turns.cloned().collect::<Vec<_>>()).await;
        // The server served one client and exited, which `serves-again` reports.
        if number > 0 && served.is_err() && client.server().wait_exit(ENDING).await.is_some() {
            return Ok(());
        }
        served?;
    }
    Ok(())
}

/// Performs these turns on one connection.
async fn together(client: &RehearsalClient, turns: &[Exchange]) -> Result<(), RehearsalError> {
    match client.hold(turns).await {
        Ok(()) => Ok(()),
        Err(failed) => Err(conversation(failed, client.server()).await),
    }
}

async fn conversation(failed: FailedTurn, server: &Server) -> RehearsalError {
    let FailedTurn { label, sent, error } = failed;
    let Some(mismatch) = error.mismatch() else {
        return RehearsalError::Harness(format!("{label}: {error}"));
    };
    let sent = if sent.is_empty() {
        "nothing".into()
    } else {
        format!("\"{}\"", escape(&sent, 120))
    };
    // A server often closes the connection before it prints why, and ends after that.
    let actual = match server.wait_exit(LAST_WORDS).await {
        Some(exit) => format!("{}; the server {exit}", mismatch.actual),
        None => mismatch.actual,
    };
    RehearsalError::Conversation {
        label,
        sent,
        expected: mismatch.expected,
        actual,
        refused: error.is_refusal(),
        silent: error.is_silence(),
        stderr: server.output().stderr_tail,
    }
}

/// Assumed response time of a server that serves a single client, which cannot be timed.
const UNTIMED_EXCHANGE: Duration = Duration::from_millis(100);

/// The first client was served and a later one was not. This is a finding, not an error.
async fn second_client_failed(
    server: &Server,
    error: PeerError,
    start: Duration,
) -> Result<Paced, RehearsalError> {
    let Some(mismatch) = error.mismatch() else {
        let failed = FailedTurn::new("talk.turn[0]", b"", error);
        return Err(conversation(failed, server).await);
    };
    let seen = match server.exit() {
        Some(exit) => format!("after its first client the server {exit}"),
        None if error.is_refusal() => "after its first client it no longer listens".into(),
        None => format!("for its second client, {}", mismatch.actual),
    };
    let pace = Pace {
        exchange: UNTIMED_EXCHANGE,
        start,
    };
    Ok((pace, Latency::default(), Some(seen)))
}
