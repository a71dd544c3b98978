//! `tcprove init --from-recording`: a talk from what `tcprove record` has stored.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use rustix::process::Signal;

use crate::support::skip::is_thorough;
use crate::support::{Bench, Ended, data, python, until};

fn command(kind: &str, port: &str) -> Option<Vec<String>> {
    let words = [python()?, "-ES", &data("recorded.py"), kind, port];
    Some(words.map(str::to_owned).to_vec())
}

/// Records what `client` does with one of the servers in `tests/data/recorded.py`, once for each of the sessions, and
/// lets `init` draft a file in the bench's folder.
fn drafted(bench: &Bench, kind: &str, sessions: &[&dyn Fn(&mut Client)]) -> Option<Ended> {
    let (serving, recording) = (Bench::new(), Bench::new());
    let words = command(kind, "0")?;
    let mut server = Command::new(&words[0]);
    server.args(&words[1..]);
    let server = serving.start(server);
    let upstream = server.address().to_string();
    let folder = bench.path("recorded");
    let mut record = recording.tcprove();
    record.args([
        "record",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "--out",
    ]);
    record.arg(&folder);
    let recorder = recording.start(record);
    let addr = recorder.address();
    for (number, session) in sessions.iter().enumerate() {
        session(&mut Client::new(addr));
        until("the session is stored", || {
            recorder.stderr().matches(": stored: ").count() == number + 1
        });
    }
    recorder.signal(Signal::TERM);
    recorder.end();
    server.signal(Signal::TERM);
    server.end();
    Some(draft(bench, kind))
}

fn draft(bench: &Bench, kind: &str) -> Ended {
    let mut arguments = vec![
        "init".to_owned(),
        "--from-recording".into(),
        "recorded".into(),
        "--".into(),
    ];
    arguments.extend(command(kind, "{port}").unwrap());
    bench.run(arguments)
}

/// The client whose sessions are recorded.
struct Client {
    addr: SocketAddr,
    stream: BufReader<TcpStream>,
}

impl Client {
    fn new(addr: SocketAddr) -> Self {
        let stream = BufReader::new(TcpStream::connect(addr).unwrap());
        Self { addr, stream }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line
    }

    fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.line()
    }

    /// A message of a type and a body, and the reply to it.
    fn message(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let size = u32::try_from(body.len()).unwrap().to_be_bytes();
        self.send([&[kind], &size[..], body].concat());
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).unwrap();
        let size = u32::from_be_bytes(head[1..].try_into().unwrap());
        let mut reply = vec![0; size as usize];
        self.stream.read_exact(&mut reply).unwrap();
        reply
    }

    /// A request of HTTP as curl sends it, and the body of the reply.
    fn http(&mut self, line: &str, more: &str) -> String {
        let addr = self.addr;
        self.send(format!(
            "{line} HTTP/1.1\r\nHost: {addr}\r\nAccept: */*\r\n{more}"
        ));
        let mut size = 0;
        loop {
            let line = self.line();
            if let Some(number) = line.strip_prefix("Content-Length: ") {
                size = number.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; size];
        self.stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}

/// Asserts that the file has these lines, and that checks with it pass.
fn says(bench: &Bench, ended: &Ended, lines: &[&str]) {
    assert_eq!(ended.code, Some(0), "{}", ended.all());
    let text = bench.read("tcprove.toml");
    let talk = text.split("# ------").next().unwrap();
    for line in lines {
        assert!(
            talk.lines().any(|have| have == *line),
            "no {line} in {talk}"
        );
    }
    let checked = bench.run([
        "check",
        "--only",
        "split-bytewise,zero-length",
        "--json",
        "r.json",
    ]);
    assert_eq!(checked.code, Some(0), "{}", checked.all());
    assert_eq!(
        bench.json("r.json")["counts"]["pass"],
        2,
        "{}",
        checked.all()
    );
}

#[test]
fn lines_with_a_greeting_and_a_login() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let session = |client: &mut Client| {
        assert!(client.line().starts_with("220 "));
        client.ask("LOGIN anna secret\r\n");
        assert_eq!(client.ask("ADD apples\r\n"), "251 added apples\r\n");
        client.ask("TIME\r\n");
        assert_eq!(client.ask("COUNT\r\n"), "253 1 counted\r\n");
        client.ask("QUIT\r\n");
    };
    let Some(ended) = drafted(&bench, "text", &[&session]) else {
        return;
    };
    let lines = [
        r#"frame = { until = "\r\n" }"#,
        r"expect = { regex = '(?s)^[0-9]+ shop .* ready\r\n$' }",
        r#"send = "LOGIN anna secret\r\n""#,
        r#"send = "ADD {tok}\r\n""#,
        r#"expect = "251 added {tok}\r\n""#,
        r#"send = "ADD {tok} {payload}\r\n""#,
        r"expect = { regex = '(?s)^[0-9]+ .*\r\n$' }",
        // The server counts on from one client to the next.
        r"expect = { regex = '(?s)^[0-9]+ .* counted\r\n$' }",
        r#"expect = "221 bye\r\n""#,
        "last = true # the server closes the connection after it",
    ];
    says(&bench, &ended, &lines);
    // Without the login nothing is added, so it belongs to each connection.
    let file = tcprove::file::load(&bench.path("tcprove.toml")).unwrap();
    assert_eq!(file.talk.open.len(), 2);
}

#[test]
fn http_with_a_body() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let get = |client: &mut Client| {
        assert_eq!(client.http("GET /say/hello", "\r\n"), "you said hello");
    };
    let post = |client: &mut Client| {
        client.http("GET /", "\r\n");
        let body = r#"{"text": "apples and pears"}"#;
        let more = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        assert!(
            client
                .http("POST /notes", &more)
                .contains("apples and pears")
        );
    };
    let Some(ended) = drafted(&bench, "web", &[&get, &post]) else {
        return;
    };
    let head = r"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n";
    let lines = [
        "frame = \"http1\"".to_owned(),
        format!(r#"send = "GET /say/{{tok}} {head}\r\n""#),
        format!(r#"send = "GET / {head}\r\n""#),
        format!(
            r#"send = "POST /notes {head}Content-Length: 24\r\n\r\n{{\"text\": \"{{tok}}\"}}""#
        ),
        format!(
            r#"send = "POST /notes {head}Content-Length: {{len:payload+25}}\r\n\r\n{{\"text\": \"{{tok}} {{payload}}\"}}""#
        ),
    ];
    says(&bench, &ended, &lines.each_ref().map(String::as_str));
    let text = bench.read("tcprove.toml");
    assert!(
        text.contains(r"Date: .*\r\n"),
        "the day is not expected: {text}"
    );
}

#[test]
fn binary_messages_with_a_type() {
    if !is_thorough() {
        return;
    }
    let bench = Bench::new();
    let session = |client: &mut Client| {
        assert_eq!(client.message(1, b"peter"), b"hello peter");
        assert_eq!(client.message(2, b""), b"\xff\0pong");
        client.message(3, b"four");
    };
    let Some(ended) = drafted(&bench, "framed", &[&session]) else {
        return;
    };
    let lines = [
        r#"frame = { len = "u32be", at = 1 }"#,
        r#"head = { hex = "01" }"#,
        r#"send = "{tok}""#,
        r#"expect = "hello {tok}""#,
        r#"expect = "hello {tok} {payload}""#,
        r#"expect = { hex = "ff 00 70 6f 6e 67" }"#,
        r#"head = { hex = "03" }"#,
        r#"expect = "size 4""#,
    ];
    says(&bench, &ended, &lines);
}

#[test]
fn what_the_server_no_longer_does_is_left_out_and_said() {
    let bench = Bench::new();
    let session = |client: &mut Client| {
        client.message(1, b"peter");
        client.message(2, b"");
    };
    if drafted(&bench, "framed", &[&session]).is_none() {
        return;
    }
    let mut entries = std::fs::read_dir(bench.path("recorded")).unwrap();
    let path = entries.next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(&path).unwrap();
    // As if an older version of the server had been recorded.
    let older = text.replace("hello peter", "HELLO peter");
    assert_ne!(older, text);
    std::fs::write(&path, &older).unwrap();
    std::fs::remove_file(bench.path("tcprove.toml")).unwrap();
    let ended = draft(&bench, "framed");
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    assert!(ended.stderr.contains("HELLO peter"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("now came \"hello peter\""),
        "{}",
        ended.stderr
    );
    assert!(!bench.path("tcprove.toml").exists());
}

#[test]
fn a_session_that_fixed_words_cannot_repeat() {
    let bench = Bench::new();
    let session = |client: &mut Client| {
        let mut number = client.line();
        for _ in 0..2 {
            number = client.ask(&number);
        }
    };
    let Some(ended) = drafted(&bench, "nonce", &[&session]) else {
        return;
    };
    assert_eq!(ended.code, Some(3), "{}", ended.all());
    let stderr = &ended.stderr;
    assert!(
        stderr.contains("no conversation file was made of the recording"),
        "{stderr}"
    );
    assert!(stderr.contains("ERR wrong number"), "{stderr}");
    assert!(stderr.contains("\nnext: "), "{stderr}");
    assert!(!bench.path("tcprove.toml").exists());
}

#[test]
fn wrong_uses() {
    let bench = Bench::new();
    let ended = bench.run(["init", "--from-recording", "nowhere"]);
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(ended.stderr.contains("add its command"), "{}", ended.stderr);
    let Some(words) = command("text", "{port}") else {
        return;
    };
    let with = |path: &str| {
        let first = ["init", "--from-recording", path, "--"].map(str::to_owned);
        bench.run(first.into_iter().chain(words.clone()))
    };
    assert!(with("nowhere").stderr.contains("cannot be read"));
    std::fs::create_dir(bench.path("empty")).unwrap();
    let ended = with("empty");
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended
            .stderr
            .contains("contains no recorded session\nnext: "),
        "{}",
        ended.stderr
    );
    // As an older version stored it.
    bench.write(
        "empty/recorded-0.json",
        r#"{"schema":"tcprove-case/1","cases":[[{"send":{"data":["a"]}}]],"recorded":{"replies":["b"],"complete":true}}"#,
    );
    let ended = with("empty");
    assert_eq!(ended.code, Some(2), "{}", ended.all());
    assert!(
        ended.stderr.contains("does not say which reply belongs"),
        "{}",
        ended.stderr
    );
}
