//! The deterministic tier: what an operation costs the server in instructions, system calls and allocations,
//! counted under valgrind.
//!
//! A server lives several times, with few and with many requests. What it used in a life with many, less
//! what it used in one with few, is what the requests between took: start and warm-up cancel. Three things
//! keep the figures the same in every run:
//!
//! - A request is sent only when every thread of the server sleeps again (`rest.rs`): so each is one wake-up,
//!   however the machine schedules.
//! - A life ends by a signal that ends the server where it sleeps (`life.rs`): nothing of its own way to stop,
//!   in which its threads race, is counted.
//! - What is random by an environment variable is made the same in every life (`tool.rs`).
//!
//! What a server does on its own as time passes (the timers of Redis, the threads of memcached) cannot be told
//! from what it does for requests. Both sides are then asked at the same fixed rate (`plan.rs`), so that it is
//! the same part of each request, and the range is made as wide as that is uneven.
//!
//! How much is left is told by the range over pairs of lives; [`judge`] compares two servers with it.

mod callgrind;
mod dhat;
mod folder;
pub mod judge;
mod life;
mod pair;
mod plan;
mod rest;
mod slope;
mod tool;
mod trouble;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use self::life::Life;
use self::life::Lives;
pub use self::pair::{
    allocations_of_both, count_alone, count_alone_again, count_both, count_both_again,
};
use self::plan::same_words;
pub use self::plan::{CountPlan, Gauge, Span};
pub use self::slope::PerOp;
use self::tool::Tool;
pub use self::trouble::NoCounts;
use crate::load::Workload;
use crate::subject::{Interrupt, Subject};

/// What an operation costs the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counts {
    /// Instructions, of all threads and processes, outside of the kernel.
    pub instructions: PerOp,
    /// System calls, of all threads and processes.
    pub syscalls: PerOp,
    /// How it was counted.
    #[serde(flatten)]
    pub by: By,
}

/// What an operation makes the server allocate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Allocations {
    /// Calls that gave a block of memory.
    pub blocks: PerOp,
    /// Bytes that were asked for.
    pub bytes: PerOp,
    /// How it was counted.
    #[serde(flatten)]
    pub by: By,
}

/// How something was counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct By {
    /// The tool, and valgrind's version, as `callgrind-3.19.0`; empty if the tool did not say.
    pub tool: String,
    /// The lives, in order.
    pub lives: Vec<Life>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// How fast the server is under callgrind, found out in one life, to make a [`CountPlan`] by.
///
/// The server may use the core `cpu`, or all where it is `None`. The workload is to have one connection; its
/// pace does not matter. `patience` is the longest wait for a start or a reply, and for all of it.
///
/// # Errors
/// See [`NoCounts`].
pub fn gauge(
    subject: &Subject,
    workload: &Workload,
    patience: Duration,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Gauge, NoCounts> {
    let lives = Lives {
        subject,
        workload: same_words(workload),
        patience,
        until: Instant::now() + patience,
        pace: None,
        cpu,
        interrupt,
        tool: Tool::Callgrind,
    };
    lives.gauge()
}

/// Counts instructions and system calls. A [`Gauge`] of the same server saves its first life.
///
/// # Errors
/// See [`NoCounts`].
pub fn count(
    subject: &Subject,
    plan: &CountPlan,
    gauge: Option<Gauge>,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Counts, NoCounts> {
    let lives = lives(subject, plan, cpu, interrupt, Tool::Callgrind);
    let (by, [instructions, syscalls]) = lives.all(plan, gauge)?;
    Ok(Counts {
        instructions,
        syscalls,
        by,
    })
}

/// The same for allocations, under DHAT, which takes about twice as long.
///
/// # Errors
/// See [`NoCounts`].
pub fn count_allocations(
    subject: &Subject,
    plan: &CountPlan,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Allocations, NoCounts> {
    let lives = lives(subject, plan, cpu, interrupt, Tool::Dhat);
    let (mut by, [blocks, bytes]) = lives.all(plan, None)?;
    if by.lives.iter().all(|life| life.totals[0] == 0) {
        by.notes.push("no allocation was seen at all: the server has an allocator of its own, whose functions are not named malloc and free".to_owned());
    }
    Ok(Allocations { blocks, bytes, by })
}

fn lives<'a>(
    subject: &'a Subject,
    plan: &'a CountPlan,
    cpu: Option<usize>,
    interrupt: &'a Interrupt,
    tool: Tool,
) -> Lives<'a> {
    Lives {
        subject,
        workload: same_words(&plan.workload),
        patience: plan.patience,
        until: Instant::now() + plan.patience,
        pace: plan.pace.filter(|_| tool == Tool::Callgrind),
        cpu,
        interrupt,
        tool,
    }
}
