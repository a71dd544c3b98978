//! The conversation, tried once on a clean server before anything is judged.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Interrupt, Subject};
use crate::check::{Cx, Failure, Kind, Pace, Shortfall};
use crate::talk::{Exchange, escape, excerpt};
use crate::target::{Exit, Process, Server, StartFailure, StartOptions};

/// What the trial learned.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How fast the server is here and now.
    pub pace: Pace,
    /// `None` if the server serves a second client; else what it did instead.
    pub single_client: Option<String>,
}

/// The target could not be started, or does not hold its own conversation: nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
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

/// Starts the server, goes through every turn of the talk, and times a few exchanges.
pub(super) async fn run(
    subject: &Subject,
    options: StartOptions,
    interrupt: &Interrupt,
) -> Result<Trial, TrialError> {
    tokio::select! {
        trial = undisturbed(subject, options) => trial,
        () = interrupt.wait() => Err(TrialError::Interrupted),
    }
}

async fn undisturbed(subject: &Subject, options: StartOptions) -> Result<Trial, TrialError> {
    let server = Rc::new(subject.server(options).await?);
    in_the_foreground(&server)?;
    let start = server.started_in();
    let pace = Pace {
        exchange: PATIENCE / 20,
        start,
    };
    let cx = Cx::new(
        server.clone(),
        None,
        subject.voice(&server, 1),
        subject.promise.clone(),
        pace,
    );
    every_turn(&cx, &server).await?;
    in_the_foreground(&server)?;
    let mut slowest = Duration::ZERO;
    for _ in 0..TIMED {
        let begun = Instant::now();
        if let Err(shortfall) = cx.exchange().await {
            return second_client_failed(&server, shortfall, pace).await;
        }
        slowest = slowest.max(begun.elapsed());
    }
    Ok(Trial {
        pace: Pace {
            exchange: slowest,
            start,
        },
        single_client: None,
    })
}

/// What is left of a command that ended well, and listens, is a daemon. (One that ends after its
/// first client listens no more, and one that crashed has not ended well.)
fn in_the_foreground(server: &Server) -> Result<(), TrialError> {
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
    Err(TrialError::Background {
        exit,
        left: left.join(", "),
    })
}

/// Options for the first start where `start-ready` will judge it: it may be late, if not by much.
pub(super) fn maybe_late(subject: &Subject) -> StartOptions {
    within(subject, 1)
}

/// Options for the start of a server that has been ready in time before.
pub(super) fn patient(subject: &Subject) -> StartOptions {
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
async fn every_turn(cx: &Cx, server: &Server) -> Result<(), TrialError> {
    let turns = cx.talk().turns.clone();
    let one_by_one = !cx.talk().carries_many_turns();
    if !one_by_one {
        return together(cx, server, &turns).await;
    }
    for (number, exchange) in turns.iter().enumerate() {
        let served = together(cx, server, std::slice::from_ref(exchange)).await;
        // It served its one client and ended: that is for `serves-again` to tell.
        if number > 0 && served.is_err() && server.wait_exit(ENDING).await.is_some() {
            return Ok(());
        }
        served?;
    }
    Ok(())
}

/// These turns on one connection.
async fn together(cx: &Cx, server: &Server, turns: &[Exchange]) -> Result<(), TrialError> {
    match converse(cx, turns).await {
        Ok(()) => Ok(()),
        Err(miss) => Err(conversation(miss, server).await),
    }
}

/// Where a conversation went wrong.
struct Miss {
    label: String,
    sent: Vec<u8>,
    shortfall: Shortfall,
}

impl Miss {
    fn new(label: &str, sent: &[u8], shortfall: impl Into<Shortfall>) -> Miss {
        Miss {
            label: label.to_owned(),
            sent: sent.to_owned(),
            shortfall: shortfall.into(),
        }
    }
}

async fn converse(cx: &Cx, turns: &[Exchange]) -> Result<(), Miss> {
    let mut session = cx
        .try_connect()
        .await
        .map_err(|error| Miss::new("connect", b"", error))?;
    session
        .opening()
        .await
        .map_err(|opening| Miss::new(&opening.label, &opening.sent, opening.error))?;
    for exchange in turns {
        let turn = session
            .voice()
            .render(exchange, b"ping")
            .map_err(|error| Miss::new(&exchange.label, b"", error))?;
        session
            .send(&turn.request)
            .await
            .map_err(|error| Miss::new(&turn.label, &turn.request, error))?;
        session
            .expect(&turn)
            .await
            .map_err(|error| Miss::new(&turn.label, &turn.request, error))?;
    }
    Ok(())
}

async fn conversation(miss: Miss, server: &Server) -> TrialError {
    let Miss {
        label,
        sent,
        shortfall,
    } = miss;
    let sent = if sent.is_empty() {
        "nothing".into()
    } else {
        format!("\"{}\"", escape(&sent, 120))
    };
    match shortfall {
        Shortfall::Failed(Failure {
            expected, actual, ..
        })
        | Shortfall::Warned(Failure {
            expected, actual, ..
        }) => {
            // A server often closes the connection before it prints why, and ends after that.
            let actual = match server.wait_exit(LAST_WORDS).await {
                Some(exit) => format!("{actual}; the server {exit}"),
                None => actual,
            };
            TrialError::Conversation {
                label,
                sent,
                expected,
                actual,
                stderr: server.output().stderr_tail,
            }
        }
        Shortfall::Skip(reason) | Shortfall::Inconclusive(reason) => {
            TrialError::Harness(format!("{label}: {reason}"))
        }
    }
}

/// The first client was served and a later one was not: a finding, not an error of the set-up.
async fn second_client_failed(
    server: &Server,
    shortfall: Shortfall,
    pace: Pace,
) -> Result<Trial, TrialError> {
    match shortfall {
        Shortfall::Failed(failure) => {
            let actual = match server.exit() {
                Some(exit) => format!("after its first client the server {exit}"),
                None if failure.kind == Kind::Refused => {
                    "after its first client it no longer listens".into()
                }
                None => format!("its second client met: {}", failure.actual),
            };
            Ok(Trial {
                pace: Pace {
                    exchange: Duration::from_millis(100),
                    ..pace
                },
                single_client: Some(actual),
            })
        }
        other => Err(conversation(Miss::new("talk.turn[0]", b"", other), server).await),
    }
}
