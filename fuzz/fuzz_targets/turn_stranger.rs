//! A datagram from nobody in particular: no panic, and nothing remembered or ended.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_stranger(data));
