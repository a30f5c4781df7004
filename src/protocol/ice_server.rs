//! An ICE server, as browsers take it.

use std::fmt;

use serde::Serialize;

use super::footprint;

/// One entry of `RTCConfiguration.iceServers`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// `stun:`, `turn:` and `turns:` URLs.
    pub urls: Vec<String>,
    /// For TURN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// Without what is secret in it.
impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.urls).finish()
    }
}

impl IceServer {
    /// The bytes of memory that it holds besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.urls.iter().chain(&self.username).chain(&self.credential);
        footprint::list(&self.urls) + texts.map(|text| footprint::allocated(text.capacity())).sum::<usize>()
    }
}
