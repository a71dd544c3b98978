//! The deterministic tier: the cost of an operation in instructions, system calls and allocations, counted under
//! valgrind.
//!
//! A server is run several times, with few and with many requests. The difference of the totals is the cost of the
//! requests in between: start and warm-up cancel. Three measures make the counts repeatable:
//!
//! - A request is sent only when every thread of the server sleeps again (`rest.rs`), so each request is one wake-up,
//!   whatever the machine schedules.
//! - A run ends by a signal that terminates the server where it sleeps (`runs.rs`), so its own shutdown, in which
//!   threads race, is not counted.
//! - Random seeds that environment variables control are the same in every run (`tool.rs`).
//!
//! Work that a server does by itself as time passes (the timers of Redis, the threads of memcached) cannot be told
//! apart from its work for requests. Both sides are then asked at the same fixed rate (`requests.rs`), so that each
//! request contains the same share of it, and the range is widened by its unevenness.
//!
//! The range over pairs of runs shows how much the counts vary; `judge` uses it to compare two servers.

mod callgrind;
mod calls;
mod dhat;
mod error;
mod folder;
mod graph;
pub(crate) mod judge;
mod length;
mod pair;
mod requests;
mod rest;
mod runs;
mod script;
mod script_run;
mod slope;
mod tool;

use std::time::Duration;

pub use self::error::CountError;
pub(crate) use self::graph::{Function, Graph};
pub use self::pair::{allocations_of_both, count_both};
pub(crate) use self::pair::{
    calls_of_both, count_alone, count_alone_again, count_both_again, script_of_both,
};
pub use self::requests::{CountPlan, Gauge, Span};
use self::runs::CountedRuns;
pub(crate) use self::script::{Path, Places, ScriptFunction};
pub use self::slope::{CountedRun, PerOp};
use self::tool::Tool;
use crate::load::Workload;
use crate::process::{Hook, Interpreter};
use crate::subject::{Interrupt, Subject};

/// The cost of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationCounts {
    /// Instructions of all threads and processes, outside the kernel.
    pub instructions: PerOp,
    /// System calls of all threads and processes.
    pub syscalls: PerOp,
    /// How they were counted.
    pub by: CountMethod,
    /// The cost of an operation in each function.
    pub(crate) functions: Graph,
}

/// The allocations of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Allocations {
    /// Allocated blocks.
    pub blocks: PerOp,
    /// Requested bytes.
    pub bytes: PerOp,
    /// How they were counted.
    pub by: CountMethod,
    /// Blocks and bytes that an operation allocates in each function.
    pub(crate) functions: Graph,
}

/// How a count was made.
#[derive(Debug, Clone, PartialEq)]
pub struct CountMethod {
    /// The tool with valgrind's version, such as `callgrind-3.19.0`; empty if the tool does not tell it.
    pub tool: String,
    /// The runs, in order.
    pub runs: Vec<CountedRun>,
    /// Remarks about the counts.
    pub notes: Vec<String>,
}

/// What all runs show.
struct CountedAll {
    by: CountMethod,
    /// Instructions and system calls of an operation, or blocks and bytes.
    costs: [PerOp; 2],
    /// The cost of an operation in each function.
    functions: Graph,
}

/// Measures the speed of the server under callgrind in one run, to make a [`CountPlan`].
///
/// The server uses the core `cpu`, or any core if it is `None`. The workload must have one connection; its pace is
/// ignored. `patience` limits the wait for a start, for a reply, and for the whole run.
///
/// # Errors
/// See [`CountError`].
fn gauge(
    subject: &Subject,
    workload: &Workload,
    patience: Duration,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Gauge, CountError> {
    CountedRuns::new(subject, workload, patience, cpu, interrupt, Tool::Callgrind).gauge()
}

/// Counts instructions and system calls. A [`Gauge`] of the same server replaces the first run.
///
/// # Errors
/// See [`CountError`].
pub fn count(
    subject: &Subject,
    plan: &CountPlan,
    gauge: Option<Gauge>,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<OperationCounts, CountError> {
    let runs = runs(subject, plan, cpu, interrupt, Tool::Callgrind);
    let counted = runs.all(plan, gauge)?;
    let [instructions, syscalls] = counted.costs;
    Ok(OperationCounts {
        instructions,
        syscalls,
        by: counted.by,
        functions: counted.functions,
    })
}

/// Counts allocations under DHAT, which takes about twice as long.
///
/// # Errors
/// See [`CountError`].
fn count_allocations(
    subject: &Subject,
    plan: &CountPlan,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Allocations, CountError> {
    let runs = runs(subject, plan, cpu, interrupt, Tool::Dhat);
    let CountedAll {
        mut by,
        costs: [blocks, bytes],
        functions,
    } = runs.all(plan, None)?;
    if by.runs.iter().all(|run| run.totals[0] == 0) {
        by.notes.push("no allocation was counted: the server uses its own allocator, whose functions are not named malloc and free".to_owned());
    }
    Ok(Allocations {
        blocks,
        bytes,
        by,
        functions,
    })
}

/// Counts system calls by name.
///
/// # Errors
/// See [`CountError`].
fn count_calls(
    subject: &Subject,
    plan: &CountPlan,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Graph, CountError> {
    let runs = runs(subject, plan, cpu, interrupt, Tool::Calls);
    Ok(runs.all(plan, None)?.functions)
}

/// Measures the functions of a script by the profiler of its interpreter.
///
/// # Errors
/// See [`CountError`].
fn profile(
    subject: &Subject,
    workload: &Workload,
    interpreter: Interpreter,
    patience: Duration,
    cpu: Option<usize>,
    interrupt: &Interrupt,
) -> Result<Places, CountError> {
    let launch = subject.launch().ok_or(CountError::Attached)?;
    let hook = Hook::new(launch, interpreter, script::hook(interpreter));
    let hook = hook.map_err(|error| CountError::Harness {
        doing: "write a hook",
        error,
    })?;
    CountedRuns::new(
        subject,
        workload,
        patience,
        cpu,
        interrupt,
        Tool::Script(&hook),
    )
    .script()
}

fn runs<'a>(
    subject: &'a Subject,
    plan: &'a CountPlan,
    cpu: Option<usize>,
    interrupt: &'a Interrupt,
    tool: Tool<'a>,
) -> CountedRuns<'a> {
    CountedRuns {
        pace: plan.pace.filter(|_| matches!(tool, Tool::Callgrind)),
        ..CountedRuns::new(subject, &plan.workload, plan.patience, cpu, interrupt, tool)
    }
}
