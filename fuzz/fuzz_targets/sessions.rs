//! The reference server over in-memory streams: every case gets the same replies as from the protocol alone.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::fuzz::invariant::sessions(data));
