//! The conversation, held once on a clean server before anything is judged.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Interrupt, Pace, Subject, block_on};
use crate::process::{Exit, Process, Server, StartFailure, StartOptions};
use crate::session::{Dial, PeerError, Session, Transcript, Voice};
use crate::talk::Exchange;
use crate::text::{escape, excerpt};

/// What holding the conversation taught about the server.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// How fast the server is here and now.
    pub pace: Pace,
    /// `None` if the server serves a second client; else what it did instead.
    pub single_client: Option<String>,
}

/// The target could not be started, or does not hold its own conversation: nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// It did not start.
    #[error(transparent)]
    Start(#[from] StartFailure),
    /// A turn of the talk went wrong on a clean server.
    #[error(
        "the server does not hold the conversation: {label}: sent {sent}; expected {expected}; but {actual}{}",
        tail(stderr)
    )]
    Conversation {
        /// Which turn, as in the file.
        label: String,
        /// What was sent, escaped.
        sent: String,
        /// What was expected.
        expected: String,
        /// What came.
        actual: String,
        /// The connection was not accepted.
        refused: bool,
        /// The last of what the server wrote to stderr.
        stderr: String,
    },
    /// The command ended and left its server running: what is judged is a process that we watch.
    #[error(
        "the command {exit} and left its server in the background ({left}), where its end cannot be seen: \
         start it in the foreground (many servers have a flag for that)"
    )]
    Background {
        /// How the command ended.
        exit: Exit,
        /// The processes that it left.
        left: String,
    },
    /// Somebody asked for the end before anything was judged.
    #[error("interrupted before any check began")]
    Interrupted,
    /// Our own side failed.
    #[error("{0}")]
    Harness(String),
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

/// Healthy exchanges that are timed.
const TIMED: usize = 5;
/// A server that has not answered by then does not hold its conversation.
const PATIENCE: Duration = Duration::from_secs(10);
/// Shortest time after which a start that `start-ready` judges is given up, so that the report says how late it was.
const LATE_START: Duration = Duration::from_secs(10);
/// Factor by which later starts may exceed the ready time-out: the lanes start servers side by side.
const START_PATIENCE: u32 = 4;
/// Time for what a server prints, and for its end, after the conversation went wrong.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a server that serves one client may take to end after it.
const ENDING: Duration = Duration::from_millis(500);

/// Holds the conversation once on a clean server, as every run does before it judges or measures
/// anything: every turn of the talk, then a few timed exchanges.
///
/// # Errors
/// The server does not start, or does not hold its own conversation.
pub fn rehearse(subject: &Subject, interrupt: &Interrupt) -> Result<Rehearsal, RehearsalError> {
    rehearse_with(subject, StartOptions::default(), interrupt)
}

/// As [`rehearse`], on a server that is started with these options.
///
/// # Errors
/// As [`rehearse`].
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

/// Starts a server (or attaches to the one that runs), from a thread that has no runtime.
///
/// # Errors
/// It does not start.
pub fn start(subject: &Subject, options: StartOptions) -> Result<Server, StartFailure> {
    block_on(subject.server(options))
}

/// A clean server and the client that holds the conversation with it.
struct Client {
    server: Rc<Server>,
    voice: Voice,
}

impl Client {
    async fn connect(&self) -> Result<Session, PeerError> {
        Session::connect(Dial {
            server: self.server.clone(),
            voice: self.voice.clone(),
            transcript: Transcript::default(),
            limit: PATIENCE,
            receive_buffer: None,
        })
        .await
    }

    /// The plain exchange on a connection of its own.
    async fn exchange(&self) -> Result<(), PeerError> {
        let mut session = self.connect().await?;
        session.opening().await?;
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        session.close();
        Ok(())
    }
}

async fn undisturbed(
    subject: &Subject,
    options: StartOptions,
) -> Result<Rehearsal, RehearsalError> {
    let server = Rc::new(subject.server(options).await?);
    in_the_foreground(&server)?;
    let start = server.started_in();
    let client = Client {
        voice: subject.voice(&server, 1),
        server,
    };
    every_turn(&client).await?;
    in_the_foreground(&client.server)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..TIMED {
        let begun = Instant::now();
        if let Err(error) = client.exchange().await {
            return second_client_failed(&client.server, error, start).await;
        }
        slowest = slowest.max(begun.elapsed());
    }
    Ok(Rehearsal {
        pace: Pace {
            exchange: slowest,
            start,
        },
        single_client: None,
    })
}

/// What is left of a command that ended well, and listens, is a daemon. (One that ends after its
/// first client listens no more, and one that crashed has not ended well.)
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

/// Options for the first start where `start-ready` will judge it: it may be late, if not by much.
pub(crate) fn maybe_late(subject: &Subject) -> StartOptions {
    within(subject, 1)
}

/// Options for the start of a server that has been ready in time before.
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

/// Every turn in order, on one connection where the talk keeps it open.
async fn every_turn(client: &Client) -> Result<(), RehearsalError> {
    let turns = client.voice.talk().turns.clone();
    if client.voice.talk().carries_many_turns() {
        return together(client, &turns).await;
    }
    for (number, exchange) in turns.iter().enumerate() {
        let served = together(client, std::slice::from_ref(exchange)).await;
        // It served its one client and ended: `serves-again` reports that.
        if number > 0 && served.is_err() && client.server.wait_exit(ENDING).await.is_some() {
            return Ok(());
        }
        served?;
    }
    Ok(())
}

/// These turns on one connection.
async fn together(client: &Client, turns: &[Exchange]) -> Result<(), RehearsalError> {
    match converse(client, turns).await {
        Ok(()) => Ok(()),
        Err(failed) => Err(conversation(failed, &client.server).await),
    }
}

/// An exchange that went wrong.
struct FailedExchange {
    label: String,
    sent: Vec<u8>,
    error: PeerError,
}

impl FailedExchange {
    fn new(label: &str, sent: &[u8], error: PeerError) -> Self {
        Self {
            label: label.to_owned(),
            sent: sent.to_owned(),
            error,
        }
    }
}

async fn converse(client: &Client, turns: &[Exchange]) -> Result<(), FailedExchange> {
    let mut session = client
        .connect()
        .await
        .map_err(|error| FailedExchange::new("connect", b"", error))?;
    session
        .opening()
        .await
        .map_err(|opening| FailedExchange::new(&opening.label, &opening.sent, opening.error))?;
    for exchange in turns {
        let turn = session
            .voice()
            .render(exchange, b"ping")
            .map_err(|error| FailedExchange::new(&exchange.label, b"", error))?;
        session
            .exchange(&turn)
            .await
            .map_err(|error| FailedExchange::new(&turn.label, &turn.request, error))?;
    }
    Ok(())
}

async fn conversation(failed: FailedExchange, server: &Server) -> RehearsalError {
    let FailedExchange { label, sent, error } = failed;
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
        stderr: server.output().stderr_tail,
    }
}

/// Pace of a server whose only client has been served: nothing could be timed.
const UNTIMED_EXCHANGE: Duration = Duration::from_millis(100);

/// The first client was served and a later one was not: a finding, not an error of the set-up.
async fn second_client_failed(
    server: &Server,
    error: PeerError,
    start: Duration,
) -> Result<Rehearsal, RehearsalError> {
    let Some(mismatch) = error.mismatch() else {
        let failed = FailedExchange::new("talk.turn[0]", b"", error);
        return Err(conversation(failed, server).await);
    };
    let seen = match server.exit() {
        Some(exit) => format!("after its first client the server {exit}"),
        None if error.is_refusal() => "after its first client it no longer listens".into(),
        None => format!("its second client met: {}", mismatch.actual),
    };
    Ok(Rehearsal {
        pace: Pace {
            exchange: UNTIMED_EXCHANGE,
            start,
        },
        single_client: Some(seen),
    })
}
