//! Orders of turns that are not understood.

use super::talk_faults::check;

/// `name`, `after`, `once` and `last`.
#[test]
fn faults_of_the_order() {
    let turn = |more: &str| format!("[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n{more}\n");
    let source = |turns: &[&str]| {
        let turns = turns.iter().map(|more| turn(more));
        format!("[talk]\nframe = \"none\"\n{}", turns.collect::<String>())
    };
    for (turns, place, contains) in [
        (
            &["name = \"login\"", "after = \"logn\""][..],
            "10:9",
            &["no turn is called `logn`", "did you mean `login`?"][..],
        ),
        (
            &["after = \"login\""],
            "6:9",
            &["no turn is called `login`", "give it a `name`"],
        ),
        (
            &["name = \"a\"", "name = \"a\""],
            "10:8",
            &["another turn is called `a`"],
        ),
        (&["name = \"\""], "6:8", &["`name` is empty"]),
        (
            &["name = \"a\"\nafter = \"a\""],
            "7:9",
            &["`a` itself comes after this turn"],
        ),
        (
            &[
                "name = \"a\"\nafter = \"b\"",
                "name = \"b\"\nafter = [\"a\"]",
            ],
            "7:9",
            &["`b` itself comes after this turn"],
        ),
        (
            &["name = \"a\"\nlast = true", "after = \"a\""],
            "11:9",
            &["the connection is closed after `a`"],
        ),
    ] {
        check(&source(turns), place, contains);
    }
    let open = "[[talk.open]]\nexpect = \"x\"\nonce = true\n";
    check(
        &format!("{}{open}", source(&[""])),
        "9:8",
        &["`once` has no meaning in [[talk.open]]", "[[talk.turn]]"],
    );
    let bad = "[[talk.bad]]\nsend = \"x\"\nexpect = \"y\"\nafter = \"a\"\n";
    check(
        &format!("{}{bad}", source(&[""])),
        "10:9",
        &["no turn is called `a`"],
    );
    let closes = source(&["name = \"a\"", "after = \"a\""]);
    let closes = closes.replace("[talk]", "[talk]\nclose = \"server-after-reply\"");
    check(&closes, "11:9", &["the connection is closed after `a`"]);
}
