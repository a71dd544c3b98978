//! Compares the clock of this machine with that of another part, where there is no folder that all parts share.
//!
//! All parts are given one address. The part on whose machine it is answers there, and the others ask it for its time, as NTP
//! does (RFC 5905, section 8): the answer was given between the question and its arrival, so its error is at most half of the
//! time between these, and of many answers the fastest is believed.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::FolderClock;
use crate::data::hash::fnv1a;

/// The first bytes of a question and of an answer.
const MAGIC: [u8; 8] = *b"tcprove1";
/// Bytes of a question (magic, number) and of an answer (the question, time, id of the part).
const QUESTION: usize = 16;
const ANSWER: usize = QUESTION + 16;
/// Answers that are awaited.
const ANSWERS: usize = 16;
/// Maximum time for that: the other part may be started later.
const PATIENCE: Duration = Duration::from_secs(5);
/// Maximum wait for one answer, and how often the part that answers looks whether it is over.
const WAIT: Duration = Duration::from_millis(100);

/// Reads a clock, in nanoseconds since 1970.
type Clock = fn() -> i64;

/// The clock that all parts compare theirs with.
pub(crate) enum PeerClock {
    /// This part's own: it answers until this is dropped.
    Ours(Answering),
    /// That of the part which answers at this address.
    Of(SocketAddr),
}

impl PeerClock {
    /// Answers at this address, if it is one of this machine and no other part does.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(crate) fn join(address: SocketAddr) -> Result<Self, String> {
        match UdpSocket::bind(address) {
            Ok(socket) => Answering::begin(socket, wall_clock)
                .map(Self::Ours)
                .map_err(|error| format!("{address}: {error}")),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable
                ) =>
            {
                Ok(Self::Of(address))
            }
            Err(error) => Err(format!("{address}: {error}")),
        }
    }

    /// Whether this part answers the others.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }

    /// This machine's clock, compared with that one.
    ///
    /// # Errors
    /// Nobody answers.
    pub(crate) fn compare(&self) -> Result<FolderClock, String> {
        match self {
            Self::Ours(answering) => Ok(FolderClock {
                folder: named(answering.id),
                ahead_ns: 0,
                within_ns: 0,
            }),
            Self::Of(address) => ask(*address, wall_clock, PATIENCE),
        }
    }
}

/// A thread that answers.
pub(crate) struct Answering {
    id: u64,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    fn begin(socket: UdpSocket, clock: Clock) -> io::Result<Self> {
        socket.set_read_timeout(Some(WAIT))?;
        let text = format!(
            "{:?} {} {:?}",
            SystemTime::now(),
            std::process::id(),
            socket
        );
        let id = fnv1a(text.as_bytes());
        let is_over = Arc::new(AtomicBool::new(false));
        let over = is_over.clone();
        let thread = std::thread::spawn(move || {
            // One byte more than a question has shows that it is none.
            let mut bytes = [0; QUESTION + 1];
            while !over.load(Ordering::Acquire) {
                let Ok((QUESTION, from)) = socket.recv_from(&mut bytes) else {
                    continue;
                };
                if bytes[..MAGIC.len()] == MAGIC {
                    let time = clock().to_be_bytes();
                    let answer = [&bytes[..QUESTION], &time, &id.to_be_bytes()].concat();
                    // The other part asks again.
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Self {
            id,
            is_over,
            thread: Some(thread),
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

fn named(id: u64) -> String {
    format!("part {id:016x}")
}

/// What an answer says: this machine's clock minus the other one, how exactly, and who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    ahead_ns: i64,
    within_ns: u64,
    id: u64,
}

fn ask(address: SocketAddr, clock: Clock, patience: Duration) -> Result<FolderClock, String> {
    let failed = |error: io::Error| format!("{address}: {error}");
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let socket = UdpSocket::bind(any).map_err(failed)?;
    socket.connect(address).map_err(failed)?;
    socket.set_read_timeout(Some(WAIT)).map_err(failed)?;
    let begun = Instant::now();
    let mut best: Option<Told> = None;
    let mut answers = 0;
    let mut number = 0;
    while answers < ANSWERS && begun.elapsed() < patience {
        number += 1;
        match answer(&socket, number, clock) {
            Some(told) => {
                answers += 1;
                let is_better = |best: Told| best.id != told.id || told.within_ns < best.within_ns;
                if best.is_none_or(is_better) {
                    best = Some(told);
                }
            }
            // Nobody listens there yet: the kernel says so at once.
            None => std::thread::sleep(WAIT / 10),
        }
    }
    let best = best.ok_or_else(|| {
        format!(
            "no part answers at {address} within {:.0} s: the part on that machine has to run, with the same --clock-peer, and UDP to it must not be blocked",
            patience.as_secs_f64()
        )
    })?;
    Ok(FolderClock {
        folder: named(best.id),
        ahead_ns: best.ahead_ns,
        within_ns: best.within_ns,
    })
}

/// Asks once. `None` if there is no answer.
fn answer(socket: &UdpSocket, number: u64, clock: Clock) -> Option<Told> {
    let question = [MAGIC, number.to_be_bytes()].concat();
    let before = clock();
    socket.send(&question).ok()?;
    let mut bytes = [0; ANSWER + 1];
    let begun = Instant::now();
    while begun.elapsed() < WAIT {
        let count = socket.recv(&mut bytes).ok()?;
        let after = clock();
        // An answer to an earlier question came late.
        if count != ANSWER || bytes[..QUESTION] != question[..] {
            continue;
        }
        let part = |from: usize| -> [u8; 8] { std::array::from_fn(|place| bytes[from + place]) };
        let theirs = i64::from_be_bytes(part(QUESTION));
        return Some(Told {
            ahead_ns: i64::midpoint(before, after) - theirs,
            within_ns: after.abs_diff(before).div_ceil(2),
            id: u64::from_be_bytes(part(QUESTION + 8)),
        });
    }
    None
}

fn wall_clock() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::parts::{ClockRecord, clocks};

    fn free() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").unwrap()
    }

    /// What the clocks of two machines say of each other, one of which answers with this clock.
    fn compared(theirs: Clock) -> Result<Duration, String> {
        let socket = free();
        let address = socket.local_addr().unwrap();
        let peer = PeerClock::Ours(Answering::begin(socket, theirs).unwrap());
        let record = |machine: &str, folder| ClockRecord {
            machine: machine.into(),
            folder: Some(folder),
        };
        let ours = PeerClock::join(address).unwrap();
        assert!(peer.is_ours() && !ours.is_ours());
        let all = [
            (1, record("one", peer.compare().unwrap())),
            (2, record("other", ours.compare().unwrap())),
        ];
        clocks::agree(&all).map_err(|reason| reason.to_string())
    }

    #[test]
    fn a_clock_that_is_right_agrees_and_one_that_is_off_is_told() {
        compared(wall_clock).unwrap();
        let told = compared(|| wall_clock() - 40_000_000).unwrap_err();
        assert!(
            told.starts_with("the clock of part 2 is 40.0 ms")
                || told.starts_with("the clock of part 2 is 39.9 ms"),
            "{told}"
        );
        let told = compared(|| wall_clock() + 3_600_000_000_000).unwrap_err();
        assert!(told.starts_with("the clock of part 1 is 36"), "{told}");
    }

    #[test]
    fn who_does_not_answer_or_says_something_else_is_told() {
        let socket = free();
        let address = socket.local_addr().unwrap();
        let patience = Duration::from_millis(150);
        let told = ask(address, wall_clock, patience).unwrap_err();
        assert!(told.contains("no part answers at 127.0.0.1:"), "{told}");
        // A question is not answered if it is none, and the answer to another question is not believed.
        let answering = Answering::begin(socket, wall_clock).unwrap();
        let client = free();
        client.connect(address).unwrap();
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        client.send(b"GET / HTTP/1.1\r\n").unwrap();
        client.send(&[MAGIC, 7_u64.to_be_bytes()].concat()).unwrap();
        let mut bytes = [0; 100];
        let count = client.recv(&mut bytes).unwrap();
        assert_eq!((count, bytes[15]), (ANSWER, 7));
        drop(answering);
        let gone = ask(address, wall_clock, patience).unwrap_err();
        assert!(gone.contains("no part answers"), "{gone}");
    }
}
