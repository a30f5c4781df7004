//! Any bytes as the beginning of a connection from a proxy: cut anywhere, they have the same result.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_proxy_header(data));
