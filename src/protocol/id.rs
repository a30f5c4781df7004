//! Who is meant, and where: the address of a peer and the name of a room. Pure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use uuid::Uuid;

/// A peer's address: a UUID, opaque to clients.
///
/// Its only text form is the one that `welcome` showed (36 characters, lower case), so that two texts name
/// the same peer exactly when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PeerId(Uuid);

impl PeerId {
    /// An id that no peer has had: 122 random bits (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The text isn't the address of any peer.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAPeerId;

impl FromStr for PeerId {
    type Err = NotAPeerId;

    fn from_str(text: &str) -> Result<Self, NotAPeerId> {
        let id = Self(Uuid::try_parse(text).map_err(|_| NotAPeerId)?);
        let mut canonical = Uuid::encode_buffer();
        // `try_parse` takes four spellings, and an address has one.
        if id.0.hyphenated().encode_lower(&mut canonical) == text { Ok(id) } else { Err(NotAPeerId) }
    }
}

/// A room's name: 1 to [`RoomName::MAX_BYTES`] bytes of UTF-8, any characters. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The name, or `None` if it is empty or too long.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        (1..=Self::MAX_BYTES).contains(&name.len()).then(|| Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_what_it_shows_and_no_other_spelling() {
        let id = PeerId::random();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}"), format!("urn:uuid:{text}")] {
            assert_eq!(other.parse::<PeerId>(), Err(NotAPeerId), "{other}");
        }
    }

    #[test]
    fn a_room_name_has_1_to_128_bytes() {
        assert!(RoomName::new("").is_none());
        assert!(RoomName::new(&"é".repeat(64)).is_some());
        assert!(RoomName::new(&"é".repeat(65)).is_none());
    }
}
