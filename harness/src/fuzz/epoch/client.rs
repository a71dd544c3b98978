//! The clients of a server in a campaign: the one that runs cases, and the well-behaved ones.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::Epoch;
use super::in_time::in_time;
use crate::fuzz::deadline::Deadline;
use crate::fuzz::target::FuzzTarget;
use crate::fuzz::wire::{Limits, Rest, Wire};
use crate::process::Server;
use crate::session::{Dial, PeerError, Session, Transcript, Voice};

/// Runs cases against this server.
pub(super) fn wire(target: &FuzzTarget, server: &Server, voice: &Voice, limits: Limits) -> Wire {
    Wire::new(server.endpoint(), target.reply().clone(), limits)
        .until(target.deadline.clone())
        .opened_by(target.talk().opening_replies())
        .logging_in_with(voice.logins())
}

impl Epoch<'_> {
    /// Ends each wait for a reply once the server rests, instead of at its limit. Only a server that waits for something
    /// outside of its processes could still reply.
    pub(crate) fn waits_while_it_computes(&mut self) {
        let server = self.server.clone();
        let asleep = move || match server.is_computing() {
            true => None,
            false => server.cpu(),
        };
        self.wire
            .resting(Rest::new(self.target.pace.exchange, asleep));
    }
}

/// How a well-behaved client connects.
pub(super) fn dial(server: &Rc<Server>, voice: &Voice, limit: Duration) -> Dial {
    Dial {
        server: server.clone(),
        voice: voice.clone(),
        transcript: Transcript::default(),
        limit,
        receive_buffer: None,
        bare: false,
    }
}

/// Holds the plain conversation once. Returns its duration.
///
/// # Errors
/// The server did not serve it as the talk requires within `limit`.
pub(super) fn canary(
    runtime: &Runtime,
    server: &Rc<Server>,
    voice: &Voice,
    limit: Duration,
    deadline: &Deadline,
) -> Result<Duration, PeerError> {
    let begun = Instant::now();
    let dial = dial(server, voice, limit);
    let served = async {
        let mut session = Session::connect(dial).await?;
        session.opening().await?;
        let turn = session.turn()?;
        session.send(&turn.request).await?;
        session.expect(&turn).await?;
        session.close();
        Ok(begun.elapsed())
    };
    LocalSet::new().block_on(runtime, in_time(deadline, served))
}
