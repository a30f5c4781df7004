//! What `fuzz/` stands on: everything that reads what others wrote, without sockets. No part of the server.

pub use crate::accept::{play_proxy_header, play_tls_records};
pub use crate::auth::fuzzing::play_token;
pub use crate::connection::framing::fuzzing::play_websocket;
pub use crate::dialect::gstreamer::fuzzing::play_gstreamer;
pub use crate::dialect::matchbox::fuzzing::play_matchbox;
pub use crate::dialect::peerjs::fuzzing::play_peerjs;
pub use crate::dialect::socketio::fuzzing::play_socketio;
pub use crate::dialect::topics::fuzzing::play_topics;
pub use crate::dialect::v1::fuzzing::play_frame;
pub use crate::http::fuzzing::play_headers;
pub use crate::hub::fuzzing::play_sessions;
pub use crate::tls::fuzzing::play_pem;
pub use crate::turn::fuzzing::{play_stranger, play_user};

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Play = fn(&[u8]);

    const TARGETS: [(&str, Play); 15] = [
        ("frame", play_frame),
        ("gstreamer", play_gstreamer),
        ("headers", play_headers),
        ("peerjs", play_peerjs),
        ("matchbox", play_matchbox),
        ("pem", play_pem),
        ("proxy_header", play_proxy_header),
        ("sessions", play_sessions),
        ("socketio", play_socketio),
        ("tls_records", play_tls_records),
        ("token", play_token),
        ("topics", play_topics),
        ("turn_stranger", play_stranger),
        ("turn_user", play_user),
        ("websocket", play_websocket),
    ];

    fn seeds(target: &str) -> Vec<Vec<u8>> {
        let folder = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
        fs::read_dir(folder).unwrap().map(|seed| fs::read(seed.unwrap().path()).unwrap()).collect()
    }

    #[test]
    fn the_seeds_cut_anywhere_break_nothing() {
        for (target, play) in TARGETS {
            let seeds = seeds(target);
            assert!(!seeds.is_empty(), "{target}");
            for seed in seeds {
                for cut in 0..=seed.len() {
                    play(&seed[..cut]);
                }
            }
        }
    }

    #[test]
    fn noise_and_seeds_with_noise_in_them_break_nothing() {
        let mut noise = 88_172_645_463_325_252_u64;
        let mut next = || {
            // Marsaglia's xorshift.
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            noise.to_le_bytes()[3]
        };
        for (target, play) in TARGETS {
            let seeds = seeds(target);
            for _ in 0..1000 {
                let bytes: Vec<u8> = (0..usize::from(next())).map(|_| next()).collect();
                play(&bytes);
                let mut seed = seeds[usize::from(next()) % seeds.len()].clone();
                let at = usize::from(next()) * seed.len() / 256;
                seed[at] = next();
                play(&seed);
            }
        }
    }

    #[test]
    fn each_target_has_a_program() {
        let manifest = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/Cargo.toml")).unwrap();
        let programs: Vec<&str> =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
        let expected: Vec<String> = TARGETS.iter().map(|(target, _)| format!("{target}.rs\"")).collect();
        assert_eq!(programs, expected);
    }
}
