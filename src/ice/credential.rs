//! Short-lived TURN credentials: what coturn calls `use-auth-secret`, the "REST API for access to TURN services"
//! (draft-uberti-behave-turn-rest-00). Pure: time is an argument.
//!
//! The user name is `expiry:peer id`, the password base64(HMAC-SHA1(secret, user name)). A server that knows the secret can
//! make and check them, so nothing is stored and nothing has to be taken back.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A secret that a TURN server shares. Its bytes are shown nowhere.
#[derive(Clone)]
pub struct TurnSecret(hmac::Key);

impl TurnSecret {
    /// The secret with these bytes, as they stand in the file of a TURN server.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, bytes))
    }

    /// A secret of this process alone: for a server that shares it with no other.
    ///
    /// # Panics
    ///
    /// Where the system has no randomness.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
        Self::new(&bytes)
    }

    /// The password that belongs to a user name.
    #[must_use]
    pub fn password(&self, username: &str) -> String {
        STANDARD.encode(hmac::sign(&self.0, username.as_bytes()))
    }
}

impl fmt::Debug for TurnSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TurnSecret")
    }
}

/// A user name and its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `expiry:name`, the expiry in seconds since 1970.
    pub username: String,
    /// Base64.
    pub password: String,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential")
    }
}

impl Credential {
    /// A credential for `name` that is valid until `expiry` (seconds since 1970).
    #[must_use]
    pub fn mint(secret: &TurnSecret, name: &str, expiry: u64) -> Self {
        let username = format!("{expiry}:{name}");
        let password = secret.password(&username);
        Self { username, password }
    }
}

/// When a user name expires, in seconds since 1970; `None` if it isn't one of this scheme.
#[must_use]
pub fn expiry(username: &str) -> Option<u64> {
    let (expiry, _) = username.split_once(':')?;
    expiry.bytes().all(|byte| byte.is_ascii_digit()).then(|| expiry.parse().ok())?
}

/// The peer that a user name is for: what follows the expiry, which is another one each time that a peer asks. `None`
/// where it names no peer (`expiry:`), as other programs with the same secret may make them.
#[must_use]
pub fn peer(username: &str) -> Option<&str> {
    let (_, peer) = username.split_once(':')?;
    (!peer.is_empty()).then_some(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_what_the_scheme_says() {
        // By `printf 1795000000:alice | openssl dgst -sha1 -hmac north -binary | base64`.
        let credential = Credential::mint(&TurnSecret::new(b"north"), "alice", 1_795_000_000);
        assert_eq!(credential.username, "1795000000:alice");
        assert_eq!(credential.password, "EpVmky0DRZIXviMz9MhE+MQ18cU=");
    }

    #[test]
    fn a_user_name_tells_its_expiry() {
        assert_eq!(expiry("1795000000:alice:b"), Some(1_795_000_000));
        for other in ["", "alice", "alice:1795000000", ":alice", "+5:alice", "-5:alice", "99999999999999999999999:a"] {
            assert_eq!(expiry(other), None, "{other}");
        }
    }

    #[test]
    fn a_user_name_tells_its_peer_whatever_its_expiry() {
        for (username, name) in [("1:alice", Some("alice")), ("2:alice", Some("alice")), ("1:a:b", Some("a:b"))] {
            assert_eq!(peer(username), name);
        }
        assert_eq!((peer("1:"), peer("1")), (None, None));
    }

    #[test]
    fn neither_a_secret_nor_a_credential_shows_itself() {
        let secret = TurnSecret::new(b"north");
        assert_eq!(format!("{secret:?} {:?}", Credential::mint(&secret, "alice", 1)), "TurnSecret Credential");
    }
}
