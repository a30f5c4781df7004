//! What a client is told first: who it is, and what it may do.

use std::fmt;
use std::num::NonZeroU32;

use super::{Address, IceServer};

/// The first frame of a connection. It is no part of the session's sequence, so it never waits in a mailbox.
#[derive(Clone, Debug)]
pub struct Welcome {
    /// The peer's address.
    pub id: Address,
    /// Whether an earlier session goes on.
    pub resumed: bool,
    /// How to take this session up again. None: that is not possible.
    pub resume: Option<Resume>,
    /// Of a session that goes on: how many of the client's frames have been processed, over all its connections.
    pub accepted: Option<u64>,
    /// For `new RTCPeerConnection({ iceServers })`.
    pub ice_servers: Vec<IceServer>,
    /// Seconds between the server's pings.
    pub heartbeat: f64,
    /// The largest message that the client may send, in bytes.
    pub max_message_bytes: usize,
    /// How much the client may send. None: as much as it likes.
    pub rate: Option<Rate>,
    /// How many bytes the client may send for long, eight times that at once. None: as many as it likes.
    pub bytes_per_second: Option<NonZeroU32>,
}

/// What a client needs to take its session up again.
#[derive(Clone, Debug)]
pub struct Resume {
    /// Secret.
    pub token: Secret,
    /// How long the session outlives its connection, in seconds.
    pub window: f64,
}

/// Text that is shown to its owner alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A token bucket: its refill and its size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Messages per second.
    pub messages: f64,
    /// Messages at once.
    pub burst: u32,
}
