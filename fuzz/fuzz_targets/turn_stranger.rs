//! A datagram without credentials, also from the address of an allocation: no panic, and no state is made or ended.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_stranger(data));
