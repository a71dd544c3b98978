//! `tcprove explain`: what a check asks for, what it does, and what to look at when it fails.

use std::process::ExitCode;

use super::output::{laid_out, note};
use crate::check::{self, Check, Explained, cause};
use crate::fuzz::FindingKind;
use crate::report::ExitCode as Code;
use crate::report::terminal::rows;
use crate::text;

#[derive(clap::Args)]
pub(super) struct ExplainArgs {
    /// The id of a check, of a cause, of a finding or of a planted fault; `tcprove check --list` has the checks
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

pub(super) fn main(args: &ExplainArgs) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for id in &args.ids {
        match about(id) {
            Some((title, lines)) => laid_out(&|columns| rows(&title, &lines, columns)),
            None => {
                note(&format!("error: {}", unknown(id)));
                code = Code::Usage.into();
            }
        }
    }
    code
}

/// A title, and what there is to know, each with the name of its row.
type About = (String, Vec<(&'static str, String)>);

fn about(id: &str) -> Option<About> {
    if let Some(check) = check::find(id) {
        return Some((format!("{id} ({})", check.group), of_check(check)));
    }
    if let Some(cause) = cause::about(id) {
        let lines = vec![
            ("what", "a probable cause of several failures".to_owned()),
            ("because", cause.because.to_owned()),
            ("what to do", cause.look.to_owned()),
            ("shows in", cause.checks.join(", ")),
        ];
        return Some((id.to_owned(), lines));
    }
    if let Some(kind) = kind_of(id) {
        let mut lines = vec![
            ("what", "a kind of finding of `tcprove fuzz`".to_owned()),
            ("means", kind.about().to_owned()),
        ];
        if id != kind.name() {
            lines.push(("again", format!("tcprove rerun {id}")));
        }
        return Some((id.to_owned(), lines));
    }
    let fault = tcprove_server::fault::all()
        .iter()
        .find(|fault| fault.name == id)?;
    let caught_by = fault.caught_by;
    let mut lines = vec![
        (
            "what",
            "a fault that the reference server can be given".to_owned(),
        ),
        ("fault", fault.about.to_owned()),
        ("caught by", format!("{caught_by} ({})", fault.kind)),
    ];
    if check::find(caught_by).is_some() {
        lines.push(("see it", see_it(caught_by, fault.name)));
    }
    Some((id.to_owned(), lines))
}

/// The kind of a finding, by its name or by the id of one, such as `crash-0a1b2c3d`.
fn kind_of(id: &str) -> Option<FindingKind> {
    let is_hash = |rest: &str| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = match id.rsplit_once('-') {
        Some((name, rest)) if is_hash(rest) => name,
        _ => id,
    };
    FindingKind::ALL
        .into_iter()
        .find(|kind| kind.name() == name)
}

fn of_check(check: &Check) -> Vec<(&'static str, String)> {
    let Explained {
        conditions,
        counts,
        runs,
        look,
        causes,
    } = check.explained();
    let mut lines = vec![
        ("requirement", check.requirement.to_owned()),
        ("stimulus", check.stimulus.to_owned()),
        ("counts", counts.to_owned()),
        ("runs", runs),
    ];
    lines.extend(conditions.into_iter().map(|text| ("condition", text)));
    lines.extend(look.map(|text| ("if it fails", format!("look {text}"))));
    if !causes.is_empty() {
        lines.push(("causes", causes.join(", ")));
    }
    let all = tcprove_server::fault::all().iter();
    let faults: Vec<_> = all.filter(|fault| fault.caught_by == check.id).collect();
    for fault in &faults {
        lines.push(("fault", format!("{}: {}", fault.name, fault.about)));
    }
    if let Some(fault) = faults.first() {
        lines.push(("see it fail", see_it(check.id, fault.name)));
    }
    lines
}

/// A command in which the check catches the fault.
fn see_it(check: &str, fault: &str) -> String {
    format!("tcprove check --only {check} --embedded --param fault={fault}")
}

fn unknown(id: &str) -> String {
    let checks = check::all().map(|check| check.id);
    let faults = tcprove_server::fault::all().iter().map(|fault| fault.name);
    let near = text::suggestion(id, checks.chain(cause::ids()).chain(faults));
    format!(
        "there is no check, cause, fault or kind of finding `{id}`{near}
next: `tcprove check --list` lists the checks"
    )
}
