//! Any text as a frame of matchbox: a second reading of the same frame says the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_matchbox(data));
