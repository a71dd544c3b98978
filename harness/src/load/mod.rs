//! Load: requests at a rate or as fast as replies allow, and how long the replies take.
//!
//! The engine (`engine/`) is the data plane: one thread a core, epoll, histograms of its own. What it
//! measured is put together and judged here: a run whose own figures are not to be trusted says so.

pub mod capacity;
pub mod clock;
pub mod engine;
pub mod machine;
pub mod metrics;
pub mod overload;
pub mod pacer;
mod patched;
mod plan;
pub mod reason;
pub mod recorder;
pub mod remark;
mod result;
pub mod run;
pub mod script;
pub mod slo;
pub mod transport;
pub mod validity;
pub mod workload;

pub use metrics::{Latency, Metrics, WindowSummary};
pub use overload::{OverloadReport, OverloadStep, overload};
pub use plan::LoadPlan;
pub use reason::{Fault, Note, Reason};
pub use remark::{Remark, joined};
pub use result::{LoadResult, summarize};
pub(crate) use run::settle;
pub use run::{Load, Measurement, ServerUse, cores};
pub use slo::{Found, Slo, SloReport, Tried};
pub use transport::{End, Transport};
pub use validity::{Lag, Validity};
pub use workload::{Arrivals, Loop, SocketOptions, Surge, Verify, Workload};
