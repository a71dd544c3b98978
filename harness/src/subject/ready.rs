//! Waits until a server holds its plain exchange, for servers that listen before they are ready.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Subject;
use crate::process::{Server, StartFailure};
use crate::session::{Dial, PeerError, Session, Transcript};

/// Time limit of the first attempt. Each later one has twice the limit of the one before, because a server may keep the
/// connections of its early clients without ever serving them, or may just be slow.
const FIRST_ATTEMPT: Duration = Duration::from_millis(500);
/// The first pause between two attempts.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause, reached by growing from [`PAUSE_MIN`]: some servers lock out a client that fails often.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Salt of the tokens, which no other client of the server uses.
const SALT: u64 = 5;

/// Repeats the plain exchange of the talk until it works, for at most `give_up` since the start of the server.
///
/// # Errors
/// The server ends, a helper fails, or no attempt succeeds in time.
pub(super) async fn by_exchange(
    subject: &Subject,
    server: Server,
    give_up: Duration,
) -> Result<Server, StartFailure> {
    let (begun, listened_after) = (Instant::now(), server.started_in());
    let took = || listened_after + begun.elapsed();
    let server = Rc::new(server);
    let (mut limit, mut pause) = (FIRST_ATTEMPT, PAUSE_MIN);
    loop {
        let left = give_up.saturating_sub(took());
        let error = match exchange(subject, &server, limit.min(left.max(PAUSE_MIN))).await {
            Ok(()) => break,
            Err(why) => why,
        };
        if let Some(failure) = server.helper_trouble() {
            return Err(failure);
        }
        let output = server.output();
        if let Some(exit) = server
            .exit()
            .filter(|exit| !exit.is_success() || server.is_empty())
        {
            return Err(StartFailure::Exited {
                exit,
                after: took(),
                stderr_tail: output.stderr_tail,
                stdout_tail: output.stdout_tail,
                holders: Vec::new(),
            });
        }
        if took() >= give_up {
            return Err(StartFailure::NoExchange {
                waited: took(),
                why: error,
                stderr_tail: output.stderr_tail,
                stdout_tail: output.stdout_tail,
            });
        }
        limit = (limit * 2).min(give_up);
        tokio::time::sleep(pause).await;
        pause = (pause * 5 / 4).min(PAUSE_MAX);
    }
    let Some(mut server) = Rc::into_inner(server) else {
        let error = std::io::Error::other("a client still uses the server");
        return Err(StartFailure::Harness {
            doing: "end the exchange that shows whether the server is ready".to_owned(),
            error,
        });
    };
    server.ready_after(took());
    Ok(server)
}

async fn exchange(subject: &Subject, server: &Rc<Server>, limit: Duration) -> Result<(), String> {
    let text = |error: PeerError| error.to_string();
    let mut session = Session::connect(Dial {
        server: server.clone(),
        voice: subject.voice(server, SALT),
        transcript: Transcript::default(),
        limit,
        receive_buffer: None,
    })
    .await
    .map_err(text)?;
    session
        .opening()
        .await
        .map_err(|opening| format!("{}: {}", opening.label, opening.error))?;
    let turn = session.turn().map_err(text)?;
    session.exchange(&turn).await.map_err(text)?;
    session.close();
    Ok(())
}
