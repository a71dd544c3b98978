//! Work that grows with the square of a request's size.

use std::time::{Duration, Instant};

use crate::check::fair::FairClock;
use crate::check::{
    Ascribe, Check, Checked, Cx, FailureKind, Need, Runs, Shortfall, Weight, failed, framing,
    inconclusive, skip,
};
use crate::session::PeerError;

/// Sends long requests in many segments and measures the server's CPU time.
pub(super) const ENTRY: Check = Check {
    id: "rescan-quadratic",
    group: super::GROUP,
    battery: 1,
    requirement: "a request of twice the size costs about twice as much: a server that searches or copies all it has received of a request with each read, or with each part of it, can be stopped by one client (CWE-407; duesee/imap-next#128, porsager/postgres#207)",
    stimulus: "requests of n, 2n and 4n bytes in segments of at least 64 bytes, 512 for the longest; each is read before the next is sent; 4n grows up to promise.max_message, or to the largest size that is answered, at most 4 MiB, or 16 MiB where that leaves the verdict open; the server's CPU time must not grow by 8 from n to 4n",
    needs: &[Need::Frame, Need::Payload, Need::Process],
    runs: Runs::AloneOnMachine,
    weight: Weight::Fails,
    control: true,
    limit: Duration::from_secs(60),
    by_hand: "python3 -c \"import socket,time; f=lambda: sum(map(int, open('/proc/$p/stat').read().split()[13:15]))*10; t=lambda n,b: (s:=socket.create_connection(('{host}',{port})), s.setsockopt(6,1,1), [(s.send(b'x'*(n//512)), time.sleep(.0003)) for _ in range(512)], s.send(b'\\n'), s.recv(1), print(n, 'bytes', f()-b, 'ms of CPU')); [t(n<<18,f()) for n in (1,2,4,8,16)]\"",
    run: |cx| Box::pin(run(cx)),
};

/// Number of segments of the longest request.
const SEGMENTS: usize = 512;
/// Minimum size of a segment in bytes.
const SEGMENT_BYTES_MIN: usize = 64;
/// Minimum size of the longest request in bytes: in a shorter one no server does much.
const TOP_BYTES_MIN: usize = 16 * 1024;
/// Maximum size of the longest request in bytes.
const TOP_BYTES_MAX: usize = 4 << 20;
/// The same, if the longest request leaves the verdict near its limit.
const SURE_BYTES_MAX: usize = STEP * TOP_BYTES_MAX;
/// Factor between two sizes that are tried.
const STEP: usize = 4;
/// Minimum CPU time of the longest request for a failure. Less is no harm, and measured too coarsely.
const COSTLY: Duration = Duration::from_millis(20);
/// Minimum factor by which the CPU time grows from n to 4n bytes for a failure: 4 is linear, 16 is quadratic.
const FACTOR_MIN: f64 = 8.0;
/// Minimum factor of each doubling for a failure: a single jump, for example where a cache is full, is no square.
const DOUBLING_MIN: f64 = 2.4;
/// Factor from which the sizes are measured again.
const SUSPECT: f64 = 5.0;
/// Maximum number of runs, of which the fastest counts, and of runs if the factor is as near to the limit as this.
const RUNS: usize = 4;
const RUNS_NEAR: usize = 12;
const NEAR: f64 = 1.3;
/// Longer requests are not sent if one takes this much CPU time.
const ENOUGH: Duration = Duration::from_millis(200);
/// Time in which a server that has answered a part of a request answers another one.
const ANOTHER: Duration = Duration::from_millis(30);
/// Longer requests are not sent if one takes this long, on either side.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Time of the check after which nothing is measured more often than once, and no longer request is tried: on a busy machine
/// what was measured has to do.
const TIME: Duration = Duration::from_secs(25);

async fn run(cx: &Cx) -> Checked {
    let most = match cx.promise().max_message {
        Some(promised) => promised.min(TOP_BYTES_MAX),
        None => largest_answered(cx).await?,
    };
    if most < TOP_BYTES_MIN {
        return skip(format!(
            "requests of {TOP_BYTES_MIN} bytes are not answered, and a shorter one costs no server much"
        ));
    }
    let begun = Instant::now();
    for top in tops(most) {
        let clock = FairClock::start(cx);
        let took = cost(cx, top, segment(top)).await?;
        let is_slow = clock.elapsed(cx) > PATIENCE || begun.elapsed() > TIME;
        if took > ENOUGH || is_slow || top == most {
            let mut series = Series::new(top);
            series.measure_up_to(cx, RUNS, begun).await?;
            if series.is_near() {
                // Of longer requests a part that grows with the square is more.
                match longer(cx, top, begun).await? {
                    Some(longer) => series = longer,
                    None => series.measure_up_to(cx, RUNS_NEAR, begun).await?,
                }
            }
            series.note(cx);
            if series.is_quadratic() {
                return series.fails();
            }
            // The first run may have been slowed by other processes, or by a compiler.
            if series.cpu[2] > ENOUGH || is_slow {
                break;
            }
        }
    }
    Ok(())
}

/// Requests of [`STEP`] times the size, measured; `None` if the server does not promise to accept them, or does not answer them.
async fn longer(cx: &Cx, top: usize, begun: Instant) -> Checked<Option<Series>> {
    let top = top * STEP;
    if top > cx.promise().max_message.unwrap_or(SURE_BYTES_MAX)
        || begun.elapsed() > TIME
        || !matches!(answered(cx, top).await?, Answered::Whole)
    {
        return Ok(None);
    }
    let mut series = Series::new(top);
    series.measure_up_to(cx, RUNS, begun).await?;
    Ok(Some(series))
}

/// Sizes to try up to `most`, the least first.
fn tops(most: usize) -> Vec<usize> {
    let steps = std::iter::successors(Some(most), |top| Some(top / STEP));
    let mut tops: Vec<usize> = steps.take_while(|top| *top >= TOP_BYTES_MIN).collect();
    tops.reverse();
    tops
}

/// The largest of these sizes of a request that a server without `promise.max_message` answers in time; 0 if it answers
/// none of them.
async fn largest_answered(cx: &Cx) -> Checked<usize> {
    let mut largest = 0;
    for size in tops(TOP_BYTES_MAX) {
        match answered(cx, size).await? {
            Answered::Whole => largest = size,
            Answered::Late => return Ok(size),
            Answered::Otherwise => break,
        }
    }
    Ok(largest)
}

/// How a server answers a long request.
enum Answered {
    Whole,
    /// The same, after more than [`PATIENCE`].
    Late,
    /// Not as the talk says, or not as one request.
    Otherwise,
}

/// Sends a request of this size.
async fn answered(cx: &Cx, size: usize) -> Checked<Answered> {
    let clock = FairClock::start(cx);
    let mut client = cx.open_for_payload().await?;
    client.set_limit(2 * PATIENCE.max(cx.pace().exchange * 2));
    let Some(turn) = framing::sized(cx, &mut client, size)? else {
        return Ok(Answered::Otherwise);
    };
    client.owe(turn.request.clone());
    match client.expect(&turn).await {
        // A server that answers the parts of a long request apart does not take it as one.
        Ok(_) if !client.leftover(ANOTHER).await.is_empty() => return Ok(Answered::Otherwise),
        Ok(_) => client.close(),
        Err(error @ PeerError::Harness(_)) => return Err(error.into()),
        Err(_) => return Ok(Answered::Otherwise),
    }
    Ok(if clock.elapsed(cx) > PATIENCE {
        Answered::Late
    } else {
        Answered::Whole
    })
}

/// Size of the segments of requests of up to `top` bytes.
fn segment(top: usize) -> usize {
    (top / SEGMENTS).max(SEGMENT_BYTES_MIN)
}

/// Requests of n, 2n and 4n bytes in segments of the same size.
struct Series {
    bytes: [usize; 3],
    segment: usize,
    /// The least CPU time of each.
    cpu: [Duration; 3],
    /// How often they were sent.
    runs: usize,
}

impl Series {
    fn new(top: usize) -> Self {
        Self {
            bytes: [top / 4, top / 2, top],
            segment: segment(top),
            cpu: [Duration::MAX; 3],
            runs: 0,
        }
    }

    /// Measures them so often as the verdict asks for, at most `runs` times, and less often the later it is in the check, which
    /// has begun then.
    async fn measure_up_to(&mut self, cx: &Cx, runs: usize, begun: Instant) -> Checked {
        while self.runs < runs {
            let is_due = match self.runs {
                0 => true,
                _ if begun.elapsed() > TIME => false,
                1 => self.is_costly(),
                2..RUNS => self.is_suspect(),
                _ => self.is_near(),
            };
            if !is_due {
                break;
            }
            self.measure(cx).await?;
            self.runs += 1;
        }
        Ok(())
    }

    fn note(&self, cx: &Cx) {
        cx.note("bytes", self.bytes.to_vec());
        cx.note("cpu_ms", self.cpu_ms());
    }

    async fn measure(&mut self, cx: &Cx) -> Checked {
        for (size, least) in self.bytes.into_iter().zip(&mut self.cpu) {
            let took = cost(cx, size, self.segment)
                .await
                .at(|| format!("a request of {size} bytes in segments of {}", self.segment))?;
            *least = took.min(*least);
        }
        Ok(())
    }

    fn is_costly(&self) -> bool {
        self.cpu[2] >= COSTLY
    }

    /// By which factors the CPU time grows with each doubling of the size.
    fn doublings(&self) -> [f64; 2] {
        let [least, middle, top] = self.cpu.map(|cpu| cpu.as_secs_f64().max(1e-9));
        [middle / least, top / middle]
    }

    fn factor(&self) -> f64 {
        self.doublings().iter().product()
    }

    fn is_suspect(&self) -> bool {
        self.is_costly() && self.factor() >= SUSPECT
    }

    /// Whether a little more or less time would change the verdict.
    fn is_near(&self) -> bool {
        self.is_costly() && (FACTOR_MIN / NEAR..FACTOR_MIN * NEAR).contains(&self.factor())
    }

    fn is_quadratic(&self) -> bool {
        let steep = |factor: &f64| *factor >= DOUBLING_MIN;
        self.is_costly() && self.factor() >= FACTOR_MIN && self.doublings().iter().all(steep)
    }

    fn cpu_ms(&self) -> Vec<f64> {
        let ms = |cpu: Duration| (cpu.as_secs_f64() * 1e4).round() / 10.0;
        self.cpu.map(ms).to_vec()
    }

    fn fails(&self) -> Checked {
        let [least, middle, top] = self.bytes;
        let ms = self.cpu.map(|cpu| cpu.as_secs_f64() * 1e3);
        failed(
            FailureKind::Complexity,
            "the server's CPU time grows by less than 8 from n to 4n bytes",
            format!(
                "requests of {least}, {middle} and {top} bytes in segments of {} took {:.1}, {:.1} and {:.1} ms of CPU time: {:.1} times as much for 4 times as many bytes",
                self.segment,
                ms[0],
                ms[1],
                ms[2],
                self.factor()
            ),
        )
    }
}

/// The server's CPU time for a request of `size` bytes in segments, each of which it has read before the next is sent.
async fn cost(cx: &Cx, size: usize, segment: usize) -> Checked<Duration> {
    let mut client = cx.open_for_payload().await?;
    let Some(turn) = framing::sized(cx, &mut client, size)? else {
        return skip(format!("no request of the talk has {size} bytes"));
    };
    let before = cpu(cx)?;
    let pieces = turn.request.chunks(segment);
    let count = pieces.len();
    for piece in pieces {
        client.send(piece).await?;
        match client.until_read().await {
            Ok(()) => {}
            Err(PeerError::NotRead { .. }) => {
                return skip("the server leaves the beginning of a request unread");
            }
            Err(error) => return Err(Shortfall::from(error)),
        }
        // A server that echoes piece by piece must not have to wait for this client.
        client.take_arrived(size).await;
    }
    client.expect(&turn).await?;
    // Read while the connection is open: its process may end with it.
    let took = cpu(cx)?.saturating_sub(before);
    cx.proved(format!(
        "a request of {size} bytes was sent in {count} segments, and the server had read each of them before the next"
    ));
    client.close();
    Ok(took)
}

fn cpu(cx: &Cx) -> Checked<Duration> {
    let cpu = cx.server().cpu();
    cpu.map_or_else(|| inconclusive("the server's CPU time cannot be read"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_grow_up_to_the_limit() {
        assert_eq!(tops(65_536), [16_384, 65_536]);
        assert_eq!(tops(100_000), [25_000, 100_000]);
        assert_eq!(tops(16_383), [0; 0]);
        assert_eq!(tops(4 << 20).len(), 5);
    }

    #[test]
    fn only_steep_and_costly_growth_is_quadratic() {
        let series = |ms: [u64; 3]| Series {
            cpu: ms.map(Duration::from_millis),
            ..Series::new(4 << 20)
        };
        assert!(series([20, 80, 290]).is_quadratic());
        assert!(!series([25, 50, 100]).is_quadratic());
        // One step is steep, for example where a cache is full.
        assert!(!series([10, 15, 90]).is_quadratic());
        assert!(!series([1, 4, 16]).is_quadratic());
        assert!(series([20, 60, 170]).is_near() && !series([20, 80, 290]).is_near());
    }
}
