//! The workload: connections, pacing, messages and duration of a load.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::part::Part;

/// A complete, validated workload: everything the engine needs besides the talk and the address.
#[derive(Debug, Clone, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Workload {
    /// Number of connections over all threads.
    pub connections: usize,
    /// Open or closed loop.
    pub pace: Loop,
    /// Maximum requests in flight per connection.
    pub pipeline: usize,
    /// Number of engine threads, each on its own core.
    pub threads: usize,
    /// Size of `{payload}` in bytes, in turns that contain it.
    pub payload_bytes: usize,
    /// Indices of the talk's turns that are sent, in this order.
    pub turns: Vec<usize>,
    /// How much of each reply is verified.
    pub verify: Verify,
    /// Number of exchanges after which a connection is closed and reopened.
    pub churn: Option<u32>,
    /// Length of the warm-up, which precedes the measured period and is not measured.
    #[serde(rename = "warmup_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub warmup: Duration,
    /// Length of the measured period.
    #[serde(rename = "duration_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub duration: Duration,
    /// Number of connections at the start of the measured period, if it grows linearly to `connections`.
    pub ramp_connections_from: Option<usize>,
    /// A part of the measured period with another rate (open loop).
    pub surge: Option<Surge>,
    /// Socket options of each connection.
    pub socket: SocketOptions,
    /// Whether engine threads are pinned, and a server started by tcprove is kept off their cores.
    pub pin: bool,
    /// Seed of tokens, payload and arrivals. Not part of the plan: the same load with another seed is equivalent.
    #[serde(skip)]
    pub seed: u64,
    /// Which part of the load this process generates. Everything else in the workload describes the whole load.
    #[serde(skip)]
    pub part: Part,
}

/// What decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "loop")]
pub enum Loop {
    /// Closed loop: each reply triggers the next request. A slow server receives fewer requests, so the tail
    /// latency understates what independent users would experience.
    Closed,
    /// Open loop: requests are due at times that do not depend on the server.
    Open {
        /// Requests per second in the warm-up and at the start of the measured period.
        rate: f64,
        /// Requests per second at the end of the measured period; in between, the rate changes linearly.
        rate_to: f64,
        /// Distribution of the due times.
        arrivals: Arrivals,
    },
}

/// A time span with another rate.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema, Serialize, Deserialize)]
pub struct Surge {
    /// Requests per second during the surge.
    pub rate: f64,
    /// Time from the start of the measured period.
    #[serde(rename = "at_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub at: Duration,
    /// Length.
    #[serde(rename = "length_s", with = "crate::data::seconds")]
    #[schemars(with = "f64")]
    pub length: Duration,
}

/// Distribution of the due times of an open loop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Equal intervals.
    #[default]
    Constant,
    /// Exponentially distributed intervals, as from independent users.
    Poisson,
}

/// How much of each reply is compared with the expected one. Length and frame always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Every byte of every reply. With replies of 16 KiB this costs the client 5 to 8 % more CPU time.
    All,
    /// Every byte of replies up to 4 KiB; the token of longer replies, and every byte of one in 16 of them.
    #[default]
    Sample,
    /// Length and frame only.
    None,
}

/// Options set on each socket before it connects. `None` leaves the kernel's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema, Serialize, Deserialize)]
pub struct SocketOptions {
    /// Requested `SO_RCVBUF`, in bytes.
    pub so_rcvbuf: Option<usize>,
    /// Requested `SO_SNDBUF`, in bytes.
    pub so_sndbuf: Option<usize>,
    /// `TCP_MAXSEG`, in bytes: 1,448 makes the loopback interface segment like Ethernet.
    pub mss: Option<u32>,
}

impl Default for Workload {
    /// A closed loop over 50 connections for five seconds.
    fn default() -> Self {
        Self {
            connections: 50,
            pace: Loop::Closed,
            pipeline: 1,
            threads: 1,
            payload_bytes: 64,
            turns: vec![0],
            verify: Verify::default(),
            churn: None,
            warmup: Duration::from_secs(1),
            duration: Duration::from_secs(5),
            ramp_connections_from: None,
            surge: None,
            socket: SocketOptions::default(),
            pin: true,
            seed: 0,
            part: Part::WHOLE,
        }
    }
}

impl Workload {
    /// A closed loop over so many connections: each sends its next request when a reply arrives.
    #[must_use]
    pub fn closed(connections: usize) -> Self {
        Self {
            connections,
            ..Self::default()
        }
    }

    /// An open loop at this rate, in requests per second over 50 connections: requests are due at equal intervals, however
    /// slow the server is.
    #[must_use]
    pub fn open(rate: f64) -> Self {
        Self {
            // Practically unlimited.
            pipeline: 1024,
            ..Self::default().at_rate(rate)
        }
    }

    /// The same workload with a measured period of this length.
    #[must_use]
    pub fn lasting(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }

    /// The same workload as an open loop at a constant rate.
    pub fn at_rate(&self, rate: f64) -> Self {
        let arrivals = match self.pace {
            Loop::Open { arrivals, .. } => arrivals,
            Loop::Closed => Arrivals::default(),
        };
        Self {
            pace: Loop::Open {
                rate,
                rate_to: rate,
                arrivals,
            },
            ..self.clone()
        }
    }

    /// Whether this is an open loop.
    pub fn is_open(&self) -> bool {
        matches!(self.pace, Loop::Open { .. })
    }

    /// Number of engine threads of all parts together.
    pub fn threads_of_all_parts(&self) -> usize {
        self.threads * self.part.count
    }

    /// The number, among the threads of all parts, of this part's thread `thread`. What is divided (arrivals, connections,
    /// tokens) is divided by these numbers.
    pub fn number_of(&self, thread: usize) -> usize {
        self.threads * self.part.index + thread
    }

    /// Number of windows of equal length into which the measured period is divided.
    pub fn windows(&self) -> usize {
        let shortest = Duration::from_millis(50);
        let fitting = self.duration.as_nanos() / shortest.as_nanos();
        usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, 40)
    }
}
