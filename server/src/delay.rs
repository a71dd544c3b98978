//! A known delay: replies are held back for a time drawn from a distribution, so that a client
//! which measures this server can be checked against what really happened.

use std::fmt::{self, Display, Formatter};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

use crate::{Config, ServerError};

/// No delay that can be asked for is longer, and no mean. A draw from [`Delay::Exponential`] can
/// be 37 times its mean.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// How long replies are held back, counted from when the last byte of the request was read.
///
/// Requests that one read completed are answered together, after one delay, as a server that
/// works on a batch does it; and replies keep their order, so one that is held keeps those behind
/// it. What came of it is in [`Config::delay_log`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always the same.
    Fixed(Duration),
    /// One of two.
    TwoPoint {
        /// The one that is drawn as a rule.
        usual: Duration,
        /// The one that is drawn now and then.
        rare: Duration,
        /// How likely `rare` is, from 0 to 1.
        share: f64,
    },
    /// Exponentially distributed: short as a rule, with a long tail.
    Exponential {
        /// The mean.
        mean: Duration,
    },
}

impl Delay {
    /// The next delay. Each takes one number from the generator, whatever the distribution.
    fn draw(self, random: &mut impl Rng) -> Duration {
        // The 53 bits that an `f64` has room for: 0 or more, and less than 1.
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

/// As it is parsed: a worker of prefork gets the very same delay.
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
        .ok_or("it is fixed:TIME, two-point:USUAL,RARE,SHARE or exp:MEAN, such as fixed:5ms")?;
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
            "two-point takes the usual time, the rare one and how likely that is, such as \
             two-point:1ms,50ms,0.01"
                .to_owned(),
        ),
        ("exp", _) => Err("exp takes the mean, such as exp:2ms".to_owned()),
        _ => Err(format!(
            "there is no distribution `{shape}` (fixed, two-point, exp)"
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
                "`{text}` is no time: a whole number and ns, us, ms or s, such as 5ms"
            ));
        }
    };
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits == 0 => return Err(format!("`{text}` is no time: the number is missing")),
        Err(_) => return Err(format!("`{text}` is more than a minute")),
    };
    number
        .checked_mul(unit_ns)
        .map(Duration::from_nanos)
        .filter(|time| *time <= DELAY_MAX)
        .ok_or_else(|| format!("`{text}` is more than a minute"))
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("`{text}` is no probability: a number from 0 to 1, such as 0.01"))
}

/// What the connections of one process share of a delay.
#[derive(Debug, Clone)]
pub(crate) struct Delays(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    delay: Delay,
    log: Option<DelayLog>,
    /// Seeds the generators of the connections.
    seeds: Mutex<Xoshiro256PlusPlus>,
}

impl Delays {
    /// As the settings ask for; a log without a delay tells how long the server takes by itself.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub(crate) fn new(config: &Config) -> Result<Self, ServerError> {
        if config.delay.is_none() && config.delay_log.is_none() {
            return Ok(Self(None));
        }
        let log = config.delay_log.as_ref().map(|path| {
            let opened = OpenOptions::new().append(true).create(true).open(path);
            opened.map_err(|error| {
                ServerError::Setting(format!("cannot open the log {}: {error}", path.display()))
            })
        });
        Ok(Self(Some(Arc::new(Shared {
            delay: config.delay.unwrap_or(Delay::Fixed(Duration::ZERO)),
            log: log.transpose()?.map(DelayLog::new),
            seeds: Mutex::new(Xoshiro256PlusPlus::seed_from_u64(config.delay_seed)),
        }))))
    }

    /// The delays of the connection that was accepted next.
    pub(crate) fn next_connection(&self) -> Option<Draws> {
        let shared = self.0.as_ref()?;
        // A generator is right whatever happened to the thread that used it last.
        let mut seeds = shared.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Draws {
            random: Xoshiro256PlusPlus::seed_from_u64(seeds.next_u64()),
            shared: Arc::clone(shared),
        })
    }
}

/// The delays of one connection. They depend on the seed and on how many connections were accepted
/// before it, and not on what happens on others.
#[derive(Debug)]
pub(crate) struct Draws {
    random: Xoshiro256PlusPlus,
    shared: Arc<Shared>,
}

impl Draws {
    /// The next delay.
    pub(crate) fn draw(&mut self) -> Duration {
        self.shared.delay.draw(&mut self.random)
    }

    /// Logs how long a reply really took.
    pub(crate) fn took(&self, time: Duration) {
        if let Some(log) = &self.shared.log {
            log.write(time);
        }
    }
}

/// One line a reply: decimal nanoseconds.
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

    /// Each line is one `write` to a file opened for appending: it is whole or not there, however
    /// many processes write and however they end.
    fn write(&self, time: Duration) {
        let line = format!("{}\n", time.as_nanos());
        if let Err(error) = (&self.file).write_all(line.as_bytes())
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            tracing::error!(%error, "the log of delays is incomplete from here on");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Delay, Delays, Draws};
    use crate::Config;

    const MS: Duration = Duration::from_millis(1);

    fn delays(delay: Delay, delay_seed: u64) -> Delays {
        let config = Config {
            delay: Some(delay),
            delay_seed,
            ..Config::default()
        };
        Delays::new(&config).unwrap()
    }

    fn draws(delays: &Delays, count: usize) -> Vec<Duration> {
        let mut draws: Draws = delays.next_connection().unwrap();
        (0..count).map(|_| draws.draw()).collect()
    }

    #[test]
    fn the_three_distributions_are_parsed_and_printed_for_a_worker() {
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
    fn what_is_wrong_with_a_delay_is_said() {
        for (text, said) in [
            ("5ms", "fixed:TIME"),
            ("normal:5ms", "no distribution `normal`"),
            ("fixed:1ms,2ms", "one time"),
            ("fixed:", "no time"),
            ("fixed:5", "a whole number and ns, us, ms or s"),
            ("fixed:1.5ms", "`1.5ms` is no time"),
            ("fixed:-1ms", "`-1ms` is no time"),
            ("fixed:ms", "the number is missing"),
            ("fixed:61s", "more than a minute"),
            ("fixed:99999999999999999999s", "more than a minute"),
            ("two-point:1ms,2ms", "how likely"),
            ("two-point:1ms,2ms,1.5", "no probability"),
            ("two-point:1ms,2ms,NaN", "no probability"),
            ("exp:2ms,3ms", "the mean"),
        ] {
            let error = text.parse::<Delay>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
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
        // One in e^3.
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
        let (one, again, other) = (delays(delay, 1), delays(delay, 1), delays(delay, 2));
        let (first, second) = (draws(&one, 100), draws(&one, 100));
        assert_eq!(first, draws(&again, 100));
        assert_eq!(second, draws(&again, 100));
        assert_ne!(first, second);
        assert_ne!(first, draws(&other, 100));
    }
}
