//! `tcprove record`: sessions of real clients become cases.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;

use rustix::process::Signal;
use tcprove::fuzz::CaseFile;
use tcprove::fuzz::case::shown;

use crate::support::{Bench, Running, until};

/// A running command that prints its address, and that address.
fn started(bench: &Bench, arguments: &[&str]) -> (Running, SocketAddr) {
    let mut command = bench.tcprove();
    command.args(arguments);
    let running = bench.start(command);
    let address = running.address();
    (running, address)
}

fn server(bench: &Bench) -> (Running, SocketAddr) {
    started(
        bench,
        &[
            "serve",
            "--protocol",
            "line",
            "--model",
            "threads",
            "--port",
            "0",
        ],
    )
}

fn recorder(bench: &Bench, upstream: SocketAddr, more: &[&str]) -> (Running, SocketAddr) {
    let upstream = upstream.to_string();
    let mut arguments = vec![
        "record",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "--out",
        "corpus",
    ];
    arguments.extend(more);
    started(bench, &arguments)
}

fn ask(stream: &mut TcpStream, line: &[u8]) -> Vec<u8> {
    stream.write_all(line).unwrap();
    let mut reply = vec![0; line.len()];
    stream.read_exact(&mut reply).unwrap();
    reply
}

/// The parsed files of the corpus.
fn cases(bench: &Bench) -> Vec<(PathBuf, CaseFile)> {
    let entries = std::fs::read_dir(bench.path("corpus")).unwrap().flatten();
    let parsed = entries.map(|entry| {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        (entry.path(), CaseFile::parse(&text).unwrap())
    });
    parsed.collect()
}

fn has_said(running: &Running, times: usize, what: &str) {
    until(what, || running.stderr().matches(what).count() == times);
}

#[test]
fn sessions_become_cases_and_equal_ones_are_stored_once() {
    let (one, two) = (Bench::new(), Bench::new());
    let (_server, upstream) = server(&one);
    let (recorder, addr) = recorder(&two, upstream, &[]);
    for _ in 0..2 {
        let mut client = TcpStream::connect(addr).unwrap();
        assert_eq!(
            ask(&mut client, b"hello\n"),
            b"hello\n",
            "the proxy changes nothing"
        );
        ask(&mut client, b"\xc3\xa9!\n");
        client.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "the end is passed on");
    }
    has_said(&recorder, 1, ": stored: ");
    has_said(&recorder, 1, ": already stored: ");
    drop(TcpStream::connect(addr).unwrap());
    has_said(&recorder, 1, "the client sent nothing");
    let found = cases(&two);
    assert_eq!(found.len(), 1, "{found:?}");
    let steps = shown(&found[0].1.cases[0]);
    let wanted = [
        "send \"hello\\n\"",
        "receive a reply",
        "send \"é!\\n\"",
        "receive a reply",
    ];
    assert_eq!(steps, wanted);
    recorder.signal(Signal::TERM);
    let ended = recorder.end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    assert!(
        ended.stderr.contains("new cases in corpus: 1"),
        "{}",
        ended.all()
    );
}

#[test]
fn a_client_that_resets_and_one_that_stays_until_the_end() {
    let (one, two) = (Bench::new(), Bench::new());
    let (_server, upstream) = server(&one);
    let (recorder, addr) = recorder(&two, upstream, &["--duration", "60s"]);
    let mut client = TcpStream::connect(addr).unwrap();
    ask(&mut client, b"a\n");
    socket2::SockRef::from(&client)
        .set_linger(Some(std::time::Duration::ZERO))
        .unwrap();
    drop(client);
    has_said(&recorder, 1, ": stored: ");
    let mut stays = TcpStream::connect(addr).unwrap();
    ask(&mut stays, b"b\n");
    recorder.signal(Signal::INT);
    let ended = recorder.end();
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let mut found: Vec<Vec<String>> = cases(&two)
        .iter()
        .map(|(_, file)| shown(&file.cases[0]))
        .collect();
    found.sort();
    assert_eq!(
        found[0],
        ["send \"a\\n\"", "receive a reply", "reset (RST)"]
    );
    assert_eq!(found[1], ["send \"b\\n\"", "receive a reply"]);
}

#[test]
fn an_upstream_that_is_not_there_closes_the_session_and_ends_nothing() {
    let bench = Bench::new();
    let (recorder, addr) = recorder(
        &bench,
        "127.0.0.1:1".parse().unwrap(),
        &["--duration", "60s"],
    );
    for number in 1..=2 {
        let mut client = TcpStream::connect(addr).unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest);
        assert!(rest.is_empty());
        has_said(&recorder, number, "127.0.0.1:1 cannot be reached");
    }
    assert!(cases(&bench).is_empty());
}

#[test]
fn it_ends_by_itself_after_its_time() {
    let bench = Bench::new();
    let (recorder, _) = recorder(
        &bench,
        "127.0.0.1:1".parse().unwrap(),
        &["--duration", "200ms"],
    );
    assert_eq!(recorder.end().code, Some(0));
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (listen, upstream, why) in [
        ("0.0.0.0:0", "127.0.0.1:1", "--allow-remote"),
        ("127.0.0.1:0", "192.0.2.1:1", "--allow-remote"),
        ("nonsense", "127.0.0.1:1", "HOST:PORT"),
        (
            taken.as_str(),
            "127.0.0.1:1",
            "cannot listen on this address",
        ),
    ] {
        let ended = bench.run([
            "record",
            "--listen",
            listen,
            "--upstream",
            upstream,
            "--out",
            "corpus",
        ]);
        assert_eq!(ended.code, Some(2), "{listen} {upstream}: {}", ended.all());
        assert!(
            ended.stderr.contains(why),
            "{listen} {upstream}: {}",
            ended.all()
        );
    }
    assert_eq!(
        bench.run(["record", "--listen", "127.0.0.1:0"]).code,
        Some(2)
    );
}
