//! Host, Origin and offers of subprotocols: nothing is let in that does not say plainly what it has to.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_headers(data));
