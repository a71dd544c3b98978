//! Known delays: replies are held back for a time drawn from a distribution, and the log records how
//! long each one really took. A load generator can be checked against that log.

use std::fmt::{self, Display, Formatter};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::ServerError;

/// Maximum delay, or mean of a distribution, that can be requested. A draw from
/// [`Delay::Exponential`] can be up to 37 times its mean.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// The distribution of the delays, measured from the read of the last byte of a request.
///
/// Requests completed by the same read share one delay and are answered together, as by a server
/// that works in batches. Replies keep their order, so a held reply also holds those behind it. The
/// times that resulted are in [`Config::delay_log`](crate::Config::delay_log).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// The same delay every time.
    Fixed(Duration),
    /// One of two delays.
    TwoPoint {
        /// The delay drawn with probability 1 - `share`.
        usual: Duration,
        /// The delay drawn with probability `share`.
        rare: Duration,
        /// The probability of `rare`, from 0 to 1.
        share: f64,
    },
    /// An exponential distribution: mostly short delays, with a long tail.
    Exponential {
        /// The mean delay.
        mean: Duration,
    },
}

impl Delay {
    /// Draws the next delay. Takes one number from the generator for every distribution.
    fn draw(self, random: &mut impl Rng) -> Duration {
        // An `f64` has 53 significant bits: uniform in [0, 1).
        let uniform = (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        match self {
            Self::Fixed(delay) => delay,
            Self::TwoPoint { rare, share, .. } if uniform < share => rare,
            Self::TwoPoint { usual, .. } => usual,
            Self::Exponential { mean } => mean.mul_f64(-(1.0 - uniform).ln()),
        }
    }
}

impl FromStr for Delay {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        parse(text).map_err(|why| ServerError::Setting(format!("delay `{text}`: {why}")))
    }
}

/// Prints what [`FromStr`] parses, exactly: this is how workers of prefork receive the delay.
impl Display for Delay {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ns = |time: &Duration| format!("{}ns", time.as_nanos());
        match self {
            Self::Fixed(delay) => write!(f, "fixed:{}", ns(delay)),
            Self::TwoPoint { usual, rare, share } => {
                write!(f, "two-point:{},{},{share}", ns(usual), ns(rare))
            }
            Self::Exponential { mean } => write!(f, "exp:{}", ns(mean)),
        }
    }
}

fn parse(text: &str) -> Result<Delay, String> {
    let (shape, values) = text
        .split_once(':')
        .ok_or("expected fixed:TIME, two-point:USUAL,RARE,SHARE or exp:MEAN, such as fixed:5ms")?;
    let values: Vec<&str> = values.split(',').collect();
    match (shape, &values[..]) {
        ("fixed", [delay]) => Ok(Delay::Fixed(time(delay)?)),
        ("two-point", [usual, rare, share]) => Ok(Delay::TwoPoint {
            usual: time(usual)?,
            rare: time(rare)?,
            share: probability(share)?,
        }),
        ("exp", [mean]) => Ok(Delay::Exponential { mean: time(mean)? }),
        ("fixed", _) => Err("fixed takes one time, such as fixed:5ms".to_owned()),
        ("two-point", _) => Err(
            "two-point takes the usual time, the rare time and the probability of the rare time, \
             such as two-point:1ms,50ms,0.01"
                .to_owned(),
        ),
        ("exp", _) => Err("exp takes one time, the mean, such as exp:2ms".to_owned()),
        _ => Err(format!(
            "unknown distribution `{shape}`: expected fixed, two-point or exp"
        )),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit_ns = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        _ => {
            return Err(format!(
                "`{text}` is not a time: write a whole number and ns, us, ms or s, such as 5ms"
            ));
        }
    };
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits == 0 => {
            return Err(format!("`{text}` is not a time: the number is missing"));
        }
        Err(_) => return Err(format!("`{text}` is more than the maximum of 60 s")),
    };
    number
        .checked_mul(unit_ns)
        .map(Duration::from_nanos)
        .filter(|time| *time <= DELAY_MAX)
        .ok_or_else(|| format!("`{text}` is more than the maximum of 60 s"))
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| {
            format!("`{text}` is not a probability: write a number from 0 to 1, such as 0.01")
        })
}

/// The delays of all connections of one process, or nothing if there is no delay and no log.
#[derive(Debug, Clone)]
pub(crate) struct Delays(Option<Arc<DelaySource>>);

#[derive(Debug)]
struct DelaySource {
    delay: Delay,
    log: Option<DelayLog>,
    /// Generates the seeds of the connections' generators.
    seeds: Mutex<Xoshiro256PlusPlus>,
}

impl Delays {
    /// A log without a delay records how long the server takes by itself.
    ///
    /// # Errors
    /// The log cannot be opened.
    pub(crate) fn new(
        delay: Option<Delay>,
        log: Option<&Path>,
        seed: u64,
    ) -> Result<Self, ServerError> {
        if delay.is_none() && log.is_none() {
            return Ok(Self(None));
        }
        let log = log.map(|path| {
            let opened = OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|error| {
                let path = path.display();
                ServerError::Setting(format!("cannot open the delay log {path}: {error}"))
            })
        });
        Ok(Self(Some(Arc::new(DelaySource {
            delay: delay.unwrap_or(Delay::Fixed(Duration::ZERO)),
            log: log.transpose()?.map(DelayLog::new),
            seeds: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(seed)),
        }))))
    }

    /// The delays of the next accepted connection.
    pub(crate) fn next_connection(&self) -> Option<ConnectionDelays> {
        let source = self.0.as_ref()?;
        // A poisoned lock is fine: a generator is valid in every state.
        let mut seeds = source.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        Some(ConnectionDelays {
            random: Xoshiro256PlusPlus::seed_from_u64(seeds.next_u64()),
            source: Arc::clone(source),
        })
    }
}

/// The delays of one connection. They depend only on the seed and on the number of connections
/// accepted before it.
#[derive(Debug)]
pub(crate) struct ConnectionDelays {
    random: Xoshiro256PlusPlus,
    source: Arc<DelaySource>,
}

impl ConnectionDelays {
    /// Draws the next delay.
    pub(crate) fn draw(&mut self) -> Duration {
        self.source.delay.draw(&mut self.random)
    }

    /// Logs how long a reply really took.
    pub(crate) fn log(&self, time: Duration) {
        if let Some(log) = &self.source.log {
            log.write(time);
        }
    }
}

/// The delay log: one line of decimal nanoseconds per reply.
#[derive(Debug)]
struct DelayLog {
    file: File,
    failed: AtomicBool,
}

impl DelayLog {
    fn new(file: File) -> Self {
        Self {
            file,
            failed: AtomicBool::new(false),
        }
    }

    /// Writes each line with one `write` to a file opened for appending, so that lines are never
    /// mixed or truncated, even if several processes write and some are killed.
    fn write(&self, time: Duration) {
        let line = format!("{}\n", time.as_nanos());
        if let Err(error) = (&self.file).write_all(line.as_bytes())
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "cannot write to the delay log, which is incomplete from here on");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delay, Delays};

    const MS: Duration = Duration::from_millis(1);

    fn delays(delay: Delay, seed: u64) -> Delays {
        Delays::new(Some(delay), None, seed).unwrap()
    }

    fn draws(delays: &Delays, count: usize) -> Vec<Duration> {
        let mut delays = delays.next_connection().unwrap();
        (0..count).map(|_| delays.draw()).collect()
    }

    #[test]
    fn the_three_distributions_are_parsed_and_printed() {
        for (text, delay) in [
            ("fixed:5ms", Delay::Fixed(5 * MS)),
            ("fixed:0s", Delay::Fixed(Duration::ZERO)),
            ("fixed:60s", Delay::Fixed(60_000 * MS)),
            (
                "two-point:1ms,50ms,0.01",
                Delay::TwoPoint {
                    usual: MS,
                    rare: 50 * MS,
                    share: 0.01,
                },
            ),
            ("exp:1500us", Delay::Exponential { mean: MS * 3 / 2 }),
        ] {
            assert_eq!(text.parse::<Delay>().unwrap(), delay);
            assert_eq!(delay.to_string().parse::<Delay>().unwrap(), delay);
        }
    }

    #[test]
    fn errors_name_what_is_wrong_with_a_delay() {
        for (text, expected) in [
            ("5ms", "fixed:TIME"),
            ("normal:5ms", "unknown distribution `normal`"),
            ("fixed:1ms,2ms", "one time"),
            ("fixed:", "not a time"),
            ("fixed:5", "a whole number and ns, us, ms or s"),
            ("fixed:1.5ms", "`1.5ms` is not a time"),
            ("fixed:-1ms", "`-1ms` is not a time"),
            ("fixed:ms", "the number is missing"),
            ("fixed:61s", "more than the maximum of 60 s"),
            ("fixed:99999999999999999999s", "more than the maximum"),
            ("two-point:1ms,2ms", "the probability of the rare time"),
            ("two-point:1ms,2ms,1.5", "not a probability"),
            ("two-point:1ms,2ms,NaN", "not a probability"),
            ("exp:2ms,3ms", "the mean"),
        ] {
            let error = text.parse::<Delay>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let fixed = draws(&delays(Delay::Fixed(MS), 1), 10);
        assert_eq!(fixed, [MS; 10]);
        let exponential = draws(&delays(Delay::Exponential { mean: MS }, 1), 100_000);
        let mean = exponential.iter().sum::<Duration>() / 100_000;
        assert!(mean.abs_diff(MS) < MS / 100, "{mean:?}");
        let beyond = exponential.iter().filter(|delay| **delay > 3 * MS).count();
        // The expected share is e^-3.
        assert!((4_779..5_179).contains(&beyond), "{beyond}");
        let two_point = Delay::TwoPoint {
            usual: MS,
            rare: 50 * MS,
            share: 0.01,
        };
        let drawn = draws(&delays(two_point, 1), 100_000);
        let rare = drawn.iter().filter(|delay| **delay == 50 * MS).count();
        assert!((900..1_100).contains(&rare), "{rare}");
        assert!(drawn.iter().all(|delay| [MS, 50 * MS].contains(delay)));
    }

    #[test]
    fn runs_are_reproducible_and_connections_differ() {
        let delay = Delay::Exponential { mean: MS };
        let (one, again) = (delays(delay, 1), delays(delay, 1));
        let other = delays(delay, 2);
        let (first, second) = (draws(&one, 100), draws(&one, 100));
        assert_eq!(first, draws(&again, 100));
        assert_eq!(second, draws(&again, 100));
        assert_ne!(first, second);
        assert_ne!(first, draws(&other, 100));
    }
}
