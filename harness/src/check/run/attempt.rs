//! One attempt at one check, and the look at the target after it.

use crate::check::{Check, Checked, Cx, Failure, Kind, Runs, Shortfall};
use crate::process::socket_table;
use crate::text::excerpt;
use serde_json::{Map, Value};
use std::time::Duration;

/// What one attempt came to.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) checked: Checked,
    pub(super) evidence: Map<String, Value>,
    pub(super) proof: Option<String>,
    pub(super) duration: Duration,
}

impl From<Shortfall> for Attempt {
    fn from(shortfall: Shortfall) -> Self {
        Self {
            checked: Err(shortfall),
            evidence: Map::new(),
            proof: None,
            duration: Duration::ZERO,
        }
    }
}

impl Attempt {
    pub(super) fn of(cx: &Cx, checked: Checked) -> Self {
        Self {
            checked,
            evidence: cx.evidence(),
            proof: cx.proof(),
            duration: Duration::ZERO,
        }
    }

    pub(super) fn inconclusive(reason: impl Into<String>) -> Self {
        Self::from(Shortfall::Inconclusive(reason.into()))
    }

    pub(super) fn lasting(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }

    /// The failure that a second attempt has to confirm.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.checked {
            Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => Some(failure),
            _ => None,
        }
    }

    /// Whether no second attempt is needed.
    pub(super) fn is_final(&self) -> bool {
        self.failure().is_none()
    }
}

/// How long a server that broke off may take until its end is seen.
const DYING: Duration = Duration::from_millis(300);

/// Lines of stderr that are kept as evidence.
const LINES_SHOWN: usize = 12;

/// Runs the check, then looks whether the server is still there and serves.
pub(super) async fn run(check: &'static Check, cx: &Cx) -> Attempt {
    let mut checked = (check.run)(cx).await;
    if check.runs != Runs::OwnServer {
        checked = after(cx, checked).await;
    }
    Attempt::of(cx, unproven(cx, checked))
}

/// A dead server outweighs whatever the check itself saw of it.
async fn after(cx: &Cx, checked: Checked) -> Checked {
    let checked = match checked {
        Ok(()) => cx.is_alive().await,
        other => other,
    };
    let seen = match &checked {
        Ok(()) | Err(Shortfall::Skip(_)) => return checked,
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => &failure.actual,
        // What could not be proved may be so because the server is not there any more.
        Err(Shortfall::Inconclusive(reason)) => reason,
    };
    let Some(exit) = ended(cx).await else {
        return checked;
    };
    let stderr = cx.server().output().stderr_tail;
    if !stderr.trim().is_empty() {
        cx.note("stderr", excerpt(&stderr, LINES_SHOWN));
    }
    let seen = if seen.contains(&exit) {
        String::new()
    } else {
        format!(" ({seen})")
    };
    Err(Shortfall::Failed(Failure {
        kind: Kind::Died,
        expected: "the server lives".into(),
        actual: format!("the server {exit}{seen}"),
    }))
}

/// How the server ended, if it did. Of one that tcprove did not start it can only be seen that it is
/// not there any more: its process, or its listening socket.
async fn ended(cx: &Cx) -> Option<String> {
    let server = cx.server();
    if !server.is_attached() {
        return Some(server.wait_exit(DYING).await?.to_string());
    }
    let addr = server.addr();
    let listens = || socket_table::listeners(Some(addr.port())).is_ok_and(|all| !all.is_empty());
    let gone = || server.is_gone() || (addr.ip().is_loopback() && !listens());
    let gone = cx.eventually(DYING, gone).await;
    gone.then(|| format!("is gone: nobody listens on {addr} any more"))
}

/// No verdict about the server without proof that the stimulus happened. Its death is a fact.
fn unproven(cx: &Cx, checked: Checked) -> Checked {
    let needs_proof = match &checked {
        Ok(()) => true,
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => failure.kind != Kind::Died,
        Err(_) => false,
    };
    if needs_proof && cx.proof().is_none() {
        let seen = match &checked {
            Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
                format!("; seen: {}", failure.actual)
            }
            _ => String::new(),
        };
        return Err(Shortfall::Inconclusive(format!(
            "unproven: it cannot be shown that the stimulus happened{seen}"
        )));
    }
    checked
}
