//! `[limits]`: written by `tcprove init --learn`, and kept by loads, sweeps and campaigns.

use serde_json::Value;

use crate::support::battery::file_stating;
use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, data, python};

/// The command of the small server with limits: connections, requests, bytes, idle seconds, and how it says no.
fn command(limits: [&str; 4], how: &str, lock: &str) -> Option<Vec<String>> {
    let server = data("limits/server.py");
    let words = [python()?, &server, "{port}"].into_iter().chain(limits);
    Some(words.chain([how, lock]).map(str::to_owned).collect())
}

/// Runs `tcprove init --learn` with these arguments on a small server.
fn init(bench: &Bench, arguments: &[&str], command: Vec<String>) -> Ended {
    let arguments = ["init", "--learn"].iter().chain(arguments).chain(&["--"]);
    let arguments = arguments.map(|word| (*word).to_owned());
    bench.run(arguments.chain(command))
}

/// What the file of the bench has in force.
fn in_force(bench: &Bench) -> toml::Table {
    let text = std::fs::read_to_string(bench.path("tcprove.toml")).unwrap();
    text.parse().unwrap()
}

/// The file holds, and a change of the server is noticed.
#[test]
fn init_learns_the_limits_of_a_server() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let Some(cmd) = command(["20", "7", "1023", "0.5"], "closed", "") else {
        return;
    };
    let ended = init(&bench, &[], cmd);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let learned = "learned   accepts 20 connections at the same time (connection 21: the server ";
    assert!(ended.stdout.contains(learned), "{}", ended.all());
    assert!(!ended.stdout.contains("limits-hold"), "{}", ended.all());
    let limits = &in_force(&bench)["limits"];
    for (key, number) in [
        ("connections", 20),
        ("requests_per_connection", 7),
        ("message_bytes", 1023),
    ] {
        assert_eq!(limits[key].as_integer(), Some(number), "{limits:#?}");
    }
    // Idle connections are closed by a timer of the server, which may be late.
    let idle = limits["idle_close"].as_str().unwrap();
    assert!(idle.starts_with("0.") && idle.ends_with('s'), "{idle}");
    let checked = bench.run(["check", "--only", "limits-hold"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());

    let again = bench.run(["init", "--learn", "-f", "tcprove.toml"]);
    assert_eq!(again.code, Some(2), "{}", again.all());
    assert!(again.stderr.contains("delete its section [limits]"));
    let path = bench.path("tcprove.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once("[limits]").unwrap();
    std::fs::write(&path, before).unwrap();
    let again = bench.run(["init", "--learn", "-f", "tcprove.toml"]);
    assert_eq!(again.code, Some(0), "{}", again.all());
    assert!(again.stdout.contains(learned), "{}", again.all());
    assert_eq!(
        in_force(&bench)["limits"]["message_bytes"].as_integer(),
        Some(1023)
    );

    let fewer = text.replacen("\"20\"", "\"19\"", 1);
    assert_ne!(text, fewer);
    std::fs::write(&path, fewer).unwrap();
    let checked = bench.run(["check", "--only", "limits-hold"]);
    assert_eq!(checked.code, Some(1), "{}", checked.all());
    let actual = "19 connections at the same time, and of connection 20: ";
    assert!(checked.stdout.contains(actual), "{}", checked.all());
}

/// A named talk; a server without limits that runs only once.
#[test]
fn init_learns_that_a_server_runs_once() {
    let bench = Bench::new();
    let lock = bench.path("lock").display().to_string();
    let Some(cmd) = command(["1000000", "1000000", "100000000", "0"], "told", &lock) else {
        return;
    };
    let ended = init(&bench, &["--talk", "line"], cmd);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let once = "learned   runs only once at a time: of a second instance, it exited with code 1: another instance holds the lock";
    assert!(ended.stdout.contains(once), "{}", ended.all());
    let file = in_force(&bench);
    assert_eq!(file["server"]["singleton"].as_bool(), Some(true));
    assert!(!file.contains_key("limits"), "{file:#?}");
    let text = std::fs::read_to_string(bench.path("tcprove.toml")).unwrap();
    assert!(text.contains("# No limit was met up to "), "{text}");
    let checked = bench.run(["check", "--only", "hol-*", "--only", "second-instance"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
}

/// A server that says something on an idle connection: the file declares it from then on.
#[test]
fn init_learns_what_comes_without_a_request() {
    let Some(python) = python() else { return };
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let server = data("pushing.py");
    let command = [python, &server, "{port}", "idle"].map(str::to_owned);
    let ended = init(&bench, &["--talk", "line"], command.to_vec());
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let told = "learned   sends \"tick\\n\" 0.8 s after a reply, without a request";
    assert!(ended.stdout.contains(told), "{}", ended.all());
    let file = in_force(&bench);
    assert_eq!(
        file["talk"]["push"][0]["match"].as_str(),
        Some("tick\n"),
        "{file:#?}"
    );
    let checked = bench.run(["check", "--only", "silent-reader", "--only", "hol-idle"]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
}

/// A load on the small server whose file has this section `[limits]`.
fn load(bench: &Bench, limits: &str, params: &[&str], arguments: &[&str]) -> (Ended, Value) {
    let limits = format!("[limits]\n{limits}\n");
    let file = file_stating("limits", &limits, &bench.path("."));
    let json = bench.path("load.json");
    let json_path = json.display().to_string();
    let mut all = vec!["load", "-f", &file, "--json", &json_path];
    all.extend(params.iter().flat_map(|param| ["--param", param]));
    all.extend(arguments);
    all.extend(["--duration", "500ms", "--warmup", "100ms"]);
    let ended = bench.run(all);
    let report = std::fs::read_to_string(json).unwrap();
    (ended, serde_json::from_str(&report).unwrap())
}

#[test]
fn a_load_does_not_ask_for_more_connections_than_stated() {
    if python().is_none() {
        return;
    }
    let bench = Bench::new();
    let limits = "connections = 20";
    let (ended, report) = load(&bench, limits, &["connections=20"], &["-c", "21"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    let message = report["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`connections = 20` in [limits]"),
        "{message}"
    );
    // The default is within the limit.
    let (ended, report) = load(&bench, limits, &["connections=20"], &[]);
    assert_eq!(report["plan"]["connections"], 20, "{report:#}");
    assert_eq!(report["metrics"]["wrong_replies"], 0, "{}", ended.all());
}

/// Connections are reopened before the server closes them, which loses nothing.
#[test]
fn a_load_reopens_connections_within_the_stated_requests() {
    if python().is_none() {
        return;
    }
    let bench = Bench::new();
    let arguments = ["-c", "4"];
    let params = ["requests=7", "how=closed"];
    let (ended, report) = load(&bench, "requests_per_connection = 7", &params, &arguments);
    let validity = &report["validity"];
    assert_eq!(validity["connections_lost"], 0, "{}", ended.all());
    assert!(
        report["metrics"]["planned_closes"].as_u64() > Some(4),
        "{report:#}"
    );
    assert!(
        ended.stderr.contains("reopened after 7 requests"),
        "{}",
        ended.all()
    );
}

/// Campaigns cross no limit by themselves: what a server does beyond one is no finding.
#[test]
fn a_campaign_stays_within_limits() {
    if python().is_none() {
        return;
    }
    let bench = Bench::new();
    let limits = "[limits]\nconnections = 3\nrequests_per_connection = 5\nmessage_bytes = 2000\n";
    let file = file_stating("limits", limits, &bench.path("."));
    let mut all = vec!["fuzz", "-f", &file, "--duration", "4s", "--seed", "7"];
    for param in ["connections=3", "requests=5", "bytes=2000", "how=closed"] {
        all.extend(["--param", param]);
    }
    let ended = bench.run(all);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}
