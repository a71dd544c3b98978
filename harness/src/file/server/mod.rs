//! `[server]`: how the server is started and stopped, what it needs around it, and when it is ready.

mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
pub use words::check_placeholders;
pub(super) use words::check_text;
use words::{check_word, command};

use super::value::{At, OneOrMore, Scalar, Text};
use super::{Context, Read};
use crate::process::{
    Launch, LaunchFile, Listening, Ready, ReadyStream, check_path, signal_number,
};
use crate::talk::pattern;
use crate::text;
use crate::text::did_you_mean;

/// Names with a meaning of their own, which no parameter can have.
const RESERVED: [&str; 7] = ["port", "tmp", "tok", "payload", "len", "seq", "n"];

/// The signals that can ask a server to stop.
const SIGNALS: [&str; 7] = ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"];

/// The signals that can ask a server to reload.
const RELOAD_SIGNALS: [&str; 4] = ["HUP", "USR1", "USR2", "INT"];

/// Permissions of a file that states none.
const FILE_MODE: u32 = 0o644;

/// How the server is started and stopped, and when it is ready.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerTable {
    /// The name of the server in reports. Default: the file name of its program.
    name: Option<Text>,
    /// The program and its arguments, one string each, with {port} where the port belongs; {tmp} is an empty
    /// folder, {port:NAME} a further free port, {name} a parameter.
    #[schemars(with = "Vec<String>")]
    cmd: At<OneOrMore<Text>>,
    /// Variables to add to the environment, with placeholders as in `cmd`. Reports do not show the values.
    #[serde(default)]
    env: BTreeMap<Text, Text>,
    /// The working folder, relative to the folder of this file.
    cwd: Option<String>,
    /// Files to write into {tmp} before each start: the path in {tmp}, and the text with placeholders as in `cmd`.
    #[serde(default)]
    files: BTreeMap<Text, FileValue>,
    /// Commands that prepare each new {tmp}, one after another, before anything else is started: [["initdb", ...]].
    #[serde(default)]
    #[schemars(with = "Vec<Vec<String>>")]
    prepare: Vec<At<OneOrMore<Text>>>,
    /// Commands of helper processes, such as the backend of a proxy. They are started before the server, which starts
    /// when they listen on every {port:NAME} in their commands, and end with it.
    #[serde(default)]
    #[schemars(with = "Vec<Vec<String>>")]
    beside: Vec<At<OneOrMore<Text>>>,
    /// The user that runs the server and its helpers, and owns {tmp}. Needs root.
    user: Option<Text>,
    /// tcprove listens and starts `cmd` for each connection, with the connection as stdin and stdout, as inetd does.
    #[serde(default)]
    stdio: bool,
    /// tcprove listens and passes the socket as descriptor 3 (LISTEN_FDS, as systemd does). A string is the name of the
    /// socket (LISTEN_FDNAMES).
    #[schemars(with = "Option<BoolOrText>")]
    activation: Option<At<Scalar>>,
    /// Only one instance can run at a time, for example because it locks a file.
    #[serde(default)]
    singleton: bool,
    /// The signal that asks the server to stop gracefully. Default: TERM.
    #[schemars(extend("enum" = SIGNALS))]
    stop: Option<Text>,
    /// The signal that asks the server to read its settings again while it serves.
    #[schemars(extend("enum" = RELOAD_SIGNALS))]
    reload: Option<Text>,
    /// When the server is ready. Default: "listen".
    ready: Option<At<ReadyValue>>,
    /// How long the server may take to be ready. Default: "10s".
    #[schemars(with = "Option<String>")]
    ready_timeout: Option<At<Scalar>>,
    /// Values for {name} in `cmd`, `env`, `files`, `prepare` and `beside`. `--param` sets them, and a sweep varies them.
    #[serde(default)]
    params: BTreeMap<Text, Scalar>,
}

// The schema of a value that is a boolean or a string. No documentation: that of the key counts.
#[derive(JsonSchema)]
#[schemars(untagged, inline)]
#[expect(dead_code, reason = "describes the schema only")]
enum BoolOrText {
    Bool(bool),
    Text(String),
}

/// When the server is ready.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "\"listen\", \"exchange\" or a table, as in { stdout = \"regex\" }"
)]
enum ReadyValue {
    /// When it listens.
    Listen,
    /// When it listens and the first [[talk.turn]] works, for servers that listen before they are ready.
    Exchange,
    /// A regex: when it prints a line that matches on stdout. A group `port` is the port it chose.
    Stdout(Text),
    /// As `stdout`, for stderr.
    Stderr(Text),
    /// As `stdout`, for both.
    Output(Text),
}

/// The content of a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    deny_unknown_fields,
    expecting = "a string or { text = \"...\", mode = \"0600\" }"
)]
enum FileValue {
    /// Its text.
    Text(Text),
    /// Its text and its permissions.
    Mode {
        /// The permissions as octal digits, as in "0755". Default: "0644".
        mode: Text,
        /// Its text.
        text: Text,
    },
}

impl At<ServerTable> {
    /// The name of the server and how it is started. The supervisor is still missing.
    pub(super) fn launch(self, context: &Context<'_>) -> Read<(String, Launch)> {
        let table = self.value;
        let params = parameters(table.params)?;
        let mut launch = Launch::new("", command("cmd", table.cmd, &params)?);
        launch.env = environment(table.env, &params)?;
        launch.files = files(table.files, &params)?;
        launch.prepare = commands("prepare", table.prepare, &params)?;
        launch.beside = commands("beside", table.beside, &params)?;
        launch.params = params;
        launch.cwd = context.dir.join(table.cwd.as_deref().unwrap_or("."));
        launch.singleton = table.singleton;
        launch.user = table.user.map(user).transpose()?;
        if let Some(name) = table.stop {
            launch.stop = signal("stop", &name, &SIGNALS)?;
        }
        if let Some(name) = table.reload {
            let signal = signal("reload", &name, &RELOAD_SIGNALS)?;
            if signal == launch.stop {
                return Err(name.fault("`reload` is the signal that stops the server"));
            }
            launch.reload = Some(signal);
        }
        if let Some(limit) = table.ready_timeout {
            launch.ready_timeout = limit.parse("ready_timeout", text::duration)?;
        }
        let name = match table.name {
            Some(name) if name.value.trim().is_empty() => return Err(name.fault("`name` is empty")),
            Some(name) => name.value,
            None => default_name(&launch),
        };
        launch.listening = listening(table.stdio, table.activation.as_ref(), &name)?;
        if let Some(value) = table.ready {
            launch.ready = value.ready(&launch.listening)?;
        }
        Ok((name, launch))
    }
}

impl At<ReadyValue> {
    fn ready(self, listening: &Listening) -> Read<Ready> {
        let at = self.start..self.end;
        let (stream, line) = match self.value {
            ReadyValue::Listen => return Ok(Ready::Listen),
            ReadyValue::Exchange => return Ok(Ready::Exchange),
            ReadyValue::Stdout(line) => (ReadyStream::Stdout, line),
            ReadyValue::Stderr(line) => (ReadyStream::Stderr, line),
            ReadyValue::Output(line) => (ReadyStream::Either, line),
        };
        if *listening == Listening::PerConnection {
            let message =
                "with `stdio` the command is started for a connection, so it prints nothing before";
            return Err(super::Fault::new(at, message).help("remove `ready`: tcprove listens"));
        }
        let regex = regex::Regex::new(&line.value).map_err(|error| {
            let why = error.to_string();
            line.fault(format!("bad regex: {}", pattern::last_line(&why)))
        })?;
        Ok(Ready::Line(stream, regex))
    }
}

/// Who listens.
fn listening(stdio: bool, activation: Option<&At<Scalar>>, server: &str) -> Read<Listening> {
    let activated = activation.filter(|value| value.value.0 != "false");
    let Some(activation) = activated else {
        return Ok(if stdio {
            Listening::PerConnection
        } else {
            Listening::Server
        });
    };
    if stdio {
        let message = "`stdio` and `activation` exclude each other";
        let help = "`stdio` starts the command for each connection, `activation` once with the listening socket";
        return Err(activation.fault(message).help(help));
    }
    let name = match activation.value.0.as_str() {
        "true" => {
            let plain = |letter: char| match letter {
                letter if letter.is_ascii_alphanumeric() => letter,
                _ => '-',
            };
            format!("{}.socket", server.chars().map(plain).collect::<String>())
        }
        name => name.to_owned(),
    };
    let is_plain = name
        .chars()
        .all(|letter| letter.is_ascii_graphic() && letter != ':');
    if name.is_empty() || name.len() > 255 || !is_plain {
        let message = "not a name of a socket: 1 to 255 printable characters without `:`";
        return Err(activation.fault(message).help("write `activation = true`"));
    }
    Ok(Listening::Inherited { name })
}

fn user(name: Text) -> Read<String> {
    if name.value.trim().is_empty() || name.value.contains('\0') {
        return Err(name
            .fault("`user` is empty")
            .help("write the name of a user of this system"));
    }
    Ok(name.value)
}

fn commands(
    key: &str,
    commands: Vec<At<OneOrMore<Text>>>,
    params: &BTreeMap<String, String>,
) -> Read<Vec<Vec<String>>> {
    let commands = commands.into_iter();
    commands.map(|words| command(key, words, params)).collect()
}

fn files(
    files: BTreeMap<Text, FileValue>,
    params: &BTreeMap<String, String>,
) -> Read<BTreeMap<PathBuf, LaunchFile>> {
    let mut found = BTreeMap::new();
    for (path, value) in files {
        check_path(Path::new(&path.value)).map_err(|why| {
            path.fault(why)
                .help("write a path as in \"app.conf\" or \"conf.d/app.conf\"")
        })?;
        let (text, mode) = match value {
            FileValue::Text(text) => (text, FILE_MODE),
            FileValue::Mode { mode, text } => (text, permissions(&mode)?),
        };
        check_text(&text, "a file", params)?;
        let file = LaunchFile {
            text: text.value,
            mode,
        };
        found.insert(PathBuf::from(path.value), file);
    }
    Ok(found)
}

fn permissions(mode: &Text) -> Read<u32> {
    let bits = u32::from_str_radix(&mode.value, 8)
        .ok()
        .filter(|bits| *bits <= 0o7777);
    let is_octal = mode.value.bytes().all(|byte| byte.is_ascii_digit());
    bits.filter(|_| is_octal).ok_or_else(|| {
        let message = format!("`{}` is not a file mode", mode.value.escape_debug());
        mode.fault(message)
            .help("write octal digits, as in \"0600\" or \"0755\"")
    })
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

fn signal(key: &str, name: &Text, signals: &[&'static str]) -> Read<i32> {
    let upper = name.value.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = signals.contains(&bare).then(|| signal_number(bare));
    known.flatten().ok_or_else(|| {
        let message = format!("unknown signal `{}` for `{key}`", name.value.escape_debug());
        name.fault(message)
            .maybe_help(did_you_mean(bare, signals.iter().copied()))
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
        check_word(value, "the environment", params)?;
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
