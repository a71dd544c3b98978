//! The opening of a talk: greeting, login.

use std::io;
use std::time::Duration;

use super::{OpeningError, PeerError, Session};
use crate::data::Actor;
use crate::process::Login;
use crate::sys::tcp_info;
use crate::talk::{Exchange, Exec, Opening};
use crate::text::escape;

/// Minimum time limit of a program that logs in: on a busy machine an interpreter needs some seconds to start.
const LOGIN_LIMIT_MIN: Duration = Duration::from_secs(10);

impl Session {
    /// Performs the opening of the talk: greeting, login, and the turns that come before the plain one.
    pub(crate) async fn opening(&mut self) -> Result<(), OpeningError> {
        let plain = self.voice.talk().plain().clone();
        self.opening_for(&plain).await
    }

    /// Performs the opening of the talk, and the turns that come before this exchange.
    pub(crate) async fn opening_for(&mut self, exchange: &Exchange) -> Result<(), OpeningError> {
        self.opening_only().await?;
        for exchange in self.voice.before(exchange) {
            self.open_by_exchange(&exchange).await?;
        }
        Ok(())
    }

    /// Performs the opening of the talk: greeting, login.
    pub(crate) async fn opening_only(&mut self) -> Result<(), OpeningError> {
        self.secure_first().await.map_err(of_tls)?;
        for step in self.voice.opening() {
            self.perform(&step).await?;
        }
        Ok(())
    }

    /// Performs one step of an opening, or a turn like one. Each exchange is rendered when its turn comes, since it may
    /// use values that an earlier one captured.
    pub(crate) async fn perform(&mut self, step: &Opening) -> Result<(), OpeningError> {
        match step {
            Opening::Exchange(exchange) => self.open_by_exchange(exchange).await,
            Opening::StartTls => self.start_tls().await.map_err(of_tls),
            Opening::Exec(exec) => self.log_in(exec).await.map_err(|error| OpeningError {
                label: exec.label.clone(),
                sent: Vec::new(),
                error,
            }),
        }
    }

    async fn open_by_exchange(&mut self, exchange: &Exchange) -> Result<(), OpeningError> {
        let turn = self.voice.plain(exchange).map_err(|error| OpeningError {
            label: exchange.label.clone(),
            sent: Vec::new(),
            error,
        })?;
        let exchanged = self.exchange(&turn).await.map_err(|error| OpeningError {
            label: turn.label.clone(),
            sent: turn.request.clone(),
            error,
        })?;
        drop(exchanged);
        Ok(())
    }

    /// Lets a program use the connection until it exits.
    async fn log_in(&mut self, exec: &Exec) -> Result<(), PeerError> {
        if !self.buffer.is_empty() {
            return Err(PeerError::BeforeLogin {
                bytes: self.buffer.len(),
                got: escape(&self.buffer, 200),
            });
        }
        let command = self.voice.login(exec)?;
        self.step(
            Actor::Client,
            format!(
                "log in with {}",
                escape(command.words.join(" ").as_bytes(), 60)
            ),
        );
        let login = Login::start(command, &self.link).map_err(PeerError::Harness)?;
        let limit = self.limit.max(LOGIN_LIMIT_MIN);
        login
            .wait(limit)
            .await
            .map_err(|failure| match failure.is_harness() {
                true => PeerError::Harness(io::Error::other(failure.to_string())),
                false => PeerError::Login(Box::new(failure)),
            })?;
        // What the program has sent counts as sent by this session, see `until_read`.
        if self.local.is_some() {
            let info = tcp_info(&self.link).map_err(PeerError::Harness)?;
            self.sent = info.bytes_sent - info.bytes_retrans + u64::from(info.notsent);
            self.link.set_sent(self.sent);
        }
        Ok(())
    }
}

/// The failure of a TLS handshake, which is part of the opening.
fn of_tls(error: PeerError) -> OpeningError {
    OpeningError {
        label: "transport.tls".to_owned(),
        sent: Vec::new(),
        error,
    }
}
