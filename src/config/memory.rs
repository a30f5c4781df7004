//! The memory that peers can take at most, which is printed at the start.

use std::fmt;
use std::num::NonZeroUsize;

use super::Config;
use crate::hub::MailboxLimits;
use crate::protocol::{Realm, footprint};

/// What a connection takes beyond the messages that it holds: TLS buffers of both ways (rustls sends no more than 64 KiB
/// ahead, and a record that comes in has at most 16), a write buffer of 16 KiB, and its task.
const CONNECTION_BYTES: usize = 256 * 1024;

/// What a peer takes besides what waits for it and the messages of the moment: its idle connection (about 8 KiB), as much
/// as it may be told although all that may wait for peers does (16 KiB), and a TLS record on its way.
const EACH_BYTES: usize = 64 * 1024;

/// What a session of the exchange takes of each of its ends: its entries in two hash tables, which may just have grown.
const SESSION_BYTES: usize = 256;

/// What a member of the exchange may say of itself although all that may wait for peers does.
const META_BYTES: usize = 16 * 1024;

/// What may be put together as the answer to a poll, twice, besides one message; and the answers that wait for one.
const HELD_BYTES: usize = 192 * 1024;

/// Bounds on memory, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBounds {
    /// One peer that takes all that it can. None: the operator has set no limit.
    pub peer: Option<usize>,
    /// All that waits for peers.
    pub waiting: usize,
    /// Each peer besides: its connection, its topics, a message that it says and one that it is told. None: the operator
    /// has set no limit.
    pub each: Option<usize>,
}

impl fmt::Display for MemoryBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, waiting, each } = *self;
        let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
        let peer = peer.map_or("without a bound".to_owned(), |bytes| format!("at most {}", kib(bytes)));
        let (waiting, each) = (kib(waiting), each.map_or("without a bound".to_owned(), kib));
        write!(f, "memory: {peer} for one peer; {waiting} for all that waits for peers, and {each} for each of them")
    }
}

impl MemoryBounds {
    /// Of a server with these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let has_exchange = config.http.dialects.contains(&Realm::GStreamer);
        let [of_peer, of_each] = if has_exchange { exchange_bytes(config) } else { [0; 2] };
        let peer = unasked(config).map(|unasked| peer_bytes(config, unasked).saturating_add(of_peer));
        let each =
            EACH_BYTES.saturating_add(of_each).saturating_add(config.connection.max_message_bytes.saturating_mul(2));
        let held = if holds_sessions(config) { held_bytes(config) } else { 0 };
        let each = topic_bytes(config).map(|topics| each.saturating_add(held).saturating_add(topics));
        Self { peer, waiting: config.hub.queued_bytes, each }
    }
}

/// What a peer takes for its rooms: what the server has to tell it of them, or its topics, of which it is told nothing.
fn unasked(config: &Config) -> Option<usize> {
    Some(config.hub.announcement_bytes()?.max(topic_bytes(config)?))
}

/// What a peer takes for its topics, where a dialect has them.
fn topic_bytes(config: &Config) -> Option<usize> {
    let has_topics = config.http.dialects.iter().any(|dialect| dialect.has_topics());
    if has_topics { config.hub.topics.bytes() } else { Some(0) }
}

/// Its queue twice (what others say, and its own answers), what it has waiting for absent peers, what the
/// server has to tell it (with the names of peers) or its topics, and its largest message while it is read (a buffer that grows by doubling), decoded and written.
fn peer_bytes(config: &Config, unasked: usize) -> usize {
    let MailboxLimits { bytes, .. } = config.hub.mailbox;
    let message = config.connection.max_message_bytes.saturating_mul(4);
    let awaits = config.http.dialects.iter().any(|dialect| dialect.awaits());
    let awaited = if awaits { config.hub.awaited_bytes(config.connection.max_message_bytes) } else { 0 };
    // Names that clients choose outlive their peers where they have to be told.
    let named = if awaits { config.hub.named_bytes() } else { 0 };
    let said = bytes.saturating_mul(2).saturating_add(unasked).saturating_add(awaited).saturating_add(named);
    let peer = said.saturating_add(message).saturating_add(CONNECTION_BYTES);
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

/// What the exchange adds to one peer that takes all that it can, and to each. The former: what it says of itself, its
/// sessions, and a list, which is an answer beyond the queue's limit and is written through a buffer that grows by doubling.
fn exchange_bytes(config: &Config) -> [usize; 2] {
    let sessions = config.hub.peers_per_room.map_or(0, NonZeroUsize::get).saturating_mul(SESSION_BYTES);
    let list = config.hub.mailbox.bytes;
    let meta = footprint::shared(config.connection.max_message_bytes);
    [sessions.saturating_add(list).saturating_add(meta), sessions.saturating_add(META_BYTES)]
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
    fn what_waits_for_absent_peers_counts_where_clients_may_have_it_wait() {
        let more = bounds(&["--dialect=peerjs"]).peer.unwrap() - bounds(&[]).peer.unwrap();
        // The names that it may have to be told of, two for each message that may wait, count there too.
        assert_eq!(more, (1 << 20) / 4 + 64 * 1024 + 2 * 2048 * footprint::shared(128));
    }

    #[test]
    fn the_exchange_counts_where_it_is_open() {
        let (without, with) = (bounds(&["--dialect=matchbox"]), bounds(&["--dialect=gstreamer"]));
        assert!(with.peer.unwrap() > without.peer.unwrap() + (1 << 20) && with.each > without.each);
    }

    #[test]
    fn what_the_server_has_to_say_of_rooms_without_limits_has_no_bound() {
        for flag in ["--rooms-per-peer=0", "--peers-per-room=0"] {
            assert!(bounds(&[flag]).peer.is_none());
        }
    }

    #[test]
    fn topics_count_where_a_dialect_has_them() {
        let unused = bounds(&["--topics-per-peer=0"]).peer;
        assert_eq!(unused, bounds(&[]).peer);
        for dialect in ["--dialect=y-webrtc", "--dialect=trystero"] {
            let MemoryBounds { peer, each, .. } = bounds(&[dialect, "--topics-per-peer=0"]);
            assert_eq!((peer, each), (None, None));
            assert!(bounds(&[dialect, "--topics-per-peer=10000"]).peer > unused);
            assert!(bounds(&[dialect]).each > bounds(&[]).each);
        }
    }
}
