//! The minimum of a case over the wire: connect, send, FIN, read until end of file, close.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, connect, recv, send,
    shutdown, socket_with,
};

/// Runs the loop in one thread per address for `measured` and returns the total number of connections
/// per second.
///
/// # Errors
/// An operation on a socket fails.
pub fn run(addresses: &[SocketAddr], request: &[u8], measured: Duration) -> io::Result<f64> {
    let until = Instant::now() + measured;
    std::thread::scope(|scope| {
        let threads: Vec<_> = addresses
            .iter()
            .map(|address| scope.spawn(move || repeat(*address, request, until)))
            .collect();
        let mut per_s = 0.0;
        for thread in threads {
            per_s += thread.join().expect("the loop does not panic")?;
        }
        Ok(per_s)
    })
}

fn repeat(address: SocketAddr, request: &[u8], until: Instant) -> io::Result<f64> {
    let (begun, mut count) = (Instant::now(), 0_u32);
    let mut buffer = vec![0; 64 * 1024];
    while Instant::now() < until {
        once(address, request, &mut buffer)?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

fn once(address: SocketAddr, request: &[u8], buffer: &mut [u8]) -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    connect(&socket, &address)?;
    send(&socket, request, SendFlags::NOSIGNAL)?;
    shutdown(&socket, Shutdown::Write)?;
    while recv(&socket, &mut *buffer, RecvFlags::empty())?.1 > 0 {}
    Ok(())
}
