//! Many connections from one process, and what each costs it.

use super::load_in;
use crate::support::skip::rounds;
use crate::support::{Bench, alone};

/// User-space bytes that a connection may cost.
const BYTES_MAX: u64 = 4096;

#[test]
fn a_connection_costs_little_memory() {
    let _alone = (rounds() > 0).then(alone);
    // Both ends are on this machine, and the server has a limit of its own.
    let many = if rounds() > 0 { 19_900 } else { 4_000 };
    let (few_kib, many_kib) = (peak(10), peak(many));
    let each = many_kib.saturating_sub(few_kib) * 1024 / many;
    println!("{each} bytes for each of {many} connections");
    assert!(
        each <= BYTES_MAX,
        "{each} bytes for each of {many} connections"
    );
}

/// The most memory that a load over so many connections held.
fn peak(connections: u64) -> u64 {
    let bench = Bench::new();
    let connections = connections.to_string();
    let loaded = load_in(
        &bench,
        &[
            "--embedded",
            "-c",
            &connections,
            "--duration",
            "1s",
            "--warmup",
            "0",
            "--payload",
            "64",
        ],
    );
    loaded.assert_sound();
    assert_eq!(loaded.metric("connects").to_string(), connections);
    loaded.ended.rss_peak_kib
}
