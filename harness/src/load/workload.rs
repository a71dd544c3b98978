//! What is put on a server: how many connections, how fast, which messages, for how long.

use std::time::Duration;

use serde::Serialize;

/// A load, complete and validated: everything the engine needs besides the talk and the address.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// Connections, over all threads.
    pub connections: usize,
    /// What decides when the next request is sent.
    pub pace: Loop,
    /// Requests that may wait for their replies on one connection.
    pub pipeline: usize,
    /// Engine threads, each pinned to a core of its own.
    pub threads: usize,
    /// Bytes of `{payload}`, where the turns have one.
    pub payload_bytes: usize,
    /// The turns that are said, one after the other: places in the talk.
    pub turns: Vec<usize>,
    /// How much of each reply is compared.
    pub verify: Verify,
    /// A connection is closed and opened anew after so many exchanges.
    pub churn: Option<u32>,
    /// Load that is not measured, before the measured period.
    #[serde(rename = "warmup_s", serialize_with = "crate::data::seconds::seconds")]
    pub warmup: Duration,
    /// The measured period.
    #[serde(
        rename = "duration_s",
        serialize_with = "crate::data::seconds::seconds"
    )]
    pub duration: Duration,
    /// Connections at the begin of the measured period, where they grow over it.
    pub ramp_connections_from: Option<usize>,
    /// A stretch of the measured period with another rate (open loop).
    pub surge: Option<Surge>,
    /// Options of each connection.
    pub socket: SocketOptions,
    /// Whether engine threads are pinned, and a server that is started is kept off their cores.
    pub pin: bool,
    /// Seed of tokens, payload and arrivals. No part of the plan: another seed is the same load.
    #[serde(skip)]
    pub seed: u64,
}

/// What decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "loop")]
pub enum Loop {
    /// Closed loop: a reply makes room for the next request. A slow server is asked less often, so
    /// the tail says little about what users would wait.
    Closed,
    /// Open loop: requests are due at moments that do not depend on the server.
    Open {
        /// Requests a second at the begin of the measured period, and in the warm-up.
        rate: f64,
        /// Requests a second at its end; between them the rate grows in a straight line.
        rate_to: f64,
        /// How the moments are spread.
        arrivals: Arrivals,
    },
}

/// A stretch of time with another rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Surge {
    /// Requests a second in it.
    pub rate: f64,
    /// From the begin of the measured period.
    #[serde(rename = "at_s", serialize_with = "crate::data::seconds::seconds")]
    pub at: Duration,
    /// How long it is.
    #[serde(rename = "length_s", serialize_with = "crate::data::seconds::seconds")]
    pub length: Duration,
}

/// How the moments of an open loop are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// Equal distances.
    #[default]
    Constant,
    /// Independent users: exponential distances.
    Poisson,
}

/// How much of each reply is compared with what it has to be. Its length and frame always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Every byte of every reply. With 16 KiB that costs the client 5 to 8 % more.
    All,
    /// Every byte of replies up to 4 KiB; of longer ones the token, and every byte of one in sixteen.
    #[default]
    Sample,
    /// Length and frame only.
    None,
}

/// Options that are set on each connection before it connects. `None` leaves the kernel's own choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SocketOptions {
    /// `SO_RCVBUF` as it is asked for, in bytes.
    pub so_rcvbuf: Option<usize>,
    /// `SO_SNDBUF` as it is asked for, in bytes.
    pub so_sndbuf: Option<usize>,
    /// `TCP_MAXSEG`, in bytes: 1,448 shows on the loopback what an Ethernet would.
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
        }
    }
}

impl Workload {
    /// The same load as an open loop at a steady rate.
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

    /// Whether requests are due at moments of their own.
    pub fn is_open(&self) -> bool {
        matches!(self.pace, Loop::Open { .. })
    }

    /// The measured period is cut into so many windows of equal length.
    pub fn windows(&self) -> usize {
        let shortest = Duration::from_millis(50);
        let fitting = self.duration.as_nanos() / shortest.as_nanos();
        usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, 40)
    }
}
