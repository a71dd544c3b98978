//! `--html FILE`: the report as one self-contained page.

use std::path::Path;

use crate::report::html::{self, Page};
use crate::report::{Body, Report, TargetReport};
use crate::text::escape_text;

/// Renders the page.
pub(super) fn render(report: &Report) -> String {
    let target = report.header.target.as_ref();
    let name = target.map_or("no target", |target| target.name.as_str());
    let title = match &report.body {
        // It may be of several servers.
        Body::History(_) => report.header.command.to_owned(),
        _ => format!("{}: {}", report.header.command, escape_text(name, 120)),
    };
    let commands = target.map_or(String::new(), TargetReport::commands);
    let verdict = report.verdict.word();
    let page = Page {
        title: &title,
        verdict: (!matches!(report.body, Body::History(_))).then_some(verdict),
        target: &commands,
        command_lines: vec![as_called(report.header.seed)],
        environment: &report.header.environment,
        duration_s: report.header.duration_s,
        seed: report.header.seed,
        interrupted: report.header.interrupted,
    };
    // The bodies of runs that failed have nothing to show.
    if let Some(error) = report.error.as_ref().filter(|_| report.has_no_result()) {
        return html::nothing(&page, Some(error));
    }
    match &report.body {
        Body::Load(load) => html::load(&page, &load.workload, &load.result, load.parts.as_ref()),
        Body::Sweep(sweep) => html::sweep(&page, &sweep.result),
        Body::Gate(gate) => html::gate(&page, gate),
        Body::History(history) => html::history(&page, history),
        Body::Fuzz(fuzz) => html::fuzz(&page, fuzz),
        Body::Check(checked) => html::check(&page, checked),
        Body::Calls(sweep) => html::calls(&page, sweep),
        Body::Run(whole) => html::whole(&page, whole),
        Body::Replay(replay) => html::replay(&page, replay),
        Body::Observed(observed) => html::observed(&page, &observed.seen()),
        Body::Nothing {} => html::nothing(&page, None),
    }
}

/// The command line of this process, with the seed added.
fn as_called(seed: u64) -> String {
    let words: Vec<String> = std::env::args().collect();
    let at = words
        .iter()
        .position(|word| word == "--")
        .unwrap_or(words.len());
    let (ours, server) = words.split_at(at);
    let mut all = ours.to_vec();
    if let Some(program) = all.first_mut() {
        let name = Path::new(program.as_str()).file_name();
        *program = name.map_or_else(
            || "tcprove".into(),
            |name| name.to_string_lossy().into_owned(),
        );
    }
    let takes_seed = all
        .get(1)
        .is_none_or(|command| command != "merge" && command != "history");
    if takes_seed && !all.iter().any(|word| word.starts_with("--seed")) {
        all.extend(["--seed".into(), seed.to_string()]);
    }
    all.extend(server.to_vec());
    shell_words::join(all)
}
