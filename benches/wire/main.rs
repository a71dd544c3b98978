//! Compares the rate of a fuzz campaign with that of a bare loop of connect, send, FIN, read, close.
//!
//! `cargo bench -p tcprove-benches --bench wire -- [--rounds 5] [--seconds 2.0]`
//!
//! The server is the reference server with default settings, one process per lane; the talk is `line`.
//! Two campaigns are compared with the bare loop: one repeats the message of the loop, which shows the
//! cost of the machinery (log, vitals, oracles, healthy clients, feedback), and one runs all kinds of
//! cases, as users do. Each campaign has its own bare loop, measured immediately before or after it in
//! alternating order. The bench prints the median ratio of these pairs and the range.
//!
//! The rate of a campaign is the one in its report: cases divided by the duration of its epochs.

mod bare;
mod subject;

use std::net::SocketAddr;
use std::time::Duration;

use subject::{Servers, campaign, message, subject};
use tcprove::fuzz::Case;
use tcprove::process::run_hidden;
use tcprove_benches::rounds::{Options, median, summary};

const DEFAULT: Options = Options {
    rounds: 5,
    measured: Duration::from_secs(2),
};

/// Numbers of lanes: threads of the bare loop, and instances of the server.
const CELLS: [usize; 2] = [1, 8];

type Error = Box<dyn std::error::Error>;

/// What is compared with the bare loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender {
    /// The bare loop with all threads on one instance of the server, instead of one instance each.
    OneServer,
    /// A campaign that repeats the message of the bare loop.
    SameMessage,
    /// A campaign with all kinds of cases.
    AllCases,
}

const CONTENDERS: [(Contender, &str); 3] = [
    (Contender::OneServer, "bare, one server"),
    (Contender::SameMessage, "campaign, same message"),
    (Contender::AllCases, "campaign, all cases"),
];

/// The results of one comparison; each list has one value per round.
#[derive(Default)]
struct Row {
    bare_per_s: Vec<f64>,
    per_s: Vec<f64>,
    ratios: Vec<f64>,
}

fn main() -> Result<(), Error> {
    run_hidden();
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .first()
        .is_some_and(|first| first == subject::SERVE)
    {
        return subject::serve(&arguments.split_off(1));
    }
    let options = DEFAULT.parse(arguments)?;
    println!(
        "{:>5}  {:>24}  {:>9}  {:>9}  ratio (min-max)",
        "lanes", "", "bare/s", "cases/s"
    );
    for lanes in CELLS {
        let servers = Servers::start(lanes)?;
        let mut rows = CONTENDERS.map(|_| Row::default());
        for round in 0..options.rounds {
            for ((contender, _), row) in CONTENDERS.iter().zip(&mut rows) {
                row.measure(*contender, &servers.addresses(), &options, round)?;
            }
        }
        for ((_, name), row) in CONTENDERS.iter().zip(&rows) {
            println!("{lanes:>5}  {name:>24}  {}", row.describe());
        }
    }
    Ok(())
}

impl Row {
    /// Measures one round of a comparison, in alternating order.
    fn measure(
        &mut self,
        contender: Contender,
        addresses: &[SocketAddr],
        options: &Options,
        round: usize,
    ) -> Result<(), Error> {
        let bare = || bare::run(addresses, &message()?, options.measured).map_err(Error::from);
        let other = || per_s(contender, addresses, options.measured);
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
        format!("{bare:>9.0}  {other:>9.0}  {}", summary(&self.ratios))
    }
}

/// Connections or cases per second.
fn per_s(contender: Contender, addresses: &[SocketAddr], measured: Duration) -> Result<f64, Error> {
    let folder = tempfile::tempdir()?;
    let lanes = addresses.len();
    let fuzzed = match contender {
        Contender::OneServer => {
            let one = vec![addresses[0]; lanes];
            return Ok(bare::run(&one, &message()?, measured)?);
        }
        Contender::SameMessage => campaign(subject()?, lanes, measured, folder.path())
            .repeat(&Case::sending(message()?), &|_| {})?,
        Contender::AllCases => campaign(subject()?, lanes, measured, folder.path()).run(&|_| {})?,
    };
    // Print problems, which would otherwise look like a slow or fast campaign.
    for note in &fuzzed.notes {
        eprintln!("note: {note}");
    }
    for finding in &fuzzed.findings {
        eprintln!("finding: {}: {}", finding.id, finding.symptom.title);
    }
    Ok(fuzzed.executions_per_s)
}
