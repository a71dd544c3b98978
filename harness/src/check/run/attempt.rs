//! One attempt at one check, and the examination of the server after it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::aftermath::{self, Before, Idle};
use crate::check::{
    Check, Checked, Cx, Failure, FailureKind, Runs, Seen, Shortfall, Unmet, failed,
};
use crate::data::Actions;
use crate::process::socket_table;
use crate::subject::Pace;
use crate::text::excerpt;

/// The result of one attempt.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) checked: Checked,
    pub(super) evidence: Map<String, Value>,
    pub(super) transcript: Actions,
    pub(super) proof: Option<String>,
    /// The label of the turn that it was about, if not the plain one.
    pub(super) about: Option<String>,
    /// When it began; `None` if it did not run.
    pub(super) begun: Option<Instant>,
    pub(super) duration: Duration,
    /// What would enable the check, if it was skipped for want of that.
    pub(super) enable: Vec<&'static str>,
    /// Whether the server failed after the check, see [`aftermath`](super::aftermath).
    pub(super) is_aftermath: bool,
    /// The server's pace now, if the check exceeded a time limit and a plain exchange beside it was slow as well.
    pub(super) slower: Option<Pace>,
}

impl From<Shortfall> for Attempt {
    fn from(shortfall: Shortfall) -> Self {
        Self {
            checked: Err(shortfall),
            evidence: Map::new(),
            transcript: Actions::default(),
            proof: None,
            about: None,
            begun: None,
            duration: Duration::ZERO,
            enable: Vec::new(),
            is_aftermath: false,
            slower: None,
        }
    }
}

impl Attempt {
    pub(super) fn of(cx: &Cx, checked: Checked) -> Self {
        Self {
            checked,
            evidence: cx.evidence(),
            transcript: cx.actions(),
            proof: cx.proof(),
            about: cx.asked(),
            begun: None,
            duration: Duration::ZERO,
            enable: cx.enable().into_iter().collect(),
            is_aftermath: false,
            slower: None,
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

    /// The attempt, which began then and ends now.
    pub(super) fn since(self, begun: Instant) -> Self {
        Self {
            begun: Some(begun),
            duration: begun.elapsed(),
            ..self
        }
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

/// Runs the check, then examines whether the server still runs and serves, and has come to rest.
pub(super) async fn run(check: &'static Check, cx: &Cx, idle: &Idle) -> Attempt {
    let printed = cx.server().printed().stderr;
    let attempt = examined(check, cx, idle).await;
    if attempt.failure().is_none() {
        return attempt;
    }
    note_stderr(cx, printed);
    Attempt {
        evidence: cx.evidence(),
        ..attempt
    }
}

async fn examined(check: &'static Check, cx: &Cx, idle: &Idle) -> Attempt {
    if check.runs == Runs::OwnServer {
        let checked = (check.run)(cx).await;
        let attempt = Attempt::of(cx, unproven(cx, helped(cx, checked)));
        return beside_a_plain_exchange(cx, attempt).await;
    }
    idle.learn(cx).await;
    let before = Before::of(cx);
    let checked = (check.run)(cx).await;
    if cx.is_replaced() {
        return Attempt::of(cx, unproven(cx, helped(cx, checked)));
    }
    let has_filter = matches!(check.runs, Runs::Injected(_));
    let checked = unproven(cx, helped(cx, after(cx, checked, has_filter).await));
    let attempt = match before {
        Some(before) if cx.server().helper_trouble().is_none() => {
            left(check, cx, checked, before, idle).await
        }
        _ => Attempt::of(cx, checked),
    };
    beside_a_plain_exchange(cx, attempt).await
}

/// Time limit of plain exchanges beside a check that exceeded one.
const PLAIN: Duration = Duration::from_secs(12);
/// Maximum number of plain exchanges: opensmtpd greets each 17th client 5 s late.
const PLAIN_MAX: usize = 24;

/// A server may be slow at times, whatever the check does: a look-up of its client's name may take seconds. Then the check is
/// judged once more, with time limits that allow for it.
async fn beside_a_plain_exchange(cx: &Cx, attempt: Attempt) -> Attempt {
    let is_late = |failure: &Failure| failure.seen == Seen::AsDelay;
    if !attempt.failure().is_some_and(is_late) {
        return attempt;
    }
    Attempt {
        slower: slow_exchange(cx).await,
        ..attempt
    }
}

/// The server's pace if one of several plain exchanges is slow.
async fn slow_exchange(cx: &Cx) -> Option<Pace> {
    let begun = Instant::now();
    for _ in 0..PLAIN_MAX {
        let exchange = timed_exchange(cx).await;
        let slower = exchange.and_then(|exchange| cx.pace().slowed_to(exchange));
        if slower.is_some() || begun.elapsed() > PLAIN {
            return slower;
        }
    }
    None
}

/// The time that an exchange on a new connection takes; `None` if it fails.
async fn timed_exchange(cx: &Cx) -> Option<Duration> {
    let begun = Instant::now();
    let exchange = async {
        let mut session = cx.try_connect_within(PLAIN).await?;
        session.opening().await?;
        let turn = session.turn()?;
        session.exchange(&turn).await
    };
    let done = tokio::time::timeout(PLAIN, exchange).await;
    matches!(done, Ok(Ok(_))).then(|| begun.elapsed())
}

/// Examines what the check has left behind, unless it has failed already. A crash is a fact that precedes anything but the
/// death of the whole server.
async fn left(
    check: &'static Check,
    cx: &Cx,
    checked: Checked,
    before: Before,
    idle: &Idle,
) -> Attempt {
    let kind = match &checked {
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => Some(failure.kind),
        _ => None,
    };
    let aftermath = match (before.no_crash(cx), kind) {
        (_, Some(FailureKind::Died)) => return Attempt::of(cx, checked),
        (Err(crash), _) => Err(crash),
        (Ok(()), Some(_)) => return Attempt::of(cx, checked),
        (Ok(()), None) => match before.at_rest(cx, idle).await {
            Ok(()) if checked.is_ok() => aftermath::ends_threads(check, cx, before).await,
            other => other,
        },
    };
    match aftermath {
        Err(shortfall @ (Shortfall::Failed(_) | Shortfall::Warned(_))) => Attempt {
            is_aftermath: true,
            ..Attempt::of(cx, Err(shortfall))
        },
        // The server's processes cannot be examined any more.
        _ => Attempt::of(cx, checked),
    }
}

/// Notes what the server has printed on stderr since the check began, or else what the last other one of the check has.
fn note_stderr(cx: &Cx, from: u64) {
    let (mut printed, total) = cx.server().stderr_since(from);
    let mut all = total.saturating_sub(from);
    if printed.is_empty() {
        (printed, all) = cx.stderr_elsewhere().unwrap_or_default();
    }
    let is_cut = (printed.len() as u64) < all;
    let stderr = String::from_utf8_lossy(whole_lines(&printed, is_cut));
    if !stderr.trim().is_empty() {
        cx.note("stderr", excerpt(&stderr, LINES_SHOWN));
    }
}

/// The output from its first whole line on: if its begin was not kept, the first line has none either.
fn whole_lines(printed: &[u8], is_cut: bool) -> &[u8] {
    let end = printed.iter().position(|byte| *byte == b'\n');
    match end {
        Some(end) if is_cut => &printed[end + 1..],
        _ => printed,
    }
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

/// Maximum number of clients of which one must be served after a check. A server with a filter may lose one: a signal interrupts
/// the call that waits for tcprove, even one that no signal interrupts otherwise.
const CLIENTS_WITH_FILTER: usize = 3;

/// The death of the server takes precedence over what the check itself observed.
pub(super) async fn after(cx: &Cx, checked: Checked, has_filter: bool) -> Checked {
    let checked = match checked {
        Ok(()) => alive(cx, has_filter).await,
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

async fn alive(cx: &Cx, has_filter: bool) -> Checked {
    let clients = if has_filter { CLIENTS_WITH_FILTER } else { 1 };
    for _ in 1..clients {
        if cx.is_alive().await.is_ok() {
            return Ok(());
        }
    }
    cx.is_alive().await
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

/// Without proof that the stimulus happened there is no verdict about the server, except that it died, or that it did not hold
/// the conversation in a step that prepares the stimulus.
fn unproven(cx: &Cx, checked: Checked) -> Checked {
    if cx.proof().is_some() {
        return checked;
    }
    let why = "unproven: nothing shows that the stimulus happened";
    match checked {
        Ok(()) => Err(Shortfall::Inconclusive(why.into())),
        Err(Shortfall::Failed(ref failure) | Shortfall::Warned(ref failure))
            if failure.kind == FailureKind::Died =>
        {
            checked
        }
        Err(Shortfall::Failed(mut failure)) if failure.seen != Seen::ByCheck => {
            let actual = &mut failure.mismatch.actual;
            *actual = format!("{actual} (in a step that prepares the stimulus)");
            Err(Shortfall::Failed(failure))
        }
        Err(Shortfall::Failed(failure) | Shortfall::Warned(failure)) => {
            let seen = failure.mismatch.actual;
            Err(Shortfall::Inconclusive(format!("{why}; observed: {seen}")))
        }
        other => other,
    }
}
