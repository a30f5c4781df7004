//! What the server counts, and how a monitor reads it (OpenMetrics).
//!
//! Whoever does something counts it in [`Metrics`]; what merely is (peers, rooms, queues) is read when somebody asks, by
//! the [`Exposition`]. Every label is one of ours: none grows with what strangers send.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Counters. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Metrics {
    messages: Family<Message, Counter>,
    relay_seconds: Histogram,
    refusals: Family<Reason, Counter>,
    ends: Family<Reason, Counter>,
    resumes: Family<Reason, Counter>,
    panics: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Message {
    kind: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Metrics {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            messages: Family::default(),
            // From 10 µs, which is a message that nobody kept waiting, to 5 s.
            relay_seconds: Histogram::new(exponential_buckets(1e-5, 2.0, 20)),
            refusals: Family::default(),
            ends: Family::default(),
            resumes: Family::default(),
            panics: Counter::default(),
        }
    }

    /// A client's message, and what became of it: `ok`, or the code of its error.
    pub(crate) fn message(&self, kind: &'static str, result: &'static str) {
        self.messages.get_or_create(&Message { kind, result }).inc();
    }

    /// A message was this long in its addressee's queue, in seconds.
    pub(crate) fn relayed_after(&self, seconds: f64) {
        self.relay_seconds.observe(seconds);
    }

    /// No WebSocket for somebody.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    /// A connection ended.
    pub(crate) fn ended(&self, reason: &'static str) {
        self.ends.get_or_create(&Reason { reason }).inc();
    }

    /// Somebody asked for an earlier session: `resumed`, or `refused` and given a new one.
    pub(crate) fn resumption(&self, result: &'static str) {
        self.resumes.get_or_create(&Reason { reason: result }).inc();
    }

    /// A task of ours panicked.
    pub(crate) fn panicked(&self) {
        self.panics.inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// All that a monitor is told.
#[derive(Debug)]
pub(crate) struct Exposition(Registry);

impl Exposition {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let Metrics { messages, relay_seconds, refusals, ends, resumes, panics } = metrics.clone();
        let mut registry = Registry::with_prefix("entremise");
        registry.register("messages", "Messages of clients, by kind and result", messages);
        registry.register("relay_seconds", "Time that relayed messages waited in their queue", relay_seconds);
        registry.register("refusals", "Requests for a WebSocket that were refused, by reason", refusals);
        registry.register("connection_ends", "Connections that ended, by reason", ends);
        registry.register("resumes", "Clients that asked for an earlier session, by result", resumes);
        registry.register("panics", "Connections that ended by a bug of the server", panics);
        Self(registry)
    }

    /// Adds something that is read when somebody asks.
    pub(crate) fn reading(&mut self, reading: Reading) {
        self.0.register_collector(Box::new(reading));
    }

    /// The text of the exposition format, of this type: [`CONTENT_TYPE`](Self::CONTENT_TYPE).
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("a String takes all that is written");
        text
    }

    pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

/// Something that is read when somebody asks.
pub(crate) struct Reading {
    name: &'static str,
    help: &'static str,
    read: Read,
}

enum Read {
    /// What is now.
    Gauge(Box<dyn Fn() -> f64 + Send + Sync>),
    /// What is now, or has happened since the start, by a label.
    Family { kind: MetricType, label: &'static str, values: Box<dyn Fn() -> Values + Send + Sync> },
}

/// Values, each with what it is of.
type Values = Vec<(&'static str, f64)>;

impl Reading {
    /// What is now.
    pub(crate) fn gauge(
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self { name, help, read: Read::Gauge(Box::new(read)) }
    }

    /// What is now, by a label.
    pub(crate) fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Fn() -> Values + Send + Sync + 'static,
    ) -> Self {
        let read = Read::Family { kind: MetricType::Gauge, label, values: Box::new(values) };
        Self { name, help, read }
    }

    /// What has happened since the start, by a label.
    pub(crate) fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Fn() -> Values + Send + Sync + 'static,
    ) -> Self {
        let read = Read::Family { kind: MetricType::Counter, label, values: Box::new(values) };
        Self { name, help, read }
    }
}

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        match &self.read {
            Read::Gauge(value) => {
                let metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
                ConstGauge::new(value()).encode(metric)
            }
            Read::Family { kind, label, values } => {
                let mut metric = encoder.encode_descriptor(self.name, self.help, None, *kind)?;
                for (of, value) in values() {
                    let labels = [(*label, of)];
                    let metric = metric.encode_family(&labels)?;
                    match kind {
                        MetricType::Counter => ConstCounter::new(value).encode(metric)?,
                        _ => ConstGauge::new(value).encode(metric)?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_monitor_is_told_what_was_counted_and_what_is() {
        let metrics = Metrics::new();
        let mut exposition = Exposition::new(&metrics);
        exposition.reading(Reading::gauge("peers", "Peers", || 3.0));
        exposition.reading(Reading::counters("packets", "Packets", "way", || vec![("in", 1.0), ("out", 2.0)]));
        metrics.message("offer", "ok");
        metrics.message("offer", "ok");
        metrics.panicked();
        let text = exposition.text();
        for line in [
            r#"entremise_messages_total{kind="offer",result="ok"} 2"#,
            "entremise_panics_total 1",
            "# TYPE entremise_peers gauge",
            "entremise_peers 3.0",
            r#"entremise_packets_total{way="out"} 2.0"#,
            "# EOF",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} in:\n{text}");
        }
    }
}
