//! Finds out which talk a server speaks, and writes the conversation file for it.
//!
//! What a built-in talk looks like on the wire is nowhere repeated: a talk is recognised by its own exchanges. The
//! greeting of the server selects the talks whose opening expects it; otherwise every talk in which the client speaks
//! first is tried in the order of the list, those first whose refusals ([[talk.bad]]) fit what the server said to
//! nonsense. If none fits, a talk is learned from the replies. Whatever is found counts only after it has been held
//! twice on fresh servers, with other tokens.

mod adapt;
mod candidate;
mod expectation;
mod framing;
mod heard;
mod learn;
mod line;
mod port;
mod prober;
mod recording;
mod search;
mod sketch;
mod stimulus;

use std::time::Duration;

pub(crate) use heard::quoted;
pub(crate) use recording::{Conversation, Recording};
pub(crate) use sketch::Sketch;

use self::prober::Prober;
use self::search::Search;
use crate::file::File;
use crate::process::StartFailure;
use crate::session::PeerError;
use crate::subject::{Interrupt, Origin};

/// How long the server may take to greet, or to answer nonsense.
const FIRST_WORD: Duration = Duration::from_millis(1000);
/// How long it may take to answer a message of a talk for which nothing speaks yet.
const BLIND: Duration = Duration::from_millis(700);
/// How long it may take while several such talks are tried at the same time.
const TOGETHER: Duration = Duration::from_millis(1000);
/// How long it may take when nothing has fitted so far: the machine, or a look-up of the client's name, may be slow.
const PATIENT: Duration = Duration::from_secs(3);
/// How long it may take where something speaks for the talk.
const LIKELY: Duration = Duration::from_secs(6);
/// How long a greeting is waited for when nothing else has led to a talk: some servers let clients wait on purpose.
const LATE_GREETING: Duration = Duration::from_secs(5);
/// Age at which a server is ready that listened before it was.
const SETTLED: Duration = Duration::from_secs(2);
/// No probe starts after this time.
const TOTAL: Duration = Duration::from_secs(90);

/// What is known about the talk of a server.
#[derive(Debug)]
pub(crate) struct Detected {
    /// The file for it.
    pub sketch: Sketch,
    /// What the file says, without a supervisor.
    pub file: File,
    /// Where the talk comes from.
    pub assumed: Assumed,
    /// A request of the plain exchange and the reply to it.
    pub example: (Vec<u8>, Vec<u8>),
    /// What the server does differently from the built-in talk.
    pub changes: Vec<Change>,
    /// What else was assumed about the command.
    pub port: Option<PortFound>,
}

/// Where a talk comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assumed {
    /// It is this built-in talk.
    Builtin(&'static str),
    /// It was learned from the replies.
    Learned(Learned),
    /// It was drafted from recorded sessions.
    Recorded(Recorded),
}

impl Assumed {
    /// The name of the talk.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Builtin(name) => name,
            Self::Learned(_) | Self::Recorded(_) => "custom",
        }
    }
}

/// What a talk from recorded sessions consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// How a request ends, in the words of the file.
    pub request: &'static str,
    /// How a reply ends.
    pub reply: &'static str,
    /// Number of exchanges that have a turn or belong to the opening.
    pub said: usize,
    /// What of the recording the file does not say, and why.
    pub left_out: Vec<String>,
}

/// What a learned talk consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Learned {
    /// How a request ends.
    pub request: Ending,
    /// How a reply ends.
    pub reply: Ending,
    /// What is compared in a reply.
    pub compared: Compared,
}

/// How a message ends, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With `\n`.
    Lf,
    /// With `\r\n`.
    Crlf,
    /// With this many lines.
    Lines(usize),
    /// As this frame says, in the words of the file.
    Framed(&'static str),
    /// With the connection.
    Close,
    /// Nothing marks it.
    Unmarked,
}

/// What of a reply is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compared {
    /// Every byte, with the token in it.
    Token,
    /// Every byte; the reply is the same for every request.
    Constant,
    /// The parts that are equal in all replies.
    Parts,
    /// Nothing but its end: the replies have nothing else in common.
    End,
}

/// What a server does differently from the built-in talk that it speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It closes the connection after each reply.
    ClosesAfterReply,
    /// It listens before it is ready.
    ReadyLater,
    /// It answers a part of a header as if that were the whole.
    AnswersPartOfHeader,
    /// It does not do this exchange, which was left out.
    LeftOut {
        /// Its place in the built-in talk.
        label: String,
        /// What was sent, and what happened.
        missed: Missed,
    },
}

/// How the port came into the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PortFound {
    /// A word of the command contained it.
    InWord(String),
    /// The server takes it from the variable `PORT`.
    InEnvironment,
    /// The server chooses it and prints it.
    Printed,
}

/// An exchange that the server did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    /// The place in the talk.
    pub label: String,
    /// What was sent.
    pub sent: Vec<u8>,
    /// What happened, escaped.
    pub actual: String,
    /// How the server ended, if this exchange ended it.
    pub died: Option<String>,
}

impl Missed {
    fn unknown(actual: &str) -> Self {
        Self {
            label: String::new(),
            sent: Vec::new(),
            actual: actual.to_owned(),
            died: None,
        }
    }

    fn of(label: &str, sent: &[u8], error: &PeerError) -> Self {
        Self {
            label: label.to_owned(),
            sent: sent.to_owned(),
            actual: error
                .mismatch()
                .map_or_else(|| error.to_string(), |mismatch| mismatch.actual),
            died: None,
        }
    }

    /// What was sent, and what happened, as a phrase.
    pub(crate) fn phrase(&self) -> String {
        let sent = if self.sent.is_empty() {
            "sent nothing".to_owned()
        } else {
            format!("sent {}", quoted(&self.sent))
        };
        format!("{sent}; {}", self.outcome())
    }

    /// What happened, as a phrase.
    fn outcome(&self) -> String {
        match &self.died {
            Some(died) => format!("{}; the server {died}", self.actual),
            None => self.actual.clone(),
        }
    }
}

/// What was tried, and what came: a line of the error when nothing fits.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// The talk, or what was sent without one.
    pub what: String,
    /// What happened.
    pub came: String,
}

/// No talk was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DetectError {
    /// The server does not start.
    #[error(transparent)]
    Start(Box<StartFailure>),
    /// The server cannot be reached, or cannot be watched.
    #[error("{0}")]
    Failed(String),
    /// It starts, but its command does not say where its port belongs.
    #[error("the server listens on port {port}, but nothing in its command says so")]
    NoPort {
        /// The port on which it listens.
        port: u16,
    },
    /// Nothing that was tried fits.
    #[error("no talk was found for this server")]
    Unknown {
        /// Everything that was tried.
        tried: Vec<Tried>,
        /// What the server printed on stderr meanwhile: its last different lines.
        printed: Vec<String>,
    },
    /// No conversation file says what was recorded.
    #[error("no conversation file was made of the recording: {why}")]
    Unsayable {
        /// Which exchange, and what happened.
        why: String,
    },
    /// The user interrupted.
    #[error("interrupted before the talk was found")]
    Interrupted,
}

/// Finds out the talk of this server. A command without `{port}` gets one, if it can be found out where it belongs.
///
/// # Errors
/// The server cannot be started or reached, or nothing fits.
pub(crate) fn detect(
    origin: &Origin,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<Detected, DetectError> {
    let (origin, port) = with_port(origin, seed, interrupt)?;
    let found = Search::new(&origin, seed, interrupt).find()?;
    Ok(Detected { port, ..found })
}

/// Drafts the talk of this server from recorded sessions. What the server does not hold is left out.
///
/// # Errors
/// The server cannot be started or reached, or no conversation file says what was recorded.
pub(crate) fn draft(
    origin: &Origin,
    recording: &Recording,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<Detected, DetectError> {
    let (origin, port) = with_port(origin, seed, interrupt)?;
    let mut prober = Prober::new(&origin, false, seed, interrupt);
    let (held, recorded) = recording::draft(&mut prober, recording)?;
    let found = search::finish(&prober, &origin, held, Assumed::Recorded(recorded));
    Ok(Detected { port, ..found })
}

/// The server with `{port}` in its command, and where it was found to belong.
fn with_port(
    origin: &Origin,
    seed: u64,
    interrupt: &Interrupt,
) -> Result<(Origin, Option<PortFound>), DetectError> {
    match origin {
        Origin::Spawn(launch) if !launch.knows_its_port() => {
            let (launch, found) = port::find(launch, seed, interrupt)?;
            Ok((Origin::Spawn(Box::new(launch)), Some(found)))
        }
        origin => Ok((origin.clone(), None)),
    }
}

/// The file of a probe that holds no conversation.
fn no_talk() -> Result<File, DetectError> {
    crate::file::builtin("echo").ok_or(DetectError::Unknown {
        tried: Vec::new(),
        printed: Vec::new(),
    })
}
