//! `--connect`: checks on a running server, which is reported once if it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::support::battery::{check, tcprove};
use crate::support::skip::is_thorough;

/// A reference server that the test starts, not tcprove. Dropping it kills the server.
struct Elsewhere {
    child: Child,
    address: String,
}

impl Elsewhere {
    fn start(arguments: &[&str]) -> Self {
        let mut child = tcprove()
            .args(["serve", "--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the reference server starts");
        let stdout = child.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().expect("an address");
        Self {
            address: address.to_owned(),
            child,
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_sound_server_passes_where_it_stands() {
    if !is_thorough() {
        return;
    }
    let server = Elsewhere::start(&["--protocol", "line"]);
    let pid = server.child.id().to_string();
    let checked = check([
        "--talk",
        "line",
        "--connect",
        &server.address,
        "--pid",
        &pid,
    ]);
    assert_eq!(checked.code(), 0, "{}", checked.shown());
    assert!(checked.ids("pass").len() >= 25, "{}", checked.shown());
    assert_eq!(checked.report["plan"]["lanes"], 1, "{}", checked.shown());
    let skipped = checked.outcome("restart-timewait");
    assert_eq!(skipped["outcome"], "skip", "{skipped:#}");
}

#[test]
fn the_check_that_ends_it_is_named_and_the_rest_is_not_judged() {
    let server = Elsewhere::start(&["--fault", "exit-on-decode-error"]);
    let arguments = ["--talk", "line", "--connect", &server.address];
    let only = ["--only", "utf8-invalid", "--only", "hol-idle"];
    let checked = check(only.into_iter().chain(arguments));
    checked.assert("utf8-invalid", "fail", "died");
    let after = checked.outcome("hol-idle");
    assert_eq!(after["outcome"], "inconclusive", "{after:#}");
    let reason = after["reason"].as_str().expect("a reason");
    assert!(reason.contains("gone since utf8-invalid"), "{reason}");
    assert_eq!(checked.code(), 1, "{}", checked.shown());
}
