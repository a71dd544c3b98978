//! Servers that nobody here wrote. Those that are not installed are skipped.

use super::{init_with, said};
use crate::support::Bench;
use crate::support::skip::may_lack;

/// The command, and what has to be found.
const SERVERS: &[(&str, &str)] = &[
    (
        "redis-server --port {port} --save '' --dir {tmp}",
        "`redis`",
    ),
    (
        "memcached -l 127.0.0.1 -p {port} -U 0 -u nobody",
        "`memcached`",
    ),
    ("beanstalkd -l 127.0.0.1 -p {port}", "`beanstalkd`"),
    (
        "python3 -m http.server --bind 127.0.0.1 --directory {tmp} {port}",
        "`http`",
    ),
    (
        "socat TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork EXEC:cat",
        "`echo`",
    ),
    ("ncat -l -k 127.0.0.1 {port} -e /bin/cat", "`echo`"),
    ("nats-server --addr 127.0.0.1 --port {port}", "`nats`"),
];

#[test]
fn are_recognised() {
    for (command, talk) in SERVERS {
        let words = shell_words::split(command).unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(&words[0]).is_file()) {
            may_lack(&words[0]);
            continue;
        }
        let bench = Bench::new();
        let ended = init_with(&bench, words);
        assert_eq!(ended.code, Some(0), "{command}: {}", ended.all());
        let found = said(&ended, "talk");
        assert!(found.contains(talk), "{command}: {found}");
        let file = tcprove::file::load(&bench.path("tcprove.toml"));
        file.unwrap_or_else(|error| panic!("{command}: {error}"));
    }
}
