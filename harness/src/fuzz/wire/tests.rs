//! Cases over real sockets: pieces, resets, and servers that do not read or reply.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::talk::Frame;
use crate::transport::Endpoint;

const LINE: &[u8] = b"\n";

/// Serves one connection with `serve` in a thread.
fn served<T: Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (addr, thread)
}

fn wire(addr: SocketAddr) -> Wire {
    let limits = Limits {
        wait: Duration::from_secs(2),
        send: Duration::from_secs(2),
        case: Duration::from_secs(5),
        between: Duration::from_millis(20),
        acknowledges: false,
    };
    Wire::new(&Endpoint::plain(addr), Frame::until(LINE), limits)
}

fn echo(mut stream: TcpStream) -> Vec<usize> {
    let (mut sizes, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return sizes,
            Ok(count) => {
                sizes.push(count);
                if stream.write_all(&buffer[..count]).is_err() {
                    return sizes;
                }
            }
        }
    }
}

#[test]
fn sends_in_pieces_and_reads_to_the_end() {
    let (addr, server) = served(echo);
    let case = Case::new(vec![
        Step::Send(SendStep {
            data: b"abcdef\n"[..].into(),
            cuts: vec![2, 5],
        }),
        Step::Receive,
        Step::Send(SendStep::whole(&b"x"[..])),
    ]);
    let observed = wire(addr).run(&case).unwrap();
    assert_eq!(observed.connections[0].bytes, b"abcdef\nx");
    assert_eq!(observed.connections[0].end, ConnectionEnd::Eof);
    assert_eq!(server.join().unwrap()[..3], [2, 3, 2]);
}

#[test]
fn a_server_that_sends_before_it_reads_on_does_not_block_us() {
    let (addr, server) = served(echo);
    let case = Case::sending(super::super::Data::repeat(b"0123456789abcdef", 1 << 19));
    let observed = wire(addr).run(&case).unwrap();
    assert_eq!(observed.connections[0].length, 8 << 20);
    assert_eq!(
        (observed.not_taken, observed.connections[0].end),
        (0, ConnectionEnd::Eof)
    );
    server.join().unwrap();
}

#[test]
fn a_reset_arrives_as_one() {
    let (addr, server) = served(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap_err().kind()
    });
    let case = Case::new(vec![
        Step::Send(SendStep::whole(&b"half"[..])),
        Step::DelayMs(20),
        Step::Reset,
        Step::Send(SendStep::whole(&b"never"[..])),
    ]);
    let observed = wire(addr).run(&case).unwrap();
    assert_eq!(observed.connections[0].end, ConnectionEnd::Ours);
    assert_eq!(server.join().unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn refused_reset_and_silent_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let case = Case::sending(&b"x"[..]);
    let observed = wire(nobody).run(&case).unwrap();
    assert_eq!(observed.connections[0].end, ConnectionEnd::Refused);

    let (addr, server) = served(|stream| {
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(stream);
    });
    let observed = wire(addr).run(&case).unwrap();
    assert_eq!(observed.connections[0].end, ConnectionEnd::Reset);
    server.join().unwrap();

    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (addr, server) = served(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let mut wire = wire(addr);
    wire.limits.wait = Duration::from_millis(30);
    let observed = wire.run(&case).unwrap();
    assert_eq!(observed.connections[0].end, ConnectionEnd::StillOpen);
    go.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn a_server_is_only_slow_for_those_who_delay_acknowledgements() {
    let ms = Duration::from_millis;
    let limits = Limits::without_delays(ms(44), ms(1)).expect("the delays are the cause");
    assert!(limits.acknowledges && limits.wait < Limits::of(ms(44)).wait);
    assert!(Limits::without_delays(ms(44), ms(40)).is_none());
    assert!(Limits::without_delays(ms(2), Duration::ZERO).is_none());
}

#[test]
fn a_client_that_acknowledges_at_once_reads_the_same() {
    let (addr, server) = served(echo);
    let mut wire = wire(addr);
    wire.limits = wire.limits.acknowledging();
    let observed = wire.run(&Case::sending(&b"hello\n"[..])).unwrap();
    assert_eq!(observed.connections[0].bytes, b"hello\n");
    assert_eq!(server.join().unwrap(), [6]);
}

/// A wire whose waits would last an hour, with what tells whether the server rests.
fn resting(addr: SocketAddr, asleep: impl Fn() -> Option<Duration> + 'static) -> Wire {
    let mut wire = wire(addr);
    let hour = Duration::from_secs(3600);
    wire.limits.wait = hour;
    wire.limits.case = hour;
    wire.resting(Rest::new(Duration::ZERO, asleep));
    wire
}

fn asks(message: &[u8]) -> Case {
    Case::new(vec![Step::Send(SendStep::whole(message)), Step::Receive])
}

#[test]
fn a_server_that_sleeps_is_not_waited_for() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (addr, server) = served(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let mut wire = resting(addr, || Some(Duration::ZERO));
    let observed = wire.run(&asks(b"half a message")).unwrap();
    assert_eq!(observed.connections[0].end, ConnectionEnd::StillOpen);
    assert_eq!(observed.in_vain, 1);
    go.send(()).unwrap();
    server.join().unwrap();
}

#[test]
fn a_server_that_computes_is_waited_for() {
    let looks = Cell::new(0);
    let has_replied = Arc::new(AtomicBool::new(false));
    let replied = has_replied.clone();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (addr, server) = served(move |mut stream| {
        stream.read_exact(&mut [0; 6]).unwrap();
        wait.recv().unwrap();
        stream.write_all(b"late\n").unwrap();
        has_replied.store(true, Ordering::Release);
    });
    let mut wire = resting(addr, move || {
        looks.set(looks.get() + 1);
        if looks.get() == 3 {
            go.send(()).unwrap();
        }
        replied.load(Ordering::Acquire).then_some(Duration::ZERO)
    });
    let observed = wire.run(&asks(b"hello\n")).unwrap();
    assert_eq!(observed.connections[0].bytes, b"late\n");
    assert_eq!(observed.connections[0].end, ConnectionEnd::Eof);
    assert_eq!(observed.in_vain, 0);
    server.join().unwrap();
}
