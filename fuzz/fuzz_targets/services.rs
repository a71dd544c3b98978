//! The protocols of the reference server: the replies do not depend on how the bytes are cut.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tcprove_server::service::invariant::cuts_change_nothing(data));
