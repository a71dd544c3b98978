//! Pages in a browser: what they show at the widths of a desk and of a phone, light and dark, and that nothing is cut off.
//!
//! The browser measures a copy of the page with a script; the page itself has none.

use std::process::Command;

use serde_json::Value;

use crate::support::{Bench, alone, data, is_in_path, python, skip};

/// The names of Chromium in different distributions.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// What the browser measures: sizes, colours, what is visible, what is wider than the window, and what a filter leaves.
const MEASURE: &str = include_str!("data/pages/measure.js");

/// What it measures of a flame graph.
const FLAME: &str = include_str!("data/pages/flame.js");

/// A page that frames the copy at a width, and writes down what it sends.
const FRAME: &str = r#"<!doctype html><style>:root { color-scheme: light dark }</style>
<iframe src="copy.html" style="width: WIDTHpx; height: 900px; border: 0"></iframe>
<script>addEventListener("message", (event) => document.body.append(event.data))</script>"#;

/// Minimum contrast of text, by WCAG 2.2, 1.4.3.
const CONTRAST_MIN: f64 = 4.5;

/// A browser. `None`, and a skip, if there is none.
fn browser() -> Option<&'static str> {
    let found = BROWSERS.into_iter().find(|name| is_in_path(name));
    if found.is_none() {
        skip::may_lack("chromium");
    }
    found
}

/// The page of the tutorial's server, which fails some of these checks.
fn tutorial(bench: &Bench) -> Option<()> {
    let python = python()?;
    let script = data("tutorial_server.py");
    let ended = bench.run([
        "check",
        "--talk",
        "tutorial",
        "--only",
        "start-ready,utf8-invalid,utf8-split-char,rst-on-connect,over-buffer,zero-length,split-bytewise",
        "--seed",
        "7",
        "--html",
        "page.html",
        "--",
        python,
        "-ES",
        &script,
        "{port}",
        "loop",
    ]);
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    Some(())
}

/// What the script measures in a browser of a page in a window of this width.
fn measured(bench: &Bench, browser: &str, script: &str, width: u32, is_dark: bool) -> Value {
    let page = bench.read("page.html");
    assert!(!page.contains("<script"));
    let copy = page.replace("</body>", &format!("<script>{script}</script></body>"));
    bench.write("copy.html", &copy);
    // A window is at least 500 px wide, a frame is not.
    let file = bench.write("frame.html", &FRAME.replace("WIDTH", &width.to_string()));
    let profile = bench.path("profile");
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.args(["--window-size=1400,1000", "--virtual-time-budget=20000"]);
    let scheme = if is_dark { 0 } else { 1 };
    command.arg(format!("--blink-settings=preferredColorScheme={scheme}"));
    command.arg(format!("file://{}", file.display()));
    let ended = bench.end(command);
    let begin = ended
        .stdout
        .find("measured{")
        .map(|at| at + "measured".len());
    let Some((begin, end)) = begin.zip(ended.stdout.find("}measured")) else {
        panic!("nothing was measured: {}", ended.all());
    };
    serde_json::from_str(&ended.stdout[begin..=end]).unwrap()
}

#[test]
fn a_page_of_a_check_looks_right_in_every_window() {
    let Some(browser) = browser() else { return };
    let bench = Bench::new();
    if tutorial(&bench).is_none() {
        return;
    }
    for (width, is_dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let seen = measured(&bench, browser, MEASURE, width, is_dark);
        let where_ = format!("{width} px, dark: {is_dark}: {seen:#}");
        assert_eq!(seen["width"], width, "{where_}");
        assert_eq!(seen["overflow"], 0, "{where_}");
        assert_eq!(seen["wider"], Value::Array(Vec::new()), "{where_}");
        assert_eq!(seen["dark"], is_dark, "{where_}");
        for (what, is_visible) in seen["visible"].as_object().unwrap() {
            assert_eq!(*is_visible, true, "{what}: {where_}");
        }
        for (what, contrast) in seen["contrast"].as_object().unwrap() {
            assert!(
                contrast.as_f64().unwrap() >= CONTRAST_MIN,
                "{what}: {where_}"
            );
        }
        // Clients at the left, the server at the right.
        assert_eq!(seen["arrows"], true, "{where_}");
        // Filtered by outcome, then by a group that has none with it, then not at all.
        let counts = &seen["filtered"];
        assert_eq!(counts["all"], 7, "{where_}");
        assert_eq!(counts["fail"], 3, "{where_}");
        assert_eq!(counts["none"], 0, "{where_}");
        assert_eq!(counts["sentence"], true, "{where_}");
        assert_eq!(counts["again"], 7, "{where_}");
        // A link from what to do leads to the details, and opens them.
        assert_eq!(seen["opened"], true, "{where_}");
    }
}

/// The page of a failed gate draws the calls, and what got worse is red in them.
#[test]
fn a_failed_gate_shows_the_function_in_every_window() {
    let Some(browser) = browser() else { return };
    let Some(python) = python().filter(|_| skip::is_slow("a gate of up to a minute")) else {
        return;
    };
    let _alone = alone();
    let bench = Bench::new();
    let server = format!("{python} {} {{port}}", data("places/server.py"));
    let candidate = format!("{server} respond");
    let words = ["gate", "--talk", "line", "--base", &server, "--candidate"];
    let more = [&candidate, "--sessions", "7", "--html", "page.html"];
    let ended = bench.run(words.iter().chain(&more));
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    for (width, is_dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let seen = measured(&bench, browser, FLAME, width, is_dark);
        let where_ = format!("{width} px, dark: {is_dark}: {seen:#}");
        assert_eq!(seen["overflow"], 0, "{where_}");
        for what in ["shows", "red", "above"] {
            assert_eq!(seen[what], true, "{what}: {where_}");
        }
        assert!(
            seen["label"].as_str().unwrap().starts_with("respond"),
            "{where_}"
        );
        assert!(seen["part"].as_f64().unwrap() > 0.2, "{where_}");
        assert_eq!(seen["spills"], Value::Array(Vec::new()), "{where_}");
    }
}

/// `check --sweep` and a run that could not be made have pages too.
#[test]
fn every_run_of_check_has_a_page() {
    let bench = Bench::new();
    let sweep = ["--sweep", "accept4:1:EPERM", "--embedded", "--seed", "7"];
    let ended = bench.run(["check", "--html", "calls.html"].iter().chain(&sweep));
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let page = bench.read("calls.html");
    assert!(page.contains("<code>accept4:1</code>"), "{page}");
    assert!(page.contains("EPERM served"), "{page}");

    let server = ["--talk", "tutorial", "--", "false", "{port}"];
    let ended = bench.run(["check", "--html", "error.html"].iter().chain(&server));
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let page = bench.read("error.html");
    assert!(page.contains("The run could not be made"), "{page}");
    assert!(page.contains("the server exited with code 1"), "{page}");

    let ended = bench.run(["check", "--html", "usage.html", "--no-such-option"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(bench.read("usage.html").contains("--no-such-option"));
}
