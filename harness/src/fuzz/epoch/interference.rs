//! What a server goes through whose system calls are given other results: which calls it makes, what was injected, and
//! another client that must not notice.

use std::rc::Rc;
use std::time::Duration;

use tokio::task::LocalSet;

use super::Epoch;
use super::client::dial;
use super::in_time::in_time;
use crate::fuzz::wire::settled;
use crate::process::injector::{Injected, Place, Record, Rule, SeenCall};
use crate::session::{PeerError, Session};

/// Maximum time in which another client is served beside one that is connected, if the server serves several, and the same
/// as a multiple of the usual exchange.
const BESIDE: Duration = Duration::from_millis(300);
const BESIDE_EXCHANGES: u32 = 20;
/// Number of exchanges in which the server's calls are observed.
const OBSERVED: u32 = 3;

/// What is known of one server in this respect.
#[derive(Default)]
pub(super) struct Interference {
    /// The different socket calls that well-behaved clients cause.
    calls: Vec<SeenCall>,
    /// Why nothing can be injected.
    trouble: Option<String>,
    /// What all cases so far have injected.
    record: Record,
    /// The last case has injected something, and what followed has not been examined.
    pub(super) is_near: bool,
    /// Whether a client can stay connected while others are served.
    serves_beside: bool,
    /// The server computes although it has nothing to do.
    pub(super) never_rests: bool,
    bystander: Option<Session>,
}

impl Epoch<'_> {
    /// Learns which calls the server makes for a client, if it has a filter.
    pub(super) fn observe_calls(&mut self) {
        if !self.target.inject {
            return;
        }
        let places = &[Place::Listener, Place::Connection];
        match self
            .server
            .inject(Rule::new(&[], places, Injected::Nothing))
        {
            Ok(injection) => {
                for _ in 0..OBSERVED {
                    let _ = self.canary(self.target.silence);
                }
                settled(&self.server);
                let record = injection.end();
                for call in record.seen {
                    if !self.interference.calls.contains(&call) {
                        self.interference.calls.push(call);
                    }
                }
                self.interference.trouble = record.trouble;
            }
            Err(reason) => self.interference.trouble = Some(reason),
        }
        self.interference.serves_beside = self.serves_beside();
        self.interference.never_rests = !settled(&self.server);
    }

    /// Why nothing can be injected into this server, if it was started for that.
    pub(crate) fn cannot_inject(&self) -> Option<&str> {
        self.interference.trouble.as_deref()
    }

    /// The different socket calls that well-behaved clients cause.
    pub(crate) fn calls(&self) -> &[SeenCall] {
        &self.interference.calls
    }

    /// What the cases have injected so far, as a sentence; `None` if nothing.
    pub(crate) fn injected(&self) -> Option<String> {
        let record = &self.interference.record;
        (record.count() > 0).then(|| record.text())
    }

    /// Whether a client keeps its connection, and is served on it, while another one comes and goes.
    fn serves_beside(&mut self) -> bool {
        let target = self.target;
        let is_tcp = self.server.addr().is_some();
        if target.sequential || !is_tcp || !target.talk().carries_many_turns() {
            return false;
        }
        let limit = BESIDE.max(target.pace.exchange * BESIDE_EXCHANGES);
        self.enter();
        self.interference.bystander.is_some()
            && self.canary(limit).is_ok()
            && self.bystander().is_none()
    }

    /// Connects the client that must not notice a case that injects.
    pub(super) fn beside(&mut self) {
        if self.interference.serves_beside {
            self.enter();
        }
    }

    fn enter(&mut self) {
        let dial = dial(&self.server, &self.voice, self.target.silence);
        let served = async {
            let mut session = Session::connect(dial).await?;
            session.opening().await?;
            let turn = session.turn()?;
            session.exchange(&turn).await?;
            Ok::<_, PeerError>(session)
        };
        let served = in_time(&self.target.deadline, served);
        self.interference.bystander = LocalSet::new().block_on(self.runtime, served).ok();
    }

    /// What the client beside a case got instead of a reply. It leaves.
    pub(crate) fn bystander(&mut self) -> Option<PeerError> {
        let mut session = self.interference.bystander.take()?;
        let served = async {
            let turn = session.turn()?;
            session.exchange(&turn).await?;
            session.close();
            Ok(())
        };
        let served = in_time(&self.target.deadline, served);
        match LocalSet::new().block_on(self.runtime, served) {
            Ok(()) | Err(PeerError::Harness(_) | PeerError::Render(_)) => None,
            Err(error) => Some(error),
        }
    }

    /// Notes what the last case has injected.
    pub(super) fn note_injected(&mut self) {
        let injected = self.wire.injected();
        self.interference.is_near = injected.is_some_and(|record| record.count() > 0);
        match injected {
            Some(record) if self.interference.is_near => self.interference.record.add(record),
            _ => self.interference.bystander = None,
        }
    }

    /// Whether the last case has injected something. Its own connection may be lost, and what the server logs about that is
    /// no report of a bug: it is dropped. The next call returns false.
    pub(crate) fn take_injected(&mut self) -> bool {
        if !self.interference.is_near {
            return false;
        }
        settled(&self.server);
        let _ = self.take_report();
        std::mem::take(&mut self.interference.is_near)
    }

    /// Whether the server does not come to rest, though it did before anything was injected.
    pub(crate) fn is_restless(&self) -> bool {
        let server = Rc::clone(&self.server);
        !self.interference.never_rests && (!settled(&server) || server.is_computing())
    }
}
