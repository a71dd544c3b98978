//! One life of the server under fuzzing: cases are run on it, and every case is followed by a look.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::Case;
use super::ground::Ground;
use super::oracle::{Symptom, crash, hang, panic};
use super::wire::{Seen, Wire};
use crate::process::{Exit, Glance, Server, StartFailure, StartOptions, Vital, Vitals};
use crate::session::{Dial, PeerError, Session, Transcript, Voice};
use crate::talk::{Exchange, Turn};

/// How long the end of a process may take to be told, once it was seen.
const ENDING: Duration = Duration::from_secs(2);

/// A process that is there for so long after the first client is a worker.
const WORKERS_STAY: Duration = Duration::from_millis(50);

/// How long last words may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// One life of a server.
pub struct Life<'a> {
    /// What it stands on.
    pub ground: &'a Ground,
    runtime: &'a Runtime,
    server: Rc<Server>,
    wire: Wire,
    voice: Voice,
    vitals: Vitals,
    /// How it was when its cases began.
    pub begin: Vital,
    last: Glance,
    scan: panic::Scan,
    /// The worst healthy canary so far.
    worst_canary: Duration,
    /// Canaries that were held.
    pub canaries: u64,
}

/// What one case came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What the client saw.
    pub seen: Seen,
    /// CPU time of the server for it.
    pub cpu: Duration,
    /// How the server is after it.
    pub vital: Glance,
}

impl<'a> Life<'a> {
    /// Starts a server (or takes the attached one) and waits until a canary is served.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(ground: &'a Ground, runtime: &'a Runtime) -> Result<Self, StartFailure> {
        let start = ground.subject.server(StartOptions::default());
        let server = Rc::new(LocalSet::new().block_on(runtime, start)?);
        let wire = Wire::new(server.addr(), ground.reply().clone(), ground.limits);
        let mut life = Self {
            ground,
            runtime,
            voice: ground.subject.voice(&server, 0xf022),
            vitals: Vitals::of(server.pids()),
            begin: Vital::default(),
            last: Glance::default(),
            scan: panic::Scan::default(),
            worst_canary: ground.pace.exchange,
            canaries: 0,
            server,
            wire,
        };
        // The first client makes a server load what it loads late; what it does wrong is seen later.
        let at_first = life.server.pids();
        let _ = life.canary(ground.silence);
        life.settle(&at_first);
        Ok(life)
    }

    /// Another life beside this one.
    pub fn another(&self) -> Option<Self> {
        Self::start(self.ground, self.runtime).ok()
    }

    /// Takes stock: what is there now counts as healthy. Processes that came after the server was ready are
    /// workers if they stay; those that served one client and end are nobody's loss.
    fn settle(&mut self, at_first: &[u32]) {
        let mut pids = self.server.pids();
        if pids.iter().any(|pid| !at_first.contains(pid)) {
            std::thread::sleep(WORKERS_STAY);
            let still = self.server.pids();
            pids.retain(|pid| still.contains(pid));
        }
        self.vitals = Vitals::of(pids);
        self.begin = self.vitals.look();
        self.last = self.vitals.glance();
    }

    /// The server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A whole look now.
    pub fn look(&self) -> Vital {
        self.vitals.look()
    }

    /// The runner of cases, for oracles with wishes of their own.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Runs one case and looks.
    ///
    /// # Errors
    /// Our own side fails.
    pub fn run(&mut self, case: &Case) -> io::Result<Ran> {
        let seen = self.wire.run(case)?;
        Ok(self.after(seen))
    }

    /// Runs one case, and has a canary served while its connections are still open.
    ///
    /// # Errors
    /// Our own side fails.
    pub fn run_beside_canary(
        &mut self,
        case: &Case,
        limit: Duration,
    ) -> io::Result<(Ran, Result<Duration, PeerError>)> {
        let (server, voice, runtime) = (self.server.clone(), self.voice.clone(), self.runtime);
        let mut told = Ok(Duration::ZERO);
        let seen = self.wire.run_and(case, &mut |_| {
            told = canary(runtime, &server, &voice, limit)
        })?;
        self.canaries += 1;
        Ok((self.after(seen), told))
    }

    /// The median of so many canaries while the connections of the case are open. A canary that is not
    /// served counts as the limit.
    pub fn median_beside(&mut self, case: &Case, canaries: usize) -> Option<Duration> {
        let (server, voice, runtime) = (self.server.clone(), self.voice.clone(), self.runtime);
        let limit = self.ground.silence;
        let mut times = Vec::with_capacity(canaries);
        let mut hold = || {
            // Enough of them have waited for the limit: the median is known.
            if times.iter().filter(|took| **took >= limit).count() <= canaries / 2 {
                times.push(canary(runtime, &server, &voice, limit).unwrap_or(limit));
            }
        };
        let meanwhile = &mut |_: &Seen| (0..canaries).for_each(|_| hold());
        self.wire.run_and(case, meanwhile).ok()?;
        self.last = self.vitals.glance();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }

    fn after(&mut self, seen: Seen) -> Ran {
        let vital = self.vitals.glance();
        let cpu = vital.cpu.saturating_sub(self.last.cpu);
        self.last = vital;
        Ran { seen, cpu, vital }
    }

    /// A healthy client on a connection of its own: how long it took.
    ///
    /// # Errors
    /// What went wrong for it.
    pub fn canary(&mut self, limit: Duration) -> Result<Duration, PeerError> {
        self.canaries += 1;
        let took = canary(self.runtime, &self.server, &self.voice, limit)?;
        self.worst_canary = self.worst_canary.max(took);
        Ok(took)
    }

    /// The worst healthy canary so far.
    pub fn worst_canary(&self) -> Duration {
        self.worst_canary
    }

    /// The cheap look after a case: has a process ended, has the server reported a bug of its own?
    pub fn alarm(&mut self) -> Option<Symptom> {
        if self.last.ended.is_some() || self.gone() {
            return Some(crash::seen(self));
        }
        panic::seen(self)
    }

    fn gone(&self) -> bool {
        self.server.is_attached() && self.server.is_gone()
    }

    /// The whole look: the cheap one, and whether the server still serves.
    pub fn examine(&mut self) -> Option<Symptom> {
        let told = self.canary(self.ground.silence);
        self.judge(told)
    }

    /// What a canary says about the server.
    pub fn judge(&mut self, told: Result<Duration, PeerError>) -> Option<Symptom> {
        self.last = self.vitals.glance();
        let symptom = self.alarm();
        match told {
            _ if symptom.is_some() => symptom,
            Ok(_) => None,
            Err(error) => {
                // A server that dies closes its socket before its end can be seen.
                self.until(LAST_WORDS * 10, |life| life.vitals.ended().is_some());
                self.last = self.vitals.glance();
                self.alarm().or_else(|| hang::seen(self, &error))
            }
        }
    }

    /// A worker closes its sockets a moment before its end can be seen, and meanwhile others serve the canary.
    pub fn loses_a_worker(&mut self) -> Option<Symptom> {
        if self.vitals.processes() < 2
            || !self.until(LAST_WORDS, |life| life.vitals.ended().is_some())
        {
            return None;
        }
        self.last = self.vitals.glance();
        self.alarm()
    }

    /// Waits until something is so, at most for `limit`.
    pub fn until(&self, limit: Duration, so: impl Fn(&Self) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if so(self) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// How the main process ended.
    pub fn exit(&self) -> Option<Exit> {
        LocalSet::new().block_on(self.runtime, self.server.wait_exit(ENDING))
    }

    /// Which watched process has ended.
    pub fn ended(&self) -> Option<u32> {
        self.last.ended
    }

    /// New lines of stderr, if it wrote any since the last call.
    pub(super) fn scan(&mut self) -> Option<panic::Report> {
        if self.server.printed().stderr == self.scan.read() {
            return None;
        }
        let (fresh, total) = self.server.stderr_since(self.scan.read());
        self.scan.push(&fresh, total);
        if self.scan.is_reporting() {
            // The rest of the report is still being written.
            std::thread::sleep(LAST_WORDS);
            let (fresh, total) = self.server.stderr_since(self.scan.read());
            self.scan.push(&fresh, total);
        }
        self.scan.take()
    }
}

impl Life<'_> {
    /// One exchange on a connection of its own, not compared with what is expected.
    ///
    /// # Errors
    /// No whole reply came.
    pub fn ask(&self, exchange: &Exchange, payload: &[u8]) -> Result<(Turn, Vec<u8>), PeerError> {
        let dial = self.dial(self.ground.silence);
        LocalSet::new().block_on(self.runtime, async {
            let mut session = Session::connect(dial).await?;
            session.opening().await?;
            let turn = session.voice().render(exchange, payload)?;
            session.send(&turn.request).await?;
            let reply = session.any_reply(&turn).await?;
            session.close();
            Ok((turn, reply))
        })
    }

    /// What is said to the server, rendered afresh.
    pub fn voice(&self) -> &Voice {
        &self.voice
    }

    fn dial(&self, limit: Duration) -> Dial {
        dial(&self.server, &self.voice, limit)
    }
}

fn dial(server: &Rc<Server>, voice: &Voice, limit: Duration) -> Dial {
    Dial {
        server: server.clone(),
        voice: voice.clone(),
        transcript: Transcript::default(),
        limit,
        receive_buffer: None,
    }
}

fn canary(
    runtime: &Runtime,
    server: &Rc<Server>,
    voice: &Voice,
    limit: Duration,
) -> Result<Duration, PeerError> {
    let begun = Instant::now();
    let dial = dial(server, voice, limit);
    LocalSet::new().block_on(runtime, async {
        let mut session = Session::connect(dial).await?;
        session.opening().await?;
        let turn = session.turn()?;
        session.send(&turn.request).await?;
        session.expect(&turn).await?;
        session.close();
        Ok(begun.elapsed())
    })
}
