//! Any bytes as a PeerJS client's frame: what comes of it reaches another client untouched.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_peerjs(data));
