//! Wrong arguments: messages name the mistake and the alternatives.

use super::load;

#[test]
fn a_load_without_time_is_inconclusive_and_says_so() {
    let loaded = load(&["--embedded", "--max-time", "1us"]);
    assert_eq!(loaded.ended.code, Some(4), "{}", loaded.ended.all());
    let told = "--max-time was over before the load began";
    assert!(loaded.ended.stderr.contains(told), "{}", loaded.ended.all());
}

#[test]
fn wrong_arguments_are_explained() {
    let cases: [(&[&str], &str); 9] = [
        (
            &["--embedded", "--closed", "--rate", "5"],
            "cannot be used with",
        ),
        (&["--embedded", "--rate", "fast"], "requests per second"),
        (
            &["--embedded", "--threads", "3", "-c", "2"],
            "--threads 3 is more than --connections 2",
        ),
        (&["--embedded", "--turn", "7"], "turns 0 to 1"),
        (&["--embedded", "--payload", "16kb"], "KiB"),
        (
            &["--embedded", "--payload", "70000"],
            "promise.max_message = 65536",
        ),
        (&["--embedded", "--slo", "p98<5ms"], "p99.9"),
        (
            &["--embedded", "--ramp", "speed=1..2"],
            "connections=FROM..TO",
        ),
        (&[], "no target is given"),
    ];
    for (arguments, expected) in cases {
        let loaded = load(arguments);
        assert_eq!(
            loaded.ended.code,
            Some(2),
            "{arguments:?}: {}",
            loaded.ended.all()
        );
        assert!(
            loaded.ended.stderr.contains(expected),
            "{arguments:?}: {}",
            loaded.ended.stderr
        );
        assert_eq!(loaded.report["error"]["code"], "usage");
    }
}

#[test]
fn nobody_listens() {
    let loaded = load(&["--talk", "echo", "--connect", "127.0.0.1:1"]);
    assert_eq!(loaded.ended.code, Some(3), "{}", loaded.ended.all());
    assert!(
        loaded.ended.stderr.contains("no server listens"),
        "{}",
        loaded.ended.stderr
    );
}
