//! Load generation, in an open or a closed loop, and measurement of response times.
//!
//! The engine (`engine/`) is the data plane: one thread per core, each with its own epoll instance and histograms.
//! This module merges what the threads measured and judges it: a report states whether its figures can be trusted.

#[cfg(feature = "cli")]
pub(crate) mod capacity;
#[cfg(feature = "cli")]
pub(crate) mod clock;
pub(crate) mod engine;
mod histogram;
pub(crate) mod machine;
pub(crate) mod metrics;
mod note;
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "only the command line runs an overload")
)]
pub(crate) mod overload;
pub mod pacer;
pub(crate) mod packed;
mod part;
pub(crate) mod parts;
mod parts_reason;
mod patched;
mod plan;
pub(crate) mod reason;
pub mod recorder;
pub(crate) mod remark;
mod result;
pub(crate) mod run;
pub(crate) mod script;
#[cfg_attr(
    not(feature = "cli"),
    expect(dead_code, reason = "only the command line runs a search")
)]
pub(crate) mod slo;
pub(crate) mod transport;
pub(crate) mod validity;
pub(crate) mod visit;
pub(crate) mod workload;

pub use metrics::{Latency, Metrics, WindowSummary};
pub use note::Note;
#[cfg(feature = "cli")]
pub(crate) use overload::overload;
pub use overload::{OverloadReport, OverloadStep};
pub(crate) use part::OBSERVER;
pub use part::Part;
pub use parts::{ClockRecord, FolderClock, PartRecord, PartSummary, Parts};
pub use parts_reason::PartsReason;
pub(crate) use parts_reason::part_name;
pub use plan::{LoadPlan, PartPlan};
pub use reason::{Fault, Reason};
pub use remark::Remark;
pub(crate) use remark::joined;
pub use result::LoadResult;
pub(crate) use result::summarize;
pub use run::{Load, Measurement, ServerUse};
pub(crate) use run::{cores, server_cores, settle};
#[cfg(feature = "cli")]
pub(crate) use slo::Slo;
pub use slo::{SloReport, Tried};
pub use transport::{End, Transport};
pub use validity::{Lag, Validity};
pub use workload::{Arrivals, Loop, SocketOptions, Surge, Verify, Workload};
