//! Any bytes as the files of certificate and key: no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_pem(data));
