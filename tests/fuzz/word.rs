//! What a campaign says is so: durations are kept, growth and differences are real, and nothing is gone that was not asked
//! for often enough.

use serde_json::Value;

use super::fuzz;
use crate::support::skip::{is_slow, is_thorough};
use crate::support::{Bench, Ended, alone, python};

/// A server of Python that answers every line with the function `reply`.
const LINES: &str = r#"
import ctypes, os, socket, sys, threading, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(64)
"#;

/// Copies everything that it has received for every 64 bytes.
const STEPS: &str = r#"
def serve(client):
    buffer = b""
    while piece := client.recv(64):
        kept = buffer
        buffer = buffer + piece
        while b"\n" in piece:
            at = buffer.index(b"\n") + 1
            client.sendall(buffer[:at])
            piece = buffer = buffer[at:]
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// Closes over a line that begins with `!`, before it has answered the lines of the same piece.
const HASTY: &str = r#"
def serve(client):
    rest = b""
    while piece := client.recv(65536):
        *lines, rest = (rest + piece).split(b"\n")
        if any(line.startswith(b"!") for line in lines):
            break
        client.sendall(b"".join(line + b"\n" for line in lines))
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"#;

/// Two workers, which are replaced when they end; a line that begins with `%` kills one.
const WORKERS: &str = r#"
def work():
    while True:
        client = listener.accept()[0]
        for line in client.makefile("rb"):
            if line.startswith(b"%"):
                ctypes.string_at(0)
            client.sendall(line)
        client.close()
def begin():
    if os.fork() == 0:
        work()
begin()
begin()
while True:
    os.wait()
    begin()
"#;

/// Ends as AddressSanitizer does: the report first, the names of functions a second later.
const SANITIZED: &str = r##"
def serve(client):
    for line in client.makefile("rb"):
        if line.startswith(b"%"):
            os.write(2, b"==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x1\n")
            time.sleep(1)
            os.write(2, b"    #0 0x1 in parse server.c:9\nSUMMARY: AddressSanitizer: heap-use-after-free server.c:9 in parse\n")
            os._exit(1)
        client.sendall(line)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"##;

/// Replays a case of these steps on such a server, as a finding of this kind; `None` without Python.
fn replayed(server: &str, promise: &str, kind: &str, steps: &str) -> Option<Ended> {
    let python = python()?;
    let bench = Bench::new();
    let program = bench.write("server.py", &format!("{LINES}{server}"));
    let program = program.display();
    bench.write(
        "tcprove.toml",
        &format!(
            "[server]\nname = 'mine'\ncmd = ['{python}', '{program}', '{{port}}']\n[promise]\n{promise}\n[talk]\nframe = {{ until = \"\\n\" }}\n[[talk.turn]]\nsend = \"{{tok}} {{payload}}\\n\"\nexpect = \"{{tok}} {{payload}}\\n\"\n"
        ),
    );
    bench.write("case.json", &case(kind, steps));
    Some(bench.run(["replay", "case.json", "--times", "1"]))
}

fn case(kind: &str, steps: &str) -> String {
    format!(
        r#"{{"schema":"tcprove-case/1","cases":[[{steps}]],"finding":{{"kind":"{kind}","id":"it","title":"it"}}}}"#
    )
}

#[test]
fn a_buffer_that_is_copied_in_steps_of_64_bytes_is_too_complex_and_a_sound_frame_server_is_not() {
    let long = r#"{"send":{"data":["a b ",{"repeat":"a","n":1400000},"\n"]}},"receive""#;
    if let Some(ended) = replayed(STEPS, "", "complexity", long) {
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert!(ended.stdout.contains("to the power of"), "{}", ended.all());
    }
    // Most of these bytes stay when the largest part grows.
    let bench = Bench::new();
    let parts = r#"{"repeat":"x","n":96000},{"repeat":"y","n":70000}"#;
    let steps = format!(r#"{{"send":{{"data":[{parts}]}}}},"receive""#);
    bench.write("case.json", &case("complexity", &steps));
    let words = [
        "replay",
        "case.json",
        "--times",
        "1",
        "--embedded",
        "--param",
        "protocol=frame",
    ];
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}

#[test]
fn replies_that_a_close_over_malformed_bytes_cuts_off_are_no_divergence() {
    let cut = r#"{"send":{"data":["a b\n!\n"],"cuts":[4]}}"#;
    let Some(ended) = replayed(HASTY, "pipelining = true", "divergence", cut) else {
        return;
    };
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(ended.stdout.contains("gone"), "{}", ended.all());
}

#[test]
fn a_worker_that_dies_is_a_crash() {
    let deadly = r#"{"send":{"data":["%\n"]}},"receive""#;
    if let Some(ended) = replayed(WORKERS, "", "crash", deadly) {
        assert_eq!(ended.code, Some(1), "{}", ended.all());
        assert!(ended.stdout.contains("a worker process"), "{}", ended.all());
    }
}

/// One report is one finding: the crash to which it belongs, not a panic that the server has survived so far.
#[test]
fn a_report_of_a_sanitizer_belongs_to_the_end_that_follows() {
    let deadly = r#"{"send":{"data":["%\n"]}},"receive""#;
    let Some(ended) = replayed(SANITIZED, "", "crash", deadly) else {
        return;
    };
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    assert!(
        ended.stdout.contains("heap-use-after-free"),
        "{}",
        ended.all()
    );
    assert!(
        ended.stdout.contains("exited with code 1"),
        "{}",
        ended.all()
    );
}

#[test]
fn a_recording_is_compared_with_what_the_server_replies_now() {
    let bench = Bench::new();
    let recorded = |reply: &str| {
        format!(
            r#"{{"schema":"tcprove-case/1","cases":[[{{"send":{{"data":["hello\n"]}}}}]],"recorded":{{"replies":["{reply}"],"complete":true}}}}"#
        )
    };
    for (reply, code, word) in [("hello\\n", 0, "same"), ("hullo\\n", 1, "changed")] {
        bench.write("case.json", &recorded(reply));
        let ended = bench.run(["replay", "case.json", "--times", "1", "--embedded"]);
        assert_eq!(ended.code, Some(code), "{}", ended.all());
        assert!(ended.stdout.contains(word), "{}", ended.all());
    }
}

#[test]
fn a_bug_is_gone_only_after_as_many_servers_as_its_rate_needs() {
    let bench = Bench::new();
    let seen = |seen: u32, of: u32| {
        let file = case("crash", r#"{"send":{"data":["a\n"]}}"#);
        let known = format!(r#""kind":"crash","seen":{seen},"of":{of}"#);
        file.replace(r#""kind":"crash""#, &known)
    };
    bench.write("case.json", &seen(6, 8));
    let words = ["replay", "case.json", "--embedded", "--json", "replay.json"];
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert_eq!(bench.json("replay.json")["items"][0]["seen"], "0/11");
    bench.write("case.json", &seen(0, 5));
    let ended = bench.run(words);
    assert_eq!(ended.code, Some(5), "{}", ended.all());
}

const SOUND: &str = "tcprove serve --port {port}";
const OTHER: &str = "tcprove serve --port {port} --fault nul-cut";

#[test]
fn two_servers_differ_where_one_of_them_cuts_a_reply() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let against = |cmd| {
        let words = [
            "--embedded",
            "--against",
            cmd,
            "--cases",
            "400",
            "--jobs",
            "1",
        ];
        fuzz(
            &bench,
            &[&words[..], &["--seed", "1", "--stop-on-first"]].concat(),
        )
    };
    let same = against(SOUND);
    assert_eq!(same.ended.code, Some(0), "{}", same.ended.all());
    let other = against(OTHER);
    assert_eq!(other.ended.code, Some(1), "{}", other.ended.all());
    let finding: &Value = &other.findings()[0];
    assert_eq!(finding["kind"], "difference", "{}", other.ended.all());
    let evidence = &finding["evidence"];
    assert_ne!(evidence["reply"], evidence["reply_of_against"]);
    let reproduce = finding["reproduce"].as_str().unwrap();
    assert!(reproduce.contains("--against"), "{reproduce}");
}

#[test]
fn a_corpus_shows_in_a_table_what_has_changed() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("corpus")).unwrap();
    let plain = |text: &str| {
        format!(r#"{{"schema":"tcprove-case/1","cases":[[{{"send":{{"data":["{text}"]}}}}]]}}"#)
    };
    bench.write("corpus/a.json", &plain("same\\n"));
    bench.write("corpus/b.json", &plain("a\\u0000b\\n"));
    let words = [
        "replay",
        "corpus",
        "--embedded",
        "--markdown",
        "table.md",
        "--against",
    ];
    let ended = bench.run(words.iter().chain(&[OTHER]));
    assert_eq!(ended.code, Some(1), "{}", ended.all());
    let table = bench.read("table.md");
    let row = |name: &str| table.lines().find(|line| line.contains(name)).unwrap();
    assert!(row("a.json").contains("| same |"), "{table}");
    assert!(row("b.json").contains("| changed |"), "{table}");
    let ended = bench.run(words.iter().chain(&[SOUND]));
    assert_eq!(ended.code, Some(0), "{}", ended.all());
}

/// Ten campaigns of different durations on servers that start slowly, crash, hang, leak and compute.
#[test]
fn durations_are_kept() {
    if !is_slow("two minutes of campaigns") {
        return;
    }
    let _alone = alone();
    let faults = [
        (2.0, ""),
        (3.0, "exit-on-decode-error"),
        (5.0, "hang-on-half-message"),
        (8.0, "fd-leak-on-reset"),
        (13.0, "quadratic-parse"),
        (6.0, "global-lock-while-slow"),
        (4.0, "three-cases"),
        (10.0, "full-buffer-byte-lost"),
        (21.0, "panic-on-length-313"),
        (30.0, "hang-on-half-message"),
    ];
    for (seconds, fault) in faults {
        let bench = Bench::new();
        let duration = format!("{seconds}s");
        let fault = format!("fault={fault}");
        let mut words = vec!["--embedded", "--duration", &duration];
        if !fault.ends_with('=') {
            words.extend(["--param", &fault]);
        }
        let begun = std::time::Instant::now();
        let fuzzed = fuzz(&bench, &words);
        let took = begun.elapsed().as_secs_f64();
        let off = (took - seconds).abs();
        assert!(
            off <= 2.0_f64.max(seconds / 10.0),
            "{duration}: {took} s, {}",
            fuzzed.ended.all()
        );
    }
}
