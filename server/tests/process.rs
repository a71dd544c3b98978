//! The binary: arguments, output, signals, limits and workers.

use std::fs;
use std::io::{BufRead, Read, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};
use tcprove_server::Model;

use crate::common::{
    PROGRAM, Process, children, connect, exchange, expect, finish, read_all, runs, until,
};

#[test]
fn a_hangup_asks_for_a_reload_and_ends_nothing() {
    for model in Model::all() {
        let server = Process::start(&["--model", model.name()]);
        let mut client = server.connect();
        exchange(&mut client, b"before\n", b"before\n");
        server.signal(Signal::HUP);
        exchange(&mut client, b"after\n", b"after\n");
    }
}

#[test]
fn every_model_drains_on_either_signal() {
    for model in Model::all() {
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = Process::start(&["--model", model.name()]);
            let mut stream = server.connect();
            exchange(&mut stream, b"here\nhalf", b"here\n");
            server.signal(signal);
            exchange(&mut stream, b" done\n", b"half done\n");
            assert_eq!(server.wait().code(), Some(0), "{model} {signal:?}");
        }
    }
}

#[test]
fn a_second_signal_ends_a_drain() {
    for model in Model::all() {
        let mut server = Process::start(&["--model", model.name(), "--drain", "1m"]);
        let (mut idle, mut busy) = (server.connect(), None);
        exchange(&mut idle, b"here\n", b"here\n");
        if *model == Model::Sequential {
            idle.write_all(b"half").unwrap();
        } else {
            exchange(busy.insert(server.connect()), b"here\nhalf", b"here\n");
        }
        server.signal(Signal::TERM);
        if busy.is_some() {
            // The server has handled the first signal.
            assert_eq!(read_all(&mut idle), b"");
        }
        // The kernel merges pending signals of a kind, so signals are sent until the process ends.
        until("the process ends", || {
            server.signal(Signal::TERM);
            server.child.try_wait().unwrap().is_some()
        });
        assert_eq!(server.wait().code(), Some(143), "{model}");
    }
}

#[test]
fn the_error_names_a_taken_port() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = Command::new(PROGRAM)
        .args(["--port", &address.port().to_string()])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&address.to_string()), "{message}");
    assert!(message.contains("Address already in use"), "{message}");
}

#[test]
fn ipv6_and_dual_stack() {
    if let Err(error) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        println!("skipped: no IPv6 on this machine ({error})");
        return;
    }
    let server = Process::start(&["--host", "::1"]);
    let address = (Ipv6Addr::LOCALHOST, server.port).into();
    exchange(&mut connect(address), b"six\n", b"six\n");
    for (arguments, four) in [(&["--dual-stack"][..], true), (&["--host", "::"], false)] {
        let server = Process::start(arguments);
        let address = (Ipv6Addr::LOCALHOST, server.port).into();
        exchange(&mut connect(address), b"six\n", b"six\n");
        match TcpStream::connect(("127.0.0.1", server.port)) {
            Ok(mut stream) if four => exchange(&mut stream, b"four\n", b"four\n"),
            result => assert_eq!(result.is_ok(), four, "{arguments:?}"),
        }
    }
}

#[test]
fn the_tutorial_prints_peer_length_and_text() {
    let mut server = Process::start(&["--protocol", "tutorial"]);
    let mut stream = server.connect();
    let peer = stream.local_addr().unwrap();
    stream.write_all("问\n题".as_bytes()).unwrap();
    assert_eq!(read_all(&mut stream), "ok, 问题正在处理中...".as_bytes());
    let lines: Vec<_> = server
        .output
        .by_ref()
        .lines()
        .take(3)
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        lines,
        [
            format!("peer: {peer}"),
            "length: 7".into(),
            "text: 问\\n题".into()
        ]
    );
}

#[test]
fn the_tutorial_serves_if_nobody_reads_its_output() {
    for model in Model::all() {
        let mut server = Process::start(&["--protocol=tutorial", "--model", model.name()]);
        let text = "x".repeat(1_000);
        // Several times the capacity of a pipe.
        for _ in 0..300 {
            let mut stream = server.connect();
            stream.write_all(text.as_bytes()).unwrap();
            assert_eq!(
                read_all(&mut stream),
                "ok, 问题正在处理中...".as_bytes(),
                "{model}"
            );
        }
        server.signal(Signal::TERM);
        assert_eq!(server.wait().code(), Some(0), "{model}");
    }
}

#[test]
fn running_out_of_descriptors_is_survived() {
    for model in Model::all() {
        let mut server = Process::spawn(
            Command::new(PROGRAM)
                .args(["--model", model.name()])
                .stderr(Stdio::null()),
        );
        let mut first = server.connect();
        exchange(&mut first, b"one\n", b"one\n");
        let serving = match model {
            Model::Prefork => children(server.child.id()),
            _ => vec![server.child.id()],
        };
        for id in &serving {
            let pid = Pid::from_raw(i32::try_from(*id).unwrap());
            let open = fs::read_dir(format!("/proc/{id}/fd")).unwrap().count();
            let limit = Some(u64::try_from(open).unwrap() + 4);
            let maximum = getrlimit(Resource::Nofile).maximum;
            prlimit(
                pid,
                Resource::Nofile,
                Rlimit {
                    current: limit,
                    maximum,
                },
            )
            .unwrap();
        }
        let waiting: Vec<_> = (0..40).map(|_| server.connect()).collect();
        exchange(&mut first, b"two\n", b"two\n");
        assert!(server.child.try_wait().unwrap().is_none(), "{model}");
        drop((waiting, first));
        let mut after = server.connect();
        exchange(&mut after, b"three\n", b"three\n");
    }
}

#[test]
fn with_few_descriptors_the_server_serves_or_explains() {
    for model in Model::all() {
        // Prefork retries workers that cannot start for a while, so fewer limits are tried.
        let step = if *model == Model::Prefork { 6 } else { 1 };
        for limit in (4..18).step_by(step) {
            let script = format!("ulimit -n {limit} && exec \"$0\" \"$@\"");
            let mut child = Command::new("sh")
                .args(["-c", &script, PROGRAM, "--model", model.name()])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut said = String::new();
            let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
            stdout.read_line(&mut said).unwrap();
            let serves = said.starts_with("listening on ") && {
                let port = said.trim_end().rsplit_once(':').unwrap().1.parse().unwrap();
                let stream = TcpStream::connect(("127.0.0.1", port));
                stream.is_ok_and(|mut stream| {
                    stream
                        .set_read_timeout(Some(crate::common::PATIENCE))
                        .unwrap();
                    stream.write_all(b"here\n").is_ok() && matches!(stream.read(&mut [0]), Ok(1))
                })
            };
            if serves {
                child.kill().unwrap();
                child.wait().unwrap();
            } else {
                let output = child.wait_with_output().unwrap();
                let message = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(!output.status.success(), "{model} {limit}");
                assert!(
                    message.contains("open files") || message.contains("os error 24"),
                    "{model} {limit}: {message}"
                );
            }
        }
    }
}

#[test]
fn workers_end_with_their_parent_however_it_ends() {
    let mut server = Process::start(&["--model", "prefork", "--workers", "3"]);
    let mut stream = server.connect();
    exchange(&mut stream, b"here\n", b"here\n");
    // The first worker may answer before the last one has started.
    let mut workers = Vec::new();
    until("three workers run", || {
        workers = children(server.child.id());
        workers.len() == 3
    });
    server.child.kill().unwrap();
    server.wait();
    until("the workers are gone", || {
        !workers.iter().any(|id| runs(*id))
    });
    let port = server.port.to_string();
    let again = Process::start(&["--port", &port]);
    exchange(&mut again.connect(), b"again\n", b"again\n");
}

#[test]
fn a_dead_worker_is_replaced() {
    let server = Process::spawn(
        Command::new(PROGRAM)
            .args(["--model", "prefork", "--workers", "1"])
            .stderr(Stdio::null()),
    );
    exchange(&mut server.connect(), b"here\n", b"here\n");
    let before = children(server.child.id());
    let worker = Pid::from_raw(i32::try_from(before[0]).unwrap()).unwrap();
    rustix::process::kill_process(worker, Signal::KILL).unwrap();
    exchange(&mut server.connect(), b"here\n", b"here\n");
    assert_ne!(children(server.child.id()), before);
}

#[test]
fn an_interrupt_of_the_whole_group_is_one_signal() {
    let mut server = Process::spawn(
        Command::new(PROGRAM)
            .args(["--model", "prefork", "--workers", "2"])
            .process_group(0),
    );
    let mut stream = server.connect();
    exchange(&mut stream, b"here\nhalf", b"here\n");
    let group = Pid::from_child(&server.child);
    rustix::process::kill_process_group(group, Signal::INT).unwrap();
    exchange(&mut stream, b" done\n", b"half done\n");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn invalid_settings_are_refused() {
    for wrong in [
        &["--model", "none"][..],
        &["--protocol", "none"],
        &["--idle-timeout", "5"],
        &["--recv-buffer", "0"],
        &["--fault", "none"],
    ] {
        let output = Command::new(PROGRAM).args(wrong).output().unwrap();
        assert!(
            !output.status.success() && !output.stderr.is_empty(),
            "{wrong:?}"
        );
    }
}

#[test]
fn a_small_receive_buffer_and_json_logs_work() {
    let mut server = Process::spawn(
        Command::new(PROGRAM)
            .args([
                "--recv-buffer=1",
                "--log=debug",
                "--log-format=json",
                "--keepalive=off",
            ])
            .stderr(Stdio::piped()),
    );
    let mut stream = server.connect();
    stream.write_all(b"a\x1bb\n").unwrap();
    finish(&stream);
    expect(&mut stream, b"a\x1bb\n");
    let mut log = server.child.stderr.take().unwrap();
    server.signal(Signal::TERM);
    assert!(server.child.wait().unwrap().success());
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert!(text.lines().all(|line| line.starts_with('{')), "{text}");
    assert!(!text.contains('\x1b') && text.contains("u{1b}"), "{text}");
}
