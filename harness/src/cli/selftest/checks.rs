//! `tcprove selftest --checks`: runs the check that must catch each planted fault.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use tcprove_server::fault;
use tcprove_server::fault::Fault;

use super::SelftestArgs;
use crate::check::matrix;
use crate::check::matrix::FaultRow;
use crate::cli::output::{note, say};
use crate::cli::{check, embedded, interrupt};
use crate::subject::{Origin, Subject};

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    let takes = |fault: &Fault| {
        let matches = |glob: &String| {
            glob_match::glob_match(glob, fault.name)
                || glob_match::glob_match(glob, fault.caught_by)
        };
        fault.is_for_check() && (args.only.is_empty() || args.only.iter().any(matches))
    };
    let faults: Vec<&'static Fault> = fault::all()
        .iter()
        .copied()
        .filter(|fault| takes(fault))
        .collect();
    if faults.is_empty() {
        note("error: no planted fault matches --only: `tcprove serve --list-faults` lists them");
        return ExitCode::from(4);
    }
    let interrupt = match interrupt::watch() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            note(&format!("error: {}", error.message));
            return error.exit_code().into();
        }
    };
    let _ = crate::sys::raise_nofile_limit();
    note(&format!(
        "testing {} planted faults, each with the check that must catch it",
        faults.len()
    ));
    let on_row = |row: &FaultRow| {
        note(&format!(
            "{} {}",
            if row.ok { "ok    " } else { "MISSED" },
            row.fault
        ))
    };
    let rows = matrix::run(&faults, &serve, check::control, &interrupt, &on_row);
    table(&rows);
    let caught = rows.iter().filter(|row| row.ok).count();
    say(&format!(
        "\n{caught} of {} faults caught for the planted reason, {} missed",
        faults.len(),
        faults.len() - caught
    ));
    if let Some(path) = &args.json
        && let Err(error) = std::fs::write(
            path,
            serde_json::to_string_pretty(&rows).unwrap_or_default(),
        )
    {
        note(&format!("error: cannot write {}: {error}", path.display()));
        return ExitCode::from(2);
    }
    match (interrupt.is_set(), caught == faults.len()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    }
}

/// Maximum start-up time for the fault that start-ready must catch, which sleeps for 1.5 s.
const READY_TIMEOUT: Duration = Duration::from_millis(600);

/// The reference server in the fault's protocol and model, with the fault or without.
fn serve(fault: &Fault, planted: bool) -> Subject {
    let mut params = BTreeMap::from([
        ("protocol".to_owned(), fault.protocol.to_string()),
        ("model".to_owned(), fault.model.to_string()),
    ]);
    if planted {
        params.insert("fault".into(), fault.name.into());
    }
    let mut subject = match embedded::with(&params, 1) {
        Ok(resolved) => resolved.subject,
        Err(error) => panic!("cannot describe the reference server: {}", error.message),
    };
    if fault.caught_by == "start-ready"
        && let Origin::Spawn(launch) = &mut subject.origin
    {
        launch.ready_timeout = READY_TIMEOUT;
    }
    subject
}

fn table(rows: &[FaultRow]) {
    say(&format!(
        "{:<22} {:<18} {:<13} {:<28} {:<6} seconds",
        "fault", "check", "planted", "seen", "sound"
    ));
    for row in rows {
        let seen = crate::text::escape_text(&row.seen, 90);
        let sound = crate::text::escape_text(&row.sound, 60);
        let mark = if row.ok { "" } else { "  <- missed" };
        say(&format!(
            "{:<22} {:<18} {:<13} {seen:<28} {sound:<6} {:.1}{mark}",
            row.fault, row.check, row.planted, row.seconds
        ));
    }
}
