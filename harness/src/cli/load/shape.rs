//! The arguments that describe the workload.

use std::time::Duration;

use crate::cli::target;
use crate::cli::target::{PreparedTarget, usage};
use crate::load::{Arrivals, Loop, SocketOptions, Verify, Workload, script};
use crate::report::RunError;
use crate::subject::Promise;
use crate::talk::Talk;

/// Default maximum of requests in flight per connection of an open loop: practically unlimited.
const OPEN_DEPTH: usize = 1024;

/// Arguments that describe the requests.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub(in crate::cli) struct ShapeArgs {
    /// Send the next request when a reply arrives: a closed loop (the default)
    #[arg(long, conflicts_with = "rate")]
    pub closed: bool,
    /// Send N requests per second, independent of the replies: an open loop
    #[arg(long, value_name = "N", value_parser = rate)]
    pub rate: Option<f64>,
    /// Set the distribution of due times in an open loop: equal or random (Poisson) intervals
    #[arg(long, value_enum, default_value = "constant")]
    pub arrivals: ArrivalsArg,
    /// Open N connections [default: 50, or fewer if the file states a limit]
    #[arg(short = 'c', long, value_name = "N", value_parser = positive)]
    pub connections: Option<usize>,
    /// Set the size of {payload}, and send a turn that contains it
    #[arg(long, value_name = "SIZE", value_parser = target::size)]
    pub payload: Option<usize>,
    /// Send turn N of the talk, counted from 0; repeat the option to send several in rotation
    #[arg(long = "turn", value_name = "N")]
    pub turns: Vec<usize>,
    /// Run N engine threads, each on its own core
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = positive)]
    pub threads: usize,
    /// Keep up to N requests in flight per connection [default: 1; practically unlimited with --rate]
    #[arg(long, value_name = "N", value_parser = positive)]
    pub pipeline: Option<usize>,
    /// Reopen each connection after N requests
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
    pub churn: Option<u32>,
    /// Verify more than length and frame: every byte (all); every byte of replies up to 4 KiB, and of longer ones
    /// the token and every byte of one in 16 (sample); nothing (none)
    #[arg(long, value_enum, default_value = "sample")]
    pub verify: VerifyArg,
    /// Set SO_RCVBUF of the client's sockets before they connect
    #[arg(long, value_name = "SIZE", value_parser = target::size)]
    pub so_rcvbuf: Option<usize>,
    /// Set SO_SNDBUF of the client's sockets before they connect
    #[arg(long, value_name = "SIZE", value_parser = target::size)]
    pub so_sndbuf: Option<usize>,
    /// Set TCP_MAXSEG: 1448 makes the loopback interface segment like Ethernet
    #[arg(long, value_name = "BYTES")]
    pub mss: Option<u32>,
    /// Let the kernel choose the cores of engine threads and server
    #[arg(long)]
    pub no_pin: bool,
    /// Set the seed of tokens, payload and arrivals [default: from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

/// Number of connections by default.
const CONNECTIONS: usize = 50;

impl ShapeArgs {
    /// The default values.
    pub(crate) fn usual() -> Self {
        #[derive(clap::Parser)]
        struct Nothing {
            #[command(flatten)]
            shape: ShapeArgs,
        }
        <Nothing as clap::Parser>::parse_from([""]).shape
    }
}

/// Arguments that describe the duration, and what grows over it.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Load")]
pub(in crate::cli) struct SpanArgs {
    /// Change over the measured period: rate=FROM..TO or connections=FROM..TO
    #[arg(long, value_name = "WHAT=FROM..TO", value_parser = ramp)]
    pub ramp: Vec<Ramp>,
    /// Measure for this time
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = target::duration)]
    pub duration: Duration,
    /// Run the load for this time before measuring
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = warmup)]
    pub(crate) warmup: Duration,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub(in crate::cli) enum ArrivalsArg {
    Constant,
    Poisson,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub(in crate::cli) enum VerifyArg {
    All,
    Sample,
    None,
}

/// A quantity that changes over the measured period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::cli) enum Ramp {
    Rate(f64, f64),
    Connections(usize, usize),
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".into()),
        Ok(number) => Ok(number),
        Err(_) => Err("is not a whole number".into()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix('k') {
        Some(thousands) => (thousands, 1e3),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate * factor),
        _ => Err("is not a rate: write requests per second, such as 2000 or 2k".into()),
    }
}

fn warmup(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => target::duration(text),
    }
}

fn ramp(text: &str) -> Result<Ramp, String> {
    let form = "write rate=FROM..TO or connections=FROM..TO";
    let (what, span) = text.split_once('=').ok_or(form)?;
    let (from, to) = span.split_once("..").ok_or(form)?;
    match what {
        "rate" => Ok(Ramp::Rate(rate(from)?, rate(to)?)),
        "connections" => {
            let (from, to) = (positive(from)?, positive(to)?);
            if from > to {
                return Err("connections can only grow".into());
            }
            Ok(Ramp::Connections(from, to))
        }
        _ => Err(form.into()),
    }
}

impl ShapeArgs {
    /// The workload that these arguments describe, for this target.
    pub(crate) fn workload(
        &self,
        resolved: &PreparedTarget,
        seed: u64,
    ) -> Result<Workload, RunError> {
        let talk = &resolved.subject.talk;
        let turns = self.turns(talk)?;
        let mut workload = Workload {
            connections: self.connections_to(&resolved.subject.promise),
            pace: Loop::Closed,
            pipeline: self.pipeline.unwrap_or(1),
            threads: self.threads,
            payload_bytes: self.payload.unwrap_or(64),
            turns,
            verify: match self.verify {
                VerifyArg::All => Verify::All,
                VerifyArg::Sample => Verify::Sample,
                VerifyArg::None => Verify::None,
            },
            churn: self.churn_of(&resolved.subject.promise),
            socket: SocketOptions {
                so_rcvbuf: self.so_rcvbuf.filter(|bytes| *bytes > 0),
                so_sndbuf: self.so_sndbuf.filter(|bytes| *bytes > 0),
                mss: self.mss.filter(|bytes| *bytes > 0),
            },
            pin: !self.no_pin,
            seed,
            ..Workload::default()
        };
        if let Some(rate) = self.rate {
            self.open_loop(&mut workload, rate, resolved);
        }
        if workload.threads > workload.connections {
            return Err(usage(format!(
                "--threads {} is more than --connections {}",
                workload.threads, workload.connections
            )));
        }
        can_be_said(talk, &workload, &resolved.subject.promise)?;
        Ok(workload)
    }

    /// Number of connections: as given, or the default within the limit that the file states.
    pub(crate) fn connections_to(&self, promise: &Promise) -> usize {
        let limit = promise.limits.connections.unwrap_or(CONNECTIONS);
        self.connections.unwrap_or(CONNECTIONS.min(limit))
    }

    /// Number of requests after which a connection is reopened: as given, and within the limit that the file states.
    fn churn_of(&self, promise: &Promise) -> Option<u32> {
        let limit = promise.limits.requests_per_connection;
        let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
        self.churn.into_iter().chain(limit).min()
    }

    pub(super) fn open_loop(&self, workload: &mut Workload, rate: f64, resolved: &PreparedTarget) {
        workload.pace = Loop::Open {
            rate,
            rate_to: rate,
            arrivals: match self.arrivals {
                ArrivalsArg::Constant => Arrivals::Constant,
                ArrivalsArg::Poisson => Arrivals::Poisson,
            },
        };
        let one_by_one = resolved.subject.promise.pipelining == Some(false);
        let depth = if one_by_one { 1 } else { OPEN_DEPTH };
        workload.pipeline = self.pipeline.unwrap_or(depth);
    }

    /// The indices of the turns to send.
    fn turns(&self, talk: &Talk) -> Result<Vec<usize>, RunError> {
        let last = talk.turns.len() - 1;
        if let Some(beyond) = self.turns.iter().find(|turn| **turn > last) {
            return Err(usage(format!(
                "--turn {beyond}: the talk `{}` has turns 0 to {last}",
                talk.name
            )));
        }
        let with_payload = |turn: &&usize| talk.turns[**turn].uses_payload();
        let all: Vec<usize> = match self.turns.as_slice() {
            [] => (0..=last).collect(),
            chosen => chosen.to_vec(),
        };
        let found = all.iter().find(with_payload).copied();
        match (self.payload, self.turns.is_empty(), found) {
            (Some(_), _, None) => Err(usage(format!(
                "--payload: no turn of the talk `{}`{} contains {{payload}}",
                talk.name,
                if self.turns.is_empty() {
                    ""
                } else {
                    " selected by --turn"
                }
            ))),
            (Some(_), true, Some(turn)) => Ok(vec![turn]),
            (None, true, _) => Ok(vec![0]),
            (_, false, _) => Ok(all),
        }
    }
}

impl SpanArgs {
    /// Maximum number of connections over the load.
    pub(crate) fn most_connections(&self, shape: &ShapeArgs, promise: &Promise) -> usize {
        let ramped = self.ramp.iter().map(|ramp| match ramp {
            Ramp::Connections(_, to) => *to,
            Ramp::Rate(..) => 0,
        });
        ramped.fold(shape.connections_to(promise), usize::max)
    }

    /// Sets warm-up, duration and ramps of the workload.
    pub(crate) fn set(
        &self,
        shape: &ShapeArgs,
        workload: &mut Workload,
        resolved: &PreparedTarget,
    ) -> Result<(), RunError> {
        workload.warmup = self.warmup;
        workload.duration = self.duration;
        for ramp in &self.ramp {
            match *ramp {
                Ramp::Rate(from, to) => {
                    if shape.closed {
                        return Err(usage(
                            "--ramp rate=... needs an open loop: remove --closed".into(),
                        ));
                    }
                    shape.open_loop(workload, from, resolved);
                    if let Loop::Open { rate_to, .. } = &mut workload.pace {
                        *rate_to = to;
                    }
                }
                Ramp::Connections(from, to) => {
                    workload.ramp_connections_from = Some(from);
                    workload.connections = to;
                }
            }
        }
        Ok(())
    }
}

/// Checks that the server serves so many connections at once, as far as the file states that.
pub(crate) fn are_served(connections: usize, promise: &Promise) -> Result<(), RunError> {
    match promise.limits.connections {
        Some(limit) if connections > limit => Err(usage(format!(
            "{connections} connections: the server serves only {limit} at the same time (`connections = {limit}` in [limits] of the file)\n\
             next: ask for at most {limit}, or correct the file if the server serves more"
        ))),
        _ => Ok(()),
    }
}

/// Checks that the turns can carry the payload.
fn can_be_said(talk: &Talk, workload: &Workload, promise: &Promise) -> Result<(), RunError> {
    let payload = script::payload(workload.payload_bytes, workload.seed);
    for turn in &workload.turns {
        let exchange = &talk.turns[*turn];
        if exchange.uses_payload() && !exchange.payload_is_safe(talk, &payload) {
            return Err(usage(format!(
                "{}: a payload of {} bytes does not fit its frame ({}): it contains the delimiter or has the wrong size",
                exchange.label,
                payload.len(),
                talk.request.describe()
            )));
        }
        if let Some(longest) = promise.longest_message()
            && exchange.uses_payload()
            && payload.len() > longest
        {
            let says = match promise.max_message {
                Some(_) => "promises to accept (promise.max_message",
                None => "accepts ([limits] message_bytes",
            };
            return Err(usage(format!(
                "{}: a payload of {} bytes is larger than the server {says} = {longest})",
                exchange.label,
                payload.len()
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ramps_and_rates() {
        assert_eq!(ramp("rate=100..2k"), Ok(Ramp::Rate(100.0, 2000.0)));
        assert_eq!(ramp("connections=1..10"), Ok(Ramp::Connections(1, 10)));
        for wrong in [
            "rate=5",
            "speed=1..2",
            "connections=9..3",
            "rate=0..5",
            "rate=a..b",
        ] {
            assert!(ramp(wrong).is_err(), "{wrong}");
        }
        assert_eq!(rate("2.5k"), Ok(2500.0));
    }
}
