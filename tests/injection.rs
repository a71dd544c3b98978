//! Results of system calls that no client can cause: when there is a filter, what a sweep finds and what it cannot see, and
//! that nothing survives when tcprove and its supervisor are killed together.

mod table;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tcprove::process::{CallSet, Launch, Server, StartOptions, Trace};

use crate::support::battery::{check, compiled, data, have, tcprove};
use crate::support::skip;
use crate::support::skip::is_thorough;

/// The reference server, with a filter or without.
async fn server(inject: Option<CallSet>) -> Server {
    let program = crate::support::program();
    let launch = Launch::new(program, [program, "serve", "--port", "{port}"]);
    let options = StartOptions {
        inject,
        ..StartOptions::default()
    };
    Server::start(&launch, options).await.expect("it starts")
}

/// The mode of seccomp of a process: 0 without a filter, 2 with one.
fn seccomp(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let mode = status
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"));
    mode.expect("the kernel has seccomp").trim().to_owned()
}

/// Breakpoints and a filter do not disturb each other.
#[tokio::test]
async fn a_traced_server_can_have_a_filter_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = compiled("injection/lines.c", folder.path(), &[]) else {
        return;
    };
    let Ok(trace) = Trace::of_programs(&[program.clone().into()]) else {
        return skip::may_lack("a processor with breakpoints");
    };
    let supervisor = crate::support::program();
    let launch = Launch::new(supervisor, [program.as_str(), "{port}"]);
    let options = StartOptions {
        inject: Some(CallSet::All),
        trace: Some(trace.clone()),
        ..StartOptions::default()
    };
    let server = Server::start(&launch, options).await.expect("it starts");
    assert_eq!(seccomp(server.pid().expect("a process")), "2");
    let before = trace.reached();
    converse(&server, 3);
    assert!(trace.reached() > before);
}

/// Exchanges lines, one after the other. Returns the time for each.
fn converse(server: &Server, count: u32) -> Duration {
    let stream = TcpStream::connect(server.addr().expect("TCP")).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    let begun = Instant::now();
    for number in 0..count {
        let mut reply = String::new();
        writeln!(&stream, "line {number}").expect("it reads");
        reader.read_line(&mut reply).expect("it replies");
        assert_eq!(reply.trim_end(), format!("line {number}"));
    }
    begun.elapsed() / count
}

#[tokio::test]
async fn only_a_server_that_asks_for_it_has_a_filter() {
    let (plain, filtered) = (server(None).await, server(Some(CallSet::All)).await);
    let outside = seccomp(std::process::id());
    assert_eq!(seccomp(plain.pid().expect("a process")), outside);
    assert_eq!(seccomp(filtered.pid().expect("a process")), "2");
    converse(&filtered, 3);
    if skip::is_slow("shows the cost of an idle filter") {
        // The least of many short rounds, one of each kind after the other: what else runs only makes them longer.
        let mut least = (Duration::MAX, Duration::MAX);
        for _ in 0..400 {
            least.0 = least.0.min(converse(&plain, 50));
            least.1 = least.1.min(converse(&filtered, 50));
        }
        let ratio = least.1.as_secs_f64() / least.0.as_secs_f64();
        println!(
            "an exchange takes {:?} without a filter, {:?} with one: {ratio:.2} times as long",
            least.0, least.1
        );
    }
}

fn sweep(case: &str, more: &[&str]) -> (i32, Value) {
    let swept = check(["--embedded", "--sweep", case].iter().chain(more));
    (swept.code(), swept.report["sweep"]["rows"].clone())
}

#[test]
fn a_sweep_finds_the_call_and_the_error_that_end_a_server() {
    if !is_thorough() {
        return;
    }
    let (code, rows) = sweep(
        "accept4:1:EPROTO",
        &["--param", "fault=aborted-accept-ends"],
    );
    assert_eq!(code, 1, "{rows:#}");
    assert_eq!(rows[0]["case"], "accept4:1:EPROTO");
    assert_eq!(
        (&rows[0]["outcome"], &rows[0]["kind"]),
        (&"fail".into(), &"died".into())
    );
    let reproduce = rows[0]["reproduce"].as_str().expect("a command");
    assert!(
        reproduce.contains("--sweep accept4:1:EPROTO"),
        "{reproduce}"
    );
    let by_hand = rows[0]["by_hand"].as_str().expect("a command");
    assert!(
        by_hand.contains("inject=accept4:error=EPROTO:when=1"),
        "{by_hand}"
    );
}

#[test]
fn a_sound_server_loses_at_most_the_connection() {
    if !is_thorough() {
        return;
    }
    let (code, rows) = sweep("accept4:1:ECONNABORTED", &[]);
    assert_eq!((code, &rows[0]["outcome"]), (0, &"lost".into()), "{rows:#}");
}

/// A sweep of a small server of `tests/data/injection`.
fn sweep_small(program: &str, case: &[&str]) -> Value {
    let file = data("injection/tcprove.toml");
    let file = file.to_str().expect("a path in UTF-8");
    let parameter = format!("program={program}");
    let words = ["--file", file, "--param", &parameter, "--sweep"];
    check(words.iter().chain(case)).report["sweep"].clone()
}

#[test]
fn calls_that_were_seen_and_are_not_tried_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = compiled("injection/messages.c", folder.path(), &[]) else {
        return;
    };
    let sweep = sweep_small(&program, &["accept4:1:ECONNABORTED"]);
    assert_eq!(
        sweep["unanswered"],
        serde_json::json!(["recvmmsg", "sendmmsg"]),
        "{sweep:#}"
    );
    assert_eq!(sweep["calls"], serde_json::json!(["accept4"]));
    let by_splice = compiled("injection/messages.c", folder.path(), &["-DBY_SPLICE"]);
    let sweep = sweep_small(
        &by_splice.expect("it was compiled before"),
        &["accept4:1:ECONNABORTED"],
    );
    assert_eq!(
        sweep["unanswered"],
        serde_json::json!(["splice"]),
        "{sweep:#}"
    );
}

#[test]
fn calls_through_rings_cannot_be_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = compiled("injection/rings.c", folder.path(), &[]) else {
        return;
    };
    // The program says so when the kernel has no rings.
    let mut alone = std::process::Command::new(&program);
    let mut alone = alone.arg("0").spawn().expect("it starts");
    let ended = until("a ring, or an end", || {
        let ended = alone.try_wait().expect("a child");
        let has_ring = || {
            let links = std::fs::read_dir(format!("/proc/{}/fd", alone.id())).ok()?;
            let mut links = links.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
            links.find(|link| link.as_os_str() == "anon_inode:[io_uring]")
        };
        (ended.is_some() || has_ring().is_some()).then_some(ended)
    });
    let _ = alone.kill();
    let _ = alone.wait();
    if ended.is_some() {
        return skip::may_lack("a kernel with io_uring");
    }
    let sweep = sweep_small(&program, &[]);
    let reason = sweep["skipped"].as_str().expect("a reason");
    assert!(reason.contains("io_uring"), "{sweep:#}");
    assert_eq!(sweep["has_rings"], true);
}

/// A run of tcprove to which the kernel refuses a system call, and its report.
fn refused(call: &str, words: &[&str]) -> Option<(i32, String)> {
    let python = crate::support::python()?;
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("report.json");
    let mut command = std::process::Command::new(python);
    command
        .arg(data("injection/refuse.py"))
        .args([call, crate::support::program()])
        .args(words)
        .arg("--json")
        .arg(&json)
        .args(["--embedded", "--no-progress"])
        .current_dir(folder.path());
    let output = command.output().expect("it runs");
    let text = std::fs::read_to_string(json);
    let text = text.unwrap_or_else(|_| panic!("no report: {output:?}"));
    Some((output.status.code().expect("tcprove exits by itself"), text))
}

/// Asserts that nothing is injected into a server, for this reason, where the kernel refuses this call.
fn nothing_is_injected_without(call: &str, reason: &str) {
    let checks = ["check", "--only", "accept-aborted", "--only", "short-read"];
    let Some((code, report)) = refused(call, &checks) else {
        return;
    };
    assert_eq!(report.matches(reason).count(), 2, "{report}");
    assert!(!report.contains("\"fail\": 1"), "{code}: {report}");
    for (words, expected) in [
        (&["check", "--sweep"][..], 4),
        (&["fuzz", "--inject", "--cases", "10"], 3),
    ] {
        let (code, report) = refused(call, words).expect("there is a Python");
        assert_eq!(code, expected, "{report}");
        assert!(report.contains(reason), "{report}");
    }
}

#[test]
fn without_filters_there_is_a_reason() {
    let reason = "the kernel refuses a seccomp filter with a listener";
    nothing_is_injected_without("seccomp", reason);
}

/// As in a container that keeps CAP_SYS_PTRACE from its processes.
#[test]
fn without_the_servers_descriptors_there_is_a_reason() {
    let reason = "the server's calls cannot be examined: Operation not permitted";
    nothing_is_injected_without("pidfd_getfd", reason);
}

#[test]
fn a_server_of_a_single_client_is_not_swept() {
    if !have("python3") {
        return;
    }
    let script = data("tutorial_server.py");
    let script = script.to_str().expect("a path in UTF-8");
    let command = ["python3", script, "{port}", "once"];
    let words = ["--sweep", "--talk", "tutorial", "--"];
    let swept = check(words.iter().chain(&command));
    let reason = swept.report["sweep"]["skipped"].as_str().expect("a reason");
    assert!(reason.contains("single client"), "{reason}");
    assert_eq!(swept.code(), 4, "{}", swept.shown());
}

/// Its threads compete for each connection, and all but one of them find nothing.
#[test]
fn an_accept_that_took_no_connection_is_no_part_of_an_exchange() {
    if !is_thorough() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = compiled("injection/herd.c", folder.path(), &[]) else {
        return;
    };
    let sweep = sweep_small(&program, &["accept4:1:ECONNABORTED"]);
    let calls = sweep["calls"].as_array().expect("calls");
    let accepts = calls.iter().filter(|call| **call == "accept4").count();
    assert_eq!(accepts, 1, "{sweep:#}");
    assert_eq!(sweep["rows"][0]["outcome"], "lost", "{sweep:#}");
}

#[test]
fn the_rows_of_a_sweep_are_the_same_each_time() {
    let rounds = if skip::rounds() > 0 { 5 } else { 2 };
    let cases = || -> Vec<String> {
        let rows = check(["--embedded", "--sweep"]).report["sweep"]["rows"].clone();
        let rows = rows.as_array().expect("rows").clone();
        rows.iter().map(|row| row["case"].to_string()).collect()
    };
    let first = cases();
    assert!(first.len() > 20, "{first:?}");
    (1..rounds).for_each(|_| assert_eq!(cases(), first));
}

/// The specification of the PROXY protocol lets a server drop a connection whose header does not arrive at once (section 2).
#[test]
fn a_short_read_of_a_proxy_header_may_end_the_connection() {
    if !is_thorough() {
        return;
    }
    if !have("python3") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tcprove.toml");
    let script = data("injection/one_recv.py");
    let text = format!(
        "[server]\ncmd = [\"python3\", {script:?}, \"{{port}}\", \"{{at}}\"]\nparams = {{ at = \"\" }}\n\
         [transport]\nproxy = \"v1\"\n\
         [talk]\nframe = {{ until = \"\\n\" }}\nclose = \"server-after-reply\"\n\
         [[talk.turn]]\nsend = \"{{tok}}\\n\"\nexpect = \"{{tok}}\\n\"\n"
    );
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a path in UTF-8");
    for (at, case, outcome) in [
        ("at=header", "recvfrom:1:short", "lost"),
        ("at=request", "recvfrom:2:short", "fail"),
    ] {
        let swept = check(["-f", file, "--param", at, "--sweep", case]);
        let rows = &swept.report["sweep"]["rows"];
        assert_eq!(rows[0]["outcome"], outcome, "{at}: {rows:#}");
    }
}

/// The pid, parent, state and command line of all processes.
fn processes() -> BTreeMap<u32, (u32, String, String)> {
    let folder = std::fs::read_dir("/proc").expect("/proc");
    let pids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (fields.next()?.to_owned(), fields.next()?.parse().ok()?);
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        Some((pid, (parent, state, command.replace('\0', " "))))
    })
    .collect()
}

/// The descendants of a process, with their command lines.
fn descendants(root: u32) -> BTreeMap<u32, String> {
    let all = processes();
    let mut found = BTreeMap::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (pid, (_, _, command)) in all.iter().filter(|(_, process)| process.0 == parent) {
            found.insert(*pid, command.clone());
            parents.push(*pid);
        }
    }
    found
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    // It may have ended meanwhile.
    let _ = kill_process(pid, Signal::KILL);
}

/// Waits until a look shows something.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills tcprove and its supervisors while results are injected into a server that forks.
fn one_end(round: usize) {
    let mut run = tcprove()
        .args([
            "check",
            "--only",
            "slow-accept",
            "--only",
            "accept-*",
            "--no-progress",
        ])
        .args(["--embedded", "--param", "model=prefork"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("tcprove runs");
    let is = |command: &str, word: &str| command.contains(word);
    // The keeper is there as soon as calls are answered, and the workers as soon as the server serves.
    let tree = until("a server with a filter and workers", || {
        let tree = descendants(run.id());
        let servers = tree
            .values()
            .filter(|command| is(command, " serve "))
            .count();
        let keeps = tree.values().any(|command| is(command, "__keep"));
        (keeps && servers > 4).then_some(tree)
    });
    std::thread::sleep(Duration::from_millis(37 * (round as u64 % 9)));
    let supervisors = tree
        .iter()
        .filter(|(_, command)| is(command, "__supervise"));
    for pid in supervisors.map(|(pid, _)| *pid).chain([run.id()]) {
        kill(pid);
    }
    run.wait().expect("it was killed");
    until("every process of the tree to end", || {
        let now = processes();
        let left = tree.iter().filter(|(pid, command)| {
            let process = now.get(pid).filter(|process| process.1 != "Z");
            process.is_some_and(|process| process.2 == **command)
        });
        (left.count() == 0).then_some(())
    });
}

#[test]
fn nothing_survives_tcprove_and_its_supervisor() {
    let rounds = if skip::rounds() > 0 { 50 } else { 2 };
    (0..rounds).for_each(one_end);
}
