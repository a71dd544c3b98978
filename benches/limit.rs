//! Compares the CPU time per operation of tcprove's load engine with that of a minimal client.
//!
//! `cargo bench -p tcprove-benches --bench limit -- [--rounds 7] [--seconds 1.0]`
//!
//! Both load the same echo server, which runs in its own process on its own CPU. The two clients take
//! turns, so that other load on the machine affects both. Each ratio compares two neighbouring
//! measurements; the bench prints the median ratio and the range.

mod engine;

use std::time::Duration;

use tcprove_benches::load::{echo, limit, pin};
use tcprove_benches::rounds::{Options, median, summary};

const DEFAULT: Options = Options {
    rounds: 7,
    measured: Duration::from_secs(1),
};

/// Number of connections and bytes per message.
const CELLS: [(usize, usize); 5] = [
    (50, 64),
    (50, 1024),
    (50, 16 * 1024),
    (1000, 64),
    (1000, 16 * 1024),
];

/// The CPU of the client; the echo server runs on CPU 0.
const CLIENT_CPU: usize = 1;

/// The results of a cell; each list has one value per round.
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
    let options = DEFAULT.parse(arguments)?;
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

impl Row {
    /// Measures one round of a cell. The order alternates, because the second client finds a warm
    /// server.
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
        let ratio = summary(&self.ratios);
        format!("{cell:>19}  {limit:>11.2}  {engine:>12.2}  {ratio}")
    }
}
