//! A server of your own as a fuzz target, in the same process: `cargo run --example fuzz_your_server`.
//!
//! What it takes is that the server carries a connection over any stream, not only over `TcpStream`:
//! `async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin)`. Then this is all of
//! `fuzz/fuzz_targets/server.rs`, made by `cargo fuzz init`:
//!
//! ```ignore
//! #![no_main]
//! use tcprove::fuzz::{Case, memory::drive};
//!
//! libfuzzer_sys::fuzz_target!(|case: Case| { drive(my_server::serve, &case); });
//! ```
//!
//! with two dependencies in `fuzz/Cargo.toml`, beside `libfuzzer-sys`:
//!
//! ```toml
//! tcprove = { path = "...", default-features = false }
//! my_server = { path = ".." }
//! ```
//!
//! and `cargo +nightly fuzz run server -- -max_total_time=60` looks for cases that panic, hang or eat memory.
//! Say more about what must hold, as `holds` does here, and it looks for that as well. The same function over
//! a few fixed cases, as below, is a test for every `cargo test`.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tcprove::fuzz::memory::{Reply, StreamEnd, drive};
use tcprove::fuzz::{Case, Data, SendStep, Step};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// A longer line is an error, and so is one that does not end.
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

/// The body of the fuzz target: every life of the server begins with a counter of its own.
fn holds(case: &Case) -> Vec<Reply> {
    let lines = AtomicU64::new(0);
    let answers = drive(|stream| serve(stream, &lines), case);
    for answer in &answers {
        assert_eq!(answer.end, StreamEnd::Closed, "a connection is left behind");
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
        ("a text in three reads", vec![Step::Send(cut)]),
        (
            "two clients, of whom one breaks off",
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
        for (number, answer) in holds(&Case::new(steps)).iter().enumerate() {
            let text = tcprove::text::escape(&answer.bytes, 60);
            println!("  connection {number}: {text} ({:?})", answer.end);
        }
    }
}
