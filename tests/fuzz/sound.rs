//! A sound server raises no alarm. Longer campaigns are for the machine that has the time:
//! `TCPROVE_SLOW=N` gives each protocol and model N times ten seconds.

use super::fuzz;
use crate::support::Bench;
use crate::support::skip::slow_rounds;

fn no_finding(parameters: &[&str], end: [&str; 2]) {
    let bench = Bench::new();
    let mut words = vec!["--embedded", end[0], end[1]];
    for parameter in parameters {
        words.extend(["--param", parameter]);
    }
    let fuzzed = fuzz(&bench, &words);
    assert_eq!(
        fuzzed.ended.code,
        Some(0),
        "{parameters:?}: {}",
        fuzzed.ended.all()
    );
    assert!(fuzzed.findings().is_empty());
    assert!(fuzzed.report["executions"].as_u64().unwrap() > 100);
    assert!(fuzzed.report["coverage"]["edges"].as_u64().unwrap() > 1);
}

#[test]
fn each_protocol() {
    for protocol in ["line", "frame", "echo", "tutorial"] {
        no_finding(&[&format!("protocol={protocol}")], ["--cases", "1500"]);
    }
}

#[test]
fn each_protocol_in_each_model_for_longer() {
    let rounds = slow_rounds(1, "minutes of campaigns");
    if rounds == 0 {
        return;
    }
    let duration = format!("{}s", 10 * rounds);
    for protocol in ["line", "frame", "echo", "tutorial"] {
        no_finding(
            &[&format!("protocol={protocol}")],
            ["--duration", &duration],
        );
    }
    for model in ["sequential", "threads", "prefork", "tokio-current"] {
        no_finding(&[&format!("model={model}")], ["--duration", &duration]);
    }
}

#[test]
fn as_many_cases_as_were_asked_for() {
    let bench = Bench::new();
    let words = ["--embedded", "--cases", "301", "--jobs", "2", "--seed", "7"];
    let fuzzed = fuzz(&bench, &words);
    assert_eq!(fuzzed.report["executions"], 301, "{}", fuzzed.ended.all());
    assert_eq!(fuzzed.report["seed"], 7);
    assert_eq!(fuzzed.ended.code, Some(0));
}
