//! Forged tokens, and claims that an application has signed: no token allows what its claims do not say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_token(data));
