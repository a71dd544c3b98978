//! What a service sees of a case, and what `drive` returns.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;

use tcprove_server::{Config, Protocol, carry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::fuzz::Data;

fn send(text: &[u8]) -> Step {
    Step::Send(SendStep::whole(text))
}

fn cut(text: &[u8], cuts: &[u32]) -> Step {
    Step::Send(SendStep {
        data: text.into(),
        cuts: cuts.to_vec(),
    })
}

/// The result of every read, and of one write at the end, on each connection.
fn seen(steps: Vec<Step>) -> Vec<String> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let mut opened = 0;
    let service = |mut stream: MemoryStream| {
        let (log, number) = (Rc::clone(&log), opened);
        opened += 1;
        async move {
            let mut buffer = [0; 64];
            loop {
                let read = stream.read(&mut buffer).await;
                let text = match &read {
                    Ok(count) => String::from_utf8_lossy(&buffer[..*count]).into_owned(),
                    Err(error) => format!("{:?}", error.kind()),
                };
                log.borrow_mut().push(format!("{number}:{text}"));
                if !matches!(read, Ok(1..)) {
                    let written = stream.write(b"bye").await.map_err(|error| error.kind());
                    log.borrow_mut().push(format!("{number}:{written:?}"));
                    return;
                }
            }
        }
    };
    let answers = drive(service, &Case::new(steps));
    assert!(answers.iter().all(|answer| answer.end == StreamEnd::Closed));
    Rc::into_inner(log).unwrap().into_inner()
}

#[test]
fn pieces_are_reads() {
    let log = seen(vec![cut(b"abcdef", &[1, 4]), Step::Receive, send(b"gh")]);
    assert_eq!(log, ["0:a", "0:bcd", "0:ef", "0:gh", "0:", "0:Ok(3)"]);
}

#[test]
fn ends_are_told_apart() {
    let broken = format!("0:Err({:?})", ErrorKind::BrokenPipe);
    for (step, read, written) in [
        (Step::HalfClose, "0:", "0:Ok(3)"),
        (Step::Close, "0:", broken.as_str()),
        (Step::Reset, "0:ConnectionReset", broken.as_str()),
    ] {
        // Nothing is sent on a connection that the client has left.
        let log = seen(vec![send(b"a"), step, send(b"b"), Step::HalfClose]);
        assert_eq!(log, ["0:a", read, written]);
    }
}

#[test]
fn connections_take_turns() {
    let steps = vec![
        send(b"a"),
        Step::Connect,
        send(b"b"),
        Step::Switch(0),
        send(b"c"),
        Step::Reset,
        Step::Switch(1),
        send(b"d"),
    ];
    let log = seen(steps);
    let zero = ["0:a", "0:c", "0:ConnectionReset"];
    assert_eq!(log[..3], [zero[0], "1:b", zero[1]]);
    assert_eq!(log[3], zero[2]);
    assert_eq!(log[5..], ["1:d", "1:", "1:Ok(3)"]);
}

#[test]
fn long_replies_wait_for_the_client_and_arrive_whole() {
    let config = Config {
        protocol: Protocol::Echo,
        ..Config::default()
    };
    let data = Data::repeat(b"0123456789", 100_000);
    let case = Case::sending(data.clone());
    let answers = drive(|stream| carry(stream, &config), &case);
    assert_eq!(answers.len(), 1);
    assert!(answers[0].bytes == data.to_bytes());
    assert_eq!(
        (answers[0].length, answers[0].end),
        (1_000_000, StreamEnd::Closed)
    );
}

#[test]
fn one_connection_wakes_another() {
    let (say, hear) = tokio::sync::watch::channel(0);
    let service = |mut stream: MemoryStream| {
        let (say, mut hear) = (say.clone(), hear.clone());
        async move {
            hear.mark_unchanged();
            let mut byte = [0];
            tokio::select! {
                read = stream.read(&mut byte) => {
                    read.unwrap();
                    say.send(byte[0]).unwrap();
                }
                changed = hear.changed() => {
                    changed.unwrap();
                    let heard = *hear.borrow();
                    stream.write_all(&[heard]).await.unwrap();
                }
            }
        }
    };
    let answers = drive(service, &Case::new(vec![Step::Connect, send(b"x")]));
    assert_eq!(answers[0].bytes, b"x");
    assert_eq!(answers[1].bytes, b"");
}

#[test]
fn what_never_ends_is_ended() {
    let spins = |_stream: MemoryStream| {
        std::future::poll_fn(|context: &mut Context<'_>| {
            context.waker().wake_by_ref();
            std::task::Poll::<()>::Pending
        })
    };
    assert_eq!(drive(spins, &Case::default())[0].end, StreamEnd::Busy);
    let waits = |stream: MemoryStream| async move {
        let _stream = stream;
        std::future::pending::<()>().await;
    };
    let case = Case::new(vec![send(b"a"), Step::Connect]);
    let answers = drive(waits, &case);
    assert!(answers.iter().all(|answer| answer.end == StreamEnd::Open));
    let shuts = |mut stream: MemoryStream| async move {
        stream.shutdown().await.unwrap();
        let refused = stream.write(b"x").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::BrokenPipe);
        std::future::pending::<()>().await;
    };
    assert_eq!(drive(shuts, &case)[1].end, StreamEnd::Finished);
    let writes = |mut stream: MemoryStream| async move {
        while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
    };
    let answer = &drive(writes, &Case::default())[0];
    assert_eq!(
        (answer.end, answer.bytes.len()),
        (StreamEnd::Busy, ANSWER_BYTES_MAX)
    );
    assert!(answer.length > ANSWER_BYTES_MAX as u64);
}

#[test]
fn the_same_case_does_the_same_again() {
    let mut steps = vec![cut("你好\nhe".as_bytes(), &[1, 2, 7]), Step::Connect];
    steps.extend([
        send(b"\xff\n\n"),
        Step::HalfClose,
        Step::Switch(0),
        send(b"llo\n"),
    ]);
    let case = Case::new(steps);
    let config = Config::default();
    let once = drive(|stream| carry(stream, &config), &case);
    assert_eq!(once[0].bytes, "你好\nhello\n".as_bytes());
    assert_eq!(once[1].bytes, b"ERR not valid UTF-8\n\n");
    for _ in 0..10 {
        assert_eq!(drive(|stream| carry(stream, &config), &case), once);
    }
}

/// A planted fault that needs no socket also acts in memory.
#[test]
fn a_planted_fault_is_found() {
    let fault = tcprove_server::fault::find("lossy-decode").unwrap();
    let config = Config::with_fault(fault);
    let case = Case::sending(&b"a\xff\n"[..]);
    let answers = drive(|stream| carry(stream, &config), &case);
    assert_eq!(answers[0].bytes, "a\u{fffd}\n".as_bytes());
}
