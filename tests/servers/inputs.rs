//! Small servers of three kinds that once could not be described: lengths in digits, further ports, and replies that end
//! with the connection. Whole batteries need `TCPROVE_SLOW=2`; without it, a few checks run.

use crate::support::battery::{Checked, check, data, have};
use crate::support::skip::slow_rounds;

/// What runs without `TCPROVE_SLOW=2`.
const FEW: [&str; 6] = [
    "--only",
    "split-*",
    "--only",
    "crosstalk",
    "--only",
    "over-buffer",
];

fn checked(server: &str) -> Option<Checked> {
    if !have("python3") {
        return None;
    }
    let file = data(server).join("tcprove.toml");
    let few = match slow_rounds(2, "a whole battery") {
        0 => &FEW[..],
        _ => &[],
    };
    let file = file.to_str().expect("a path in UTF-8");
    Some(check(["-f", file].iter().chain(few)))
}

/// Asserts that nothing fails or is inconclusive, and that of the skipped checks none needs a frame or a second port.
fn is_sound(server: &str) {
    let Some(checked) = checked(server) else {
        return;
    };
    for outcome in ["fail", "inconclusive"] {
        let ids = checked.ids(outcome);
        assert_eq!(ids, [""; 0], "{}", checked.shown());
    }
    let passed = checked.ids("pass").len();
    assert!(passed >= 6, "{passed} passed\n{}", checked.shown());
    for id in checked.ids("skip") {
        let reason = checked.outcome(id)["reason"].as_str().unwrap();
        assert!(!reason.contains("no frame"), "{id}: {reason}");
    }
}

#[test]
fn netstrings() {
    is_sound("netstring");
}

#[test]
fn a_second_port_for_each_instance() {
    is_sound("two-ports");
}

#[test]
fn a_reply_that_ends_with_the_connection() {
    let Some(checked) = checked("eof-reply") else {
        return;
    };
    for id in ["split-bytewise", "split-each-offset", "over-buffer"] {
        checked.assert(id, "fail", "wrong-reply");
    }
    let actual = checked.outcome("split-bytewise")["actual"]
        .as_str()
        .unwrap();
    assert!(actual.contains("\\nbye\\n"), "{actual}");
    if checked.ids("pass").len() > FEW.len() {
        for id in ["utf8-split-char", "utf8-split-buffer"] {
            checked.assert(id, "fail", "wrong-reply");
        }
        // Its loop accepts again and again when it has no descriptor left.
        checked.assert("emfile-live", "fail", "spin");
    }
}
