//! What an endpoint's sessions have in common, and what they can run over.

use std::time::Duration;

/// What all sessions of an endpoint have in common.
#[derive(Clone, Debug)]
pub struct Config {
    /// From the opening, or from a pong, to the next ping.
    pub ping_interval: Duration,
    /// For the pong.
    pub ping_timeout: Duration,
    /// For a WebSocket to take the session over.
    pub upgrade_timeout: Duration,
    /// For the application to say [`Engine::connected`](super::engine::Engine::connected). `None`: it need not.
    pub connect_timeout: Option<Duration>,
    /// How long a session that the server closed waits for a poll that can be told.
    pub close_timeout: Duration,
    /// Bytes of a post or of a frame. Only told here: who reads them keeps to it.
    pub max_payload: usize,
    /// Nothing is accepted for the client while so many bytes wait for it.
    pub max_pending_bytes: usize,
    /// Nor while so many packets wait.
    pub max_pending_packets: usize,
}

/// The defaults of engine.io 6 and socket.io 4. The bounds of what waits are ours.
impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Some(Duration::from_secs(45)),
            close_timeout: Duration::from_secs(30),
            max_payload: 1_000_000,
            max_pending_bytes: 65_536,
            max_pending_packets: 64,
        }
    }
}

/// What a session runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// GETs that wait, and POSTs.
    Polling,
    /// A WebSocket, from the beginning or since the upgrade.
    WebSocket,
}
