//! The parts of a merged load in a few words.

use super::number::micros;
use crate::load::{Parts, part_name};

/// The parts of a merged load in a few words.
pub(super) fn parts(parts: &Parts) -> String {
    let there = match parts.missing.len() {
        0 => format!("merged from {}", parts.count),
        _ => format!("merged from {} of {}", parts.each.len(), parts.count),
    };
    let clocks = parts
        .clocks_apart_us
        .map_or(String::new(), |apart| match apart {
            0.0 => ", one clock".into(),
            apart => format!(", clocks at most {} apart", micros(apart)),
        });
    let server = parts.server_from.map_or(String::new(), |part| {
        format!(", server measured by {}", part_name(part))
    });
    format!("{there}{clocks}{server}")
}
