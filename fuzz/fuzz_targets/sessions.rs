//! A few connections whose clients send anything in any order: frames are JSON and in order, and nothing is left.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_sessions(data));
