//! A real client's records, cut, merged, out of their order, forged: nothing comes through but what was said.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_tls_records(data));
