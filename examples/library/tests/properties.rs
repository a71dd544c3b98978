//! Properties of the server, and of a server with two bugs, which shrink to what they are.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tcprove::Prove;

/// What both servers speak.
const TALK: &str = r#"
    [talk]
    frame = { until = "\n" }
    [[talk.turn]]
    send = "{tok}\n"
    expect = "ok, {tok}\n"
    [[talk.turn]]
    send = "{tok} {payload}\n"
    expect = "ok, {tok} {payload}\n"
"#;

fn answer() -> Prove {
    Prove::cmd([env!("CARGO_BIN_EXE_answer"), "{port}"]).conversation(TALK)
}

/// Few cases: each is a connection, and so is each step to a smaller one. No file with the seeds of failures.
fn config() -> Config {
    Config {
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::with_cases(48)
    }
}

#[test]
fn any_dialogue_is_held() -> tcprove::Result {
    let prove = answer();
    let server = prove.start()?;
    proptest!(config(), |(dialogue in prove.dialogues()?)| server.holds(&dialogue)?);
    Ok(())
}

#[test]
fn any_case_is_survived() -> tcprove::Result {
    let prove = answer();
    let server = prove.start()?;
    proptest!(config(), |(case in prove.cases()?)| server.survives(&case)?);
    Ok(())
}

/// The address of a server in this process, which serves one client after the other in this way.
fn serving(serve: fn(TcpStream) -> std::io::Result<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let _ = serve(client);
        }
    });
    address
}

/// It answers every read, as if it were a line.
fn answers_each_read(mut client: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 64 * 1024];
    loop {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            count => client.write_all(&[b"ok, ", &buffer[..count]].concat())?,
        }
    }
}

/// It closes the connection when a line contains a character of four bytes.
fn knows_three_bytes(mut client: TcpStream) -> std::io::Result<()> {
    let (mut buffer, mut held) = ([0; 64 * 1024], Vec::new());
    loop {
        match client.read(&mut buffer)? {
            0 => return Ok(()),
            count => held.extend_from_slice(&buffer[..count]),
        }
        while let Some(end) = held.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = held.drain(..=end).collect();
            if line.iter().any(|byte| *byte >= 0xf0) {
                return Ok(());
            }
            client.write_all(&[b"ok, ", line.as_slice()].concat())?;
        }
    }
}

/// The same values each time.
fn runner(config: Config) -> TestRunner {
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// What the first failure of this server shrinks to.
fn shrunk(serve: fn(TcpStream) -> std::io::Result<()>) -> tcprove::strategy::Dialogue {
    let prove = Prove::running(serving(serve)).conversation(TALK);
    let server = prove.start().expect("it is running");
    let mut runner = runner(config());
    let dialogues = prove.dialogues().expect("the description is valid");
    let result = runner.run(&dialogues, |dialogue| Ok(server.holds(&dialogue)?));
    match result {
        Err(TestError::Fail(_, dialogue)) => dialogue,
        other => panic!("the bug was not found: {other:?}"),
    }
}

#[test]
fn a_read_that_is_taken_for_a_line_shrinks_to_one_cut() {
    let dialogue = shrunk(answers_each_read);
    let [turn] = dialogue.turns() else {
        panic!("more than one turn: {dialogue:?}");
    };
    assert_eq!((turn.turn, turn.cuts.len()), (0, 1), "{dialogue:?}");
}

#[test]
fn a_payload_that_is_refused_shrinks_to_one_character() {
    let dialogue = shrunk(knows_three_bytes);
    let [turn] = dialogue.turns() else {
        panic!("more than one turn: {dialogue:?}");
    };
    let text = String::from_utf8_lossy(&turn.payload);
    assert_eq!(
        (text.chars().count(), turn.payload.len()),
        (1, 4),
        "{dialogue:?}"
    );
    assert!(turn.cuts.is_empty(), "{dialogue:?}");
}
/// The address of a server that no longer accepts anybody once a client has sent a byte of 0.
fn ends_at_zero() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = client.read(&mut buffer) {
                if buffer[..count].contains(&0) {
                    return;
                }
                if client
                    .write_all(&[b"ok, ", &buffer[..count]].concat())
                    .is_err()
                {
                    break;
                }
            }
        }
    });
    address
}

#[test]
fn a_case_that_ends_a_server_shrinks_to_one_request() {
    let described = |address| Prove::running(address).conversation(TALK);
    let cases = described(ends_at_zero())
        .cases()
        .expect("the description is valid");
    let mut runner = runner(Config {
        cases: 2000,
        ..config()
    });
    // What it ended stays so: each case gets a server of its own.
    let result = runner.run(&cases, |case| {
        Ok(described(ends_at_zero()).start()?.survives(&case)?)
    });
    let Err(TestError::Fail(_, case)) = result else {
        panic!("the bug was not found: {result:?}");
    };
    let sent: Vec<u8> = case.sends().flat_map(|send| send.data.to_bytes()).collect();
    assert!(sent.contains(&0) && case.sends().count() == 1, "{case:?}");
    assert!(sent.len() <= 14, "a token, its end, and one byte: {case:?}");
}
