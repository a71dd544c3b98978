//! More requests than the server can answer, for a while.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, skip};

/// Overloads the server and watches it recover.
pub(super) const ENTRY: Check = Check {
    id: "overload-recovery",
    group: super::GROUP,
    battery: 1,
    requirement: "RFC 7567: queues absorb bursts, and a queue that stays full only delays; a server that still works for clients that have left long ago is late for all others",
    stimulus: "for 3 s clients come three times as fast as the server serves them, each with one request; one that is not served in time resets its connection and comes again; then half as many come as the server can serve",
    needs: &[Need::Reply],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Number of clients that measure the capacity.
const AT_ONCE: usize = 16;
/// Maximum number of clients at the same time.
const CLIENTS: usize = 300;
/// The offered rate as a multiple of the capacity, and the least that is an overload.
const OVERLOAD: f64 = 3.0;
const OVERLOAD_MIN: f64 = 1.5;
/// Duration of the overload.
const OVERLOAD_TIME: Duration = Duration::from_secs(3);
/// Duration of the measurement of the capacity.
const CAPACITY_TIME: Duration = Duration::from_secs(1);
/// The rate before and after the overload as a share of the capacity, and its maximum per second.
const CALM: f64 = 0.5;
const CALM_RATE_MAX: f64 = 200.0;
/// Length of one measurement of latency.
const WINDOW: Duration = Duration::from_millis(500);
/// Time limit for the latency to be back.
const RECOVERY: Duration = Duration::from_secs(5);
/// The latency is back when the 99th percentile of a window is at most this, or a multiple of that before.
const LATENCY_MIN: Duration = Duration::from_millis(100);
const LATENCY_FACTOR: u32 = 10;

async fn run(cx: &Cx) -> Checked {
    if !cx.is_slow() {
        return cx.skip_as_slow(format!(
            "only --slow overloads the server for {OVERLOAD_TIME:?} and waits up to {RECOVERY:?} for it"
        ));
    }
    let capacity = capacity(cx).await?;
    let rate = (capacity * CALM).min(CALM_RATE_MAX);
    let before = calm(cx, rate, cx.pace().reply_limit()).await?;
    let limit = LATENCY_MIN.max(before * LATENCY_FACTOR);
    cx.note("capacity_per_s", capacity.round());
    cx.note("p99_before_ms", before.as_secs_f64() * 1e3);
    let offered = overload(cx, capacity).await?;
    cx.note("offered_per_s", offered.rate.round());
    cx.note("gave_up", offered.gave_up);
    if offered.gave_up == 0 || offered.rate < OVERLOAD_MIN * capacity {
        return skip(format!(
            "tcprove cannot overload this server: it serves {capacity:.0} clients per second, and {:.0} per second came, of which {} were not served in time",
            offered.rate, offered.gave_up
        ));
    }
    cx.proved(format!(
        "{:.0} clients per second came for {OVERLOAD_TIME:?} to a server that serves {capacity:.0}; {} of them gave up and reset their connection",
        offered.rate, offered.gave_up
    ));
    let begun = Instant::now();
    loop {
        let p99 = calm(cx, rate, limit * 2).await?;
        cx.note("p99_after_ms", p99.as_secs_f64() * 1e3);
        cx.note("recovered_s", begun.elapsed().as_secs_f64());
        if p99 <= limit {
            return Ok(());
        }
        if begun.elapsed() >= RECOVERY {
            return failed(
                FailureKind::Slow,
                format!(
                    "within {RECOVERY:?} after an overload the 99th percentile of the latency is at most {limit:.0?} (before: {before:.1?})"
                ),
                format!(
                    "with {rate:.0} requests per second it is at least {p99:.0?}; {} clients had given up during the overload",
                    offered.gave_up
                ),
            );
        }
    }
}

/// Clients served per second: each connects, asks once and closes.
async fn capacity(cx: &Cx) -> Checked<f64> {
    let deadline = Instant::now() + CAPACITY_TIME;
    let served = Rc::new(Cell::new(0_u32));
    let clients = cx.crowd(cx.connections(AT_ONCE), |cx, _| {
        let served = served.clone();
        async move {
            while Instant::now() < deadline {
                cx.exchange().await?;
                served.set(served.get() + 1);
            }
            Ok(())
        }
    });
    clients.await.into_iter().collect::<Checked<Vec<()>>>()?;
    Ok(f64::from(served.get()) / CAPACITY_TIME.as_secs_f64())
}

/// The 99th percentile of the latency at this rate. Latency counts from the time at which a client was to come; that of one
/// that is not served is at least `patience`.
async fn calm(cx: &Cx, rate: f64, patience: Duration) -> Checked<Duration> {
    let count = ((rate * WINDOW.as_secs_f64()) as usize).max(1);
    let begun = Instant::now();
    let latencies = Rc::new(RefCell::new(Vec::with_capacity(count)));
    let clients = cx.crowd(count, |cx, number| {
        let latencies = latencies.clone();
        async move {
            let due = begun + WINDOW.mul_f64(number as f64 / count as f64);
            tokio::time::sleep_until(due).await;
            attempt(&cx, due + patience).await?;
            latencies.borrow_mut().push(due.elapsed());
            Ok(())
        }
    });
    clients.await.into_iter().collect::<Checked<Vec<()>>>()?;
    let mut latencies = latencies.take();
    latencies.sort_unstable();
    let above = latencies.len() / 100;
    Ok(latencies[latencies.len() - 1 - above])
}

/// What came during the overload.
struct Offered {
    /// Clients per second.
    rate: f64,
    gave_up: u32,
}

async fn overload(cx: &Cx, capacity: f64) -> Checked<Offered> {
    let clients = cx.connections(CLIENTS);
    // All clients together come at the wanted rate if none of them is served in time.
    let patience = Duration::from_secs_f64(clients as f64 / (OVERLOAD * capacity.max(1.0)));
    let begun = Instant::now();
    let (came, gave_up) = (Rc::new(Cell::new(0_u32)), Rc::new(Cell::new(0_u32)));
    let crowd = cx.crowd(clients, |cx, number| {
        let (came, gave_up) = (came.clone(), gave_up.clone());
        async move {
            // Spread over the first period.
            let mut due = begun + patience.mul_f64(number as f64 / clients as f64);
            while due < begun + OVERLOAD_TIME {
                tokio::time::sleep_until(due).await;
                came.set(came.get() + 1);
                due += patience;
                if !attempt(&cx, due).await? {
                    gave_up.set(gave_up.get() + 1);
                }
            }
            Ok(())
        }
    });
    crowd.await.into_iter().collect::<Checked<Vec<()>>>()?;
    Ok(Offered {
        rate: f64::from(came.get()) / begun.elapsed().as_secs_f64(),
        gave_up: gave_up.get(),
    })
}

/// One client with one request. Returns whether it was served before `deadline`; if not, it has reset its connection.
async fn attempt(cx: &Cx, deadline: Instant) -> Checked<bool> {
    let Ok(connected) = timeout_at(deadline, cx.try_connect()).await else {
        return Ok(false);
    };
    let Ok(mut client) = connected else {
        return Ok(false);
    };
    let asked = async {
        client.opening().await?;
        let turn = client.turn()?;
        client.exchange(&turn).await?;
        Ok::<(), Shortfall>(())
    };
    match timeout_at(deadline, asked).await {
        Ok(Ok(())) => {
            client.close();
            Ok(true)
        }
        // A server that is overloaded may refuse clients.
        Ok(Err(Shortfall::Failed(_))) | Err(_) => {
            client.reset()?;
            Ok(false)
        }
        Ok(Err(other)) => Err(other),
    }
}
