//! A client that comes, asks once and leaves.

use tokio::time::{Instant, timeout_at};

use crate::check::{Checked, Cx, Failure, FailureKind, Seen, Shortfall};

/// Connects, holds one exchange and closes, all of it before `deadline`. Returns why the client was not served, if it was
/// not.
pub(super) async fn once(cx: &Cx, deadline: Instant) -> Checked<Option<Failure>> {
    match timeout_at(deadline, exchange(cx, deadline)).await {
        Ok(Ok(())) => Ok(None),
        Ok(Err(Shortfall::Failed(failure))) => Ok(Some(failure)),
        Ok(Err(other)) => Err(other),
        Err(_) => Ok(Some(Failure {
            seen: Seen::AsDelay,
            ..Failure::new(
                FailureKind::Blocked,
                "the client is served",
                "no reply in time",
            )
        })),
    }
}

async fn exchange(cx: &Cx, deadline: Instant) -> Checked {
    // The kernel repeats a SYN that found the queue full. The time limit of the session comes after that of the client.
    let left = deadline.saturating_duration_since(Instant::now());
    let mut client = cx.try_connect_within(left * 2).await?;
    client.opening().await?;
    let turn = client.turn()?;
    client.exchange(&turn).await?;
    client.close();
    Ok(())
}
