//! Cases over real sockets, against servers of a few lines.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::talk::Frame;

const LINE: &[u8] = b"\n";

/// Serves one connection with `serve`, in a thread.
fn served<T: std::marker::Send + 'static>(
    serve: impl FnOnce(TcpStream) -> T + std::marker::Send + 'static,
) -> (SocketAddr, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || serve(listener.accept().unwrap().0));
    (addr, thread)
}

fn wire(addr: SocketAddr) -> Wire {
    let limits = Limits {
        wait: Duration::from_secs(2),
        case: Duration::from_secs(5),
        between: Duration::from_millis(20),
    };
    Wire::new(addr, Frame::Until(LINE.to_vec()), limits)
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
        Step::Send(Send {
            data: b"abcdef\n"[..].into(),
            cuts: vec![2, 5],
        }),
        Step::Receive,
        Step::Send(Send::whole(&b"x"[..])),
    ]);
    let seen = wire(addr).run(&case).unwrap();
    assert_eq!(seen.connections[0].bytes, b"abcdef\nx");
    assert_eq!(seen.connections[0].end, End::Eof);
    assert!(seen.is_calm());
    assert_eq!(server.join().unwrap()[..3], [2, 3, 2]);
}

#[test]
fn a_server_that_sends_before_it_reads_on_does_not_block_us() {
    let (addr, server) = served(echo);
    let case = Case::sending(super::super::Data::repeat(b"0123456789abcdef", 1 << 19));
    let seen = wire(addr).run(&case).unwrap();
    assert_eq!(seen.connections[0].received, 8 << 20);
    assert_eq!((seen.not_taken, seen.connections[0].end), (0, End::Eof));
    server.join().unwrap();
}

#[test]
fn a_reset_arrives_as_one() {
    let (addr, server) = served(|mut stream| {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap_err().kind()
    });
    let case = Case::new(vec![
        Step::Send(Send::whole(&b"half"[..])),
        Step::DelayMs(20),
        Step::Reset,
        Step::Send(Send::whole(&b"never"[..])),
    ]);
    let seen = wire(addr).run(&case).unwrap();
    assert_eq!(seen.connections[0].end, End::Ours);
    assert_eq!(server.join().unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn refused_reset_and_silent_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let case = Case::sending(&b"x"[..]);
    let seen = wire(nobody).run(&case).unwrap();
    assert_eq!(seen.connections[0].end, End::Refused);

    let (addr, server) = served(|stream| {
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(stream);
    });
    let seen = wire(addr).run(&case).unwrap();
    assert_eq!(seen.connections[0].end, End::Reset);
    server.join().unwrap();

    let (go, wait) = std::sync::mpsc::channel::<()>();
    let (addr, server) = served(move |stream| {
        let _ = wait.recv();
        drop(stream);
    });
    let mut wire = wire(addr);
    wire.limits.wait = Duration::from_millis(30);
    let seen = wire.run(&case).unwrap();
    assert_eq!(seen.connections[0].end, End::StillOpen);
    go.send(()).unwrap();
    server.join().unwrap();
}
