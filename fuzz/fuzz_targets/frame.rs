//! Any text as a client's frame: what is decoded is what it says, by a second reading.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_frame(data));
