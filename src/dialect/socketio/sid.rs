//! The ids that socket.io makes: of an Engine.IO session, which is a secret of its client, and of a peer, which is not.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::protocol::NodeId;

/// 15 bytes, which are 20 characters of base64url without padding.
const BYTES: usize = 15;

/// An Engine.IO session's id. A client that knows it reads and writes what belongs to the session: shown by nothing
/// but `Display`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; BYTES]);

/// The text is not an id as this server makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASid;

impl Sid {
    /// A new one, from the system's random bytes.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes, without which no secret can be made.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; BYTES];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
        Self(bytes)
    }
}

impl Sid {
    /// A new one that begins with the node, where there are several: a peer's, by which the others find it.
    #[must_use]
    pub fn of(node: Option<NodeId>) -> Self {
        let mut sid = Self::random();
        if let Some(node) = node {
            sid.0[..NodeId::BYTES].copy_from_slice(node.as_bytes());
        }
        sid
    }
}

impl From<[u8; BYTES]> for Sid {
    fn from(bytes: [u8; BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for Sid {
    type Err = NotASid;

    fn from_str(text: &str) -> Result<Self, NotASid> {
        let mut bytes = [0; BYTES];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(BYTES) => Ok(Self(bytes)),
            _ => Err(NotASid),
        }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sid_is_20_characters_of_base64url() {
        let text = Sid::from([0xfb; BYTES]).to_string();
        assert_eq!(text, "-_v7-_v7-_v7-_v7-_v7");
        assert_eq!(text.parse(), Ok(Sid::from([0xfb; BYTES])));
        assert_ne!(Sid::random(), Sid::random());
    }

    #[test]
    fn other_text_is_no_sid() {
        for text in ["", "x", "-_v7-_v7-_v7-_v7-_v", "-_v7-_v7-_v7-_v7-_v7a", "-_v7-_v7-_v7-_v7-_v+", "ééééééééééé"]
        {
            assert_eq!(text.parse::<Sid>(), Err(NotASid), "{text}");
        }
        assert_eq!("a".repeat(100_000).parse::<Sid>(), Err(NotASid));
    }

    #[test]
    fn a_sid_is_not_in_what_is_logged() {
        assert_eq!(format!("{:?}", Sid::random()), "Sid");
    }
}
