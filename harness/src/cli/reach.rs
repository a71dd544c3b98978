//! How the embedded reference server is reached: its parameter `transport`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tcprove_server::{Fault, Layer};

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
}

/// The values of the parameter.
const PARTS: [(&str, Part); 5] = [
    ("tls", Part::Tls),
    ("starttls", Part::StartTls),
    ("unix", Part::Unix),
    ("proxy-v1", Part::Proxy(ProxyVersion::V1)),
    ("proxy-v2", Part::Proxy(ProxyVersion::V2)),
];

/// The value of the parameter in which a planted fault shows; `None`: plain TCP.
pub(super) fn of_fault(fault: &Fault) -> Option<&'static str> {
    Some(match fault.layer()? {
        Layer::Tls => "tls",
        Layer::StartTls => "starttls",
        Layer::Proxy => "proxy-v2",
    })
}

/// How the server is reached: the arguments it gets for that, and what its clients do.
#[derive(Debug, Default)]
pub(super) struct Reach {
    arguments: Vec<String>,
    transport: Transport,
    starttls: bool,
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
        }
    }

    /// Adds the arguments to the command of the reference server, and the switch to TLS to its conversation.
    ///
    /// # Errors
    /// The protocol has no command that switches to TLS.
    pub(super) fn apply(self, launch: Launch, file: &mut File) -> Result<Launch, RunError> {
        let mut launch = launch;
        launch.cmd.extend(self.arguments);
        if self.starttls {
            if file.name != "line" {
                return Err(RunError::usage(
                    "only the protocol `line` of the reference server has STARTTLS".to_owned(),
                ));
            }
            let switch = crate::file::parse(STARTTLS, "starttls.toml", std::path::Path::new("."));
            let switch = switch.map_err(|error| RunError::usage(error.to_string()))?;
            file.talk.open = switch.talk.open;
        }
        file.transport = Arc::new(self.transport);
        Ok(launch.reached_by(&file.transport))
    }
}

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
