//! What an operator may have put into the files of the pair: no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_pem(data));
