//! The committed corpora of the fuzz targets, replayed without a fuzzer.

#![expect(clippy::unwrap_used, reason = "tests, outside of #[test] functions")]

use std::path::Path;

/// Runs `target` on every file of its corpus; a corpus that is not there would prove nothing.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(name);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        target(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 3, "{} holds {count} inputs", folder.display());
}

#[test]
fn cuts_change_no_reply() {
    replay(
        "services",
        tcprove_server::service::invariant::cuts_change_nothing,
    );
}

#[test]
fn no_conversation_file_panics() {
    replay("talk_file", tcprove::file::never_panics);
}
