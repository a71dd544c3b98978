//! What a battery learns about a server before it judges: limits that the server sets on purpose.

use serde_json::{Value, json};

use crate::support::battery::{Checked, have, small_server, small_server_stating};
use crate::support::skip::is_thorough;

/// Runs these checks on a server with these limits.
fn limited(params: &[&str], checks: &[&str]) -> Option<Checked> {
    have("python3").then(|| small_server("limits", params, checks))
}

/// A check that opens 200 connections stays within a limit that the server tells, however it does so.
#[test]
fn a_limit_of_connections_is_a_fact() {
    for (how, then) in [
        ("told", "the server answers"),
        // A close with unread input may arrive as a reset.
        ("closed", "the server "),
    ] {
        let params = ["connections=20", &format!("how={how}")];
        let checks = ["hol-partial", "crosstalk", "rst-on-connect"];
        let Some(checked) = limited(&params, &checks) else {
            return;
        };
        assert_eq!(checked.code(), 0, "{}", checked.shown());
        let limits = &checked.report["rehearsal"]["limits"];
        assert_eq!(limits["connections"]["accepts"], 20, "{limits:#}");
        assert!(
            limits["connections"]["then"]
                .as_str()
                .unwrap()
                .starts_with(then),
            "{limits:#}"
        );
        let shown = "20 connections at the same time (connection 21: ";
        assert!(checked.shown().contains(shown), "{}", checked.shown());
    }
}

/// A client that waits for its turn behind many others has met a limit; behind a few it has met a fault.
#[test]
fn a_limit_of_clients_that_wait_their_turn_is_a_fact() {
    if !is_thorough() {
        return;
    }
    for (places, code) in [("20", 0), ("9", 1)] {
        let params = [&format!("connections={places}"), "how=queued"];
        let Some(checked) = limited(&params, &["hol-partial"]) else {
            return;
        };
        assert_eq!(checked.code(), code, "{}", checked.shown());
        let shown = "accepts 20 connections at the same time (connection 21: it waits until another one ends)";
        assert_eq!(
            checked.shown().contains(shown),
            code == 0,
            "{}",
            checked.shown()
        );
    }
}

/// A server that closes an earlier connection for the next one serves so many; one that closes what is idle has no such number.
#[test]
fn a_limit_of_clients_that_displace_others_is_a_fact() {
    for (params, accepts) in [
        (["connections=12", "how=displaces"], Some(12)),
        (["idle=0.3", "how=told"], None),
    ] {
        let Some(checked) = limited(&params, &["crosstalk", "hol-partial"]) else {
            return;
        };
        assert_eq!(checked.code(), 0, "{}", checked.shown());
        let limits = &checked.report["rehearsal"]["limits"];
        assert_eq!(
            limits["connections"]["accepts"].as_u64(),
            accepts,
            "{limits:#}"
        );
        assert_eq!(
            limits["idle_close_s"].is_null(),
            accepts.is_some(),
            "{limits:#}"
        );
    }
}

/// unbound waits less long for silent clients once it has many, and for some places ever after: how many of a few connections stay
/// open then is chance, and no limit.
#[test]
fn clients_that_are_hurried_are_no_limit_of_clients() {
    let params = ["connections=10", "how=hurries"];
    let Some(checked) = limited(&params, &["crosstalk", "herd", "shared-decoder"]) else {
        return;
    };
    assert_eq!(checked.ids("pass").len(), 3, "{}", checked.shown());
    let limits = &checked.report["rehearsal"]["limits"];
    assert!(limits["connections"].is_null(), "{limits:#}");
}

/// One turn may end the connection although others do not.
#[test]
fn a_turn_after_which_the_server_closes_is_found_out() {
    if !have("python3") {
        return;
    }
    let checked = small_server("ends-after", &[], &["nagle-40ms", "crosstalk"]);
    assert_eq!(checked.ids("pass").len(), 2, "{}", checked.shown());
    let bye = place(&checked, "talk.turn[1]").expect("a place for the turn");
    assert_eq!(bye["last"], true, "{bye:#}");
}

#[test]
fn a_limit_of_requests_is_a_fact() {
    let params = ["requests=7", "how=closed"];
    let checks = ["coalesce-100", "crosstalk", "stdout-blocked"];
    let Some(checked) = limited(&params, &checks) else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    let limit = &checked.report["rehearsal"]["limits"]["requests_per_connection"];
    assert_eq!(limit["accepts"], 7, "{limit:#}");
    // A close with unread input may arrive as a reset.
    let then = limit["then"].as_str().unwrap();
    assert!(then.starts_with("the server "), "{limit:#}");
}

/// A client that waits for ever has met a fault, not a limit.
#[test]
fn a_limit_that_nobody_is_told_of_is_a_fault() {
    if !is_thorough() {
        return;
    }
    let Some(checked) = limited(&["connections=20", "how=left"], &["hol-partial"]) else {
        return;
    };
    assert_eq!(checked.code(), 1, "{}", checked.shown());
    assert_eq!(checked.report["rehearsal"]["limits"], json!({}));
}

/// Places that are not given back are no limit: the next search finds fewer.
#[test]
fn a_limit_that_shrinks_is_a_fault() {
    let Some(checked) = limited(&["connections=150", "how=lost"], &["hol-partial"]) else {
        return;
    };
    assert_eq!(checked.code(), 1, "{}", checked.shown());
    assert_eq!(checked.report["rehearsal"]["limits"], json!({}));
}

/// Turns that depend on each other are said in their order, though the file does not state it.
#[test]
fn an_order_of_turns_is_found_out() {
    if !have("python3") {
        return;
    }
    let checks = [
        "split-each-offset",
        "utf8-split-char",
        "crosstalk",
        "over-buffer",
        "never-read",
    ];
    let checked = small_server("mail-states", &["how=sound"], &checks);
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    let text = place(&checked, "talk.turn[3]").expect("a place for the text");
    let before = ["talk.turn[0]", "talk.turn[1]", "talk.turn[2]"];
    assert_eq!(text["after"], json!(before), "{text:#}");
    assert_eq!(text["once"], true);
    let sender = place(&checked, "talk.turn[0]").expect("a place for the sender");
    assert_eq!(sender["once"], true);
    assert!(sender.get("after").is_none(), "{sender:#}");
    let shown = "talk.turn[3] only after ";
    assert!(checked.shown().contains(shown), "{}", checked.shown());
}

/// Where the search for the order takes too long, turns are said in the order of the file: no turn is taken to work alone.
#[test]
fn an_order_that_takes_too_long_to_find_is_that_of_the_file() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let checked = small_server("mail-states", &["how=late"], &["utf8-split-char"]);
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    assert_eq!(
        place(&checked, "talk.turn[3]").expect("a place for the text")["after"],
        json!(["talk.turn[0]", "talk.turn[1]", "talk.turn[2]"]),
        "{}",
        checked.shown()
    );
}

/// The place that the rehearsal found for a turn.
fn place(checked: &Checked, turn: &str) -> Option<Value> {
    let places = checked.report["rehearsal"]["order"].as_array()?;
    places.iter().find(|place| place["turn"] == turn).cloned()
}

/// The limit of the size of a message is found to the byte, however the server says it.
#[test]
fn a_limit_of_sizes_is_a_fact() {
    for (how, then) in [
        ("told", "the server answers \"too much\\n\""),
        ("closed", "the server "),
    ] {
        let params = ["bytes=1023", &format!("how={how}")];
        let checks = [
            "size-boundaries",
            "over-buffer",
            "utf8-split-buffer",
            "stdout-blocked",
        ];
        let Some(checked) = limited(&params, &checks) else {
            return;
        };
        assert_eq!(checked.code(), 0, "{}", checked.shown());
        let limit = &checked.report["rehearsal"]["limits"]["message_bytes"];
        assert_eq!(limit["accepts"], 1023, "{limit:#}");
        assert!(
            limit["then"].as_str().unwrap().starts_with(then),
            "{limit:#}"
        );
        let shown = "accepts requests of up to 1,023 bytes (one of 1,024 bytes: ";
        assert!(checked.shown().contains(shown), "{}", checked.shown());
    }
}

/// A long line that the server takes for two, or leaves without an answer, is no limit.
#[test]
fn a_size_that_is_not_refused_is_no_limit() {
    if !is_thorough() {
        return;
    }
    for how in ["cut", "left"] {
        let params = ["bytes=1023", &format!("how={how}")];
        let Some(checked) = limited(&params, &["size-boundaries"]) else {
            return;
        };
        let rehearsal = &checked.report["rehearsal"];
        assert_eq!(rehearsal["limits"], json!({}), "{rehearsal:#}");
        let bytes = rehearsal["tried"]["trouble"]["bytes"].as_u64();
        assert!(bytes.is_some_and(|bytes| bytes > 1023), "{rehearsal:#}");
    }
}

/// What `limits-hold` says about these statements.
fn stated(limits: &str, params: &[&str]) -> Option<Checked> {
    let limits = format!("[limits]\n{limits}\n");
    let checks = ["limits-hold", "hol-partial"];
    have("python3").then(|| small_server_stating("limits", &limits, params, &checks))
}

#[test]
fn stated_limits_that_hold() {
    let limits =
        "connections = 20\nrequests_per_connection = 7\nline_bytes = 1023\nidle_close = \"1s\"";
    let params = [
        "connections=20",
        "requests=7",
        "bytes=1023",
        "idle=1",
        "how=closed",
    ];
    let Some(checked) = stated(limits, &params) else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    let limits = &checked.report["rehearsal"]["limits"];
    let number = |name: &str, key: &str| limits[name][key].clone();
    for (name, most) in [
        ("connections", 20),
        ("requests_per_connection", 7),
        ("message_bytes", 1023),
    ] {
        assert_eq!(number(name, "stated"), most, "{limits:#}");
        assert_eq!(number(name, "accepts"), most, "{limits:#}");
    }
    let seen = &checked.outcome("limits-hold")["evidence"]["as_stated"];
    assert_eq!(seen.as_array().map(Vec::len), Some(4), "{seen:#}");
}

/// A server that now accepts less fails, and the other checks follow what it accepts now.
#[test]
fn a_server_that_accepts_less_than_stated_is_noticed() {
    if !is_thorough() {
        return;
    }
    for (limits, params, actual) in [
        (
            "connections = 20",
            "connections=15",
            "15 connections at the same time, and of connection 16: ",
        ),
        (
            "requests_per_connection = 7",
            "requests=5",
            "5 requests on a connection, and of request 6: ",
        ),
        (
            "message_bytes = 1023",
            "bytes=1000",
            "the longest request of at most 1,023 bytes is refused",
        ),
        ("idle_close = \"3s\"", "idle=0.5", "it is closed after "),
    ] {
        let Some(checked) = stated(limits, &[params]) else {
            return;
        };
        assert_eq!(checked.code(), 1, "{limits}: {}", checked.shown());
        checked.assert("limits-hold", "fail", "refused");
        assert_starts(checked.outcome("limits-hold"), actual);
        assert_eq!(checked.outcome("hol-partial")["outcome"], "pass");
    }
}

/// One that accepts more has a file that is no longer true, which is worth a warning.
#[test]
fn a_server_that_accepts_more_than_stated_is_noticed() {
    for (limits, actual) in [
        (
            "connections = 20",
            "21 connections at the same time are accepted",
        ),
        (
            "requests_per_connection = 7",
            "8 requests on a connection are accepted",
        ),
        ("line_bytes = 1023", "a request of 1,024 bytes is answered"),
    ] {
        let Some(checked) = stated(limits, &[]) else {
            return;
        };
        assert_eq!(checked.code(), 0, "{limits}: {}", checked.shown());
        checked.assert("limits-hold", "warn", "accepted");
        assert_starts(checked.outcome("limits-hold"), actual);
    }
}

/// A client beyond a stated limit that waits for ever.
#[test]
fn a_stated_limit_that_nobody_is_told_of_is_a_fault() {
    if !is_thorough() {
        return;
    }
    let Some(checked) = stated("connections = 20", &["connections=20", "how=left"]) else {
        return;
    };
    assert_eq!(checked.code(), 1, "{}", checked.shown());
    checked.assert("limits-hold", "fail", "blocked");
}

/// What takes too long is not tried, and the reason says what would.
#[test]
fn a_stated_limit_beyond_reach_is_not_tried() {
    let Some(checked) = stated("connections = 100000", &[]) else {
        return;
    };
    let outcome = checked.outcome("limits-hold");
    assert_eq!(outcome["outcome"], "skip", "{outcome:#}");
    assert_eq!(outcome["enable"], json!(["--slow"]));
}

fn assert_starts(outcome: &Value, actual: &str) {
    let text = outcome["actual"].as_str().unwrap_or_default();
    assert!(text.starts_with(actual), "{outcome:#}");
}

/// The processes, what their threads wait in, and how fast they are.
#[test]
fn a_server_at_rest_is_described() {
    let Some(checked) = limited(&[], &["hol-partial"]) else {
        return;
    };
    let rehearsal = &checked.report["rehearsal"];
    let process = &rehearsal["at_rest"][0];
    assert!(
        process["name"].as_str().unwrap().starts_with("python"),
        "{rehearsal:#}"
    );
    let threads = process["threads"].as_object().unwrap();
    let waits = |call: &String| call.starts_with("epoll_");
    assert!(threads.keys().any(waits), "{rehearsal:#}");
    for part in ["opening", "first_reply", "later_replies"] {
        let times = &rehearsal["latency"][part];
        let time = |name: &str| times[name].as_f64().unwrap();
        assert!(
            time("min_ms") > 0.0 && time("min_ms") <= time("max_ms"),
            "{times:#}"
        );
    }
    assert_eq!(rehearsal["tried"]["requests_per_connection"], 300);
    let shown = checked.shown();
    assert!(shown.contains("learned before judging, in "), "{shown}");
    assert!(shown.contains("  sleeps as: python"), "{shown}");
}

/// A server that does not start twice is started once at a time, though its file does not say so.
#[test]
fn a_server_that_runs_once_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let lock = format!("lock={}", folder.path().join("lock").display());
    let checks = [
        "second-instance",
        "hol-idle",
        "hol-partial",
        "rst-on-connect",
        "term-idle",
    ];
    let Some(checked) = limited(&[&lock], &checks) else {
        return;
    };
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    let how = checked.report["rehearsal"]["runs_once"].as_str().unwrap();
    assert!(how.ends_with("another instance holds the lock"), "{how}");
    assert_eq!(checked.outcome("second-instance")["outcome"], "skip");
    assert_eq!(checked.ids("pass").len(), 4, "{}", checked.shown());
}
