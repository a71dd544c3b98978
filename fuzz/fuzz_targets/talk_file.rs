//! The conversation file: any text is either a valid file or an error with a location.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove::file::never_panics(data));
