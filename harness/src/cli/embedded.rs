//! The embedded reference server as a target. Each of its parameters is a flag of `tcprove serve`.

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::builtin::builtin;
use super::prepared::{PreparedTarget, executable};
use super::reach;
use crate::process::Launch;
use crate::report::RunError;
use crate::subject::Origin;
use crate::text;

/// Prepares the server that `--embedded` and `--param` describe. A planted fault sets the defaults of
/// the protocol and the model.
pub(super) fn from_parameters(
    params: &[(String, String)],
    seed: u64,
) -> Result<PreparedTarget, RunError> {
    let given: BTreeMap<String, String> = params.iter().cloned().collect();
    check_flags(&given)?;
    let planted = given.get("fault").and_then(|name| {
        let all = tcprove_server::fault::all();
        all.iter().find(|fault| fault.name == name.as_str())
    });
    let mut params = BTreeMap::from([("protocol".to_owned(), "line".to_owned())]);
    if let Some(fault) = planted {
        params.insert("protocol".into(), fault.protocol.to_string());
        params.insert("model".into(), fault.model.to_string());
        if let Some(transport) = reach::of_fault(fault) {
            params.insert(reach::PARAMETER.into(), transport.into());
        }
    }
    params.extend(given);
    with(&params, seed)
}

/// Prepares the reference server with these parameters, each a flag of `tcprove serve`.
pub(super) fn with(
    params: &BTreeMap<String, String>,
    seed: u64,
) -> Result<PreparedTarget, RunError> {
    let mut params = params.clone();
    let reach = reach::take(&mut params)?;
    let protocol = params.get("protocol").map_or("line", String::as_str);
    let mut file = builtin(protocol)?;
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
    let name = format!("the embedded reference server ({protocol})");
    launch.params = params;
    let launch = reach.apply(launch, &mut file)?;
    let origin = Origin::Spawn(Box::new(launch));
    Ok(PreparedTarget::new(file, origin, name, seed, true))
}

/// Fails unless each parameter is a flag of `tcprove serve` with a valid value.
fn check_flags(params: &BTreeMap<String, String>) -> Result<(), RunError> {
    let cli = super::Cli::command();
    let Some(serve) = cli.find_subcommand("serve") else {
        return Ok(());
    };
    let flags: Vec<String> = serve
        .get_arguments()
        .filter_map(|flag| flag.get_long().map(|long| long.replace('-', "_")))
        .collect();
    for (name, value) in params.iter().filter(|(name, _)| *name != reach::PARAMETER) {
        let known = name.replace('-', "_");
        if !flags.contains(&known) {
            let near = text::nearest(&known, flags.iter().map(String::as_str))
                .map_or(String::new(), |near| format!(": did you mean `{near}`?"));
            return Err(RunError::usage(format!(
                "the embedded server has no parameter `{name}`{near} (`tcprove serve --help` lists them as flags)"
            )));
        }
        let words = [
            "serve".to_owned(),
            format!("--{}", known.replace('_', "-")),
            value.clone(),
        ];
        if let Err(error) = serve.clone().try_get_matches_from(words) {
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            return Err(RunError::usage(format!(
                "--param {name}={value}: {} (`tcprove serve --help` lists the allowed values)",
                message.trim_start_matches("error: ")
            )));
        }
    }
    Ok(())
}
