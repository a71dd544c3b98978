//! The conversation file: any text is a file or an error that points at a place.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::file::never_panics(data));
