//! `[server]`: how the server is started and stopped, and when it is ready.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::value::{At, OneOrMore, Scalar, Text};
use super::{Context, Read};
use crate::process::{Launch, Ready, signal_number};
use crate::talk::pattern;
use crate::text;
use crate::text::did_you_mean;
use crate::text::template::{Template, TemplateError};

/// Names with a meaning of their own, which no parameter can have.
const RESERVED: [&str; 7] = ["port", "tmp", "tok", "payload", "len", "seq", "n"];

/// The signals that can ask a server to stop.
const SIGNALS: [&str; 7] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"];

/// How the server is started and stopped, and when it is ready.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    /// The name of the server in reports. Default: the file name of its program.
    name: Option<Text>,
    /// The program and its arguments, one string each, with {port} where the port belongs; {tmp} is an empty
    /// folder, {name} a parameter.
    #[schemars(with = "Vec<String>")]
    cmd: At<OneOrMore<Text>>,
    /// Variables to add to the environment, with placeholders as in `cmd`. Reports do not show the values.
    #[serde(default)]
    env: BTreeMap<Text, Text>,
    /// The working folder, relative to the folder of this file.
    cwd: Option<String>,
    /// The signal that asks the server to stop gracefully. Default: TERM.
    #[schemars(extend("enum" = SIGNALS))]
    stop: Option<Text>,
    /// When the server is ready. Default: "listen".
    ready: Option<ReadyValue>,
    /// How long the server may take to be ready. Default: "10s".
    #[schemars(with = "Option<String>")]
    ready_timeout: Option<At<Scalar>>,
    /// Values for {name} in `cmd` and `env`. `--param` sets them, and a sweep varies them.
    #[serde(default)]
    params: BTreeMap<Text, Scalar>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "\"listen\" or { stdout = \"regex\" }"
)]
enum ReadyValue {
    Listen,
    /// A regex: the server is ready when it prints a line that matches. A group `port` is the port it chose.
    Stdout(Text),
}

impl At<ServerTable> {
    /// The name of the server and how it is started. The supervisor is still missing.
    pub(super) fn launch(self, context: &Context<'_>) -> Read<(String, Launch)> {
        let table = self.value;
        let params = parameters(table.params)?;
        let mut launch = Launch::new("", command(table.cmd, &params)?);
        launch.env = environment(table.env, &params)?;
        launch.params = params;
        launch.cwd = context.dir.join(table.cwd.as_deref().unwrap_or("."));
        if let Some(name) = table.stop {
            launch.stop = signal(&name)?;
        }
        if let Some(ReadyValue::Stdout(line)) = table.ready {
            let regex = regex::Regex::new(&line.value).map_err(|error| {
                line.fault(format!(
                    "bad regex: {}",
                    pattern::last_line(&error.to_string())
                ))
            })?;
            launch.ready = Ready::Stdout(regex);
        }
        if let Some(limit) = table.ready_timeout {
            launch.ready_timeout = limit.parse("ready_timeout", text::duration)?;
        }
        let name = match table.name {
            Some(name) if name.value.trim().is_empty() => return Err(name.fault("`name` is empty")),
            Some(name) => name.value,
            None => default_name(&launch),
        };
        Ok((name, launch))
    }
}

/// The name of a server that has none: the file name of its program.
pub(super) fn default_name(launch: &Launch) -> String {
    let program = launch.program();
    if program.is_empty() {
        "server"
    } else {
        program
    }
    .to_owned()
}

fn command(cmd: At<OneOrMore<Text>>, params: &BTreeMap<String, String>) -> Read<Vec<String>> {
    let words = &cmd.value.0;
    if let [word] = words.as_slice()
        && word.start == cmd.start
    {
        return Err(cmd
            .fault("`cmd` must be a list of words, not a string")
            .help("write [\"program\", \"argument\"]; a shell line is [\"sh\", \"-c\", \"...\"]"));
    }
    if words.first().is_none_or(|word| word.value.is_empty()) {
        return Err(cmd
            .fault("`cmd` is empty: it starts the server")
            .help("write the program and its arguments, with {port} where the port belongs"));
    }
    for word in words {
        check_word(word, params)?;
    }
    Ok(cmd.value.0.into_iter().map(|word| word.value).collect())
}

fn signal(name: &Text) -> Read<i32> {
    let upper = name.value.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = SIGNALS.contains(&bare).then(|| signal_number(bare));
    known.flatten().ok_or_else(|| {
        let message = format!("unknown signal `{}` for `stop`", name.value.escape_debug());
        name.fault(message).maybe_help(did_you_mean(bare, SIGNALS))
    })
}

fn environment(
    env: BTreeMap<Text, Text>,
    params: &BTreeMap<String, String>,
) -> Read<BTreeMap<String, String>> {
    for (name, value) in &env {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            return Err(name.fault("not a name of an environment variable"));
        }
        check_word(value, params)?;
    }
    let env = env.into_iter();
    Ok(env.map(|(name, value)| (name.value, value.value)).collect())
}

fn parameters(params: BTreeMap<Text, Scalar>) -> Read<BTreeMap<String, String>> {
    for name in params.keys() {
        let mut letters = name.value.chars();
        let identifier = letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            let message = format!("`{}` is not an identifier", name.value.escape_debug());
            let help = "use letters, digits and _, so that {name} can stand for it";
            return Err(name.fault(message).help(help));
        }
        if RESERVED.contains(&name.value.as_str()) {
            let message = format!("`{}` has a meaning of its own", name.value);
            return Err(name.fault(message).help("give the parameter another name"));
        }
    }
    let params = params.into_iter();
    Ok(params.map(|(name, value)| (name.value, value.0)).collect())
}

fn check_word(word: &Text, params: &BTreeMap<String, String>) -> Read<()> {
    if word.value.contains('\0') {
        return Err(word.fault("a command or its environment cannot contain a NUL byte"));
    }
    known_names(&word.value, params).map_err(|error| word.bad_template(error))
}

/// Checks every `{name}` of the command and the environment against the parameters. A file's own command has
/// been checked when it was read.
///
/// # Errors
/// A sentence that says which placeholder has no value, with the near name.
pub fn check_placeholders(launch: &Launch) -> Result<(), String> {
    let mut words = launch.cmd.iter().chain(launch.env.values());
    words
        .try_for_each(|word| known_names(word, &launch.params))
        .map_err(|error| match error.help {
            Some(help) => format!("{} ({help})", error.message),
            None => error.message,
        })
}

/// The first placeholder that is neither `port`, `tmp` nor a parameter is an error.
fn known_names(word: &str, params: &BTreeMap<String, String>) -> Result<(), TemplateError> {
    for slot in Template::parse(word)?.slots() {
        let name = slot.name.as_str();
        let known = ["port", "tmp"]
            .into_iter()
            .chain(params.keys().map(String::as_str));
        let mut error = TemplateError {
            message: String::new(),
            fragment: slot.to_string(),
            help: None,
        };
        if !known.clone().any(|known| known == name) {
            error.message = format!("`{slot}` in a command has no value");
            error.help = did_you_mean(name, known)
                .map(|near| format!("{near} Parameters are declared in [server.params]."));
            return Err(error);
        }
        if !slot.is_text() {
            error.message = "a command cannot contain a binary length".to_owned();
            return Err(error);
        }
    }
    Ok(())
}
