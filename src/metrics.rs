//! What the server counts. Every label is one of ours: none grows with what strangers send.
//!
//! The code that does something counts it here; what merely is (peers, rooms, queues) is read when a
//! monitor asks.

use std::hash::{Hash, Hasher};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Metrics {
    messages: Family<Message, Counter>,
    relay_seconds: Histogram,
    refusals: Family<Reason, Counter>,
    ends: Family<Reason, Counter>,
    resumes: Family<Outcome, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, EncodeLabelSet)]
struct Message {
    dialect: &'static str,
    kind: &'static str,
    result: &'static str,
}

/// Few words have all of their lengths in common, and one is looked up for each message.
impl Hash for Message {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { dialect, kind, result } = self;
        state.write_usize(dialect.len() << 16 | kind.len() << 8 | result.len());
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    dialect: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Family::default(),
            // From 10 µs, which is a message that did not have to wait, to 5 s.
            relay_seconds: Histogram::new(exponential_buckets(1e-5, 2.0, 20)),
            refusals: Family::default(),
            ends: Family::default(),
            resumes: Family::default(),
        }
    }

    /// A client's message, and what became of it: `ok`, or the code of its error.
    pub(crate) fn message(&self, dialect: &'static str, kind: &'static str, result: &'static str) {
        self.messages.get_or_create(&Message { dialect, kind, result }).inc();
    }

    /// A message was this long in its addressee's queue, in seconds.
    pub(crate) fn relayed_after(&self, seconds: f64) {
        self.relay_seconds.observe(seconds);
    }

    /// A request got no WebSocket.
    pub(crate) fn refused(&self, dialect: &'static str, reason: &'static str) {
        self.refusals.get_or_create(&Reason { dialect, reason }).inc();
    }

    /// A connection ended.
    pub(crate) fn ended(&self, dialect: &'static str, reason: &'static str) {
        self.ends.get_or_create(&Reason { dialect, reason }).inc();
    }

    /// A client asked for an earlier session: `resumed`, or `refused` and given a new one.
    pub(crate) fn resumption(&self, result: &'static str) {
        self.resumes.get_or_create(&Outcome { result }).inc();
    }

    /// Shows all of it.
    pub(crate) fn register(self, registry: &mut Registry) {
        let Self { messages, relay_seconds, refusals, ends, resumes } = self;
        registry.register("messages", "Messages of clients, by dialect, kind and result", messages);
        registry.register("relay_seconds", "Time that relayed messages waited in their queue", relay_seconds);
        registry.register("refusals", "Requests for a WebSocket that were refused, by dialect and reason", refusals);
        registry.register("connection_ends", "Connections that ended, by dialect and reason", ends);
        registry.register("resumes", "Clients that asked for an earlier session, by result", resumes);
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
