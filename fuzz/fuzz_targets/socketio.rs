//! Any bytes as socket.io's packets, posts and queries, and any order of a session's events: the rules hold.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| entremise::fuzzing::play_socketio(data));
