//! A server does not become slower or larger with time.

use std::time::Duration;

use super::traffic::{Third, third, tokens};
use crate::check::{Check, Checked, Cx, FailureKind, Need, Runs, Weight, failed, skip, warned};

/// Sends mixed traffic, and compares its last third with the first.
pub(super) const ENTRY: Check = Check {
    id: "soak-drift",
    group: super::GROUP,
    battery: 1,
    requirement: "the cost of a request does not depend on how many came before; a list that only grows is searched longer each time",
    stimulus: "for a minute, four clients send requests at a moderate pace on connections of 20 requests, which end by FIN, by RST, and in the middle of a request; latency, CPU time, memory, descriptors and threads of the last third are compared with those of the first",
    needs: &[Need::Reply, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(24 * 3600),
    by_hand: "",
    run: |cx| Box::pin(run(cx)),
};

/// Minimum number of requests of a third.
const REQUESTS_MIN: usize = 200;
/// Minimum growth of the 99th percentile of the latency, as a factor and in time, if the fastest tenth of the requests has
/// become slower too: other load on the machine delays some requests, but not all.
const P99_FACTOR: f64 = 3.0;
const P99_MORE: Duration = Duration::from_millis(10);
const P10_FACTOR: f64 = 1.5;
/// Minimum growth of the CPU time of a request, as a factor and in time.
const CPU_FACTOR: f64 = 2.0;
const CPU_MORE: Duration = Duration::from_micros(100);
/// Minimum growth of memory, in bytes and per byte sent since the first third.
const MEMORY_MORE: u64 = 8 << 20;
const MEMORY_PER_BYTE: f64 = 0.5;
/// Minimum share of that growth in the last third, half of the time.
const GOES_ON: f64 = 0.4;
/// Minimum growth of descriptors and threads, for each connection since the first third.
const LEFT_PER_CONNECTION: f64 = 0.05;
const LEFT_MIN: f64 = 4.0;

async fn run(cx: &Cx) -> Checked {
    let length = cx.soak()? / 3;
    let tokens = tokens(cx);
    let mut thirds = Vec::with_capacity(3);
    for _ in 0..3 {
        thirds.push(third(cx, &tokens, length).await?);
    }
    let (first, last) = (&thirds[0], &thirds[2]);
    for (name, third) in [("first_third", first), ("last_third", last)] {
        cx.note(name, third.evidence());
    }
    let requests: usize = thirds.iter().map(Third::requests).sum();
    cx.proved(format!(
        "{requests} requests were answered within {:.0?}",
        length * 3
    ));
    if first.requests().min(last.requests()) < REQUESTS_MIN {
        return skip(format!(
            "the server answered only {requests} requests; --soak=TIME takes a longer time"
        ));
    }
    slower(first, last)?;
    left(first, last, &thirds[1..])?;
    larger(first, &thirds[1], last)
}

fn slower(first: &Third, last: &Third) -> Checked {
    let grown = |before: Duration, now: Duration, factor: f64, more: Duration| {
        now >= before.mul_f64(factor) && now >= before + more
    };
    let p99 = (first.latency(0.99), last.latency(0.99));
    let p10 = (first.latency(0.1), last.latency(0.1));
    let cpu = (first.cpu_each(), last.cpu_each());
    if grown(cpu.0, cpu.1, CPU_FACTOR, CPU_MORE) {
        return failed(
            FailureKind::Slow,
            "a request costs as much CPU time at the end as at the beginning",
            format!(
                "it costs {:.1?} in the first third and {:.1?} in the last",
                cpu.0, cpu.1
            ),
        );
    }
    if grown(p99.0, p99.1, P99_FACTOR, P99_MORE) && grown(p10.0, p10.1, P10_FACTOR, Duration::ZERO)
    {
        return failed(
            FailureKind::Slow,
            "requests are answered as fast at the end as at the beginning",
            format!(
                "the 99th percentile of the latency is {:.1?} in the first third and {:.1?} in the last; the fastest tenth took up to {:.1?} and {:.1?}",
                p99.0, p99.1, p10.0, p10.1
            ),
        );
    }
    Ok(())
}

fn larger(first: &Third, middle: &Third, last: &Third) -> Checked {
    let own = |third: &Third| third.usage.own_bytes;
    let sent = middle.sent + last.sent;
    let grown = own(last).saturating_sub(own(first));
    let grown_last = own(last).saturating_sub(own(middle));
    // A runtime may fill a heap that it had taken before (see rss-slope).
    let taken = last
        .usage
        .vm_data_bytes
        .saturating_sub(first.usage.vm_data_bytes);
    let per_byte = grown as f64 / sent.max(1) as f64;
    let goes_on = grown_last as f64 >= grown as f64 * GOES_ON;
    if grown < MEMORY_MORE || per_byte < MEMORY_PER_BYTE || taken < grown / 2 || !goes_on {
        return Ok(());
    }
    // Caches grow too, up to a size that the talk does not tell.
    warned(
        FailureKind::Growth,
        "memory does not grow with the requests that were answered",
        format!(
            "it grew by {:.1} MB after the first third, {per_byte:.2} bytes for each byte sent, and no less in the last third",
            grown as f64 / 1e6
        ),
    )
}

fn left(first: &Third, last: &Third, since: &[Third]) -> Checked {
    let connections: usize = since.iter().map(|third| third.connections).sum();
    let most = LEFT_MIN.max(LEFT_PER_CONNECTION * connections as f64);
    let counts = [
        (
            "descriptors",
            first.usage.descriptors,
            last.usage.descriptors,
        ),
        ("threads", first.usage.threads, last.usage.threads),
    ];
    for (what, before, now) in counts {
        if now.saturating_sub(before) as f64 > most {
            return failed(
                FailureKind::Leak,
                format!("the number of {what} does not grow"),
                format!(
                    "{before} after the first third, and {now} after {connections} more connections"
                ),
            );
        }
    }
    Ok(())
}
