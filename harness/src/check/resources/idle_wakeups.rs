//! An idle server sleeps.

use std::time::{Duration, Instant};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, inconclusive};
use crate::process::{Wakeups, wakeups, wakeups_since};
use crate::session::{ConnectionEnd, Session};

/// Counts how often the server's threads wake up without traffic.
pub(super) const ENTRY: Check = Check {
    id: "idle-wakeups",
    group: super::GROUP,
    battery: 1,
    requirement: "a server waits for events instead of polling for them: each wake-up costs CPU time and keeps the processor from its sleep states (cheroot#378: 100 wake-ups a second)",
    stimulus: "a client is served and stays, four more connect, and all are silent, while the voluntary context switches of all threads of the server are counted",
    needs: &[Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Warns,
    control: true,
    limit: Duration::from_secs(30),
    by_hand: "python3 -c \"import socket,time; c=[socket.create_connection(('{host}',{port})) for _ in range(5)]; time.sleep(7)\" & sleep 1; grep ^vol /proc/$p/task/*/status; sleep 5; grep ^vol /proc/$p/task/*/status",
    run: |cx| Box::pin(run(cx)),
};

/// Number of silent clients.
const CLIENTS: usize = 5;
/// Time after the exchanges for threads to go to sleep.
const SETTLE: Duration = Duration::from_millis(100);
/// Length of the first measurement.
const WINDOW: Duration = Duration::from_millis(500);
/// Length of the second measurement, if the first exceeded the limit: background work of a start takes a while.
const LONG_WINDOW: Duration = Duration::from_secs(2);
/// Maximum number of wake-ups per second of all threads. A timer of 10 Hz is common (redis, mosquitto), a JVM without any
/// work has 30, and a poll every 10 ms has 100.
const PER_SECOND_MAX: f64 = 40.0;
/// Number of threads that the evidence names.
const THREADS_NAMED: usize = 4;

async fn run(cx: &Cx) -> Checked {
    let mut clients = vec![served(cx).await?];
    // A server that serves one client at a time leaves them in its queue.
    while clients.len() < cx.connections(CLIENTS) {
        clients.push(cx.connect().await?);
    }
    tokio::time::sleep(SETTLE).await;
    let mut rate = measured(cx, &mut clients, WINDOW).await?;
    if rate.per_second > PER_SECOND_MAX {
        rate = measured(cx, &mut clients, LONG_WINDOW).await?;
    }
    cx.note("wakeups_per_second", rate.per_second.round());
    if rate.per_second > PER_SECOND_MAX {
        return failed(
            FailureKind::Spin,
            format!(
                "without traffic the server's threads wake up at most {PER_SECOND_MAX} times per second"
            ),
            format!(
                "they wake up {:.0} times per second: {}",
                rate.per_second, rate.threads
            ),
        );
    }
    Ok(())
}

/// A client that has been served, if its connection stays open then, and says nothing more.
async fn served(cx: &Cx) -> Checked<Session> {
    let mut client = cx.open().await?;
    if cx.talk().carries_many_turns() {
        let turn = client.turn()?;
        client.exchange(&turn).await?;
    }
    Ok(client)
}

/// How often threads wake up.
struct Rate {
    per_second: f64,
    /// The busiest threads, each with its rate.
    threads: String,
}

async fn measured(cx: &Cx, clients: &mut [Session], window: Duration) -> Checked<Rate> {
    let (begun, before) = (Instant::now(), wakeups(&cx.server().pids()));
    tokio::time::sleep(window).await;
    let (after, window) = (wakeups(&cx.server().pids()), begun.elapsed());
    let mut open = 0;
    for client in clients {
        open += usize::from(client.drained(Duration::ZERO).await == ConnectionEnd::StillOpen);
    }
    if after.is_empty() {
        return inconclusive("the context switches of the server's threads cannot be read");
    }
    cx.proved(format!(
        "tcprove, the only client, was silent for {window:.1?} on {open} open connections; counted {} threads of the server",
        after.len()
    ));
    Ok(rate(&before, &after, window))
}

fn rate(before: &Wakeups, after: &Wakeups, window: Duration) -> Rate {
    let mut grown: Vec<(u64, &str)> = wakeups_since(before, after)
        .map(|(thread, count)| (count, thread.name.as_str()))
        .collect();
    grown.sort_unstable_by(|one, other| other.cmp(one));
    let per_second = |count: u64| count as f64 / window.as_secs_f64();
    let named = grown.iter().take(THREADS_NAMED);
    let named = named.filter(|(count, _)| *count > 0);
    let named: Vec<String> = named
        .map(|(count, name)| format!("thread \"{name}\" {:.0}", per_second(*count)))
        .collect();
    Rate {
        per_second: per_second(grown.iter().map(|(count, _)| count).sum()),
        threads: named.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Wakeup;

    fn all(counts: &[(u32, &str, u64)]) -> Wakeups {
        let one = |&(thread, name, count): &(u32, &str, u64)| {
            let name = name.to_owned();
            (thread, Wakeup { name, count })
        };
        counts.iter().map(one).collect()
    }

    #[test]
    fn threads_that_ended_do_not_count_and_new_ones_count_whole() {
        let before = all(&[(1, "main", 100), (2, "gone", 900)]);
        let after = all(&[(1, "main", 110), (3, "new", 30)]);
        let rate = rate(&before, &after, Duration::from_secs(2));
        assert!((rate.per_second - 20.0).abs() < 1e-9);
        assert_eq!(rate.threads, "thread \"new\" 15, thread \"main\" 5");
    }
}
