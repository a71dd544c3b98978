//! The frames of the harness: messages end at the same offsets however the stream is cut.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::fuzz::invariant::frames(data));
