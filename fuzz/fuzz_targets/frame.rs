//! Any text as a client's frame: a second decoder, serde_json's, reads the same message.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_frame(data));
