//! Small servers whose fault shows in one state of a connection, or beside another connection: each is found for its
//! reason, and the same server without the fault passes.

use crate::support::battery::{check, have, passes, variant};
use crate::support::skip::is_thorough;

#[test]
fn a_login_that_is_one_recv() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let checks = ["opening-split", "opening-coalesced"];
    let faulty = variant("login-in-one-read", "faulty", &checks);
    // It closes the connection while the rest may be on its way: a close with unread input is a reset.
    let split = faulty.outcome("opening-split");
    assert_eq!(split["outcome"], "fail", "{split:#}");
    assert!(split["kind"] == "lost-reply" || split["kind"] == "reset");
    let split = faulty.actual("opening-split");
    // A server that gets no processor time reads both parts at once, which proves nothing: then a later cut shows it.
    assert!(
        split.starts_with("talk.open[0], cut after byte "),
        "{split}"
    );
    faulty.assert("opening-coalesced", "fail", "lost-reply");
    let coalesced = faulty.actual("opening-coalesced");
    assert!(
        coalesced.contains("the reply to talk.turn[0]"),
        "{coalesced}"
    );
    passes("login-in-one-read", "sound", &checks);
}

#[test]
fn a_later_turn_whose_end_is_cut() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let checks = ["split-bytewise", "split-each-offset"];
    let faulty = variant("later-turn", "faulty", &checks);
    for check in checks {
        faulty.assert(check, "fail", "lost-reply");
        let actual = faulty.actual(check);
        assert!(actual.starts_with("talk.turn[2], "), "{actual}");
        // The command by hand is about that turn: it says what comes before it.
        let command = faulty.outcome(check)["by_hand"].as_str().unwrap();
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        for part in [&b"TEXT\n"[..], b"a line of text\n.\n"] {
            assert!(command.contains(&hex(part)), "{command}");
        }
    }
    let cause = &faulty.report["causes"][0]["id"];
    assert_eq!(cause, "later-request-in-pieces", "{}", faulty.shown());
    // One request is refused before it is complete, with the reply that the file expects.
    passes("later-turn", "sound", &checks);
}

#[test]
fn one_decoder_for_all_connections() {
    if !have("node") {
        return;
    }
    let faulty = variant("one-decoder", "faulty", &["shared-decoder"]);
    faulty.assert("shared-decoder", "fail", "wrong-reply");
    let actual = faulty.actual("shared-decoder");
    assert!(actual.contains("of 4, cut inside a character"), "{actual}");
    passes("one-decoder", "sound", &["shared-decoder"]);
}

#[test]
fn a_reset_in_one_state() {
    if !have("python3") {
        return;
    }
    let faulty = variant("mail-states", "faulty", &["prefix-abort"]);
    faulty.assert("prefix-abort", "fail", "died");
    // The text of a mail is awaited once DATA was sent.
    let actual = faulty.actual("prefix-abort");
    assert!(
        actual.contains("RST")
            && (actual.contains("talk.turn[2]") || actual.contains("talk.turn[3]")),
        "{actual}"
    );
}

#[test]
fn turns_that_depend_on_each_other() {
    if have("python3") {
        passes("mail-states", "sound", &["prefix-abort", "shared-decoder"]);
    }
}

/// Where a client has to wait for a reply of the opening, the opening and the first request are never sent together.
#[test]
fn openings_that_have_to_be_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tcprove.toml");
    let server = crate::support::program();
    let talk = |open: &str, turn: &str| {
        format!(
            "[server]\ncmd = [{server:?}, \"serve\", \"--port\", \"{{port}}\"]\n[promise]\npipelining = true\n\
             [talk]\nframe = {{ until = \"\\n\" }}\n{open}\n[[talk.turn]]\nsend = \"{turn}\\n\"\nexpect = \"{turn}\\n\"\n"
        )
    };
    let key =
        "[[talk.open]]\nsend = \"KEY {tok}\\n\"\nexpect = { regex = '^KEY (?P<key>[a-z0-9]+)' }";
    let hello = "[[talk.open]]\nsend = \"HELLO\\n\"\nexpect = \"HELLO\\n\"";
    let cases = [
        (
            talk(key, "{tok} {key}"),
            "needs {key} from the reply to talk.open[0]",
        ),
        (talk("", "{tok}"), "no opening"),
        (
            talk(hello, "{tok}").replace("true", "false"),
            "promise.pipelining",
        ),
    ];
    for (source, reason) in cases {
        std::fs::write(&path, source).unwrap();
        let checked = check(["-f", path.to_str().unwrap(), "--only", "opening-coalesced"]);
        assert_eq!(
            checked.ids("skip"),
            ["opening-coalesced"],
            "{}",
            checked.shown()
        );
        let why = checked.outcome("opening-coalesced")["reason"]
            .as_str()
            .unwrap();
        assert!(why.contains(reason), "{why}");
    }
    std::fs::write(&path, talk(hello, "{tok}")).unwrap();
    let checked = check(["-f", path.to_str().unwrap(), "--only", "opening-*"]);
    assert_eq!(checked.ids("pass").len(), 2, "{}", checked.shown());
}
