//! Any text as a frame of GStreamer's clients: a second reading says the same, and what is passed on can be read.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_gstreamer(data));
