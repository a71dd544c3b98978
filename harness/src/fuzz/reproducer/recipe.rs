//! What a reproducer has to know besides the case: how to get a server, and its plain conversation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::subject::{Origin, Subject};
use crate::talk::{Bindings, Expectation, Opening, Turn, token};

/// What stands for a payload in the plain conversation.
const PAYLOAD: &[u8] = b"plain";

/// Everything that is the same for all findings of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Where the server comes from.
    pub server: ServerRecipe,
    /// How long one `receive` of a case waits for a reply, and how long the end of a connection is waited for.
    pub reply_wait_ms: u64,
    /// What is said on a connection to see whether the server serves: openings, then the plain turn.
    pub plain: Vec<PlainTurn>,
    /// How long all of that may take before nobody is served: at least 2 s, more for a slow server.
    pub plain_wait_ms: u64,
    /// The command that replays a finding; `{folder}` stands for the finding's folder.
    pub replay: String,
}

/// Where the server comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerRecipe {
    /// A command starts it.
    Start {
        /// Program and arguments, with `{port}`, `{tmp}` and parameters not filled in.
        cmd: Vec<String>,
        /// Names of what is set in its environment. The values may be secret: they are written nowhere, and a
        /// reproducer takes them out of its own environment.
        env: Vec<String>,
        /// Its working folder.
        cwd: PathBuf,
        /// Values of the parameters.
        params: BTreeMap<String, String>,
        /// How long it may take until it listens.
        ready_timeout_ms: u64,
    },
    /// It runs already.
    Attach {
        /// `HOST:PORT`.
        addr: String,
    },
}

/// One message of the plain conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainTurn {
    /// The bytes for the wire; none where the server speaks first.
    pub send: Vec<u8>,
    /// How an answer is recognised.
    pub answer: AnswerPattern,
}

/// How an answer to the plain conversation is recognised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerPattern {
    /// No answer is waited for.
    Nothing,
    /// Any byte is an answer.
    Any,
    /// It begins with these bytes.
    Exact(Vec<u8>),
    /// This is found in it. Python understands it; where there are no regexes any byte is an answer.
    Regex(String),
}

impl Recipe {
    /// For a target, with the plain conversation out of its talk.
    ///
    /// A turn that names what only a epoch of the server knows (its port, its folder) cannot be written down: then
    /// the conversation ends before it, and what comes before is what shows that the server serves.
    pub fn of(subject: &Subject, replay: String) -> Self {
        let talk = &subject.talk;
        let bindings = Bindings {
            tok: token(subject.seed, 0),
            payload: PAYLOAD.to_vec(),
            values: subject.values(),
        };
        let openings = talk.open.iter().map_while(|opening| match opening {
            Opening::Exchange(exchange) => Some(exchange),
            Opening::Exec(_) => None,
        });
        let exchanges = openings.chain([talk.plain()]);
        let plain: Vec<Turn> = exchanges
            .map_while(|exchange| exchange.render(talk, &bindings).ok())
            .collect();
        Self::new(&subject.origin, &plain, replay)
    }

    /// For a target and its plain conversation, with the usual limits of time.
    pub fn new(origin: &Origin, plain: &[Turn], replay: String) -> Self {
        Self {
            server: ServerRecipe::of(origin),
            reply_wait_ms: 500,
            plain: plain.iter().map(PlainTurn::of).collect(),
            plain_wait_ms: 2_000,
            replay,
        }
    }

    /// The command that replays the finding in `folder`.
    pub(crate) fn replay_command(&self, folder: &Path) -> String {
        self.replay
            .replace("{folder}", &folder.display().to_string())
    }
}

impl ServerRecipe {
    /// The same server that is judged here.
    pub fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Attach { addr, .. } => Self::Attach {
                addr: addr.to_string(),
            },
            Origin::Spawn(launch) => Self::Start {
                cmd: launch.cmd.clone(),
                env: launch.env.keys().cloned().collect(),
                // A reproducer is run from anywhere.
                cwd: std::path::absolute(&launch.cwd).unwrap_or_else(|_| launch.cwd.clone()),
                params: launch.params.clone(),
                ready_timeout_ms: u64::try_from(launch.ready_timeout.as_millis())
                    .unwrap_or(u64::MAX),
            },
        }
    }

    /// The command with its parameters filled in; `{port}` and `{tmp}` stay.
    pub(super) fn command(&self) -> Vec<String> {
        match self {
            Self::Attach { .. } => Vec::new(),
            Self::Start { cmd, params, .. } => {
                cmd.iter().map(|word| filled(word, params)).collect()
            }
        }
    }
}

/// The word with its parameters filled in and doubled braces made single, as when a server is started.
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
    /// A turn with everything filled in.
    pub fn of(turn: &Turn) -> Self {
        let answer = match &turn.expect {
            Expectation::Exact(bytes) if bytes.is_empty() => AnswerPattern::Nothing,
            // The header of a framed reply comes before its body: the bytes are not at the beginning.
            Expectation::Exact(bytes) if turn.frame.wrap(bytes) != *bytes => {
                AnswerPattern::Exact(turn.frame.wrap(bytes))
            }
            Expectation::Exact(bytes) => AnswerPattern::Exact(bytes.clone()),
            Expectation::Regex(regex) if turn.frame.wrap(b"") == b"" => {
                AnswerPattern::regex(&regex.strict())
            }
            Expectation::Regex(_) | Expectation::Not(_) => AnswerPattern::Any,
            Expectation::Eof => AnswerPattern::Nothing,
        };
        Self {
            send: turn.request.clone(),
            answer,
        }
    }
}

impl AnswerPattern {
    /// A regex where Python means the same by it, else any byte.
    pub fn regex(source: &str) -> Self {
        let foreign = [
            "(?", "\\p", "\\P", "\\z", "\\x{", "\\u", "\\U", "[[", "&&", "--", "~~", "\\b{", "\\<",
            "\\>",
        ];
        // These mean the same everywhere.
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
    use super::*;

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
                    addr: "127.0.0.1:7".parse().unwrap(),
                    pid: None,
                },
                talk: file.talk.into(),
                promise: file.promise,
                seed: 1,
            };
            let recipe = Recipe::of(&subject, String::new());
            assert_eq!(recipe.plain.len(), subject.talk.open.len() + 1, "{name}");
            for turn in recipe.plain {
                let told = matches!(
                    turn.answer,
                    AnswerPattern::Exact(_) | AnswerPattern::Regex(_)
                );
                assert!(told, "{name}: {:?}", turn.answer);
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
