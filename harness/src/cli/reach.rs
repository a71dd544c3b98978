//! How the embedded reference server is reached: its parameter `transport`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcprove_server::{Fault, Layer};

use crate::check::Need;
use crate::check::matrix::needs;
use crate::file::File;
use crate::process::Launch;
use crate::report::RunError;
use crate::transport::{ProxyVersion, Tls, TlsSettings, Transport};

/// The name of the parameter.
pub(super) const PARAMETER: &str = "transport";

/// One value of the parameter; several are joined by `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Tls,
    StartTls,
    Unix,
    Proxy(ProxyVersion),
    /// The conversation begins with an opening.
    Opening,
    /// Requests are JSON.
    Json,
    /// The server sends messages without a request.
    Push,
}

/// The values of the parameter.
const PARTS: [(&str, Part); 8] = [
    ("tls", Part::Tls),
    ("starttls", Part::StartTls),
    ("unix", Part::Unix),
    ("proxy-v1", Part::Proxy(ProxyVersion::V1)),
    ("proxy-v2", Part::Proxy(ProxyVersion::V2)),
    ("opening", Part::Opening),
    ("json", Part::Json),
    ("push", Part::Push),
];

/// The value of the parameter in which a planted fault shows; `None`: plain TCP.
pub(super) fn of_fault(fault: &Fault) -> Option<&'static str> {
    match fault.layer() {
        Some(Layer::Tls) => Some("tls"),
        Some(Layer::StartTls) => Some("starttls"),
        Some(Layer::Proxy) => Some("proxy-v2"),
        Some(Layer::Socket) => None,
        // The server needs no setting for these: it answers each line alike.
        None if needs(fault, Need::Opening) => Some("opening"),
        None if needs(fault, Need::Nesting) => Some("json"),
        None => needs(fault, Need::Push).then_some("push"),
    }
}

/// Whether a planted fault shows in this value of the parameter; `None`: in the one that it needs.
pub(super) fn shows(fault: &Fault, transport: Option<&str>) -> bool {
    let Some(transport) = transport else {
        return true;
    };
    match fault.layer() {
        Some(Layer::Socket) => !transport.contains("tls"),
        _ => of_fault(fault).is_none_or(|needed| needed == transport),
    }
}

/// How the server is reached: the arguments it gets for that, and what its clients do.
#[derive(Debug, Default)]
pub(super) struct Reach {
    arguments: Vec<String>,
    transport: Transport,
    starttls: bool,
    /// Whether the conversation begins with an opening.
    opening: bool,
    /// Whether requests are JSON.
    json: bool,
    /// Whether the server sends messages without a request.
    push: bool,
}

impl Reach {
    /// Parses the parameter.
    ///
    /// # Errors
    /// It names something unknown.
    pub(super) fn parse(value: &str) -> Result<Self, RunError> {
        let mut reach = Self::default();
        for name in value.split('+').filter(|name| *name != "tcp") {
            let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<&str> = PARTS.iter().map(|(known, _)| *known).collect();
                return Err(RunError::usage(format!(
                    "--param {PARAMETER}={value}: `{name}` is none of tcp, {} (several are joined by `+`)",
                    known.join(", ")
                )));
            };
            reach.add(*part);
        }
        Ok(reach)
    }

    fn add(&mut self, part: Part) {
        let mut argument = |words: &[&str]| {
            self.arguments.extend(words.iter().map(ToString::to_string));
        };
        match part {
            Part::Tls | Part::StartTls => {
                argument(&["--tls-cert", "{tls.cert}", "--tls-key", "{tls.key}"]);
                self.starttls = part == Part::StartTls;
                if self.starttls {
                    argument(&["--starttls"]);
                }
                self.transport.tls = Some(Tls::new(TlsSettings::default(), self.starttls));
            }
            Part::Unix => {
                argument(&["--unix", "{tmp}/server.sock"]);
                self.transport.unix = Some("{tmp}/server.sock".to_owned());
            }
            Part::Proxy(version) => {
                argument(&["--proxy", &version.to_string()]);
                self.transport.proxy = Some(version);
            }
            Part::Opening => self.opening = true,
            Part::Json => self.json = true,
            Part::Push => {
                argument(&["--push", "10ms"]);
                self.push = true;
            }
        }
    }

    /// Adds the arguments to the command of the reference server, and the switch to TLS and the opening to its
    /// conversation, or makes its turns JSON, or declares its pushes.
    ///
    /// # Errors
    /// The protocol has no command that switches to TLS, no opening, or no JSON.
    pub(super) fn apply(self, launch: Launch, file: &mut File) -> Result<Launch, RunError> {
        let mut launch = launch;
        launch.cmd.extend(self.arguments);
        let added = [
            (self.starttls, STARTTLS, "STARTTLS"),
            (self.opening, OPENING, "an opening"),
            (self.json, JSON, "requests in JSON"),
            (self.push, PUSH, "messages without a request"),
        ];
        for (_, source, what) in added.into_iter().filter(|(is_asked, ..)| *is_asked) {
            if file.name != "line" {
                return Err(RunError::usage(format!(
                    "only the protocol `line` of the reference server has {what}"
                )));
            }
            let added = crate::file::parse(source, "opening.toml", std::path::Path::new("."));
            let added = added.map_err(|error| RunError::usage(error.to_string()))?;
            file.talk.open.extend(added.talk.open);
            file.talk.push.extend(added.talk.push);
            if source == JSON {
                file.talk.turns = added.talk.turns;
            }
        }
        file.transport = Arc::new(self.transport);
        Ok(launch.reached_by(&file.transport))
    }
}

/// A file with an opening of the protocol `line`, whose server answers each line alike.
const OPENING: &str = r#"
[talk]
frame = { until = "\n" }
[[talk.open]]
send = "HELLO {tok}\n"
expect = "HELLO {tok}\n"
[[talk.open]]
send = "LOGIN {tok}\n"
expect = "LOGIN {tok}\n"
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;

/// A file with the messages that the protocol `line` sends without a request.
const PUSH: &str = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
[[talk.push]]
match = { regex = "^PUSH [.]*\n$" }
"#;

/// A file with turns of the protocol `line` that are JSON.
const JSON: &str = r#"
[talk]
frame = { until = "\n" }
[[talk.turn]]
send = "{\"id\":\"{tok}\",\"text\":\"{payload}\"}\n"
expect = "{\"id\":\"{tok}\",\"text\":\"{payload}\"}\n"
"#;

/// A file with the opening that switches the protocol `line` to TLS.
const STARTTLS: &str = r#"
[transport]
tls = true
[talk]
frame = { until = "\n" }
[[talk.open]]
send = "STARTTLS\n"
expect = { regex = "^OK" }
starttls = true
[[talk.turn]]
send = "{tok}\n"
expect = "{tok}\n"
"#;

/// Takes the parameter out of the parameters of the server.
///
/// # Errors
/// It names something unknown.
pub(super) fn take(params: &mut BTreeMap<String, String>) -> Result<Reach, RunError> {
    match params.remove(PARAMETER) {
        Some(value) => Reach::parse(&value),
        None => Ok(Reach::default()),
    }
}
