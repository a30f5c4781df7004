//! Host, Origin and offers of subprotocols: only a request with exactly the required values is accepted.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_headers(data));
