//! The embedded reference server as a target. Each of its parameters is a flag of `tcprove serve`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::CommandFactory as _;

use super::builtin::builtin;
use super::prepared::{PreparedTarget, executable};
use super::reach;
use crate::process::Launch;
use crate::report::RunError;
use crate::subject::{Family, Origin, Promise};
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
    launch.reload = Some(libc::SIGHUP);
    file.promise = promised(&file.promise, &params)?;
    let name = format!("the embedded reference server ({protocol})");
    launch.params = params;
    let launch = reach.apply(launch, &mut file)?;
    let origin = Origin::Spawn(Box::new(launch));
    Ok(PreparedTarget::new(file, origin, name, seed, true))
}

/// The server with these parameters and so many connections at once; `None` if a parameter says how many.
pub(super) fn with_connections(
    most: u64,
    params: &[(String, String)],
    seed: u64,
) -> Result<Option<PreparedTarget>, RunError> {
    let mut names = params.iter().map(|(name, _)| name.replace('-', "_"));
    if names.any(|name| name == MAX_CONNECTIONS) {
        return Ok(None);
    }
    let mut params = params.to_vec();
    params.push((MAX_CONNECTIONS.into(), most.to_string()));
    from_parameters(&params, seed).map(Some)
}

/// The parameter with the number of connections at once.
const MAX_CONNECTIONS: &str = "max_connections";
/// The number of connections that the reference server serves at once by default.
const CONNECTIONS: usize = 1000;
/// Its idle time-out by default.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// What the reference server promises with these parameters, beside what its protocol does.
fn promised(protocol: &Promise, params: &BTreeMap<String, String>) -> Result<Promise, RunError> {
    let param = |name: &str| {
        params
            .get(name)
            .or_else(|| params.get(&name.replace('_', "-")))
            .map(String::as_str)
    };
    let wrong = |name: &str| RunError::usage(format!("--param {name}: not a number"));
    let most = match param(MAX_CONNECTIONS) {
        Some(number) => number.parse().map_err(|_| wrong(MAX_CONNECTIONS))?,
        None => CONNECTIONS,
    };
    let idle = match param("idle_timeout") {
        Some(time) => text::duration(time).map_err(RunError::usage)?,
        None => IDLE_TIMEOUT,
    };
    // One serves a single client at a time, and the workers of the other have equal shares of the connections, which the
    // kernel does not divide equally.
    let is_exact = !matches!(param("model"), Some("sequential" | "prefork"));
    let mut families = vec![Family::Ipv4];
    if param("dual_stack") == Some("true") {
        families.push(Family::Ipv6);
    }
    Ok(Promise {
        max_connections: is_exact.then_some(most),
        idle_timeout: Some(idle),
        families,
        port0: Some(true),
        ..protocol.clone()
    })
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
            let near = text::suggestion(&known, flags.iter().map(String::as_str));
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
