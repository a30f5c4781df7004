//! The address of a peer.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The address of a peer, as the server gave it: opaque text, compared as text.
///
/// The ids of entremise's own clients are UUIDs; with other dialects of the server there are others, so the text is not looked into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PeerId(Box<str>);

impl PeerId {
    /// As it stands on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for PeerId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that a set or a map of ids is asked by text.
impl Borrow<str> for PeerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PeerId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl From<String> for PeerId {
    fn from(id: String) -> Self {
        Self(id.into())
    }
}

impl PartialEq<str> for PeerId {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}
