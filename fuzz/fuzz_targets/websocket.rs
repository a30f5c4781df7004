//! Any bytes as a client's frames, whole and in pieces: both read as a second, slower reading has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_websocket(data));
