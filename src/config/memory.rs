//! The memory that peers can take at most, which is printed at the start.

use super::Config;
use crate::hub::MailboxLimits;
use crate::protocol::Realm;

/// What a connection takes beyond the messages that it holds: TLS buffers of both ways (rustls sends no more than 64 KiB
/// ahead, and a record that comes in has at most 16), a write buffer of 16 KiB, and its task.
const CONNECTION_BYTES: usize = 256 * 1024;

/// What a peer takes besides what waits for it and the messages of the moment: its idle connection (about 8 KiB), as much
/// as it may be told although all that may wait for peers does (16 KiB), and a TLS record on its way.
const EACH_BYTES: usize = 64 * 1024;

/// What may be put together as the answer to a poll, twice, besides one message; and the answers that wait for one.
const HELD_BYTES: usize = 192 * 1024;

/// Bounds on memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBounds {
    /// One peer that takes all that it can. None: the operator has set no limit.
    pub peer: Option<usize>,
    /// All that waits for peers.
    pub waiting: usize,
    /// Each peer besides: its connection, a message that it says and one that it is told.
    pub each: usize,
}

impl MemoryBounds {
    /// Of a server with these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let peer = config.hub.announcement_bytes().map(|announcements| peer_bytes(config, announcements));
        let mut each = EACH_BYTES.saturating_add(config.connection.max_message_bytes.saturating_mul(2));
        if holds_sessions(config) {
            each = each.saturating_add(held_bytes(config));
        }
        Self { peer, waiting: config.hub.queued_bytes, each }
    }
}

/// Its queue twice (what others say, and its own answers), what the server has to tell it, and its largest message while
/// it is read (a buffer that grows by doubling), decoded and written.
fn peer_bytes(config: &Config, announcements: usize) -> usize {
    let MailboxLimits { bytes, .. } = config.hub.mailbox;
    let message = config.connection.max_message_bytes.saturating_mul(4);
    let peer =
        bytes.saturating_mul(2).saturating_add(announcements).saturating_add(message).saturating_add(CONNECTION_BYTES);
    if !holds_sessions(config) {
        return peer;
    }
    // A poll and a post have a connection each, and a WebSocket may be tried beside them.
    peer.saturating_add(CONNECTION_BYTES * 2).saturating_add(held_bytes(config))
}

/// Whether there are clients whose sessions live between requests.
fn holds_sessions(config: &Config) -> bool {
    config.http.dialects.contains(&Realm::SocketIo)
}

/// What such a session takes besides: a post that waits (in a buffer that grows by doubling) until its client takes the
/// answers to what it said before, those answers, and what is put together as the answer to a poll, twice.
fn held_bytes(config: &Config) -> usize {
    config.connection.max_message_bytes.saturating_mul(6).saturating_add(HELD_BYTES)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn bounds(flags: &[&str]) -> MemoryBounds {
        let cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        MemoryBounds::of(&Config::from_cli(&cli).unwrap())
    }

    #[test]
    fn a_peer_takes_less_than_five_megabytes_by_default() {
        let peer = bounds(&[]).peer.unwrap();
        assert!((2 << 20..5 << 20).contains(&peer), "{peer}");
    }

    #[test]
    fn what_the_server_has_to_say_of_rooms_without_limits_has_no_bound() {
        for flag in ["--rooms-per-peer=0", "--peers-per-room=0"] {
            assert!(bounds(&[flag]).peer.is_none());
        }
    }
}
