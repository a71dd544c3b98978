//! Hang: the server lives and serves nobody any more.
//!
//! Never "no reply": half a message earns none. Two healthy clients on new connections must fail, each for
//! at least 2 s or twenty times the worst healthy one, while the machine itself answers in time.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::Symptom;
use crate::fuzz::Kind;
use crate::fuzz::life::Life;
use crate::session::PeerError;

/// An echo between two threads of ours takes longer than this only where the machine is to blame.
const HEALTHY_ECHO: Duration = Duration::from_millis(200);

/// One canary has failed with `first`: is it the server?
pub fn seen(life: &mut Life<'_>, first: &PeerError) -> Option<Symptom> {
    let limit = life.ground.silence.max(life.worst_canary() * 20);
    let again = match life.canary(limit) {
        Ok(_) | Err(PeerError::Harness(_) | PeerError::Render(_)) => return None,
        Err(error) => error,
    };
    if let Some(died) = life.alarm() {
        return Some(died);
    }
    if !machine_is_healthy() {
        return None;
    }
    if matches!(again, PeerError::Refused { .. }) && life.server().is_attached() {
        let title = "the server is gone: nobody listens any more";
        return Some(Symptom::new(Kind::Crash, "gone", title));
    }
    Some(
        match (first, &again) {
            (PeerError::Wrong { .. }, PeerError::Wrong { .. }) => Symptom::new(
                Kind::Conformance,
                "canary",
                "from then on healthy clients get wrong replies",
            ),
            (_, PeerError::Refused { .. }) => Symptom::new(
                Kind::Hang,
                "refuses",
                "the server lives and takes no connection any more",
            ),
            _ => Symptom::new(
                Kind::Hang,
                "silent",
                "the server lives and serves nobody any more",
            ),
        }
        .with("canaries", vec![first.to_string(), again.to_string()])
        .with("limit_ms", u64::try_from(limit.as_millis()).unwrap_or(0)),
    )
}

/// Whether an echo server of our own answers in time here and now.
pub fn machine_is_healthy() -> bool {
    echo_time().is_ok_and(|took| took < HEALTHY_ECHO)
}

fn echo_time() -> std::io::Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let server = std::thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        stream.write_all(&byte)
    });
    let begun = Instant::now();
    let mut client = TcpStream::connect(addr)?;
    client.set_read_timeout(Some(Duration::from_secs(2)))?;
    client.write_all(b"x")?;
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    let took = begun.elapsed();
    let _ = server.join();
    Ok(took)
}
