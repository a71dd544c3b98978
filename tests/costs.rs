//! Small servers whose fault costs time, CPU or memory: each is found for its reason, and the same server without the
//! fault passes.

use crate::support::battery::{have, passes, variant};
use crate::support::skip::is_thorough;

#[test]
fn a_reply_in_two_sends() {
    if !have("python3") {
        return;
    }
    let faulty = variant("head-and-body", "faulty", &["nagle-40ms"]);
    faulty.assert("nagle-40ms", "fail", "slow");
    let actual = faulty.actual("nagle-40ms");
    assert!(
        actual.contains("replies to talk.turn[0] waited for an acknowledgement"),
        "{actual}"
    );
    passes("head-and-body", "sound", &["nagle-40ms"]);
}

#[test]
fn a_length_that_is_believed() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let faulty = variant("resp-lengths", "faulty", &["huge-length"]);
    faulty.assert("huge-length", "fail", "growth");
    let actual = faulty.actual("huge-length");
    assert!(
        actual.starts_with("a string of 536870912 bytes"),
        "{actual}"
    );
    passes("resp-lengths", "sound", &["huge-length", "deep-nesting"]);
}
