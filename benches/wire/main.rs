//! How near a fuzz campaign over the wire comes to a bare loop of connect, send, FIN, read, close.
//!
//! `cargo bench -p tcprove-benches --bench wire -- [--rounds 5] [--seconds 2.0]`
//!
//! The server is the reference server as it is by default, in processes of their own, one for each lane;
//! the talk is `line`. Beside the bare loop stand a campaign that puts the loop's one message over and
//! over (what the machinery costs: log, looks, oracles, healthy clients, feedback) and a campaign as users
//! have it, with all its kinds of cases. Each is measured right after or right before a bare loop of its
//! own, by turns; a ratio is made of these two neighbours, and the median of those is told.
//!
//! A campaign's rate is what its report says: cases by the time of its epochs.

mod bare;
mod subject;

use std::net::SocketAddr;
use std::time::Duration;

use subject::{Servers, campaign, message, subject};
use tcprove::fuzz::Case;
use tcprove::process::{SUPERVISE, supervise};

/// Lanes: threads of the bare loop and instances of the server.
const CELLS: [usize; 2] = [1, 8];

type Error = Box<dyn std::error::Error>;

struct Options {
    rounds: usize,
    measured: Duration,
}

/// What is compared with the bare loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The bare loop, all threads at one instance of the server: what instances of their own are worth.
    OneServer,
    /// The campaign with the message of the bare loop.
    Plain,
    /// The campaign as it is.
    Mixed,
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::OneServer, "bare, one server for all"),
    (Kind::Plain, "campaign, that message"),
    (Kind::Mixed, "campaign, all cases"),
];

/// What the rounds of one comparison came to, each list one number a round.
#[derive(Default)]
struct Row {
    bare_per_s: Vec<f64>,
    per_s: Vec<f64>,
    ratios: Vec<f64>,
}

fn main() -> Result<(), Error> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(SUPERVISE) => supervise(std::env::args_os().skip(2)),
        Some(subject::SERVE) => return subject::serve(&arguments.split_off(1)),
        _ => {}
    }
    let options = Options::parse(arguments)?;
    println!(
        "{:>5}  {:>24}  {:>9}  {:>9}  ratio (min-max)",
        "lanes", "", "bare/s", "cases/s"
    );
    for lanes in CELLS {
        let servers = Servers::start(lanes)?;
        let mut rows = KINDS.map(|_| Row::default());
        for round in 0..options.rounds {
            for ((kind, _), row) in KINDS.iter().zip(&mut rows) {
                row.measure(*kind, &servers.addresses(), &options, round)?;
            }
        }
        for ((_, name), row) in KINDS.iter().zip(&rows) {
            println!("{lanes:>5}  {name:>24}  {}", row.describe());
        }
    }
    Ok(())
}

impl Options {
    /// `--bench` comes from cargo and says nothing.
    fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 5,
            measured: Duration::from_secs(2),
        };
        let mut arguments = arguments.into_iter().filter(|word| word != "--bench");
        while let Some(flag) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{flag} wants a value"))?;
            let wrong = format!("{flag} cannot be {value}");
            match flag.as_str() {
                "--rounds" => options.rounds = value.parse().map_err(|_| wrong.clone())?,
                "--seconds" => {
                    options.measured = value
                        .parse()
                        .ok()
                        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                        .ok_or_else(|| wrong.clone())?;
                }
                _ => return Err(format!("{flag} is none of --rounds, --seconds")),
            }
            if options.rounds == 0 || options.measured.is_zero() {
                return Err(wrong);
            }
        }
        Ok(options)
    }
}

impl Row {
    /// One round of a comparison. Who goes first alternates.
    fn measure(
        &mut self,
        kind: Kind,
        addresses: &[SocketAddr],
        options: &Options,
        round: usize,
    ) -> Result<(), Error> {
        let bare = || bare::run(addresses, &message()?, options.measured).map_err(Error::from);
        let other = || per_s(kind, addresses, options.measured);
        let (bare, other) = if round.is_multiple_of(2) {
            let bare = bare()?;
            (bare, other()?)
        } else {
            let other = other()?;
            (bare()?, other)
        };
        self.bare_per_s.push(bare);
        self.per_s.push(other);
        self.ratios.push(other / bare);
        Ok(())
    }

    fn describe(&self) -> String {
        let (bare, other) = (median(&self.bare_per_s), median(&self.per_s));
        let ratio = median(&self.ratios);
        let low = self.ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.ratios.iter().copied().fold(0.0, f64::max);
        format!("{bare:>9.0}  {other:>9.0}  {ratio:.3} ({low:.3}-{high:.3})")
    }
}

fn per_s(kind: Kind, addresses: &[SocketAddr], measured: Duration) -> Result<f64, Error> {
    let folder = tempfile::tempdir()?;
    let lanes = addresses.len();
    let fuzzed = match kind {
        Kind::OneServer => {
            let one = vec![addresses[0]; lanes];
            return Ok(bare::run(&one, &message()?, measured)?);
        }
        Kind::Plain => campaign(subject()?, lanes, measured, folder.path())
            .repeat(&Case::sending(message()?), &|_| {})?,
        Kind::Mixed => campaign(subject()?, lanes, measured, folder.path()).run(&|_| {})?,
    };
    // What went wrong on the way is not to be taken for slowness, or for speed.
    for note in &fuzzed.notes {
        eprintln!("note: {note}");
    }
    for finding in &fuzzed.findings {
        eprintln!("finding: {}: {}", finding.id, finding.symptom.title);
    }
    Ok(fuzzed.executions_per_s)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        (sorted[half - 1] + sorted[half]) / 2.0
    }
}
