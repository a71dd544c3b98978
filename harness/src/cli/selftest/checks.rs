//! `tcprove selftest --checks`: runs the check that must catch each planted fault.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use tcprove_server::fault;
use tcprove_server::fault::Fault;

use super::SelftestArgs;
use crate::check::Need;
use crate::check::matrix::{self, FaultRow, needs};
use crate::cli::output::{note, say};
use crate::cli::reach::{self, Reach};
use crate::cli::{check, embedded, interrupt};
use crate::subject::{Family, Origin, Subject};

pub(super) fn main(args: &SelftestArgs) -> ExitCode {
    let takes = |fault: &Fault| {
        let matches = |glob: &String| {
            glob_match::glob_match(glob, fault.name)
                || glob_match::glob_match(glob, fault.caught_by)
        };
        // A fault of a transport shows only in that.
        let shows = reach::shows(fault, args.transport.as_deref());
        fault.is_for_check() && shows && (args.only.is_empty() || args.only.iter().any(matches))
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
            if row.ok {
                "ok    "
            } else if row.applies {
                "MISSED"
            } else {
                "skip  "
            },
            row.fault
        ))
    };
    let transport = args.transport.as_deref();
    if let Err(error) = transport.map_or(Ok(()), |value| Reach::parse(value).map(drop)) {
        note(&format!("error: {}", error.message));
        return error.exit_code().into();
    }
    let serve = |fault: &Fault, planted| serve(fault, planted, transport);
    let rows = matrix::run(&faults, &serve, check::control, &interrupt, &on_row);
    table(&rows);
    let caught = rows.iter().filter(|row| row.ok).count();
    let skipped = rows.iter().filter(|row| !row.applies).count();
    let missed = faults.len() - caught - skipped;
    let not_applicable = match skipped {
        0 => String::new(),
        skipped => format!(", {skipped} whose check does not apply"),
    };
    say(&format!(
        "\n{caught} of {} faults caught for the planted reason, {missed} missed{not_applicable}",
        faults.len(),
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
    match (interrupt.is_set(), missed == 0 && caught > 0) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    }
}

/// Maximum start-up time for the fault that start-ready must catch, which sleeps for 1.5 s.
const READY_TIMEOUT: Duration = Duration::from_millis(600);

/// Parameters with which the reference server promises what the check of this fault can test in a short time.
fn promising(fault: &Fault) -> impl Iterator<Item = (&'static str, &'static str)> {
    let short = [
        (Need::MaxConnections, ("max_connections", "10")),
        (Need::Limits, ("max_connections", "10")),
        (Need::IdleTimeout, ("idle_timeout", "400ms")),
        (Need::Families, ("dual_stack", "true")),
    ];
    let needed = short.into_iter().filter(|(need, _)| needs(fault, *need));
    let possible = needed.filter(|(need, _)| *need != Need::Families || has_ipv6());
    possible.map(|(_, param)| param)
}

fn has_ipv6() -> bool {
    std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// The reference server in the fault's protocol and model, with the fault or without.
fn serve(fault: &Fault, planted: bool, transport: Option<&str>) -> Subject {
    let mut params = BTreeMap::from([
        ("protocol".to_owned(), fault.protocol.to_string()),
        ("model".to_owned(), fault.model.to_string()),
    ]);
    if let Some(transport) = transport.or(reach::of_fault(fault)) {
        params.insert(reach::PARAMETER.into(), transport.into());
    }
    if fault.caught_by == "options-refused" {
        // A sound server that sets an option of each connection, too.
        params.insert("so_rcvbuf_after_accept".into(), "65536".into());
    }
    if fault.caught_by == "overload-recovery" {
        // Without any work it serves more clients than can come.
        params.insert("delay".into(), "fixed:4ms".into());
    }
    for (name, value) in promising(fault) {
        params.insert(name.to_owned(), value.to_owned());
    }
    if planted {
        params.insert("fault".into(), fault.name.into());
    }
    let mut subject = match embedded::with(&params, 1) {
        Ok(resolved) => resolved.subject,
        Err(error) => panic!("cannot describe the reference server: {}", error.message),
    };
    if needs(fault, Need::Families) {
        subject.promise.families = vec![Family::Ipv4, Family::Ipv6];
    }
    if needs(fault, Need::Limits) {
        subject.promise.limits.connections = subject.promise.max_connections;
    }
    if fault.caught_by == "keepalive" {
        // Either of the two is enough.
        subject.promise.idle_timeout = None;
    }
    if fault.caught_by == "start-ready"
        && let Origin::Spawn(launch) = &mut subject.origin
    {
        launch.ready_timeout = READY_TIMEOUT;
    }
    subject
}

fn table(rows: &[FaultRow]) {
    say(&format!(
        "{:<22} {:<21} {:<13} {:<28} {:<6} seconds",
        "fault", "check", "planted", "seen", "sound"
    ));
    for row in rows {
        let seen = crate::text::escape_text(&row.seen, 90);
        let sound = crate::text::escape_text(&row.sound, 60);
        let is_missed = row.applies && !row.ok;
        let mark = match row.tries {
            _ if is_missed => "  <- missed".to_owned(),
            1 => String::new(),
            tries => format!("  <- caught by run {tries}"),
        };
        say(&format!(
            "{:<22} {:<21} {:<13} {seen:<28} {sound:<6} {:.1}{mark}",
            row.fault, row.check, row.planted, row.seconds
        ));
    }
}
