//! How near tcprove's load engine comes to the least client there can be.
//!
//! `cargo bench -p tcprove-benches --bench limit -- [--rounds 7] [--seconds 1.0]`
//!
//! Both talk to the same echo server, which has a process and a processor of its own. What is
//! compared is processor time an operation. Limit and engine take turns, so that what else the
//! machine does befalls both; a ratio is made of two neighbours and the median of those is told.

mod engine;

use std::time::Duration;

use tcprove_benches::load::{echo, limit, pin};

/// Connections and bytes of a message.
const CELLS: [(usize, usize); 5] = [
    (50, 64),
    (50, 1024),
    (50, 16 * 1024),
    (1000, 64),
    (1000, 16 * 1024),
];

/// The client's processor; the echo server has number 0.
const CLIENT_CPU: usize = 1;

struct Options {
    rounds: usize,
    measured: Duration,
}

/// What the rounds of a cell came to, each list one number a round.
#[derive(Default)]
struct Row {
    limit_us: Vec<f64>,
    engine_us: Vec<f64>,
    ratios: Vec<f64>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == echo::ARGUMENT)
    {
        return Ok(echo::main()?);
    }
    let options = Options::parse(arguments)?;
    let server = echo::Server::start()?;
    pin(CLIENT_CPU)?;

    let mut rows: Vec<Row> = CELLS.iter().map(|_| Row::default()).collect();
    for round in 0..options.rounds {
        for (cell, row) in CELLS.iter().zip(&mut rows) {
            row.measure(&server, *cell, &options, round)?;
        }
    }
    println!(
        "{:>14}  {:>12}  {:>12}  ratio (min-max)",
        "connections x bytes", "limit us/op", "engine us/op"
    );
    for (cell, row) in CELLS.iter().zip(&rows) {
        println!("{}", row.describe(*cell));
    }
    Ok(())
}

impl Options {
    /// `--bench` comes from cargo and says nothing.
    fn parse(arguments: Vec<String>) -> Result<Self, String> {
        let mut options = Self {
            rounds: 7,
            measured: Duration::from_secs(1),
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
    /// One round of a cell. Who goes first alternates, so that neither always inherits the other's
    /// warm server.
    fn measure(
        &mut self,
        server: &echo::Server,
        (connections, payload): (usize, usize),
        options: &Options,
        round: usize,
    ) -> std::io::Result<()> {
        let limit = || limit::run(server.address, connections, payload, options.measured);
        let engine = || engine::engine(server.address, connections, payload, options.measured);
        let (limit, engine) = if round.is_multiple_of(2) {
            let limit = limit()?;
            (limit, engine()?)
        } else {
            let engine = engine()?;
            (limit()?, engine)
        };
        self.limit_us.push(limit.us_per_operation());
        self.engine_us.push(engine.us_per_operation());
        self.ratios
            .push(engine.us_per_operation() / limit.us_per_operation());
        Ok(())
    }

    fn describe(&self, (connections, payload): (usize, usize)) -> String {
        let cell = format!("{connections} x {payload}");
        let limit = median(&self.limit_us);
        let engine = median(&self.engine_us);
        let ratio = median(&self.ratios);
        let low = self.ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.ratios.iter().copied().fold(0.0, f64::max);
        format!("{cell:>19}  {limit:>11.2}  {engine:>12.2}  {ratio:.3} ({low:.3}-{high:.3})")
    }
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
