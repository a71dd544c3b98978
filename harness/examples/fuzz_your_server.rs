//! Your own server as a fuzz target, in the same process: `cargo run --example fuzz_your_server`.
//!
//! The server must serve a connection over any stream, not only over `TcpStream`:
//! `async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin)`. Then create the target with `cargo fuzz init`, and
//! write to `fuzz/fuzz_targets/server.rs`:
//!
//! ```ignore
//! #![no_main]
//! use tcprove::fuzz::{Case, memory::drive};
//!
//! libfuzzer_sys::fuzz_target!(|case: Case| { drive(my_server::serve, &case); });
//! ```
//!
//! with two dependencies in `fuzz/Cargo.toml` besides `libfuzzer-sys`:
//!
//! ```toml
//! tcprove = { path = "...", default-features = false, features = ["arbitrary"] }
//! my_server = { path = ".." }
//! ```
//!
//! Then `cargo +nightly fuzz run server -- -max_total_time=60` looks for cases that panic, hang or exhaust memory. Assert
//! further properties, as `check` does here, and it looks for violations of them too. The same function with fixed cases,
//! as in `main`, makes a test for `cargo test`.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tcprove::fuzz::memory::{ServiceReply, StreamEnd, drive};
use tcprove::fuzz::{Case, Data, SendStep, Step};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Maximum bytes of a line. A longer or unfinished line is an error.
const LINE_BYTES_MAX: u64 = 1_024;

/// The server: it numbers the lines of all clients.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, lines: &AtomicU64) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut stream).take(LINE_BYTES_MAX);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if !line.ends_with(b"\n") {
            return stream.write_all(b"error: too long or cut off\n").await;
        }
        let number = lines.fetch_add(1, Ordering::Relaxed) + 1;
        let text = String::from_utf8_lossy(&line);
        stream
            .write_all(format!("{number} {text}").as_bytes())
            .await?;
    }
}

/// The body of the fuzz target. Every run starts with a counter of its own.
fn check(case: &Case) -> Vec<ServiceReply> {
    let lines = AtomicU64::new(0);
    let answers = drive(|stream| serve(stream, &lines), case);
    for answer in &answers {
        assert_eq!(answer.end, StreamEnd::Closed, "a connection was left open");
        assert!(std::str::from_utf8(&answer.bytes).is_ok());
    }
    answers
}

fn main() {
    let cut = SendStep {
        data: "hello\n你好\n".as_bytes().into(),
        cuts: vec![3, 7],
    };
    let cases = [
        ("text in three reads", vec![Step::Send(cut)]),
        (
            "two clients, one of which resets its connection",
            vec![
                Step::Send(SendStep::whole(&b"half"[..])),
                Step::Connect,
                Step::Send(SendStep::whole(&b"\xff\xfe\n"[..])),
                Step::Switch(0),
                Step::Reset,
            ],
        ),
        (
            "a line without an end",
            vec![Step::Send(SendStep::whole(Data::repeat(b"A", 100_000)))],
        ),
    ];
    for (name, steps) in cases {
        println!("{name}:");
        for (number, answer) in check(&Case::new(steps)).iter().enumerate() {
            let text = tcprove::text::escape(&answer.bytes, 60);
            println!("  connection {number}: {text} ({:?})", answer.end);
        }
    }
}
