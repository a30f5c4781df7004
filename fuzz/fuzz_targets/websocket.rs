//! Any bytes as a client's frames, whole and in pieces: a second, slower decoder reads the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_websocket(data));
