//! What the checks of this group share: a rule in force, clients, and another client that must not be affected.

use std::time::Duration;

use crate::check::resources::recovery::recovers;
use crate::check::{Ascribe, Checked, Cx, FailureKind, Shortfall, failed, skip};
use crate::process::injector::{Injected, Injection, Record, Rule, error_name};
use crate::session::{PeerError, Session};
use crate::talk::Exchange;

/// Time that an affected client waits for its reply. It may wait in vain.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time in which another client is served beside one that is connected, if the server serves several.
const BESIDE: Duration = Duration::from_millis(700);
/// Maximum output of a server while results are injected, in bytes.
const LOG_MAX: u64 = 1_000_000;

/// Puts a rule into force. Skips where that is not possible.
pub(in crate::check) fn arm(cx: &Cx, rule: Rule) -> Checked<Injection> {
    cx.server()
        .inject(rule)
        .or_else(|reason| skip(format!("no results can be injected: {reason}")))
}

/// Trials of several results, one after the other.
pub(super) struct Trials<'a> {
    cx: &'a Cx,
    done: Vec<String>,
    trouble: Option<String>,
    implausible: u32,
    printed: u64,
}

impl<'a> Trials<'a> {
    pub(super) fn new(cx: &'a Cx) -> Self {
        Self {
            cx,
            done: Vec::new(),
            trouble: None,
            implausible: 0,
            printed: printed(cx),
        }
    }

    /// Records what a rule has done, as the proof that it happened. Returns whether it has injected anything.
    pub(super) fn note(&mut self, record: &Record) -> bool {
        self.trouble = self.trouble.take().or_else(|| record.trouble.clone());
        self.implausible += record.implausible;
        if record.count() == 0 {
            return false;
        }
        self.done.push(record.text());
        let text = self.done.join("; ");
        self.cx.step(record.text());
        self.cx.proved(format!("{text} (answered for the kernel)"));
        true
    }

    /// Fails unless the server has gone on, serves others, and has not flooded its log. `after` says after what.
    pub(super) async fn goes_on(&self, after: &str) -> Checked {
        recovers(self.cx, after).await?;
        let printed = printed(self.cx).saturating_sub(self.printed);
        if printed > LOG_MAX {
            return failed(
                FailureKind::LogFlood,
                format!("the server prints at most {} MB", LOG_MAX / 1_000_000),
                format!("it has printed {} MB {after}", printed / 1_000_000),
            );
        }
        Ok(())
    }

    /// Skips if nothing was injected. `call` says what the server would have to call.
    pub(super) fn conclude(self, call: &str) -> Checked {
        if !self.done.is_empty() {
            return Ok(());
        }
        match (self.trouble, self.implausible) {
            (Some(trouble), _) => skip(trouble),
            (None, 0) if self.cx.server().calls().has_rings => {
                skip("the server uses io_uring: its calls cannot be seen")
            }
            (None, 0) => skip(format!(
                "no such call seen: the server does not call {call}"
            )),
            (None, count) => skip(format!(
                "the kernel cannot return this here: of {count} calls none waits and can be interrupted"
            )),
        }
    }
}

fn printed(cx: &Cx) -> u64 {
    let mark = cx.server().printed();
    mark.stdout + mark.stderr
}

/// The name of an injected error, for messages.
pub(super) fn named(result: Injected) -> String {
    match result {
        Injected::Error(number) => error_name(number),
        other => other.name(),
    }
}

/// A client that is connected while others are affected.
pub(super) struct Bystander {
    session: Option<Session>,
}

impl Bystander {
    /// Connects it. A server that serves one client at a time gets none.
    pub(super) async fn enter(cx: &Cx) -> Checked<Self> {
        // What it writes as it starts is not what it does for a client.
        cx.exchange().await?;
        cx.started_whole().await;
        if !cx.talk().carries_many_turns() {
            return Ok(Self { session: None });
        }
        let mut session = cx.open().await?;
        let turn = session.turn()?;
        session.exchange(&turn).await?;
        let limit = BESIDE.max(cx.pace().exchange * 4);
        let other = tokio::time::timeout(limit, cx.exchange()).await;
        let several = matches!(other, Ok(Ok(_)));
        Ok(Self {
            session: several.then_some(session),
        })
    }

    /// Lets it ask again, so that it has not been idle for long when it is needed next; it connects again if the server has closed its
    /// idle connection meanwhile (uvicorn: after 5 s). No rule may be in force.
    pub(super) async fn freshen(&mut self, cx: &Cx) -> Checked {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let turn = session.turn()?;
        if session.exchange(&turn).await.is_err() {
            *self = Self::enter(cx).await?;
        }
        Ok(())
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.session.is_some()
    }

    /// Ends its connection.
    pub(super) fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            session.close();
        }
    }

    /// Fails unless it is served. `after` says after what.
    pub(super) async fn is_served(&mut self, after: &str) -> Checked {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        let turn = session.turn()?;
        session
            .exchange(&turn)
            .await
            .ascribe(
                FailureKind::LostReply,
                "a client whose connection has not failed is served",
            )
            .at(|| format!("{after}, on a connection from before"))?;
        Ok(())
    }
}

/// What a client got that may be affected.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::check) enum Asked {
    Served,
    Lost,
    /// The reply is another one: the server may refuse the client, or its data is wrong.
    Otherwise(Shortfall),
}

/// Time that an affected client of this server waits for its reply.
pub(super) fn patience(cx: &Cx) -> Duration {
    PATIENCE.max(cx.pace().exchange * 2)
}

/// A client that connects, asks and leaves.
pub(super) async fn ask(cx: &Cx) -> Checked<Asked> {
    ask_for(cx, cx.talk().plain()).await
}

/// As [`ask`], with this exchange.
pub(super) async fn ask_for(cx: &Cx, exchange: &Exchange) -> Checked<Asked> {
    let asked = async {
        let mut session = cx.try_connect().await?;
        session
            .opening_for(exchange)
            .await
            .map_err(|opening| opening.error)?;
        let turn = session.voice().plain(exchange)?;
        session.exchange(&turn).await?;
        session.close();
        Ok::<(), PeerError>(())
    };
    Ok(judged(tokio::time::timeout(patience(cx), asked).await))
}

/// As [`ask`], on a connection that exists.
pub(super) async fn ask_again(cx: &Cx, session: &mut Session) -> Checked<Asked> {
    let turn = session.turn()?;
    Ok(judged(
        tokio::time::timeout(patience(cx), session.exchange(&turn)).await,
    ))
}

/// What a client got, from the result of its exchange; `Err`: none came in time.
pub(in crate::check) fn judged<T, E>(asked: Result<Result<T, PeerError>, E>) -> Asked {
    match asked {
        Ok(Ok(_)) => Asked::Served,
        Ok(Err(error @ PeerError::Wrong { .. })) => Asked::Otherwise(error.into()),
        Ok(Err(_)) | Err(_) => Asked::Lost,
    }
}
