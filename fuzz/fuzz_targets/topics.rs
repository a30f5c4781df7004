//! Any text as a frame of y-webrtc's or Trystero's: a second reading, into a tree, comes to the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_topics(data));
