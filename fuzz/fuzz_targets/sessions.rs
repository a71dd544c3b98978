//! The reference server over streams in memory: any case is answered as the protocol alone answers it.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::fuzz::invariant::sessions(data));
