//! Generates the reproducer as a Rust test.

use super::template::{fill, part};
use super::{
    AnswerPattern, LoginRecipe, PlainStep, Recipe, Scaled, ServerRecipe, Waits, conformance,
};
use crate::fuzz::{Case, Data, DataPart, Finding, FindingKind, SendStep, Step};

const TEMPLATE: &str = include_str!("rust.txt");
/// Maximum characters of a line, where it can be broken.
const LINE_MAX: usize = 100;
/// Maximum bytes of a literal on one of several lines.
const LITERAL_BYTES: usize = 64;
/// Words in parts of the template, and the imports that they need.
const USES: [(&str, &str); 12] = [
    (".read(", "std::io::Read as _"),
    (".write_all(", "std::io::Write as _"),
    ("SocketAddr", "std::net::SocketAddr"),
    ("TcpListener", "std::net::TcpListener"),
    ("TcpStream", "std::net::TcpStream"),
    (".process_group(", "std::os::unix::process::CommandExt as _"),
    ("PathBuf", "std::path::PathBuf"),
    ("Child", "std::process::{Child, Command, Stdio}"),
    ("AtomicBool", "std::sync::atomic::{AtomicBool, Ordering}"),
    ("AtomicUsize", "std::sync::atomic::{AtomicUsize, Ordering}"),
    ("sleep(", "std::thread::sleep"),
    ("Duration", "std::time::{Duration, Instant}"),
];

/// The whole file.
pub(super) fn text(finding: &Finding, recipe: &Recipe) -> String {
    let starts = matches!(recipe.server, ServerRecipe::Start { .. });
    let test = fill(part(TEMPLATE, "test"), &[("NAME", &name(&finding.id))]);
    let mut body: Vec<String> = vec![constants(finding, recipe), cases(finding), test];
    body.push(judge(finding, starts));
    if matches!(
        finding.symptom.kind,
        FindingKind::Hang | FindingKind::Starvation
    ) {
        let each = match recipe.logins.is_empty() {
            true => "    for (request, answer) in PLAIN {\n",
            false => {
                "    for (place, (request, answer)) in PLAIN.iter().enumerate() {\n        \
                 if let Some((_, number)) = PLAIN_LOGINS.iter().find(|(at, _)| *at == place) {\n            \
                 log_in(&conn, *number);\n            continue;\n        }\n"
            }
        };
        body.push(fill(part(TEMPLATE, "plain"), &[("LOGIN", each)]));
    }
    if super::logs_in(finding, recipe) {
        body.push(part(TEMPLATE, "log-in").to_owned());
    }
    let stdout = match finding.symptom.kind {
        FindingKind::Flood => "stderr.try_clone().unwrap()",
        _ => "Stdio::null()",
    };
    let mut add = |name: &str| body.push(fill(part(TEMPLATE, name), &[("STDOUT", stdout)]));
    add("run");
    add(if starts { "server" } else { "attached" });
    if matches!(
        finding.symptom.kind,
        FindingKind::Leak | FindingKind::Complexity
    ) || finding.symptom.kind == FindingKind::Crash && starts
    {
        add(if starts {
            "group-started"
        } else {
            "group-attached"
        });
        add("processes");
    }
    body.push(client(finding));
    let body: Vec<&str> = body.iter().map(|part| part.trim_end()).collect();
    let body = body.join("\n\n");
    head(finding, recipe, &body) + &body + "\n"
}

fn head(finding: &Finding, recipe: &Recipe, body: &str) -> String {
    let used = USES.iter().filter(|(word, _)| body.contains(word));
    let uses: Vec<String> = used.map(|(_, path)| format!("use {path};")).collect();
    let needs = match &recipe.server {
        ServerRecipe::Start { env, .. } if !env.is_empty() => {
            "\n//! The server needs environment variables: set those listed in ENV before running."
        }
        ServerRecipe::Start { .. } => "",
        ServerRecipe::Attach { .. } => "\n//! The server must be running.",
    };
    let needs = format!(" {}{needs}", super::one_line(&finding.symptom.title));
    let values = [
        ("ID", finding.id.as_str()),
        ("NEEDS", &needs),
        ("USES", &uses.join("\n")),
    ];
    fill(part(TEMPLATE, "head"), &values) + "\n"
}

fn judge(finding: &Finding, starts: bool) -> String {
    let name = match finding.symptom.kind {
        FindingKind::Crash | FindingKind::Panic | FindingKind::Flood if !starts => {
            format!("judge-{}-attached", finding.symptom.kind.name())
        }
        FindingKind::Conformance if conformance::wrong(finding).is_none() => {
            "judge-conformance-unrecorded".into()
        }
        kind => format!("judge-{}", kind.name()),
    };
    part(TEMPLATE, &name).to_owned()
}

fn constants(finding: &Finding, recipe: &Recipe) -> String {
    let mut lines = Vec::new();
    let list = |words: &[String]| {
        words
            .iter()
            .map(|word| format!("{word:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match &recipe.server {
        ServerRecipe::Attach { addr } => lines.push(format!("const ADDR: &str = {addr:?};")),
        ServerRecipe::Start {
            env,
            cwd,
            ready_timeout_ms,
            ..
        } => {
            lines.push(format!(
                "const CMD: &[&str] = &[{}];",
                list(&recipe.server.command())
            ));
            lines.push(format!("const CWD: &str = {:?};", cwd.to_string_lossy()));
            lines.push(format!("const ENV: &[&str] = &[{}];", list(env)));
            lines.push(format!(
                "const READY: Duration = Duration::from_millis({ready_timeout_ms});"
            ));
        }
    }
    if super::logs_in(finding, recipe) {
        let login = |login: &LoginRecipe| {
            format!(
                "    (&[{}], {:?}),\n",
                list(&login.words),
                login.dir.to_string_lossy()
            )
        };
        let logins: String = recipe.logins.iter().map(login).collect();
        lines.push(format!(
            "/// Programs that log in, and their folders.\nconst LOGINS: &[(&[&str], &str)] = &[\n{logins}];"
        ));
    }
    let waits = Waits::of(finding.symptom.kind, recipe);
    let mut wait = |name: &str, what: &str, ms: u64| {
        lines.push(format!(
            "/// {what}\nconst {name}: Duration = Duration::from_millis({ms});"
        ));
    };
    if super::parts_used(finding).contains(&"receive") {
        wait("WAIT", "Maximum wait for a reply.", waits.reply_ms);
        wait(
            "QUIET",
            "Maximum wait for more of the same reply.",
            waits.quiet_ms,
        );
    }
    wait("END", "Maximum wait for the server's close.", waits.end_ms);
    if matches!(
        finding.symptom.kind,
        FindingKind::Hang | FindingKind::Starvation
    ) {
        let step = |step: &PlainStep| match step {
            PlainStep::Turn(turn) => {
                format!("    ({}, {}),\n", literal(&turn.send), answer(&turn.answer))
            }
            PlainStep::Login(_) => "    (b\"\", None),\n".to_owned(),
        };
        lines.push(format!(
            "const PLAIN: &[Plain] = &[\n{}];",
            recipe.plain.iter().map(step).collect::<String>()
        ));
        if !recipe.logins.is_empty() {
            let steps = recipe.plain.iter().enumerate();
            let logins = steps.filter_map(|(at, step)| match step {
                PlainStep::Login(number) => Some(format!("({at}, {number})")),
                PlainStep::Turn(_) => None,
            });
            let logins: Vec<String> = logins.collect();
            lines.push(format!(
                "/// The steps of `PLAIN` that are logins, and their programs.\nconst PLAIN_LOGINS: &[(usize, usize)] = &[{}];",
                logins.join(", ")
            ));
        }
        lines.push(format!(
            "const PLAIN_WAIT: Duration = Duration::from_millis({});",
            recipe.plain_wait_ms
        ));
    }
    if let Some(reply) =
        conformance::wrong(finding).filter(|_| finding.symptom.kind == FindingKind::Conformance)
    {
        lines.push(format!("const WRONG: &[u8] = {};", literal(&reply)));
    }
    lines.join("\n")
}

fn answer(answer: &AnswerPattern) -> String {
    match answer {
        AnswerPattern::Nothing => "Some(b\"\")".into(),
        AnswerPattern::Any | AnswerPattern::Regex(_) => "None".into(),
        AnswerPattern::Exact(bytes) => format!("Some({})", literal(bytes)),
    }
}

/// The client with the methods that the cases need.
fn client(finding: &Finding) -> String {
    let divergence = finding.symptom.kind == FindingKind::Divergence;
    let values: &[(&str, &str)] = match divergence {
        true => &[
            ("RESET-FIELD", "\n    was_reset: bool,"),
            ("RESET-INIT", ", was_reset: false"),
            (
                "RESET-SEEN",
                "                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {\n                    \
                 self.was_reset = true;\n                    return;\n                }\n",
            ),
            (
                "UNCUT",
                "        let cuts = if CUT.load(Ordering::Relaxed) { cuts } else { &[] };\n",
            ),
        ],
        false => &[
            ("RESET-FIELD", ""),
            ("RESET-INIT", ""),
            ("RESET-SEEN", ""),
            ("UNCUT", ""),
        ],
    };
    let mut text = fill(part(TEMPLATE, "client"), values);
    for name in super::parts_used(finding) {
        text.push_str(&fill(part(TEMPLATE, name), values));
    }
    text + part(TEMPLATE, "client-end")
}

fn cases(finding: &Finding) -> String {
    let scaled = Scaled::of(finding);
    let with_cuts = super::parts_used(finding).contains(&"send-cuts");
    let mut text = String::new();
    for (number, case) in finding.cases.iter().enumerate() {
        let name = if case.steps.is_empty() { "_" } else { "c" };
        let steps = steps(case, scaled, with_cuts);
        text.push_str(&format!(
            "fn case_{}({name}: &mut Client) {{{steps}}}\n\n",
            number + 1
        ));
    }
    let names: Vec<String> = (1..=finding.cases.len())
        .map(|number| format!("case_{number}"))
        .collect();
    text + &format!("const CASES: &[fn(&mut Client)] = &[{}];", names.join(", "))
}

fn steps(case: &Case, scaled: Scaled, with_cuts: bool) -> String {
    let lines = case
        .steps
        .iter()
        .map(|one| format!("\n    {};", step(one, scaled, with_cuts)));
    let lines: String = lines.collect();
    match lines.is_empty() {
        true => lines,
        false => lines + "\n",
    }
}

fn step(step: &Step, scaled: Scaled, with_cuts: bool) -> String {
    match step {
        Step::Send(send) => sent(send, scaled, with_cuts),
        Step::Receive => "c.receive()".into(),
        Step::Login(program) => format!("c.log_in({program})"),
        Step::DelayMs(ms) => format!("c.delay_ms({ms})"),
        Step::HalfClose => "c.half_close()".into(),
        Step::Reset => "c.reset()".into(),
        Step::Close => "c.close()".into(),
        Step::Connect => "c.connect()".into(),
        Step::Switch(to) => format!("c.switch({to})"),
        // Cases with such a step get no program.
        Step::Inject(_) => String::new(),
    }
}

fn sent(send: &SendStep, scaled: Scaled, with_cuts: bool) -> String {
    let bytes = data(&send.data, scaled);
    let cuts: Vec<String> = send.cuts.iter().map(u32::to_string).collect();
    match with_cuts {
        true => format!("c.send({bytes}, &[{}])", cuts.join(", ")),
        false => format!("c.send({bytes})"),
    }
}

/// An expression for the data, on one line or several.
fn data(data: &Data, scaled: Scaled) -> String {
    let scale = if scaled == Scaled::No {
        ""
    } else {
        " * scale()"
    };
    let mut terms = Vec::new();
    for part in scaled.parts(data) {
        match part {
            DataPart::Bytes(bytes) => {
                terms.extend(
                    bytes
                        .chunks(LITERAL_BYTES)
                        .map(|bytes| format!("{}.to_vec()", literal(bytes))),
                );
            }
            DataPart::Repeat { unit, count } => {
                terms.push(format!("{}.repeat({count}{scale})", literal(&unit)))
            }
        }
    }
    match terms.as_slice() {
        [only] if only.ends_with(".to_vec()") => only.trim_end_matches(".to_vec()").to_owned(),
        [only] => format!("&{only}"),
        _ if terms.iter().map(|term| term.len() + 2).sum::<usize>() <= LINE_MAX => {
            format!("&[{}].concat()", terms.join(", "))
        }
        _ => format!(
            "&[\n        {},\n    ]\n    .concat()",
            terms.join(",\n        ")
        ),
    }
}

/// A byte string literal.
fn literal(bytes: &[u8]) -> String {
    format!(
        "b\"{}\"",
        bytes.escape_ascii().to_string().replace("\\'", "'")
    )
}

/// The name of the test function.
fn name(id: &str) -> String {
    let char = |char: char| {
        if char.is_ascii_alphanumeric() {
            char.to_ascii_lowercase()
        } else {
            '_'
        }
    };
    format!("shows_{}", id.chars().map(char).collect::<String>())
}
