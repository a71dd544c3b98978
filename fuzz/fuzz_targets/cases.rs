//! Fuzz cases out of raw bytes: the limits are kept, and text holds all of a case.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::fuzz::invariant::cases(data));
