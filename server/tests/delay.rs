//! Deliberate delays: their length, the delay log, and everything else that happens meanwhile.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use socket2::SockRef;
use tcprove_server::{Config, Delay, Model, Protocol, Shutdown, bind, run};

use crate::common::{Inside, Process, exchange, expect, finish, read_all, until};

const MS: Duration = Duration::from_millis(1);

fn config(model: Model, delay: Duration) -> Config {
    Config {
        model,
        delay: Some(Delay::Fixed(delay)),
        ..Config::default()
    }
}

/// The path of a log that does not exist.
fn log(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_file(&path);
    path
}

fn lines(path: &Path) -> Vec<Duration> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| Duration::from_nanos(line.parse().unwrap()))
        .collect()
}

#[test]
fn the_log_agrees_with_the_client_in_every_model() {
    let delay = 5 * MS;
    for model in Model::all() {
        let path = log(&format!("delay-{model}"));
        let server = Inside::start(Config {
            delay_log: Some(path.clone()),
            ..config(*model, delay)
        });
        let mut stream = server.connect();
        for count in 1..=20 {
            let begin = Instant::now();
            exchange(&mut stream, b"line\n", b"line\n");
            let seen = begin.elapsed();
            assert!(seen >= delay, "{model}: {seen:?}");
            // The write may return after its bytes have arrived, so wait for the line.
            until("the reply is in the log", || lines(&path).len() == count);
            let (logged, around) = (lines(&path)[count - 1], begin.elapsed());
            assert!(logged >= delay, "{model}: {logged:?}");
            assert!(logged <= around, "{model}: {logged:?} {around:?}");
        }
        let mut all = lines(&path);
        all.sort();
        println!(
            "{model}: {:?} to {:?}, median {:?}",
            all[0], all[19], all[10]
        );
        // The machine may be busy at times, but not during all 20 exchanges.
        assert!(
            all[0] < delay + Duration::from_micros(1_200),
            "{model}: {all:?}"
        );
        server.stop();
    }
}

#[test]
fn requests_that_arrive_together_are_answered_together_and_logged_apart() {
    for (protocol, request, replies) in [
        (Protocol::Line, &b"a\nbb\n\n"[..], 3),
        (Protocol::Frame, b"\0\0\0\x01a\0\0\0\0\0\0\0\x02bb", 3),
        (Protocol::Echo, b"anything", 1),
    ] {
        let path = log(&format!("together-{protocol}"));
        let server = Inside::start(Config {
            protocol,
            delay_log: Some(path.clone()),
            ..config(Model::TokioCurrent, 20 * MS)
        });
        exchange(&mut server.connect(), request, request);
        until("each is in the log", || lines(&path).len() == replies);
        server.stop();
    }
}

#[test]
fn connections_do_not_delay_each_other() {
    for model in Model::all() {
        if *model == Model::Sequential {
            continue;
        }
        let server = Inside::start(config(*model, 100 * MS));
        let mut streams: Vec<_> = (0..20).map(|_| server.connect()).collect();
        // One after the other takes 2 s always; a busy machine is late sometimes.
        let mut round = || {
            let begin = Instant::now();
            for stream in &mut streams {
                stream.write_all(b"a\n").unwrap();
            }
            for stream in &mut streams {
                expect(stream, b"a\n");
            }
            begin.elapsed()
        };
        assert!((0..5).any(|_| round() < 1_000 * MS), "{model}");
        server.stop();
    }
}

#[test]
fn delayed_replies_survive_a_fin_a_shutdown_and_the_idle_timeout() {
    thread::scope(|scope| {
        for model in Model::all() {
            scope.spawn(|| delayed_replies_survive(*model));
        }
    });
}

fn delayed_replies_survive(model: Model) {
    let server = Inside::start(Config {
        idle_timeout: 1_000 * MS,
        drain: Duration::from_secs(3_600),
        ..config(model, 1_500 * MS)
    });
    let mut stream = server.connect();
    exchange(&mut stream, b"slow\n", b"slow\n");
    stream.write_all(b"last\n").unwrap();
    finish(&stream);
    assert_eq!(read_all(&mut stream), b"last\n", "{model}");
    let mut stream = server.connect();
    stream.write_all(b"in flight\n").unwrap();
    // Time for the server to read it.
    thread::sleep(700 * MS);
    server.shutdown.trigger();
    assert_eq!(read_all(&mut stream), b"in flight\n", "{model}");
    server.stop();
}

#[test]
fn a_last_reply_is_delayed_before_the_close_lingers() {
    for model in Model::all() {
        let server = Inside::start(Config {
            protocol: Protocol::Tutorial,
            ..config(*model, 20 * MS)
        });
        let mut stream = server.connect();
        stream.write_all(&[0xff; 100_000]).unwrap();
        assert_eq!(read_all(&mut stream), b"error: not valid UTF-8", "{model}");
        let mut stream = server.connect();
        stream.write_all("问".as_bytes().split_at(2).0).unwrap();
        finish(&stream);
        assert_eq!(read_all(&mut stream), b"error: not valid UTF-8", "{model}");
        server.stop();
    }
}

#[test]
fn a_disconnected_client_does_not_turn_a_wait_into_a_busy_loop() {
    for model in Model::all() {
        if *model == Model::Prefork {
            continue;
        }
        let server = Process::start(&["--model", model.name(), "--delay", "fixed:10s"]);
        let mut stream = server.connect();
        stream.write_all(b"a\n").unwrap();
        finish(&stream);
        thread::sleep(50 * MS);
        SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(stream);
        thread::sleep(500 * MS);
        let ticks = cpu_ticks(server.child.id());
        assert!(ticks < 20, "{model}: {ticks} ticks of 10 ms");
    }
}

/// CPU time used by a process, user and system, in ticks.
fn cpu_ticks(id: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<_> = fields.split(' ').collect();
    fields[11..13]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn the_error_names_a_log_that_cannot_be_opened() {
    let config = Config {
        delay_log: Some("/nowhere/log".into()),
        ..Config::default()
    };
    let listener = bind(&config).unwrap();
    let error = run(listener, config, Shutdown::new().unwrap()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/log"), "{error}");
}
