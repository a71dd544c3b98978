//! Commands and other texts of `[server]` with placeholders.

use std::collections::BTreeMap;

use crate::file::Read;
use crate::file::value::{At, OneOrMore, Text};
use crate::process::Launch;
use crate::text::did_you_mean;
use crate::text::template::{Template, TemplateError, further_port};

/// The words of the command that is the value of `key`.
pub(super) fn command(
    key: &str,
    cmd: At<OneOrMore<Text>>,
    params: &BTreeMap<String, String>,
) -> Read<Vec<String>> {
    let words = &cmd.value.0;
    if let [word] = words.as_slice()
        && word.start == cmd.start
    {
        let help = match key {
            "cmd" => "write [\"program\", \"argument\"]; a shell line is [\"sh\", \"-c\", \"...\"]",
            _ => "write a list of commands: [[\"program\", \"argument\"]]",
        };
        return Err(cmd
            .fault(format!(
                "{} must be a list of words, not a string",
                named(key)
            ))
            .help(help));
    }
    if words.first().is_none_or(|word| word.value.is_empty()) {
        let (message, help) = match key {
            "cmd" => (
                "`cmd` is empty: it starts the server".to_owned(),
                "write the program and its arguments, with {port} where the port belongs",
            ),
            _ => (
                format!("{} is empty", named(key)),
                "write the program and its arguments",
            ),
        };
        return Err(cmd.fault(message).help(help));
    }
    for word in words {
        check_word(word, "a command", params)?;
    }
    Ok(cmd.value.0.into_iter().map(|word| word.value).collect())
}

fn named(key: &str) -> String {
    match key {
        "cmd" => "`cmd`".to_owned(),
        _ => format!("a command of `{key}`"),
    }
}

/// Checks a word of a command or the environment.
pub(super) fn check_word(word: &Text, place: &str, params: &BTreeMap<String, String>) -> Read<()> {
    if word.value.contains('\0') {
        return Err(word.fault("a command or its environment cannot contain a NUL byte"));
    }
    check_text(word, place, params)
}

/// Checks the placeholders of a text.
pub(super) fn check_text(text: &Text, place: &str, params: &BTreeMap<String, String>) -> Read<()> {
    known_names(&text.value, place, params).map_err(|error| text.bad_template(error))
}

/// Checks every `{name}` of the commands, the environment and the files against the parameters. A file's own command has
/// been checked when it was read.
///
/// # Errors
/// A sentence that says which placeholder has no value, with the near name.
pub fn check_placeholders(launch: &Launch) -> Result<(), String> {
    launch
        .texts()
        .try_for_each(|text| known_names(text, "a command", &launch.params))
        .map_err(|error| match error.help {
            Some(help) => format!("{} ({help})", error.message),
            None => error.message,
        })
}

/// The first placeholder that is neither a port nor `tmp` nor a parameter is an error.
fn known_names(
    text: &str,
    place: &str,
    params: &BTreeMap<String, String>,
) -> Result<(), TemplateError> {
    for slot in Template::parse(text)?.slots() {
        let name = slot.name.as_str();
        let known = ["port", "tmp"]
            .into_iter()
            .chain(params.keys().map(String::as_str));
        let mut error = TemplateError {
            message: String::new(),
            fragment: slot.to_string(),
            help: None,
        };
        if further_port(name).is_none() && !known.clone().any(|known| known == name) {
            error.message = format!("`{slot}` in {place} has no value");
            error.help = did_you_mean(name, known)
                .map(|near| format!("{near} Parameters are declared in [server.params]."));
            return Err(error);
        }
        if !slot.is_text() {
            error.message = format!("{place} cannot contain a binary length");
            return Err(error);
        }
    }
    Ok(())
}
