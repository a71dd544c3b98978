//! TCP is a byte stream: segment boundaries have no meaning.

mod big_reply;
mod coalesce_100;
mod size_boundaries;
mod split_across_two;
mod split_bytewise;
mod split_delimiter;
mod split_each_offset;

pub(super) use size_boundaries::sized;

use super::Check;

const GROUP: &str = "framing";

pub(super) const CHECKS: &[&Check] = &[
    &split_bytewise::ENTRY,
    &split_each_offset::ENTRY,
    &split_delimiter::ENTRY,
    &coalesce_100::ENTRY,
    &split_across_two::ENTRY,
    &size_boundaries::ENTRY,
    &big_reply::ENTRY,
];
