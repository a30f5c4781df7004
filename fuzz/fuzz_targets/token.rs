//! Tokens that strangers make up, and claims that an application signs: none allows what it does not say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_token(data));
