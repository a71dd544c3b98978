//! The protocols of the reference server: any cutting of the same bytes gives the same replies.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove_server::service::invariant::cuts_change_nothing(data));
