//! `tcprove send`: the tutorial's client. Connects, sends one message and prints the reply as bytes
//! and as text.

use std::fmt::Display;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::output::{note, say};
use super::target::{self, TargetArgs};
use crate::process::{Server, StartOptions};
use crate::report::{ExitCode as Code, RunError};
use crate::session::{Arrived, BlockingLink, Dial, Session, Transcript};
use crate::subject::{Subject, block_on};
use crate::text::escape;
use crate::transport::Endpoint;

#[derive(clap::Args)]
pub(super) struct SendArgs {
    /// Send this text, encoded as UTF-8, as it is: without the frame of the conversation
    #[arg(required_unless_present_any = ["hex", "turn"], value_name = "TEXT")]
    text: Option<String>,
    /// Send these bytes, written in hexadecimal (spaces are ignored)
    #[arg(long, value_name = "BYTES", conflicts_with = "text")]
    hex: Option<String>,
    /// Send turn N of the conversation, 0 is the plain exchange: with its frame, and behind the opening
    #[arg(long, value_name = "N", conflicts_with_all = ["text", "hex"])]
    turn: Option<usize>,
    /// Receive at most N bytes with one recv
    #[arg(long, default_value_t = 1024, value_name = "N")]
    recv_buffer: usize,
    /// Send a FIN after the message
    #[arg(long)]
    half_close: bool,
    /// Wait at most this long for the reply
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = target::duration)]
    wait: Duration,
    #[command(flatten)]
    target: TargetArgs,
}

/// Maximum bytes of a reply. Receiving stops beyond it.
const REPLY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Maximum time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Maximum silence after the first bytes of a reply. The rest usually follows immediately.
const REST_TIMEOUT: Duration = Duration::from_millis(300);
/// Maximum bytes shown in hexadecimal.
const HEX_BYTES_MAX: usize = 64;

pub(super) fn main(args: &SendArgs) -> ExitCode {
    match perform(args) {
        Ok(code) => code,
        Err(error) => {
            note(&format!("error: {}", error.message));
            error.exit_code().into()
        }
    }
}

fn perform(args: &SendArgs) -> Result<ExitCode, RunError> {
    let given = message(args)?;
    let subject = subject(args)?;
    if args
        .turn
        .is_some_and(|turn| turn >= subject.talk.turns.len())
    {
        return Err(target::usage(format!(
            "--turn: the conversation has {} turns, from 0",
            subject.talk.turns.len()
        )));
    }
    let server = block_on(subject.server(StartOptions::default()))
        .map_err(|failure| RunError::target(failure.to_string()))?;
    let client = connect(&subject, server, args.turn.is_some())?;
    let message = match args.turn {
        Some(turn) => request(&subject, &client.server, turn)?,
        None => given,
    };
    let code = exchange(args, client, &message)?;
    if args.text.is_some() && subject.talk.request.adds_to_body() {
        note(&format!(
            "these bytes were sent as they are; the conversation's requests begin with a header ({}): `tcprove send --turn 0` \
             sends its plain exchange with one",
            subject.talk.request.describe()
        ));
    }
    Ok(code)
}

/// The request of this turn of the conversation.
fn request(subject: &Subject, server: &Server, turn: usize) -> Result<Vec<u8>, RunError> {
    let voice = subject.voice(server, 1);
    let rendered = voice.render(&subject.talk.turns[turn], b"ping");
    let turn = rendered.map_err(|error| RunError::target(error.to_string()))?;
    Ok(turn.request)
}

/// A connection to the server.
struct Client {
    link: BlockingLink,
    /// Bytes that arrived before the message was sent.
    early: Vec<u8>,
    /// Its server, which is stopped when this is dropped.
    server: Rc<Server>,
}

/// Connects. The opening is performed if `opens`, and if the talk has a login that a program computes, which no reader can type.
fn connect(subject: &Subject, server: Server, opens: bool) -> Result<Client, RunError> {
    let server = Rc::new(server);
    let endpoint = server.endpoint();
    let refused = |error: &dyn Display| {
        RunError::target(format!(
            "cannot connect to {endpoint}: {error}; is the server running?"
        ))
    };
    if !opens && !subject.talk.has_login() {
        let link = BlockingLink::connect(endpoint, CONNECT_TIMEOUT);
        return Ok(Client {
            link: link.map_err(|error| refused(&error))?,
            early: Vec::new(),
            server,
        });
    }
    let opened = block_on(async {
        let dial = Dial {
            server: server.clone(),
            voice: subject.voice(&server, 0),
            transcript: Transcript::default(),
            limit: CONNECT_TIMEOUT,
            receive_buffer: None,
            bare: false,
        };
        let mut session = Session::connect(dial)
            .await
            .map_err(|error| refused(&error))?;
        session
            .opening()
            .await
            .map_err(|opening| RunError::target(format!("{}: {}", opening.label, opening.error)))?;
        session.into_parts().map_err(|error| refused(&error))
    });
    let (link, early) = opened?;
    Ok(Client {
        link,
        early,
        server,
    })
}

/// Like other commands, except that nothing is detected without `--talk`: sending bytes takes no
/// conversation, unless a turn of it is sent.
fn subject(args: &SendArgs) -> Result<Subject, RunError> {
    let has_turn = args.turn.is_some();
    let mut args = args.target.clone();
    if args.names_no_talk() && !has_turn {
        args.talk = Some("tutorial".into());
    }
    if args.embedded && args.params.iter().all(|(name, _)| name != "protocol") {
        args.params.push(("protocol".into(), "tutorial".into()));
    }
    Ok(args.resolve(0)?.subject)
}

fn message(args: &SendArgs) -> Result<Vec<u8>, RunError> {
    let Some(hex) = &args.hex else {
        return Ok(args.text.clone().unwrap_or_default().into_bytes());
    };
    let digits: String = hex.chars().filter(|char| !char.is_whitespace()).collect();
    let wrong = || {
        target::usage(format!(
            "`{hex}` is not hexadecimal: write two digits per byte, such as `ff fe 0a`"
        ))
    };
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}

fn exchange(args: &SendArgs, client: Client, message: &[u8]) -> Result<ExitCode, RunError> {
    let Client {
        mut link,
        early,
        server,
    } = client;
    let endpoint = server.endpoint();
    link.send(message)
        .map_err(|error| RunError::target(format!("cannot send to {endpoint}: {error}")))?;
    say(&format!(
        "sent     {} bytes to {endpoint}: {}",
        message.len(),
        escape(message, 400)
    ));
    if args.half_close {
        let _ = link.half_close();
    }
    let (reply, end) = receive(&mut link, early, args);
    show(&reply, end, endpoint);
    Ok(ExitCode::from(if reply.is_empty() {
        Code::Failed as u8
    } else {
        0
    }))
}

fn receive(link: &mut BlockingLink, early: Vec<u8>, args: &SendArgs) -> (Vec<u8>, &'static str) {
    let mut reply = early;
    let mut buffer = vec![0; args.recv_buffer.max(1)];
    let mut deadline = Instant::now() + args.wait;
    loop {
        match link.receive_until(deadline, &mut buffer) {
            Arrived::Bytes(count) => reply.extend_from_slice(&buffer[..count]),
            Arrived::Nothing => {
                return (reply, "no more bytes arrived; the connection is still open");
            }
            Arrived::Fin => return (reply, "the server closed the connection (FIN)"),
            Arrived::Reset => return (reply, "the server reset the connection (RST)"),
            Arrived::Broken => return (reply, "the connection failed"),
        }
        if reply.len() > REPLY_BYTES_MAX {
            return (reply, "stopped receiving: the reply is larger than 16 MiB");
        }
        deadline = deadline.min(Instant::now() + REST_TIMEOUT);
    }
}

fn show(reply: &[u8], end: &str, endpoint: &Endpoint) {
    say(&format!("received {} bytes from {endpoint}", reply.len()));
    if !reply.is_empty() {
        let hex: Vec<String> = reply
            .iter()
            .take(HEX_BYTES_MAX)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let more = if reply.len() > HEX_BYTES_MAX {
            " …"
        } else {
            ""
        };
        say(&format!("bytes    {}{more}", hex.join(" ")));
        match std::str::from_utf8(reply) {
            Ok(_) => say(&format!("text     {}", escape(reply, 4000))),
            Err(error) => say(&format!(
                "text     not UTF-8 at byte {}: {}",
                error.valid_up_to(),
                escape(reply, 4000)
            )),
        }
    }
    say(&format!("end      {end}"));
}
