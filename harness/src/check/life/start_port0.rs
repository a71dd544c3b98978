//! A server that chooses its own port.

use std::time::Duration;

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed};
use crate::process::{Output, StartFailure, StartOptions};
use crate::text::excerpt;

/// Starts the server with 0 in place of its port.
pub(super) const ENTRY: Check = Check {
    id: "start-port0",
    group: super::GROUP,
    battery: 1,
    requirement: "promise.port0: with port 0 the kernel chooses a free port (ip(7)), and the server announces which one; tests that choose a port beforehand collide with each other",
    stimulus: "a start with 0 in place of {port}; the kernel's socket table shows where the server listens, and its output is searched for that number",
    needs: &[
        Need::Port0,
        Need::Spawned,
        Need::OwnSocket,
        Need::SingleClient,
        Need::Tcp,
    ],
    runs: Runs::OwnServer,
    weight: Weight::Fails,
    control: false,
    limit: Duration::from_secs(60),
    by_hand: "echo 'start the server with port 0, compare what it prints with:'; ss -Hltnp",
    run: |cx| Box::pin(run(cx)),
};

/// Time limit for the announcement once the server listens.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(1);
/// Maximum number of lines of the output that are shown.
const LINES_SHOWN: usize = 4;
const EXPECTED: &str =
    "a server that was started with port 0 announces the port on which it listens";

async fn run(cx: &Cx) -> Checked {
    let names_port = cx.launch()?.ready.names_port();
    let options = StartOptions {
        port0: true,
        ..StartOptions::default()
    };
    cx.step("start the server with 0 in place of {port}");
    let server = match cx.try_start(options).await? {
        Ok(server) => server,
        Err(failure) => return Err(never(cx, failure)),
    };
    let port = server.port();
    let listener = server.listener().filter(|_| port != 0);
    let Some(listener) = listener else {
        cx.proved("the server was started with 0 in place of {port}");
        return failed(
            FailureKind::Unannounced,
            EXPECTED,
            format!("it announces port {port}, on which it does not listen"),
        );
    };
    cx.proved(format!(
        "the server was started with 0 in place of {{port}}, and the kernel's socket table shows LISTEN on {}, inode {}",
        listener.addr, listener.inode
    ));
    cx.note("port", port);
    // If `ready` names the port, tcprove has it from the announcement.
    let limit = ANNOUNCED_WITHIN.max(cx.pace().start);
    let announced = || names_port || says(&server.output(), port);
    if !cx.eventually(limit, announced).await {
        return failed(
            FailureKind::Unannounced,
            EXPECTED,
            format!(
                "it listens on port {port}, and its output does not have that number: {}",
                shown(&server.output())
            ),
        );
    }
    cx.on(server.into()).exchange().await.map(|_| ())
}

fn never(cx: &Cx, failure: StartFailure) -> crate::check::Shortfall {
    if !failure.is_harness() {
        cx.proved("the server was started with 0 in place of {port}, and never listened");
    }
    failure.into()
}

/// Whether the output has this number.
fn says(output: &Output, port: u16) -> bool {
    let port = port.to_string();
    let texts = [&output.stdout_tail, &output.stderr_tail];
    let mut numbers = texts
        .into_iter()
        .flat_map(|text| text.split(|letter: char| !letter.is_ascii_digit()));
    numbers.any(|number| number == port)
}

fn shown(output: &Output) -> String {
    let text = format!("{}\n{}", output.stdout_tail, output.stderr_tail);
    let lines = excerpt(text.trim(), LINES_SHOWN);
    if lines.is_empty() {
        return "it printed nothing".to_owned();
    }
    format!("\"{}\"", lines.join("\", \""))
}
