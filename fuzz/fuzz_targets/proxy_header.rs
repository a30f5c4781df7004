//! Any bytes as the front of a connection from a proxy: cut anywhere, they come to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_proxy_header(data));
