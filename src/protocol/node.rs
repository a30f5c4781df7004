//! Which process a peer is in, where many are one service. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// A node, from its start to its end: 48 random bits, so that a process that starts again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId([u8; Self::BYTES]);

impl NodeId {
    /// How many bytes it has.
    pub const BYTES: usize = 6;

    /// A node that has not been.
    #[must_use]
    pub fn random() -> Self {
        // The last of a UUID's bytes are random in each version.
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[10..]);
        Self(bytes)
    }

    /// The node of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The node whose bytes a name begins with: 20 characters of base64url, as socket.io's ids have.
    #[must_use]
    pub fn beginning(name: &str) -> Option<Self> {
        let mut bytes = [0; 15];
        match URL_SAFE_NO_PAD.decode_slice(name, &mut bytes) {
            Ok(15) => bytes.first_chunk().copied().map(Self),
            _ => None,
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
