//! What an operator may have put into the two files. No part of the server.

use super::{chain, signing_key};

/// Reads a text as a certificate chain and as a key.
///
/// # Panics
///
/// Where that panics.
pub fn play_pem(data: &[u8]) {
    if let Ok((chain, validity)) = chain(data) {
        assert!(!chain.is_empty());
        // What the watch and the metrics do with it.
        let _ = (validity.not_after.timestamp(), validity.not_after.to_string(), validity.not_before.to_string());
    }
    drop(signing_key(data));
}
