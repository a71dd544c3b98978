//! `[server]`: how it is started, stopped, and known to be ready.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::read::{Section, Text, Value, entries, table, text, wrong_type};
use super::talk::template_fault;
use super::{Context, Fault, Read, StopSignal};
use crate::talk::template::{Form, RenderError, Template, TemplatePiece};
use crate::text::did_you_mean;

pub(super) const KEYS: &[&str] = &[
    "name",
    "cmd",
    "env",
    "cwd",
    "stop",
    "reload",
    "ready",
    "ready_timeout",
    "params",
];

/// Identifiers with a meaning of their own, which no parameter may take.
const RESERVED: [&str; 5] = ["port", "tmp", "tok", "payload", "len"];

/// How the server is started, stopped, and known to be ready.
#[derive(Debug, Clone)]
pub struct ServerSection {
    /// What it is called in reports; the command's own name by default.
    pub name: String,
    /// The command; every `{name}` in it is `port`, `tmp` or a parameter.
    pub cmd: Vec<String>,
    /// Added to the environment; templates as in `cmd`. To be shown redacted.
    pub env: BTreeMap<String, String>,
    /// Where it is started, already relative to the file's folder.
    pub cwd: PathBuf,
    /// The signal for a graceful stop.
    pub stop: StopSignal,
    /// The signal that makes it read its configuration again, if it does.
    pub reload: Option<StopSignal>,
    /// How it is known to be ready.
    pub ready: Ready,
    /// How long that may take.
    pub ready_timeout: Option<Duration>,
    /// Parameters with their defaults, as text.
    pub params: BTreeMap<String, String>,
}

/// How a server is known to be ready.
#[derive(Debug, Clone)]
pub enum Ready {
    /// It listens, as the kernel says.
    Listen,
    /// A line of its standard output matches.
    Stdout(regex::Regex),
}

impl ServerSection {
    /// A section with nothing but a command, as `--talk NAME -- CMD` gives it.
    pub fn from_cmd(cmd: Vec<String>) -> Self {
        Self {
            name: default_name(&cmd),
            cmd,
            env: BTreeMap::new(),
            cwd: PathBuf::from("."),
            stop: StopSignal::TERM,
            reload: None,
            ready: Ready::Listen,
            ready_timeout: None,
            params: BTreeMap::new(),
        }
    }

    /// The program's file name.
    pub fn program(&self) -> &str {
        let program = self.cmd.first().map(String::as_str).unwrap_or_default();
        program.rsplit('/').next().unwrap_or_default()
    }

    /// Checks every `{name}` of the command and the environment against the parameters. For commands
    /// that did not come out of a file; a file's own are checked already.
    ///
    /// # Errors
    /// A sentence that says what is wrong, with the near name.
    pub fn check_names(&self) -> Result<(), String> {
        self.cmd
            .iter()
            .chain(self.env.values())
            .try_for_each(|template| known_names(template, &self.params))
            .map_err(|(message, _, help)| match help {
                Some(help) => format!("{message} ({help})"),
                None => message,
            })
    }

    /// The command and the environment with everything filled in: `values` (`port`, `tmp` and
    /// changed parameters) first, else the parameters' defaults.
    ///
    /// # Errors
    /// A name with no value, or a value that is not UTF-8.
    pub fn render(
        &self,
        values: &BTreeMap<String, String>,
    ) -> Result<(Vec<String>, BTreeMap<String, String>), RenderError> {
        let mut all = self.params.clone();
        all.extend(values.clone());
        let cmd = self
            .cmd
            .iter()
            .map(|word| fill(word, &all))
            .collect::<Result<_, _>>()?;
        let env = self
            .env
            .iter()
            .map(|(name, value)| Ok((name.clone(), fill(value, &all)?)))
            .collect::<Result<_, _>>()?;
        Ok((cmd, env))
    }
}

/// Fills the placeholders of one word of a command.
///
/// # Errors
/// A name with no value. A word that is no template (an unbalanced brace) is left as it is: words
/// that come out of a file have been checked.
pub fn fill(word: &str, values: &BTreeMap<String, String>) -> Result<String, RenderError> {
    let Ok(template) = Template::parse(word) else {
        return Ok(word.to_owned());
    };
    template
        .pieces()
        .iter()
        .try_fold(String::new(), |mut filled, piece| {
            match piece {
                TemplatePiece::Text(text) => filled.push_str(text),
                TemplatePiece::Slot(slot) => {
                    let name = slot.name.as_str();
                    let value = values
                        .get(name)
                        .ok_or_else(|| RenderError::Unbound(name.to_owned()))?;
                    match slot.form {
                        Form::Plain => filled.push_str(value),
                        Form::Decimal => filled.push_str(&value.len().to_string()),
                        Form::Binary(_) => return Err(RenderError::NotText(name.to_owned())),
                    }
                }
            }
            Ok(filled)
        })
}

type Unknown = (String, String, Option<String>);

/// The first placeholder that is neither `port`, `tmp` nor a parameter: message, fragment, help.
fn known_names(word: &str, params: &BTreeMap<String, String>) -> Result<(), Unknown> {
    let template =
        Template::parse(word).map_err(|error| (error.message, error.fragment, error.help))?;
    for slot in template.slots() {
        let name = slot.name.as_str();
        let known = ["port", "tmp"]
            .into_iter()
            .chain(params.keys().map(String::as_str));
        if !known.clone().any(|known| known == name) {
            let message = format!("nothing is known for `{{{name}}}` in a command");
            let help = did_you_mean(name, known)
                .map(|near| format!("{near} parameters are declared in [server.params]"));
            return Err((message, format!("{{{name}}}"), help));
        }
        if matches!(slot.form, Form::Binary(_)) {
            let message = "a binary length cannot stand in a command".to_owned();
            return Err((message, String::new(), None));
        }
    }
    Ok(())
}

pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Read<ServerSection> {
    let section = Section::new(value, "[server]", KEYS)?;
    let params = match section.get("params") {
        Some(value) => read_params(value)?,
        None => BTreeMap::new(),
    };
    let cmd = read_cmd(&section, &params)?;
    let name = match section.text("name")? {
        Some(name) if name.value.trim().is_empty() => {
            return Err(name.fault("`name` is empty"));
        }
        Some(name) => name.value.to_owned(),
        None => default_name(&cmd),
    };
    let cwd = section.text("cwd")?.map_or(".", |cwd| cwd.value);
    Ok(ServerSection {
        name,
        env: read_env(&section, &params)?,
        cwd: context.dir.join(cwd),
        stop: read_signal(&section, "stop")?.unwrap_or(StopSignal::TERM),
        reload: read_signal(&section, "reload")?,
        ready: read_ready(&section)?,
        ready_timeout: section.duration("ready_timeout")?,
        cmd,
        params,
    })
}

/// The file name of the program.
fn default_name(cmd: &[String]) -> String {
    let program = cmd.first().map(String::as_str).unwrap_or_default();
    let name = program.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "server" } else { name }.to_owned()
}

fn read_cmd(section: &Section<'_>, params: &BTreeMap<String, String>) -> Read<Vec<String>> {
    let Some(value) = section.get("cmd") else {
        return Err(section.missing("cmd", "it is the command that starts the server"));
    };
    if matches!(value.get_ref(), DeValue::String(_)) {
        let fault = wrong_type(value, "cmd", "a list of words");
        return Err(fault
            .help("write [\"program\", \"argument\"]; a shell line is [\"sh\", \"-c\", \"...\"]"));
    }
    let words = section.texts("cmd")?;
    if words.first().is_none_or(|word| word.value.is_empty()) {
        return Err(
            Fault::new(value.span(), "`cmd` is empty: it starts the server")
                .help("write the program and its arguments, with {port} where the port goes"),
        );
    }
    for word in &words {
        check_word(word, params)?;
    }
    Ok(words
        .into_iter()
        .map(|word| word.value.to_owned())
        .collect())
}

fn check_word(word: &Text<'_>, params: &BTreeMap<String, String>) -> Read<()> {
    if word.value.contains('\0') {
        return Err(word.fault("a command or its environment cannot have a NUL in it"));
    }
    known_names(word.value, params)
        .map_err(|(message, fragment, help)| template_fault(word, message, fragment, help))
}

fn read_env(
    section: &Section<'_>,
    params: &BTreeMap<String, String>,
) -> Read<BTreeMap<String, String>> {
    let Some(value) = section.get("env") else {
        return Ok(BTreeMap::new());
    };
    let mut env = BTreeMap::new();
    for (name, value) in entries(table(value, "env")?) {
        if name.value.is_empty() || name.value.contains(['=', '\0']) {
            return Err(name.fault("not a name of an environment variable"));
        }
        let value = text(value, name.value)?;
        check_word(&value, params)?;
        env.insert(name.value.to_owned(), value.value.to_owned());
    }
    Ok(env)
}

fn read_signal(section: &Section<'_>, key: &str) -> Read<Option<StopSignal>> {
    let Some(name) = section.text(key)? else {
        return Ok(None);
    };
    match StopSignal::from_name(name.value) {
        Some(signal) => Ok(Some(signal)),
        None => {
            let upper = name.value.to_uppercase();
            let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
            let message = format!("unknown signal `{}` for `{key}`", name.value.escape_debug());
            Err(name
                .fault(message)
                .maybe_help(did_you_mean(bare, StopSignal::names())))
        }
    }
}

fn read_ready(section: &Section<'_>) -> Read<Ready> {
    let Some(value) = section.get("ready") else {
        return Ok(Ready::Listen);
    };
    let wanted = "\"listen\" or { stdout = \"regex\" }";
    match value.get_ref() {
        DeValue::String(word) if word == "listen" => Ok(Ready::Listen),
        DeValue::String(word) => Err(Fault::new(
            value.span(),
            format!("`ready` must be {wanted}, not \"{}\"", word.escape_debug()),
        )
        .maybe_help(
            (word != "stdout")
                .then(|| did_you_mean(word, ["listen"]))
                .flatten(),
        )),
        DeValue::Table(_) => {
            let table = Section::new(value, "`ready`", &["stdout"])?;
            let Some(pattern) = table.text("stdout")? else {
                return Err(table.missing("stdout", "the line that says it is ready"));
            };
            let regex = regex::Regex::new(pattern.value).map_err(|error| {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default();
                pattern.fault(format!("bad regex: {}", why.trim_start_matches("error: ")))
            })?;
            Ok(Ready::Stdout(regex))
        }
        _ => Err(wrong_type(value, "ready", wanted)),
    }
}

fn read_params(value: &Value<'_>) -> Read<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    for (name, value) in entries(table(value, "[server.params]")?) {
        let identifier = name
            .value
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !identifier {
            let message = format!("`{}` is not an identifier", name.value.escape_debug());
            return Err(name
                .fault(message)
                .help("letters, digits and _, so that {name} can stand for it"));
        }
        if RESERVED.contains(&name.value) {
            let message = format!("`{}` has a meaning of its own", name.value);
            return Err(name.fault(message).help("give the parameter another name"));
        }
        let written = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => decimal(number.as_str(), number.radix()),
            DeValue::Float(number) => number.as_str().replace('_', ""),
            DeValue::Boolean(flag) => flag.to_string(),
            _ => {
                return Err(wrong_type(
                    value,
                    name.value,
                    "a string, a number, true or false",
                ));
            }
        };
        params.insert(name.value.to_owned(), written);
    }
    Ok(params)
}

/// `0x10` is written for people; the server gets 16.
fn decimal(digits: &str, radix: u32) -> String {
    i128::from_str_radix(digits, radix)
        .map_or_else(|_| digits.to_owned(), |number| number.to_string())
}
