//! What a client with a valid credential may do in any order: no panic, and no packet where none may go.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_user(data));
