//! Limits that are not understood.

use super::talk_faults::check;

const TALK: &str = "[talk]\nframe = \"none\"\n[[talk.turn]]\nsend = \"a\"\nexpect = \"b\"\n";

/// `[limits]`, alone and beside promises.
#[test]
fn faults_of_limits() {
    let faults: &[(&str, &str, &[&str])] = &[
        (
            "[limits]\nconnections = 0\n",
            "7:15",
            &["`connections` must be 1 to"],
        ),
        (
            "[limits]\nmax_connections = 20\n",
            "7:1",
            &["unknown key `max_connections` in [limits]", "connections"],
        ),
        (
            "[limits]\nmessage_bytes = 9\nline_bytes = 9\n",
            "8:14",
            &[
                "`line_bytes` and `message_bytes` are the same limit",
                "one of them",
            ],
        ),
        (
            "[limits]\nidle_close = 30\n",
            "7:14",
            &["`idle_close`: \"30\" has no unit", "30s"],
        ),
        (
            "[promise]\nmax_message = 64\n[limits]\nline_bytes = 63\n",
            "9:14",
            &["`line_bytes` is 63", "max_message is 64", "write 64 here"],
        ),
        (
            "[promise]\nmax_connections = 21\n[limits]\nconnections = 20\n",
            "9:15",
            &["`connections` is 20", "max_connections is 21"],
        ),
    ];
    for (limits, place, contains) in faults {
        check(&format!("{TALK}{limits}"), place, contains);
    }
}
