//! Generates the reproducer in Python.

use super::conformance::{self, Recorded};
use super::template::{fill, part};
use super::{AnswerPattern, LoginRecipe, PlainStep, Recipe, Scaled, ServerRecipe, Waits};
use crate::fuzz::{Case, Data, DataPart, Finding, FindingKind, SendStep, Step};

const TEMPLATE: &str = include_str!("python.txt");
/// Maximum characters of a line, where it can be broken.
const LINE_MAX: usize = 100;
/// Maximum bytes of a literal on one of several lines.
const LITERAL_BYTES: usize = 64;
/// Modules that parts of the template use.
const MODULES: [&str; 15] = [
    "contextlib",
    "glob",
    "math",
    "os",
    "random",
    "re",
    "signal",
    "socket",
    "struct",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "types",
];

/// The whole program.
pub(super) fn text(finding: &Finding, recipe: &Recipe) -> String {
    let mut client = client(finding);
    if super::logs_in(finding, recipe) {
        client = part(TEMPLATE, "log-in").to_owned() + "\n\n" + &client;
    }
    let mut body: Vec<String> = vec![constants(finding, recipe), cases(finding), client];
    let mut add = |name: &str| body.push(part(TEMPLATE, name).to_owned());
    add("run");
    add("unclear");
    let starts = matches!(recipe.server, ServerRecipe::Start { .. });
    if !starts {
        add("attached");
    }
    let needs_process = matches!(
        finding.symptom.kind,
        FindingKind::Leak | FindingKind::Complexity
    ) || finding.symptom.kind == FindingKind::Crash && starts;
    if needs_process {
        add("processes");
    }
    if matches!(
        finding.symptom.kind,
        FindingKind::Hang | FindingKind::Starvation
    ) {
        let login = match recipe.logins.is_empty() {
            true => "",
            false => {
                "                if isinstance(request, int):\n                    log_in(conn, server.addr, request)\n                    continue\n"
            }
        };
        body.push(fill(part(TEMPLATE, "plain"), &[("LOGIN", login)]));
    }
    let judge = match finding.symptom.kind {
        FindingKind::Crash | FindingKind::Panic | FindingKind::Flood if !starts => {
            format!("judge-{}-attached", finding.symptom.kind.name())
        }
        kind => format!("judge-{}", kind.name()),
    };
    body.push(fill(part(TEMPLATE, &judge), &[("WRONG", &wrong(finding))]));
    body.push(part(TEMPLATE, "main").to_owned());
    if starts {
        body.insert(5, fresh(finding.symptom.kind));
    }
    let body: Vec<&str> = body.iter().map(|part| part.trim_end()).collect();
    let body = body.join("\n\n\n");
    head(finding, starts, &body) + &body + "\n"
}

/// Whether the kind can be judged without the process and its output.
fn can_connect(kind: FindingKind) -> bool {
    !matches!(
        kind,
        FindingKind::Crash | FindingKind::Panic | FindingKind::Flood
    )
}

fn head(finding: &Finding, starts: bool, body: &str) -> String {
    let usage = match (starts, can_connect(finding.symptom.kind)) {
        (false, _) => "usage-attach",
        (true, true) => "usage-start",
        (true, false) => "usage-start-only",
    };
    let modules = MODULES.iter().filter(|module| uses(body, module));
    let imports: Vec<&str> = modules.copied().collect();
    let values = [
        ("ID", finding.id.as_str()),
        ("USAGE", part(TEMPLATE, usage).trim_end()),
        ("IMPORTS", &format!("import {}", imports.join(", "))),
        ("TITLE", &super::one_line(&finding.symptom.title)),
    ];
    fill(part(TEMPLATE, "head"), &values)
}

/// Whether the program uses the module.
fn uses(body: &str, module: &str) -> bool {
    let whole_word =
        |at: usize| !body[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_');
    let mut found = body.match_indices(module);
    found.any(|(at, _)| whole_word(at) && body[at + module.len()..].starts_with('.'))
}

fn fresh(kind: FindingKind) -> String {
    let (or_connect, connect) = match can_connect(kind) {
        true => (
            ", or uses the one given with --connect",
            part(TEMPLATE, "connect"),
        ),
        false => ("", ""),
    };
    let stdout = match kind {
        FindingKind::Flood => "log",
        _ => "subprocess.DEVNULL",
    };
    let values = [
        ("OR_CONNECT", or_connect),
        ("CONNECT", connect),
        ("STDOUT", stdout),
    ];
    fill(part(TEMPLATE, "fresh"), &values)
}

fn constants(finding: &Finding, recipe: &Recipe) -> String {
    let mut lines = Vec::new();
    match &recipe.server {
        ServerRecipe::Attach { addr } => lines.push(format!("ADDR = {}", string(addr))),
        ServerRecipe::Start {
            env,
            cwd,
            ready_timeout_ms,
            ..
        } => {
            let list = |words: &[String]| {
                words
                    .iter()
                    .map(|word| string(word))
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            lines.push(format!("CMD = [{}]", list(&recipe.server.command())));
            lines.push(format!("CWD = {}", string(&cwd.to_string_lossy())));
            let note = if env.is_empty() {
                ""
            } else {
                "  # set these before running: their values are not stored here"
            };
            lines.push(format!("ENV = [{}]{note}", list(env)));
            lines.push(format!("READY_S = {}", seconds(*ready_timeout_ms)));
        }
    }
    if super::logs_in(finding, recipe) {
        lines.push("# Programs that log in, and their folders.".into());
        let login = |login: &LoginRecipe| {
            let words: Vec<String> = login.words.iter().map(|word| string(word)).collect();
            let folder = string(&login.dir.to_string_lossy());
            format!("    ([{}], {folder}),\n", words.join(", "))
        };
        let logins: String = recipe.logins.iter().map(login).collect();
        lines.push(format!("LOGINS = [\n{logins}]"));
    }
    let waits = Waits::of(finding.symptom.kind, recipe);
    let waits = [waits.reply_ms, waits.quiet_ms, waits.end_ms].map(seconds);
    lines.push(format!(
        "WAIT_S, QUIET_S, END_S = {}  # waits for a reply, for more of it, for the server's close",
        waits.join(", ")
    ));
    if matches!(
        finding.symptom.kind,
        FindingKind::Hang | FindingKind::Starvation
    ) {
        lines.push("# The plain turn: what is sent, and a pattern that its reply contains.".into());
        let step = |step: &PlainStep| match step {
            PlainStep::Turn(turn) => {
                format!("    ({}, {}),\n", literal(&turn.send), answer(&turn.answer))
            }
            PlainStep::Login(number) => format!("    ({number}, None),  # a login\n"),
        };
        lines.push(format!(
            "PLAIN = [\n{}]",
            recipe.plain.iter().map(step).collect::<String>()
        ));
        lines.push(format!("PLAIN_S = {}", seconds(recipe.plain_wait_ms)));
    }
    if finding.symptom.kind == FindingKind::Conformance {
        match conformance::recorded(finding) {
            Recorded::Wrong(reply) => lines.push(format!(
                "WRONG = {}",
                data(&reply.into(), Scaled::No, "    ")
            )),
            Recorded::Right(regex) => lines.push(format!("RIGHT = {}", literal(regex.as_bytes()))),
            Recorded::Nothing => {}
        }
    }
    lines.join("\n")
}

/// A Python expression that is true for a wrong `reply`.
fn wrong(finding: &Finding) -> String {
    match conformance::recorded(finding) {
        Recorded::Wrong(_) => "reply == WRONG".into(),
        Recorded::Right(_) => "not re.search(RIGHT, reply)".into(),
        Recorded::Nothing => "unclear(\"the wrong reply was not recorded\")".into(),
    }
}

fn answer(answer: &AnswerPattern) -> String {
    match answer {
        AnswerPattern::Nothing => "b\"\"".into(),
        AnswerPattern::Any => "b\"(?s).\"".into(),
        AnswerPattern::Exact(bytes) => format!("b\"^\" + re.escape({})", literal(bytes)),
        AnswerPattern::Regex(source) => literal(source.as_bytes()),
    }
}

/// The client class with the methods that the cases need.
fn client(finding: &Finding) -> String {
    let divergence = finding.symptom.kind == FindingKind::Divergence;
    let option = match finding.symptom.kind {
        FindingKind::Divergence => "\n    cut = True\n",
        FindingKind::Complexity => "\n    scale = 1  # factor for the repetitions\n",
        _ => "",
    };
    let mut text = fill(part(TEMPLATE, "client"), &[("OPTION", option)]);
    // `receive` is always part of the client, which uses it at the end of each connection.
    let parts = super::parts_used(finding).into_iter();
    for name in parts.filter(|name| *name != "receive") {
        let uncut = if divergence {
            " if self.cut else [len(data)]"
        } else {
            ""
        };
        text.push_str(&fill(part(TEMPLATE, name), &[("UNCUT", uncut)]));
    }
    text
}

fn cases(finding: &Finding) -> String {
    let scaled = Scaled::of(finding);
    let mut text = String::new();
    for (number, case) in finding.cases.iter().enumerate() {
        text.push_str(&format!(
            "def case_{}(c):\n{}\n\n\n",
            number + 1,
            steps(case, scaled)
        ));
    }
    let names: Vec<String> = (1..=finding.cases.len())
        .map(|number| format!("case_{number}"))
        .collect();
    text + &format!("CASES = [{}]", names.join(", "))
}

fn steps(case: &Case, scaled: Scaled) -> String {
    let lines: Vec<String> = case
        .steps
        .iter()
        .map(|one| format!("    {}", step(one, scaled)))
        .collect();
    match lines.is_empty() {
        true => "    pass  # connecting is enough".into(),
        false => lines.join("\n"),
    }
}

fn step(step: &Step, scaled: Scaled) -> String {
    match step {
        Step::Send(send) => sent(send, scaled),
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

fn sent(send: &SendStep, scaled: Scaled) -> String {
    let bytes = data(&send.data, scaled, "        ");
    let cuts: Vec<String> = send.cuts.iter().map(u32::to_string).collect();
    match cuts.is_empty() {
        true => format!("c.send({bytes})"),
        false => format!("c.send({bytes}, cuts=[{}])", cuts.join(", ")),
    }
}

/// An expression for the data, on one line or several.
fn data(data: &Data, scaled: Scaled, indent: &str) -> String {
    let scale = if scaled == Scaled::No {
        ""
    } else {
        " * c.scale"
    };
    let parts = scaled.parts(data);
    let terms = parts.iter().map(|part| match part {
        DataPart::Bytes(bytes) => {
            let literals: Vec<String> = bytes.chunks(LITERAL_BYTES).map(literal).collect();
            literals.join(&format!("\n{indent}"))
        }
        DataPart::Repeat { unit, count } => format!("{} * {count}{scale}", literal(unit)),
    });
    let terms: Vec<String> = terms.collect();
    let line = terms.join(" + ");
    if line.len() <= LINE_MAX && !line.contains('\n') {
        return line;
    }
    // Lines may be broken anywhere inside parentheses.
    format!("(\n{indent}{})", terms.join(&format!("\n{indent}+ ")))
}

/// A bytes literal.
pub(super) fn literal(bytes: &[u8]) -> String {
    format!(
        "b\"{}\"",
        bytes.escape_ascii().to_string().replace("\\'", "'")
    )
}

/// An ASCII string literal.
fn string(text: &str) -> String {
    let char = |char: char| match char {
        '"' | '\\' => format!("\\{char}"),
        ' '..='~' => char.to_string(),
        _ => format!("\\U{:08x}", u32::from(char)),
    };
    format!("\"{}\"", text.chars().map(char).collect::<String>())
}

fn seconds(ms: u64) -> String {
    format!("{}", ms as f64 / 1000.0)
}
