//! TLS, Unix sockets and PROXY headers: the battery on the reference server, planted faults, loads and campaigns over
//! each of them.
//!
//! By default each transport runs in one model; with `TCPROVE_SLOW=N`, all combinations run N times.

use serde_json::Value;

use crate::support::alone;
use crate::support::battery::{check, tcprove};
use crate::support::skip::{is_slow, is_thorough, slow_rounds};

/// Values of the parameter `transport` of the embedded server.
const TRANSPORTS: [&str; 6] = [
    "tls",
    "starttls",
    "unix",
    "proxy-v1",
    "tls+proxy-v2",
    "tls+unix",
];
const MODELS: [&str; 5] = [
    "sequential",
    "threads",
    "prefork",
    "tokio-current",
    "tokio-multi",
];

/// Checks that a server which serves one client at a time cannot pass.
const SEQUENTIAL_CANNOT_PASS: [&str; 2] = ["tls-stalled-handshake", "proxy-late"];

fn battery(transport: &str, model: &str) {
    let (transport_parameter, model_parameter) =
        (format!("transport={transport}"), format!("model={model}"));
    let checked = check([
        "--embedded",
        "--param",
        &transport_parameter,
        "--param",
        &model_parameter,
    ]);
    let is_known = |id: &&str| {
        model == "sequential"
            && (SEQUENTIAL_CANNOT_PASS.contains(id)
                || tcprove_server::model::SEQUENTIAL_CANNOT_PASS.contains(id))
    };
    for outcome in ["fail", "warn", "inconclusive"] {
        let mut ids = checked.ids(outcome);
        ids.retain(|id| !is_known(id));
        assert_eq!(
            ids,
            [""; 0],
            "{transport} on {model}: {outcome}\n{}",
            checked.shown()
        );
    }
    assert!(
        checked.ids("pass").len() >= 18,
        "{transport} on {model}\n{}",
        checked.shown()
    );
}

#[test]
fn tls_passes_in_tokio() {
    if !is_thorough() {
        return;
    }
    battery("tls", "tokio-current");
}

#[test]
fn unix_passes_in_prefork() {
    if !is_thorough() {
        return;
    }
    battery("unix", "prefork");
}

#[test]
fn starttls_passes_in_threads() {
    if !is_thorough() {
        return;
    }
    battery("starttls", "threads");
}

#[test]
fn tls_behind_a_proxy_passes_in_threads() {
    if !is_thorough() {
        return;
    }
    battery("tls+proxy-v2", "threads");
}

#[test]
fn every_transport_passes_in_every_model() {
    for _ in 0..slow_rounds(1, "minutes of batteries") {
        for transport in TRANSPORTS {
            for model in MODELS {
                battery(transport, model);
            }
        }
    }
}

/// Runs `tcprove selftest --checks` with these arguments. Returns the rows.
fn matrix(arguments: &[&str]) -> Vec<Value> {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("matrix.json");
    let output = tcprove()
        .args(["selftest", "--checks", "--json"])
        .arg(&json)
        .args(arguments)
        .output()
        .expect("tcprove runs");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    let text = std::fs::read_to_string(&json).expect("the rows are written");
    serde_json::from_str(&text).expect("the rows are JSON")
}

/// Every planted fault of a plain server is caught over TLS too, unless its check needs plain text.
#[test]
fn the_fault_matrix_over_tls() {
    if !is_slow("minutes of faults") {
        return;
    }
    let rows = matrix(&["--transport", "tls"]);
    let caught = rows.iter().filter(|row| row["ok"] == true).count();
    assert!(caught >= 40, "{caught} of {} faults caught", rows.len());
}

#[test]
fn a_broken_handshake_is_caught() {
    if !is_thorough() {
        return;
    }
    let rows = matrix(&["--only", "tls-one-record", "--only", "proxy-read-once"]);
    assert_eq!(rows.len(), 2);
}

/// The report of a load on the embedded server over this transport.
fn load(transport: &str, arguments: &[&str]) -> Value {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let json = folder.path().join("report.json");
    let output = tcprove()
        .args(["load", "--embedded", "--no-progress", "--duration", "300ms"])
        .args(["--warmup", "100ms", "-c", "8", "--verify", "all"])
        .args(["--param", &format!("transport={transport}"), "--json"])
        .arg(&json)
        .args(arguments)
        .output()
        .expect("tcprove runs");
    let text = std::fs::read_to_string(&json).expect("the report is written on every exit");
    let report: Value = serde_json::from_str(&text).expect("the report is JSON");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(report["metrics"]["ops"].as_u64() > Some(50), "{shown}");
    assert_eq!(report["metrics"]["wrong_replies"], 0, "{shown}");
    assert_eq!(report["validity"]["connections_lost"], 0, "{shown}");
    report
}

#[test]
fn loads_over_tls_count_handshakes_apart() {
    if !is_thorough() {
        return;
    }
    for transport in ["tls", "starttls", "tls+unix+proxy-v2"] {
        let report = load(transport, &[]);
        assert_eq!(report["metrics"]["handshake_us"]["count"], 8, "{transport}");
    }
    // A connection for each request.
    let report = load("tls", &["--churn", "1"]);
    let (handshakes, connects) = (
        &report["metrics"]["handshake_us"]["count"],
        &report["metrics"]["connects"],
    );
    assert!(handshakes.as_u64() >= connects.as_u64(), "{report}");
}

#[test]
fn loads_over_unix_sockets_and_behind_headers_have_no_handshakes() {
    if !is_thorough() {
        return;
    }
    for transport in ["unix", "proxy-v1", "unix+proxy-v2"] {
        let report = load(transport, &["--pipeline", "4"]);
        assert_eq!(
            report["metrics"]["handshake_us"],
            Value::Null,
            "{transport}"
        );
    }
}

#[test]
fn campaigns_run_over_each_transport() {
    if !is_thorough() {
        return;
    }
    for transport in ["tls", "unix", "proxy-v2"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let json = folder.path().join("report.json");
        let output = tcprove()
            .args([
                "fuzz",
                "--embedded",
                "--no-progress",
                "--duration",
                "5s",
                "--seed",
                "1",
                "--feedback",
                "shape",
            ])
            .args(["--param", &format!("transport={transport}")])
            .args([
                "--param",
                "fault=format-string",
                "--stop-on-first",
                "--json",
            ])
            .arg(&json)
            .arg("--out")
            .arg(folder.path().join("out"))
            .output()
            .expect("tcprove runs");
        let text = std::fs::read_to_string(&json).expect("the report is written on every exit");
        let report: Value = serde_json::from_str(&text).expect("the report is JSON");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            report["executions"].as_u64() > Some(4),
            "{transport}: {shown}"
        );
    }
}
