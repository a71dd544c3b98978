//! What a report says about figures that are right and need an explanation.

use super::{Loaded, load};
use crate::support;

fn notes(loaded: &Loaded) -> String {
    loaded.report["validity"]["notes"].to_string()
}

/// A reply in two writes waits for the client's delayed ACK, while the server has nothing to do.
#[test]
fn nagle_with_delayed_acks() {
    // A machine with much else to do is late with its timers.
    let _alone = support::alone();
    let with = |fault: &[&str]| {
        let mut arguments = vec!["--embedded"];
        arguments.extend(fault);
        arguments.extend(["-c", "4", "--duration", "1s", "--warmup", "200ms"]);
        load(&arguments)
    };
    let planted = with(&["--param", "fault=two-writes"]);
    let told = notes(&planted);
    assert!(
        told.contains("delayed-acks: "),
        "{told}: {}",
        planted.ended.all()
    );
    for part in ["delayed-acks", "TCP_NODELAY", "nagle-40ms"] {
        assert!(
            planted.ended.stdout.contains(part),
            "{}",
            planted.ended.stdout
        );
    }
    assert!(!notes(&with(&[])).contains("delayed-acks"));
}

/// Twice as many requests as one connection can carry one after the other wait for it.
#[test]
fn one_request_at_a_time_in_an_open_loop() {
    let _alone = support::alone();
    let with = |pipeline: &str| {
        load(&[
            "--embedded",
            "--rate",
            "50",
            "--pipeline",
            pipeline,
            "-c",
            "1",
            "--param",
            "fault=two-writes",
            "--duration",
            "1s",
            "--warmup",
            "200ms",
        ])
    };
    let one = with("1");
    let told = notes(&one);
    assert!(
        told.contains("one-at-a-time: "),
        "{told}: {}",
        one.ended.all()
    );
    assert!(one.ended.stdout.contains("one at a time on each"));
    let many = with("64");
    assert!(!notes(&many).contains("one-at-a-time"));
    assert!(many.ended.stdout.contains("up to 64 at a time on each"));
}
