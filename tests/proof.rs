//! A pass needs proof: faults that a check would overlook if it took a pause for a limit, the first reply for the only one, or
//! a stimulus for granted.

use crate::support::Bench;
use crate::support::battery::{have, passes, small_server, variant};
use crate::support::skip::is_thorough;

#[track_caller]
fn fails(server: &str, how: &str, check: &str, kind: &str, part: &str) {
    if !have("python3") {
        return;
    }
    let checked = variant(server, how, &[check]);
    checked.assert(check, "fail", kind);
    let actual = checked.actual(check);
    assert!(actual.contains(part), "{actual}");
}

#[test]
fn an_answer_to_every_read() {
    for check in ["split-bytewise", "split-each-offset"] {
        let part = "after the last reply the server sent";
        fails("constant-reply", "faulty", check, "wrong-reply", part);
    }
    let checks = ["split-bytewise", "split-each-offset"];
    passes("constant-reply", "sound", &checks);
}

#[test]
fn a_line_without_end_that_is_stored_slowly() {
    if !is_thorough() {
        return;
    }
    let (check, part) = ("endless-message", "and memory grew by");
    fails("passes-easily", "keeps", check, "growth", part);
    passes("passes-easily", "stops", &[check]);
}

#[test]
fn a_slow_server_that_prints() {
    if !is_thorough() {
        return;
    }
    let (check, part) = ("stdout-blocked", "no complete reply");
    if have("python3") {
        let checked = variant("passes-easily", "prints", &[check]);
        checked.assert(check, "warn", "blocked");
        let actual = checked.actual(check);
        assert!(actual.contains(part), "{actual}");
    }
    passes("passes-easily", "sound", &[check, "nul-bytes"]);
}

#[test]
fn nuls_that_are_removed() {
    fails(
        "passes-easily",
        "drops-nul",
        "nul-bytes",
        "wrong-reply",
        "without its NULs",
    );
}

/// The server ends the connection before the stimulus is complete.
#[test]
fn a_connection_that_ends_in_the_middle_of_a_request() {
    if have("python3") {
        let checked = variant("passes-easily", "closes", &["split-bytewise"]);
        let outcome = checked.outcome("split-bytewise");
        assert_eq!(outcome["outcome"], "fail", "{outcome:#}");
        // A FIN, or a reset if the next byte was on its way.
        let kind = outcome["kind"].as_str().unwrap();
        assert!(["lost-reply", "reset"].contains(&kind), "{outcome:#}");
    }
}

/// An urgent byte may be part of the stream: then it does what the same byte does that is not urgent.
#[test]
fn an_urgent_byte_that_ends_a_connection() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let (check, part) = ("oob-byte", "reads urgent data inline");
    let checked = variant("passes-easily", "inline", &[check]);
    assert_eq!(
        checked.outcome(check)["outcome"],
        "warn",
        "{}",
        checked.shown()
    );
    assert!(checked.actual(check).contains(part), "{}", checked.shown());
    let checked = variant("passes-easily", "urgent-ends", &[check]);
    assert_eq!(
        checked.outcome(check)["outcome"],
        "fail",
        "{}",
        checked.shown()
    );
}

/// Clients that come before the stimulus, and are too many for the backlog.
#[test]
fn connections_that_wait_before_options_are_refused() {
    if !is_thorough() {
        return;
    }
    passes("passes-easily", "few-wait", &["options-refused"]);
}

/// However fast the server is: whether 400 clients are served in time behind a short queue is chance.
#[test]
fn a_backlog_of_five_is_too_short_and_one_of_sixteen_is_not() {
    if !is_thorough() {
        return;
    }
    for (backlog, code) in [(5, 1), (16, 0)] {
        let backlog = format!("backlog={backlog}");
        let words = [
            "check",
            "--embedded",
            "--param",
            &backlog,
            "--only",
            "backlog-burst",
        ];
        let ended = Bench::new().run(words);
        assert_eq!(ended.code, Some(code), "{}", ended.all());
    }
}

#[test]
fn a_listening_socket_that_is_closed_a_moment_later() {
    let (check, part) = ("serves-again", "the server serves a single client");
    fails("passes-easily", "one-client", check, "blocked", part);
}

#[test]
fn a_write_after_a_fin_and_a_reset() {
    if !is_thorough() {
        return;
    }
    fails(
        "dies-of-epipe",
        "faulty",
        "rst-mid-reply",
        "died",
        "exited with code 1",
    );
    passes(
        "dies-of-epipe",
        "sound",
        &["rst-mid-reply", "prefix-abort", "shared-decoder"],
    );
}

/// What a silent client does never reaches a server to which the kernel hands connections with their first data.
#[test]
fn a_connection_without_data_that_is_not_handed_over() {
    if !have("python3") {
        return;
    }
    let checks = ["hol-idle", "rst-on-connect", "zero-length", "hol-partial"];
    let checked = small_server("deferred", &[], &checks);
    assert_eq!(checked.ids("skip"), checks[..2], "{}", checked.shown());
    assert_eq!(checked.ids("pass").len(), 2, "{}", checked.shown());
}
