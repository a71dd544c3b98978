//! Cases decoded from raw bytes keep the limits and survive a round trip through JSON.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::fuzz::invariant::cases(data));
