//! One attempt at one check, and the examination of the server after it.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::check::{Check, Checked, Cx, Failure, FailureKind, Runs, Shortfall, Unmet, failed};
use crate::process::socket_table;
use crate::text::excerpt;

/// The result of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) checked: Checked,
    pub(super) evidence: Map<String, Value>,
    pub(super) proof: Option<String>,
    pub(super) duration: Duration,
    /// What would enable the check, if it was skipped for want of that.
    pub(super) enable: Vec<&'static str>,
}

impl From<Shortfall> for Attempt {
    fn from(shortfall: Shortfall) -> Self {
        Self {
            checked: Err(shortfall),
            evidence: Map::new(),
            proof: None,
            duration: Duration::ZERO,
            enable: Vec::new(),
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
            enable: Vec::new(),
        }
    }

    pub(super) fn skipped(unmet: Unmet) -> Self {
        Self {
            enable: unmet.enable,
            ..Self::from(Shortfall::Skip(unmet.reason))
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

/// Maximum time from a broken connection until the end of a crashed server is visible.
const DYING: Duration = Duration::from_millis(300);

/// Maximum number of lines of the server's stderr kept as evidence.
const LINES_SHOWN: usize = 12;

/// Runs the check, then examines whether the server still runs and serves.
pub(super) async fn run(check: &'static Check, cx: &Cx) -> Attempt {
    let mut checked = (check.run)(cx).await;
    if check.runs != Runs::OwnServer && !cx.is_replaced() {
        checked = after(cx, checked).await;
    }
    Attempt::of(cx, unproven(cx, helped(cx, checked)))
}

/// Without its helpers a server may do anything: their end is no fault of the server.
fn helped(cx: &Cx, checked: Checked) -> Checked {
    let observed = match &checked {
        Ok(()) | Err(Shortfall::Skip(_)) => return checked,
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => &failure.mismatch.actual,
        Err(Shortfall::Inconclusive(reason)) => reason,
    };
    match cx.server().helper_trouble() {
        Some(trouble) => {
            let reason = format!("{trouble}; observed: {observed}");
            Err(Shortfall::Inconclusive(reason))
        }
        None => checked,
    }
}

/// The death of the server takes precedence over what the check itself observed.
async fn after(cx: &Cx, checked: Checked) -> Checked {
    let checked = match checked {
        Ok(()) => cx.is_alive().await,
        other => other,
    };
    let observed = match &checked {
        Ok(()) | Err(Shortfall::Skip(_)) => return checked,
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
            (failure.kind != FailureKind::Died).then_some(&failure.mismatch.actual)
        }
        // A missing proof may be a consequence of the server's death.
        Err(Shortfall::Inconclusive(reason)) => Some(reason),
    };
    let Some(exit) = ended(cx).await else {
        return checked;
    };
    let stderr = cx.server().output().stderr_tail;
    if !stderr.trim().is_empty() {
        cx.note("stderr", excerpt(&stderr, LINES_SHOWN));
    }
    match observed {
        // The check has reported the death itself.
        None => checked,
        Some(observed) => failed(
            FailureKind::Died,
            "the server keeps running",
            format!("the server {exit} ({observed})"),
        ),
    }
}

/// How the server ended, if it did. For an attached server only its absence is visible: of its
/// process, or of its listening socket.
async fn ended(cx: &Cx) -> Option<String> {
    let server = cx.server();
    if !server.is_attached() {
        return Some(server.wait_exit(DYING).await?.to_string());
    }
    let local = server.addr().filter(|addr| addr.ip().is_loopback());
    let listens = |addr: SocketAddr| {
        socket_table::listeners(Some(addr.port())).is_ok_and(|all| !all.is_empty())
    };
    let gone = || server.is_gone() || local.is_some_and(|addr| !listens(addr));
    let gone = cx.eventually(DYING, gone).await;
    gone.then(|| format!("is gone: nobody listens on {} any more", server.endpoint()))
}

/// Without proof that the stimulus happened there is no verdict about the server, except that it
/// died.
fn unproven(cx: &Cx, checked: Checked) -> Checked {
    let needs_proof = match &checked {
        Ok(()) => true,
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
            failure.kind != FailureKind::Died
        }
        Err(_) => false,
    };
    if needs_proof && cx.proof().is_none() {
        let seen = match &checked {
            Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
                format!("; observed: {}", failure.mismatch.actual)
            }
            _ => String::new(),
        };
        return Err(Shortfall::Inconclusive(format!(
            "unproven: nothing shows that the stimulus happened{seen}"
        )));
    }
    checked
}
