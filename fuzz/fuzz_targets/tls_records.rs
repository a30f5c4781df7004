//! A real client's records, cut, merged, out of order, forged: only bytes that the client sent come out.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_tls_records(data));
