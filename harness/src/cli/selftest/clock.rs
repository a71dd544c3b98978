//! `tcprove selftest --clock`: compares the latencies that a load reports with the known delays of the
//! server.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use super::SelftestArgs;
use crate::cli::output::{note, say};
use crate::cli::rehearse::rehearsal_error;
use crate::cli::{embedded, interrupt};
use crate::load::clock::{ClockProof, delayed, stalled};
use crate::load::cores;
use crate::process::{Server, StartOptions, Tmp};
use crate::report::RunError;
use crate::subject::{Interrupt, Subject, start};

/// The known delays, in the syntax of `tcprove serve --delay`.
const DELAYS: [&str; 3] = ["fixed:20ms", "two-point:10ms,60ms,0.02", "exp:10ms"];

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    match prove() {
        Ok(proof) => conclude(args, &proof),
        Err(error) => {
            note(&format!("error: {}", error.message));
            error.exit_code().into()
        }
    }
}

fn prove() -> Result<ClockProof, RunError> {
    let interrupt = interrupt::watch()?;
    let mut whole = ClockProof::default();
    let (server, subject) = serve(&BTreeMap::new())?;
    add(&mut whole, stalled(&server, &subject.talk, &interrupt))?;
    drop(server);
    let folder = Tmp::new().map_err(|error| {
        RunError::internal(format!("cannot create a temporary folder: {error}"))
    })?;
    for delay in DELAYS {
        if interrupt.is_set() {
            break;
        }
        add(&mut whole, one_delay(delay, folder.path(), &interrupt)?)?;
    }
    Ok(whole)
}

fn one_delay(
    delay: &str,
    folder: &Path,
    interrupt: &Interrupt,
) -> Result<Result<ClockProof, crate::load::engine::EngineError>, RunError> {
    let log = folder.join(delay.replace([':', ','], "-"));
    let params = BTreeMap::from([
        ("delay".to_owned(), delay.to_owned()),
        ("delay_log".to_owned(), log.display().to_string()),
    ]);
    let (server, subject) = serve(&params)?;
    Ok(delayed(&server, &subject.talk, interrupt, delay, &log))
}

fn add<E: ToString>(whole: &mut ClockProof, part: Result<ClockProof, E>) -> Result<(), RunError> {
    let part = part.map_err(|error| RunError::internal(error.to_string()))?;
    whole.rows.extend(part.rows);
    whole.spoiled.extend(part.spoiled);
    Ok(())
}

/// Starts the reference server on a core that the load does not use.
fn serve(params: &BTreeMap<String, String>) -> Result<(Server, Subject), RunError> {
    let mut all = BTreeMap::from([
        ("protocol".to_owned(), "line".to_owned()),
        ("model".to_owned(), "tokio-current".to_owned()),
        ("recv_buffer".to_owned(), "65536".to_owned()),
    ]);
    all.extend(params.clone());
    let resolved = embedded::with(&all, 1)?;
    let options = StartOptions {
        cpus: cores(1).map(|(_, server)| server),
        ..StartOptions::default()
    };
    let server = start(&resolved.subject, options)
        .map_err(|failure| rehearsal_error(&failure.into(), &resolved))?;
    Ok((server, resolved.subject))
}

fn conclude(args: &SelftestArgs, proof: &ClockProof) -> ExitCode {
    say(&format!(
        "{:<26} {:<6} {:>12} {:>12} {:>8} {:>8}",
        "case", "", "expected", "reported", "off", "allowed"
    ));
    for row in &proof.rows {
        say(&format!(
            "{:<26} {:<6} {:>9.3} ms {:>9.3} ms {:>6.2} % {:>6.1} %{}",
            row.case,
            row.percentile,
            row.expected_us / 1e3,
            row.reported_us / 1e3,
            row.off_percent,
            row.allowed_percent,
            if row.holds() { "" } else { "  <- off" }
        ));
    }
    for reason in &proof.spoiled {
        say(&format!("not trustworthy: {reason}"));
    }
    if let Some(path) = &args.json
        && let Err(error) = std::fs::write(
            path,
            serde_json::to_string_pretty(proof).unwrap_or_default(),
        )
    {
        note(&format!("error: cannot write {}: {error}", path.display()));
        return ExitCode::from(2);
    }
    let off = proof.rows.iter().filter(|row| !row.holds()).count();
    say(&format!(
        "\n{} of {} figures are within the allowed error",
        proof.rows.len() - off,
        proof.rows.len()
    ));
    match (off, proof.spoiled.is_empty()) {
        (0, true) => ExitCode::SUCCESS,
        (_, false) => ExitCode::from(5),
        _ => ExitCode::from(1),
    }
}
