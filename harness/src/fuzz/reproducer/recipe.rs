//! What a reproducer needs besides the cases: how to start the server, and its plain conversation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::subject::{Origin, Subject};
use crate::talk::{Bindings, Exchange, Exec, Expectation, Opening, Turn, token};
use crate::text::template::fill;

/// The payload of the plain conversation.
const PAYLOAD: &[u8] = b"plain";

/// The part of a reproducer that is the same for all findings of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// How to get a server.
    pub server: ServerRecipe,
    /// Maximum wait of a `receive` step for a reply, and for the end of a connection, in milliseconds.
    pub reply_wait_ms: u64,
    /// The conversation that shows whether the server serves: the openings, then the plain turn.
    pub plain: Vec<PlainStep>,
    /// The programs that log in, with `{port}` not yet replaced.
    pub logins: Vec<LoginRecipe>,
    /// Maximum duration of that conversation, in milliseconds.
    pub plain_wait_ms: u64,
    /// How clients reach the server, if not by plain TCP: then only tcprove can replay the finding.
    pub transport: Option<String>,
    /// The command that replays a finding; `{folder}` is replaced by the folder of the finding.
    pub replay: String,
}

/// How to get a server: the part of its [`Origin`] that may be written to files. It contains no values of environment
/// variables, which may be secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRecipe {
    /// Start it with a command.
    Start {
        /// Program and arguments, with `{port}`, `{tmp}` and parameters not yet replaced.
        cmd: Vec<String>,
        /// Names of its environment variables. A reproducer takes the values from its own environment.
        env: Vec<String>,
        /// Its working directory.
        cwd: PathBuf,
        /// Values of the parameters.
        params: BTreeMap<String, String>,
        /// Maximum time until it listens, in milliseconds.
        ready_timeout_ms: u64,
    },
    /// Connect to a running server.
    Attach {
        /// Its address, `HOST:PORT`.
        addr: String,
    },
}

/// A program that logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecipe {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// The folder in which it runs.
    pub dir: PathBuf,
}

/// One step of the plain conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlainStep {
    /// A request and its reply.
    Turn(PlainTurn),
    /// The program with this number logs in.
    Login(usize),
}

/// One request of the plain conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainTurn {
    /// The bytes to send; empty if the server speaks first.
    pub send: Vec<u8>,
    /// How to recognize the reply.
    pub answer: AnswerPattern,
}

/// How to recognize a reply of the plain conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerPattern {
    /// There is no reply to wait for.
    Nothing,
    /// Any byte is a reply.
    Any,
    /// The reply begins with these bytes.
    Exact(Vec<u8>),
    /// The reply contains a match. Only expressions that Python understands too; the Rust reproducer accepts any byte.
    Regex(String),
}

impl Recipe {
    /// The recipe for a subject, with the plain conversation of its talk.
    ///
    /// A turn that names a value which exists only while the server runs (its port, its folder) cannot be written to a file.
    /// The conversation then ends before it.
    pub fn of(subject: &Subject, replay: String) -> Self {
        let talk = &subject.talk;
        let bindings = Bindings {
            tok: token(subject.seed, 0),
            payload: PAYLOAD.to_vec(),
            values: subject.values(),
            ..Bindings::default()
        };
        let mut logins: Vec<LoginRecipe> = Vec::new();
        let mut plain = Vec::new();
        let before = talk.before(talk.plain()).into_iter();
        let before = before.filter_map(|index| talk.turns.get(index));
        let turns = before.chain([talk.plain()]).map(Step::Plain);
        for step in talk.open.iter().map(Step::Open).chain(turns) {
            let exchange = match step {
                Step::Open(Opening::Exec(exec)) => {
                    plain.push(PlainStep::Login(logins.len()));
                    logins.push(LoginRecipe::of(exec, subject));
                    continue;
                }
                // Only tcprove can replay what comes after it.
                Step::Open(Opening::StartTls) => break,
                Step::Open(Opening::Exchange(exchange)) | Step::Plain(exchange) => exchange,
            };
            match exchange.render(talk, &bindings) {
                Ok(turn) => plain.push(PlainStep::Turn(PlainTurn::of(&turn))),
                Err(_) => break,
            }
        }
        Self {
            server: ServerRecipe::of(&subject.origin),
            reply_wait_ms: 500,
            plain,
            logins,
            plain_wait_ms: 2_000,
            transport: subject.origin.transport().describe(),
            replay,
        }
    }

    /// Adds options to the command that replays a finding.
    pub(crate) fn add_to_replay(&mut self, options: &str) {
        self.replay = self
            .replay
            .replace("{folder}", &format!("{{folder}} {options}"));
    }

    /// The command that replays the finding in `folder`.
    pub(crate) fn replay_command(&self, folder: &Path) -> String {
        self.replay
            .replace("{folder}", &folder.display().to_string())
    }
}

/// A step of the plain conversation, as the talk has it.
enum Step<'a> {
    Open(&'a Opening),
    Plain(&'a Exchange),
}

impl LoginRecipe {
    /// The program with the parameters filled in. `{port}` stays, and so does what only a running server has.
    fn of(exec: &Exec, subject: &Subject) -> Self {
        let values = subject.values();
        let value = |name: &str| {
            let value = values.get(name)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let words = exec.words.iter();
        Self {
            words: words.map(|word| fill(&word.to_string(), value)).collect(),
            dir: std::path::absolute(&exec.dir).unwrap_or_else(|_| exec.dir.clone()),
        }
    }
}

impl ServerRecipe {
    /// The part of the origin that may be written to files.
    fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Attach { endpoint, .. } => Self::Attach {
                addr: endpoint.to_string(),
            },
            Origin::Spawn(launch) => Self::Start {
                cmd: if launch.has_surroundings() {
                    // Braces are doubled, because the words of a command are templates.
                    let script = launch.script("{port}", "{tmp}");
                    vec!["sh".into(), "-c".into(), as_template(&script)]
                } else {
                    launch.cmd.clone()
                },
                env: launch.env.keys().cloned().collect(),
                // A reproducer may be run from any folder.
                cwd: std::path::absolute(&launch.cwd).unwrap_or_else(|_| launch.cwd.clone()),
                params: launch.params.clone(),
                ready_timeout_ms: u64::try_from(launch.ready_timeout.as_millis())
                    .unwrap_or(u64::MAX),
            },
        }
    }

    /// The command with its parameters replaced; `{port}` and `{tmp}` stay.
    pub(super) fn command(&self) -> Vec<String> {
        match self {
            Self::Attach { .. } => Vec::new(),
            Self::Start { cmd, params, .. } => {
                cmd.iter().map(|word| filled(word, params)).collect()
            }
        }
    }
}

/// A template of this text, in which only `{port}` and `{tmp}` are placeholders.
fn as_template(text: &str) -> String {
    let doubled = text.replace('{', "{{").replace('}', "}}");
    doubled
        .replace("{{port}}", "{port}")
        .replace("{{tmp}}", "{tmp}")
}

/// The word with its parameters replaced and doubled braces unescaped, as when tcprove starts a server.
fn filled(word: &str, params: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let value = name.and_then(|(name, _)| Some((name.len() + 2, params.get(name)?.as_str())));
        let (used, piece) = match value {
            _ if rest.starts_with("{{") || rest.starts_with("}}") => (2, &rest[..1]),
            Some(found) => found,
            None => (1, &rest[..1]),
        };
        out.push_str(piece);
        rest = &rest[used..];
    }
    out + rest
}

impl PlainTurn {
    /// The request and the expected reply of a rendered turn.
    fn of(turn: &Turn) -> Self {
        let answer = match &turn.expect {
            Expectation::NoReply | Expectation::Eof => AnswerPattern::Nothing,
            // With its header, if the frame has one.
            expect => match (expect.exact_message(&turn.frame), expect) {
                (Some(bytes), _) if bytes.is_empty() => AnswerPattern::Nothing,
                (Some(bytes), _) => AnswerPattern::Exact(bytes),
                (None, Expectation::Regex(regex)) if !turn.frame.adds_to_body() => {
                    AnswerPattern::regex(&regex.strict())
                }
                _ => AnswerPattern::Any,
            },
        };
        Self {
            send: turn.request.clone(),
            answer,
        }
    }
}

impl AnswerPattern {
    /// The expression if Python interprets it in the same way, otherwise [`AnswerPattern::Any`].
    fn regex(source: &str) -> Self {
        let foreign = [
            "(?", "\\p", "\\P", "\\z", "\\x{", "\\u", "\\U", "[[", "&&", "--", "~~", "\\b{", "\\<",
            "\\>",
        ];
        // Python understands these too.
        let rest = source.replace("(?:", "(").replace("(?P<", "(<");
        let simple = source.is_ascii() && !foreign.iter().any(|form| rest.contains(form));
        match simple {
            true => Self::Regex(source.to_owned()),
            false => Self::Any,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::transport::Endpoint;

    #[test]
    fn parameters_are_filled_in_and_the_port_is_not() {
        let params = [("size".to_owned(), "64".to_owned())].into();
        let fill = |word: &str| filled(word, &params);
        assert_eq!(fill("--port={port}"), "--port={port}");
        assert_eq!(fill("{tmp}/a{size}b{{x}}"), "{tmp}/a64b{x}");
        assert_eq!(fill("{nope} {"), "{nope} {");
    }

    #[test]
    fn the_plain_turn_of_every_built_in_talk_is_recognised() {
        for (name, ..) in crate::file::BUILTIN {
            let file = crate::file::builtin(name).unwrap();
            let subject = Subject {
                origin: Origin::Attach {
                    endpoint: Endpoint::plain(SocketAddr::from(([127, 0, 0, 1], 7))),
                    pid: None,
                },
                talk: file.talk.into(),
                promise: file.promise,
                seed: 1,
            };
            let recipe = Recipe::of(&subject, String::new());
            assert_eq!(recipe.plain.len(), subject.talk.open.len() + 1, "{name}");
            let opening = subject.talk.open.iter().map(|step| match step {
                Opening::Exchange(exchange) => exchange,
                Opening::StartTls | Opening::Exec(_) => panic!("{name} has a login"),
            });
            let exchanges = opening.chain([subject.talk.plain()]);
            for (step, exchange) in recipe.plain.into_iter().zip(exchanges) {
                let PlainStep::Turn(turn) = step else {
                    panic!("{name} has a login");
                };
                // Expressions that Python understands in another way are answered by any reply.
                let told = turn.answer != AnswerPattern::Nothing;
                assert_eq!(
                    told,
                    exchange.expect.has_reply(),
                    "{name}: {:?}",
                    turn.answer
                );
            }
        }
    }

    #[test]
    fn only_what_python_takes_for_the_same_stays_a_regex() {
        assert_eq!(
            AnswerPattern::regex(r"^\+OK \d+\r\n"),
            AnswerPattern::Regex(r"^\+OK \d+\r\n".into())
        );
        for foreign in [r"(?i)ok", r"\p{L}", "é", r"[[:alpha:]]"] {
            assert_eq!(
                AnswerPattern::regex(foreign),
                AnswerPattern::Any,
                "{foreign}"
            );
        }
    }
}
