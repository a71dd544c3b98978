//! Generates the README of a finding.

use std::fmt::Write as _;
use std::path::Path;

use super::{Recipe, ServerRecipe};
use crate::fuzz::case::shown;
use crate::fuzz::{Finding, evidence_lines};
use crate::text::markdown::{code, plain};

/// Maximum steps listed of a case; the case file contains all of them.
const STEPS_SHOWN: usize = 40;

/// The symptom, the steps, the evidence and how to reproduce it.
pub(super) fn text(finding: &Finding, recipe: &Recipe, place: &Path) -> String {
    let mut text = format!("# {}: {}\n\n", finding.id, plain(&finding.symptom.title));
    let _ = writeln!(
        text,
        "Kind: {}. Reproduced on fresh servers: {}.{}\n",
        finding.symptom.kind.name(),
        finding.confirmed,
        if finding.minimal {
            ""
        } else {
            " A smaller case may exist."
        },
    );
    text.push_str("What the client does:\n\n");
    for (number, case) in finding.cases.iter().enumerate() {
        if finding.cases.len() > 1 {
            let _ = writeln!(text, "Case {}:\n", number + 1);
        }
        let steps = shown(case);
        for step in steps.iter().take(STEPS_SHOWN) {
            let _ = writeln!(text, "1. {}", code(step));
        }
        if steps.len() > STEPS_SHOWN {
            let _ = writeln!(text, "1. … and {} more", steps.len() - STEPS_SHOWN);
        }
        text.push('\n');
    }
    if !finding.symptom.evidence.is_empty() {
        text.push_str("What was measured:\n\n");
        for (name, value) in &finding.symptom.evidence {
            if let Some(lines) = evidence_lines(value) {
                let _ = writeln!(text, "- {}:", plain(name));
                for line in lines {
                    let _ = writeln!(text, "  - {}", code(line));
                }
                continue;
            }
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(text, "- {}: {}", plain(name), code(&value));
        }
        text.push('\n');
    }
    text.push_str(&how_to_run(finding, recipe, place));
    text
}

fn how_to_run(finding: &Finding, recipe: &Recipe, place: &Path) -> String {
    let replay = recipe.replay_command(place);
    let only = format!("To reproduce it, run {}.\n", code(&replay));
    let mut text = match &recipe.transport {
        _ if finding.injects() => format!(
            "{only}\nThere are no programs in Python and Rust: a client alone cannot change what system calls of the server return.\n"
        ),
        Some(transport) => format!(
            "{only}\nThe server is reached through {}.\n",
            plain(transport)
        ),
        None => programs(&replay),
    };
    text.push_str(&server_note(recipe));
    text
}

fn programs(replay: &str) -> String {
    format!(
        "To reproduce it, run one of\n\n\
        - {}\n\
        - `python3 reproduce.py`: exits with 1 if the bug is there, with 0 if it is not, with 2 if it cannot be judged\n\
        - `rustc --test --edition 2021 -o reproduce reproduce.rs && ./reproduce`: a test that fails if the bug is there\n",
        code(replay)
    )
}

/// What the server needs that is not stored here.
fn server_note(recipe: &Recipe) -> String {
    let mut text = String::new();
    match &recipe.server {
        ServerRecipe::Start { env, .. } if !env.is_empty() => {
            let names: Vec<String> = env.iter().map(|name| code(name)).collect();
            let _ = writeln!(
                text,
                "\nThe server needs {} in its environment: set it before running; its value is not stored here.",
                names.join(", ")
            );
        }
        ServerRecipe::Start { .. } => {}
        ServerRecipe::Attach { addr } => {
            let _ = writeln!(text, "\nThe server must be running at {}.", code(addr));
        }
    }
    text
}
