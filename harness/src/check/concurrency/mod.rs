//! Many clients at the same time.

pub(super) mod at_once;
pub(super) mod backlog_burst;
mod churn;
mod conn_limit;
mod crosstalk;
mod fair_hog;
mod herd;
mod hol_idle;
mod hol_partial;
mod overload_recovery;
mod places;
mod places_given_back;
mod served;
mod shared_decoder;
pub(super) mod stopped;

use super::Check;

const GROUP: &str = "concurrency";

pub(super) const CHECKS: &[&Check] = &[
    &hol_idle::ENTRY,
    &hol_partial::ENTRY,
    &crosstalk::ENTRY,
    &fair_hog::ENTRY,
    &shared_decoder::ENTRY,
    &backlog_burst::ENTRY,
    &herd::ENTRY,
    &churn::ENTRY,
    &conn_limit::ENTRY,
    &places_given_back::ENTRY,
    &overload_recovery::ENTRY,
];
