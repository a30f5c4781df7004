//! Requests of a client with a valid credential, in any order: no panic, and no packet to a forbidden address.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_user(data));
