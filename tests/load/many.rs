//! Memory per connection of a load with many connections.

use super::load_in;
use crate::support::skip::rounds;
use crate::support::{Bench, alone};

/// Maximum user-space memory per connection, in bytes.
const BYTES_MAX: u64 = 4096;

#[test]
fn a_connection_costs_little_memory() {
    let _alone = (rounds() > 0).then(alone);
    // Both ends are on this machine, and the server's descriptor limit applies as well.
    let many = if rounds() > 0 { 19_900 } else { 4_000 };
    let (few_kib, many_kib) = (peak(10), peak(many));
    let each = many_kib.saturating_sub(few_kib) * 1024 / many;
    println!("{each} bytes per connection of {many} connections");
    assert!(
        each <= BYTES_MAX,
        "{each} bytes per connection of {many} connections"
    );
}

/// Peak resident memory, in KiB, of a load with this many connections.
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
