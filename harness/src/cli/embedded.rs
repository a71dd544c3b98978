//! The reference server that is built in, as a target: each of its parameters is a flag of
//! `tcprove serve`.

use crate::text;
use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::target::{Resolved, builtin, executable, resolved, usage};
use crate::process::Launch;
use crate::report::RunError;
use crate::subject::Origin;

/// The server that `--embedded` and its `--param`s ask for. A planted fault brings its own protocol
/// and model where none is given.
pub(super) fn from_parameters(
    params: &[(String, String)],
    seed: u64,
) -> Result<Resolved, RunError> {
    let given: BTreeMap<String, String> = params.iter().cloned().collect();
    known_flags(&given)?;
    let planted = given.get("fault").and_then(|name| {
        let all = tcprove_server::fault::all();
        all.iter().find(|fault| fault.name == name.as_str())
    });
    let mut params = BTreeMap::from([("protocol".to_owned(), "line".to_owned())]);
    if let Some(fault) = planted {
        params.insert("protocol".into(), fault.protocol.to_string());
        params.insert("model".into(), fault.model.to_string());
    }
    params.extend(given);
    with(&params, seed)
}

/// The reference server with these parameters, each a flag of `tcprove serve`.
pub(super) fn with(params: &BTreeMap<String, String>, seed: u64) -> Result<Resolved, RunError> {
    let protocol = params.get("protocol").map_or("line", String::as_str);
    let file = builtin(protocol)?;
    let mut cmd = vec![
        executable()?.display().to_string(),
        "serve".into(),
        "--port".into(),
        "{port}".into(),
    ];
    for name in params.keys() {
        cmd.extend([
            format!("--{}", name.replace('_', "-")),
            format!("{{{name}}}"),
        ]);
    }
    let mut launch = Launch::new(executable()?, cmd);
    launch.params = params.clone();
    let name = format!("the embedded reference server ({protocol})");
    Ok(resolved(file, Origin::Spawn(launch), name, seed, true))
}

/// A parameter of the embedded server is a flag of `tcprove serve`, and is read as that flag is.
fn known_flags(params: &BTreeMap<String, String>) -> Result<(), RunError> {
    let cli = super::Cli::command();
    let Some(serve) = cli.find_subcommand("serve") else {
        return Ok(());
    };
    let flags: Vec<String> = serve
        .get_arguments()
        .filter_map(|flag| flag.get_long().map(|long| long.replace('-', "_")))
        .collect();
    for (name, value) in params {
        let known = name.replace('-', "_");
        if !flags.contains(&known) {
            let near = text::nearest(&known, flags.iter().map(String::as_str))
                .map_or(String::new(), |near| format!(": did you mean `{near}`?"));
            return Err(usage(format!(
                "the embedded server has no parameter `{name}`{near} (`tcprove serve --help` shows them, as flags)"
            )));
        }
        let words = [
            "serve".to_owned(),
            format!("--{}", known.replace('_', "-")),
            value.clone(),
        ];
        if let Err(error) = serve.clone().try_get_matches_from(words) {
            let said = error.to_string();
            let said = said.lines().next().unwrap_or_default();
            return Err(usage(format!(
                "--param {name}={value}: {} (`tcprove serve --help` shows what it takes)",
                said.trim_start_matches("error: ")
            )));
        }
    }
    Ok(())
}
