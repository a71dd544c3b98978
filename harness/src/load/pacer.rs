//! The schedule of an open loop: when each request is due, in nanoseconds from the start of the load. Pure.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use super::workload::Arrivals;

/// A time span in which the rate changes linearly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Length in seconds.
    pub seconds: f64,
    /// Requests per second at the start.
    pub from: f64,
    /// Requests per second at the end.
    pub to: f64,
}

impl Segment {
    /// Number of requests due within the segment: the integral of the rate.
    fn requests(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.seconds
    }

    /// Seconds from the start of the segment until `count` requests are due: the inverse of the integral.
    fn time_of(&self, count: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        // Solves from * t + slope * t^2 / 2 = count in a form that does not lose precision for a small slope.
        let root = (self.from * self.from + 2.0 * slope * count)
            .max(0.0)
            .sqrt();
        2.0 * count / (self.from + root)
    }
}

/// The due times of the requests of one engine thread, in ascending order.
#[derive(Debug, Clone)]
pub struct Pacer {
    segments: Vec<Segment>,
    /// Index of the current segment.
    segment: usize,
    /// Total seconds and requests of all earlier segments.
    passed: (f64, f64),
    arrivals: Arrivals,
    /// Number of requests, over all threads, that are due before this thread's next request.
    count: f64,
    thread: u64,
    threads: u64,
    random: Xoshiro256PlusPlus,
}

impl Pacer {
    /// The schedule of thread `thread` of `threads`, which together send exactly the requests that a single thread would
    /// send with this seed. Constant arrivals are assigned to the threads in turn, Poisson arrivals at random: then each
    /// thread's are a Poisson process too, and so are all together even if the clocks of the threads differ.
    pub fn new(
        segments: Vec<Segment>,
        arrivals: Arrivals,
        thread: usize,
        threads: usize,
        seed: u64,
    ) -> Self {
        let mut pacer = Self {
            segments,
            segment: 0,
            passed: (0.0, 0.0),
            arrivals,
            count: thread as f64,
            thread: thread as u64,
            threads: threads as u64,
            random: Xoshiro256PlusPlus::seed_from_u64(seed),
        };
        if arrivals == Arrivals::Poisson {
            pacer.count = 0.0;
            pacer.advance();
        }
        pacer
    }

    /// The next due time, in nanoseconds from the start of the load; `None` after the last.
    #[expect(
        clippy::should_implement_trait,
        reason = "callers hold one due time and never iterate"
    )]
    pub fn next(&mut self) -> Option<u64> {
        loop {
            let segment = self.segments.get(self.segment)?;
            let (seconds, requests) = self.passed;
            let within = self.count - requests;
            if within < segment.requests() {
                let at = seconds + segment.time_of(within);
                self.advance();
                return Some((at * 1e9) as u64);
            }
            self.passed = (seconds + segment.seconds, requests + segment.requests());
            self.segment += 1;
        }
    }

    /// Moves on to this thread's next request. Every thread draws the same numbers, which say to which thread a request
    /// belongs; skipping a request of another thread takes about 10 ns.
    fn advance(&mut self) {
        match self.arrivals {
            Arrivals::Constant => self.count += self.threads as f64,
            Arrivals::Poisson => loop {
                self.count += self.interval();
                if self.next_owner() == self.thread {
                    return;
                }
            },
        }
    }

    /// An exponentially distributed number with mean 1.
    fn interval(&mut self) -> f64 {
        // A uniform number in (0, 1] with 53 random bits.
        let uniform = ((self.random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        -uniform.ln()
    }

    /// A uniformly distributed thread (Lemire 2019, without the rejection, whose bias of threads / 2^64 is invisible).
    fn next_owner(&mut self) -> u64 {
        let product = u128::from(self.random.next_u64()) * u128::from(self.threads);
        (product >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rate: f64, seconds: f64) -> Vec<Segment> {
        vec![Segment {
            seconds,
            from: rate,
            to: rate,
        }]
    }

    fn all(mut pacer: Pacer) -> Vec<u64> {
        std::iter::from_fn(|| pacer.next()).collect()
    }

    #[test]
    fn constant_arrivals_are_equally_spaced_over_all_threads() {
        let of = |thread| {
            all(Pacer::new(
                flat(1000.0, 1.0),
                Arrivals::Constant,
                thread,
                4,
                1,
            ))
        };
        let mut moments: Vec<u64> = (0..4).flat_map(of).collect();
        moments.sort_unstable();
        assert_eq!(moments.len(), 1000);
        for (place, moment) in moments.iter().enumerate() {
            assert!(moment.abs_diff(place as u64 * 1_000_000) <= 1);
        }
    }

    #[test]
    fn poisson_arrivals_have_the_right_number_and_deviation() {
        let moments = all(Pacer::new(flat(20_000.0, 5.0), Arrivals::Poisson, 0, 1, 7));
        // 100,000 with a standard deviation of 316.
        assert!(
            (98_500..101_500).contains(&moments.len()),
            "{}",
            moments.len()
        );
        let distances: Vec<f64> = moments
            .windows(2)
            .map(|two| (two[1] - two[0]) as f64)
            .collect();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        let square = distances.iter().map(|d| (d - mean).powi(2)).sum::<f64>();
        let deviation = (square / distances.len() as f64).sqrt();
        assert!(
            (deviation / mean - 1.0).abs() < 0.03,
            "{deviation} of {mean}"
        );
    }

    #[test]
    fn any_number_of_threads_share_one_sequence() {
        for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
            let of = |thread, threads| {
                let ramp = vec![Segment {
                    seconds: 2.0,
                    from: 500.0,
                    to: 1500.0,
                }];
                all(Pacer::new(ramp, arrivals, thread, threads, 11))
            };
            let whole = of(0, 1);
            for threads in [2, 8, 64] {
                let mut shared: Vec<u64> = (0..threads)
                    .flat_map(|thread| of(thread, threads))
                    .collect();
                shared.sort_unstable();
                assert_eq!(shared, whole, "{arrivals:?}, {threads} threads");
            }
        }
    }

    #[test]
    fn a_ramp_integrates_its_rate() {
        let ramp = vec![Segment {
            seconds: 10.0,
            from: 100.0,
            to: 300.0,
        }];
        let moments = all(Pacer::new(ramp, Arrivals::Constant, 0, 1, 0));
        assert_eq!(moments.len(), 2000);
        // In the first half 100 * 5 + 20 * 25 / 2 = 750 requests are due.
        let half = moments.iter().filter(|at| **at < 5_000_000_000).count();
        assert_eq!(half, 750);
        assert!(moments.windows(2).all(|two| two[0] < two[1]));
    }

    #[test]
    fn segments_join_without_a_gap() {
        let mut segments = flat(50.0, 2.0);
        segments.extend(flat(100.0, 1.0));
        segments.extend(flat(0.0, 1.0));
        segments.extend(flat(10.0, 1.0));
        let moments = all(Pacer::new(segments, Arrivals::Constant, 0, 1, 0));
        assert_eq!(moments.len(), 210);
        for (place, at) in [
            (100, 2_000_000_000),
            (101, 2_010_000_000),
            (200, 4_000_000_000),
        ] {
            assert!(u64::abs_diff(moments[place], at) <= 1);
        }
    }
}
