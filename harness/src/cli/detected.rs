//! What a detection found, as sentences: what was assumed about a server, and what did not fit.

use std::fmt::Write as _;

use crate::check::{Given, remedies};
use crate::detect::{
    Assumed, Change, Compared, DetectError, Detected, Ending, Learned, PortFound, Tried, quoted,
};
use crate::file;
use crate::process::{Listening, StartFailure};
use crate::report::RunError;
use crate::subject::Origin;
use crate::text::escape_text;

/// The talk in one phrase.
pub(super) fn talk(found: &Detected) -> String {
    match &found.assumed {
        Assumed::Builtin(name) => format!("`{name}` ({})", about(name)),
        Assumed::Learned(learned) => format!("a talk learned from its replies: {}", shape(learned)),
        Assumed::Recorded(recorded) => format!(
            "a talk of {} recorded exchange{}: a request is framed as {}, a reply as {}",
            recorded.said,
            if recorded.said == 1 { "" } else { "s" },
            recorded.request,
            recorded.reply
        ),
    }
}

fn about(name: &str) -> &'static str {
    let entry = file::BUILTIN.iter().find(|(known, ..)| *known == name);
    entry.map_or("", |(_, _, about)| *about)
}

fn shape(learned: &Learned) -> String {
    let request = match learned.request {
        Ending::Framed(frame) => {
            return format!(
                "each message begins with its length, {frame}; {}",
                compared(learned.compared)
            );
        }
        Ending::Lf => "a request ends with \\n",
        Ending::Crlf => "a request ends with \\r\\n",
        Ending::Lines(_) | Ending::Close | Ending::Unmarked => "nothing marks the end of a request",
    };
    let reply = match learned.reply {
        Ending::Lf => "a reply with \\n".to_owned(),
        Ending::Crlf => "a reply with \\r\\n".to_owned(),
        Ending::Lines(lines) => format!("a reply after {lines} lines"),
        Ending::Close => "a reply with the connection".to_owned(),
        Ending::Framed(frame) => format!("a reply as {frame} says"),
        Ending::Unmarked => "nothing marks the end of a reply".to_owned(),
    };
    format!("{request}, {reply}; {}", compared(learned.compared))
}

fn compared(compared: Compared) -> &'static str {
    match compared {
        Compared::Token => "the reply repeats the request's {tok}",
        Compared::Constant => "every request has the same reply",
        Compared::Parts => "only what all replies have in common is compared",
        Compared::End => "replies have nothing in common, so their content is not compared",
    }
}

/// Everything that was assumed, a line each: a word and a phrase.
pub(super) fn assumptions(found: &Detected) -> Vec<(&'static str, String)> {
    let (request, reply) = &found.example;
    let mut lines = vec![
        ("talk", talk(found)),
        (
            "seen",
            format!("sent {}, got {}", quoted(request), quoted(reply)),
        ),
        (
            "confirmed",
            "held twice from the start, with other tokens each time".to_owned(),
        ),
    ];
    if let Some(word) = refusal_in(request, reply) {
        let phrase = format!(
            "the reply contains \"{word}\", so the server may refuse this request: write requests that it knows into \
             [[talk.turn]], or the checks mostly see how it refuses"
        );
        lines.push(("note", phrase));
    }
    if let Assumed::Recorded(recorded) = &found.assumed {
        let left_out = recorded.left_out.iter();
        lines.extend(left_out.map(|what| ("left out", format!("of the recording: {what}"))));
    }
    lines.extend(found.port.iter().map(|port| ("port", port_phrase(port))));
    lines.extend(found.changes.iter().map(|change| {
        match change {
        Change::ClosesAfterReply => (
            "changed",
            "the server closes the connection after each reply: `close = \"server-after-reply\"`"
                .to_owned(),
        ),
        Change::ReadyLater => (
            "changed",
            "the server listens before it is ready: `ready = \"exchange\"`".to_owned(),
        ),
        Change::AnswersPartOfHeader => (
            "bug?",
            "the server answers when only a part of the header has arrived: `split-bytewise` looks at that"
                .to_owned(),
        ),
        Change::LeftOut { label, missed } => {
            ("left out", format!("{label} of the built-in talk: {}", missed.phrase()))
        }
    }
    }));
    lines
}

/// Number of bytes of a reply in which a refusal is looked for.
const REFUSAL_WITHIN: usize = 200;
/// Words of replies to requests that a server does not know.
const REFUSALS: [&str; 6] = [
    "error",
    "unknown",
    "invalid",
    "unsupported",
    "not found",
    "bad request",
];

/// The word with which this reply seems to refuse its request; `None` if there is none, or if the request has it too.
fn refusal_in(request: &[u8], reply: &[u8]) -> Option<&'static str> {
    let lower = |bytes: &[u8]| bytes.to_ascii_lowercase();
    let (request, reply) = (
        lower(request),
        lower(&reply[..reply.len().min(REFUSAL_WITHIN)]),
    );
    let contains = |text: &[u8], word: &str| memchr::memmem::find(text, word.as_bytes()).is_some();
    REFUSALS
        .into_iter()
        .find(|word| contains(&reply, word) && !contains(&request, word))
}

fn port_phrase(port: &PortFound) -> String {
    match port {
        PortFound::InWord(word) => format!("the port in `{word}` became {{port}}"),
        PortFound::InEnvironment => {
            "the server takes its port from the variable PORT: `env = { PORT = \"{port}\" }`"
                .to_owned()
        }
        PortFound::Printed => {
            "the server chooses its port and prints it: `ready = { stdout = ... }`".to_owned()
        }
    }
}

/// What would enable more checks, a line each. With `learns`, the limits follow anyway.
pub(super) fn suggestions(found: &Detected, learns: bool) -> Vec<String> {
    let given = Given {
        talk: &found.file.talk,
        promise: &found.file.promise,
        spawned: found.file.server.is_some(),
        reload: found
            .file
            .server
            .as_ref()
            .is_some_and(|launch| launch.reload.is_some()),
        listening: &Listening::Server,
        transport: &found.file.transport,
        singleton: false,
        process: true,
        serves_again: true,
    };
    remedies(&given)
        .into_iter()
        .filter(|(_, ids)| !(learns && ids == &["limits-hold"]))
        .map(|(lines, ids)| {
            let checks = if ids.len() == 1 { "check" } else { "checks" };
            format!(
                "add {}: {} more {checks} ({})",
                lines.join(" and "),
                ids.len(),
                ids.join(", ")
            )
        })
        .collect()
}

/// The file: what was assumed as a comment, the server and its talk, all other keys as a comment.
pub(super) fn file_text(found: &Detected, command: &str, learns: bool) -> String {
    let mut head = format!(
        "# tcprove.toml for {}\n# `tcprove init` started it, found out what it speaks, and assumed:\n",
        crate::text::escape_text(command, 200)
    );
    for (word, phrase) in assumptions(found) {
        let _ = writeln!(
            head,
            "# {word:<9} {}",
            crate::text::escape_text(&phrase, 400)
        );
    }
    for line in suggestions(found, learns) {
        let _ = writeln!(head, "# more      {line}");
    }
    head.push_str("# `tcprove check` is a good next step.\n\n");
    file::init_text(&head, found.sketch.text().trim())
}

/// What was tried, grouped by what came.
fn by_answer(tried: &[Tried]) -> Vec<(Vec<&str>, &str)> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for Tried { what, came } in tried {
        match groups.iter_mut().find(|(_, known)| known == came) {
            Some((all, _)) => all.push(what),
            None => groups.push((vec![what], came)),
        }
    }
    groups
}

/// The error of a detection of this server, with the next step to try.
pub(super) fn error(error: &DetectError, origin: &Origin) -> RunError {
    let has_port = match origin {
        Origin::Spawn(launch) => launch.knows_its_port(),
        Origin::Attach { .. } => true,
    };
    match error {
        DetectError::Start(failure) => {
            let next = match **failure {
                StartFailure::Exited { .. } | StartFailure::NotReady { .. } if !has_port => {
                    "\nnext: the command has no {port}: add it where the port belongs, as in `-- python3 server.py {port}`"
                }
                StartFailure::Exited { .. } | StartFailure::NotReady { .. } => {
                    "\nnext: start it by hand and read its output"
                }
                _ => "",
            };
            RunError::target(format!("{failure}{next}"))
        }
        DetectError::NoPort { port } => RunError::usage(format!(
            "{error}\nnext: add the option that sets its port, with {{port}} as its value, and start again (it now listens on {port})"
        )),
        DetectError::Unknown { tried, printed } => {
            let lines: String = by_answer(tried)
                .iter()
                .map(|(what, came)| format!("\n  {}: {came}", what.join(", ")))
                .collect();
            RunError::target(format!(
                "{error}. What was tried, and what came:{lines}{}\n\
                 next: name a built-in talk with --talk NAME (`tcprove init` lists them)\n\
                 or record a session of a client that you have (`tcprove record`), and use `tcprove init --from-recording`\n\
                 or write a file, of which `tcprove init --talk line` is a template. With a binary length before each \
                 message it is\n{BY_HAND}",
                said(printed)
            ))
        }
        DetectError::Unsayable { .. } => RunError::target(format!(
            "{error}\nnext: record a session without this exchange, or write the turn by hand (docs/conversation.md: named \
             groups of an earlier reply, `frames` for several messages, [[talk.push]] for what comes unasked)"
        )),
        other => RunError::target(other.to_string()),
    }
}

/// What the server printed meanwhile.
fn said(printed: &[String]) -> String {
    let shown = printed.iter().map(|line| escape_text(line, 160));
    let lines: String = shown.map(|line| format!("\n  {line}")).collect();
    match lines.is_empty() {
        true => lines,
        false => format!("\nThe server printed on stderr:{lines}"),
    }
}

/// A file for a server with a binary length, to be adapted by hand.
const BY_HAND: &str = r#"  [server]
  cmd = ["./server", "{port}"]
  [talk]
  frame = { len = "u32be" }    # or u16be, u32le, u16le, varint; at = 1 if a type comes before it; includes_self = true
  [[talk.turn]]
  send = "{tok}"               # without the length, which tcprove adds and removes; { hex = "01 ff" } for bytes
  expect = { regex = "{tok}" }"#;

#[cfg(test)]
mod tests {
    /// A word of the request, which the reply only repeats, refuses nothing; nor does one deep in a long reply.
    #[test]
    fn a_reply_that_refuses_is_noticed() {
        let refusal = super::refusal_in;
        let json = br#"{"id": "x", "ok": false, "error": "unknown op"}"#;
        assert_eq!(refusal(br#"{"method":"ping"}"#, json), Some("error"));
        assert_eq!(
            refusal(b"GET / HTTP/1.1", b"HTTP/1.1 404 Not Found"),
            Some("not found")
        );
        assert_eq!(refusal(b"say error\n", b"error\n"), None);
        let page = [&[b'.'; super::REFUSAL_WITHIN][..], b"error"].concat();
        assert_eq!(refusal(b"GET /", &page), None);
    }

    #[test]
    fn the_file_by_hand_is_one() {
        let file = crate::file::parse(super::BY_HAND, "x.toml", std::path::Path::new("."));
        assert_eq!(file.unwrap().talk.turns.len(), 1);
    }
}
