//! Nonces that need no memory: a time stamp and a keyed hash over it and the client's address, as coturn makes them.
//! Pure: time is an argument. So a stranger's request leaves nothing behind, and a nonce is worth nothing elsewhere.

use std::fmt::Write as _;
use std::net::SocketAddr;

use aws_lc_rs::{constant_time, hmac, rand};

/// How long a nonce is good for, in seconds.
pub(super) const LIFETIME: u64 = 600;

/// Bytes of the hash in a nonce: 96 bits, more than can be tried in its lifetime.
const TAG_BYTES: usize = 12;

/// Makes and checks nonces.
#[derive(Debug)]
pub(super) struct Nonces(hmac::Key);

impl Nonces {
    /// With a key of its own: nonces of an earlier process are stale.
    pub(super) fn new() -> Self {
        Self(hmac::Key::generate(hmac::HMAC_SHA256, &rand::SystemRandom::new()).expect("the system has randomness"))
    }

    /// A nonce for this client. `now` is in seconds.
    pub(super) fn make(&self, client: SocketAddr, now: u64) -> String {
        let mut nonce = format!("{now:016x}");
        for byte in self.tag(client, now) {
            write!(nonce, "{byte:02x}").expect("a String takes all that is written");
        }
        nonce
    }

    /// Whether it is ours, for this client, and not too old.
    pub(super) fn is_fresh(&self, nonce: &str, client: SocketAddr, now: u64) -> bool {
        let made = nonce.get(..16).and_then(|time| u64::from_str_radix(time, 16).ok());
        made.is_some_and(|made| {
            let is_ours = constant_time::verify_slices_are_equal(self.make(client, made).as_bytes(), nonce.as_bytes());
            is_ours.is_ok() && made <= now && now - made <= LIFETIME
        })
    }

    fn tag(&self, client: SocketAddr, time: u64) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&time.to_be_bytes());
        match client {
            SocketAddr::V4(client) => context.update(&client.ip().octets()),
            SocketAddr::V6(client) => context.update(&client.ip().octets()),
        }
        context.update(&client.port().to_be_bytes());
        context.sign().as_ref()[..TAG_BYTES].try_into().expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_nonce_is_good_for_ten_minutes() {
        let nonces = Nonces::new();
        let client = address("192.0.2.1:1000");
        let nonce = nonces.make(client, 5000);
        assert!(nonces.is_fresh(&nonce, client, 5000) && nonces.is_fresh(&nonce, client, 5600));
        assert!(!nonces.is_fresh(&nonce, client, 5601) && !nonces.is_fresh(&nonce, client, 4999));
    }

    #[test]
    fn a_nonce_is_worth_nothing_elsewhere() {
        let nonces = Nonces::new();
        let nonce = nonces.make(address("192.0.2.1:1000"), 5000);
        for other in ["192.0.2.2:1000", "192.0.2.1:1001", "[::1]:1000"] {
            assert!(!nonces.is_fresh(&nonce, address(other), 5000), "{other}");
        }
        assert!(!Nonces::new().is_fresh(&nonce, address("192.0.2.1:1000"), 5000));
    }

    #[test]
    fn a_forged_nonce_is_not_fresh() {
        let nonces = Nonces::new();
        let client = address("192.0.2.1:1000");
        let nonce = nonces.make(client, 5000);
        for at in 0..nonce.len() {
            let mut forged = nonce.clone();
            forged.replace_range(at..=at, if &nonce[at..=at] == "0" { "1" } else { "0" });
            assert!(!nonces.is_fresh(&forged, client, 5000), "{at}");
        }
        for forged in ["", "0", "é", &nonce[1..], &format!("{nonce}0"), &nonce.to_uppercase()] {
            assert!(!nonces.is_fresh(forged, client, 5000) || *forged == nonce, "{forged}");
        }
    }
}
