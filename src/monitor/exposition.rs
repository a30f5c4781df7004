//! What a monitor is told, in its format (OpenMetrics).
//!
//! What happened is counted in [`Metrics`]; what merely is, is read from its [`Sources`] for each request.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::accept::{PendingConnections, PendingCount};
use crate::admission::Admission;
#[cfg(feature = "cluster")]
use crate::cluster::{Cluster, Figures};
use crate::hub::Hub;
use crate::log;
use crate::metrics::Metrics;
use crate::parking::Parking;
use crate::tls::ServedPair;
use crate::turn::{Turn, TurnCount};

/// What is looked at when a monitor asks.
pub(crate) struct Sources {
    pub(crate) hub: Arc<Hub>,
    pub(crate) admission: Admission,
    pub(crate) parked: Parking,
    pub(crate) pending: PendingConnections,
    pub(crate) turn: Arc<Turn>,
    /// None: there are no other nodes.
    #[cfg(feature = "cluster")]
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// None: a proxy ends TLS for us.
    pub(crate) pair: Option<Arc<ServedPair>>,
}

/// All that a monitor is told.
#[derive(Debug)]
pub(crate) struct Exposition(Registry);

impl Exposition {
    /// The type of [`text`](Self::text).
    pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    #[expect(clippy::cast_precision_loss, reason = "counts and seconds are far below 2⁵³")]
    pub(crate) fn new(metrics: &Metrics, sources: Sources) -> Self {
        #[cfg(feature = "cluster")]
        let cluster = sources.cluster.clone();
        let Sources { hub, admission, parked, pending, turn, pair, .. } = sources;
        let mut this = Self(Registry::with_prefix("entremise"));
        #[cfg(feature = "cluster")]
        if let Some(cluster) = cluster {
            this.read_cluster(&cluster);
        }
        metrics.clone().register(&mut this.0);
        this.read("connections", "WebSockets that are open, and sessions over long polling", move || {
            admission.count() as f64
        });
        this.read("sessions_parked", "Sessions whose connection is lost at the moment", move || parked.count() as f64);
        if let Some(pair) = pair {
            let of = Arc::clone(&pair);
            this.read("certificate_expiry_seconds", "When the certificate expires, since 1970", move || {
                pair.not_after() as f64
            });
            this.read("certificate_lifetime_seconds", "For how long the certificate is good in all", move || {
                of.lifetime() as f64
            });
        }
        let (unanswered, relays) = (pending.clone(), Arc::clone(&turn));
        this.read("connections_unanswered", "Connections before their first answer", move || {
            unanswered.connections() as f64
        });
        this.read_counters("tls", "TLS handshakes, and connections refused before them", "what", move || {
            PendingCount::ALL.into_iter().map(|what| (what.as_str(), pending.count(what) as f64)).collect()
        });
        this.read("relays", "TURN allocations", move || relays.allocations() as f64);
        this.read_counters("turn", "What the embedded TURN server did", "what", move || {
            TurnCount::ALL.into_iter().map(|what| (what.as_str(), turn.count(what) as f64)).collect()
        });
        this.read_counter("log_lines_lost", "Lines of the log that could not be written in time", || {
            log::lost_lines() as f64
        });
        this.read("memory_bytes", "Memory that the process occupies", || resident_bytes().unwrap_or_default() as f64);
        let runtime = tokio::runtime::Handle::current();
        this.read("tasks", "Tasks that run or wait", move || runtime.metrics().num_alive_tasks() as f64);
        this.read_hub(&hub);
        this
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
    fn read_hub(&mut self, hub: &Arc<Hub>) {
        let of = Arc::clone(hub);
        self.read("sessions", "Sessions, those whose connection is lost included", move || of.peers() as f64);
        let of = Arc::clone(hub);
        self.read("rooms", "Rooms that have members", move || of.rooms() as f64);
        let of = Arc::clone(hub);
        self.read("queued_bytes", "Bytes that wait in all mailboxes", move || of.queued_bytes() as f64);
        let of = Arc::clone(hub);
        self.read_gauges("mailboxes", "Mailboxes, by how full they are", "fill", move || {
            of.mailboxes().into_iter().map(|(fill, count)| (fill, count as f64)).collect()
        });
    }

    #[cfg(feature = "cluster")]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
    fn read_cluster(&mut self, cluster: &Arc<Cluster>) {
        let gauges: [(_, _, Figure); 4] = [
            ("cluster_connected", "Whether NATS is reached", |it| f64::from(u8::from(it.is_connected))),
            ("cluster_nodes", "Other nodes that are seen", |it| it.nodes as f64),
            ("cluster_questions", "Messages that other nodes have not answered yet", |it| it.questions as f64),
            ("cluster_lines", "Clients that are served on another node than theirs, of either", |it| it.lines as f64),
        ];
        for (name, help, value) in gauges {
            let of = Arc::clone(cluster);
            self.read(name, help, move || value(&of.figures()));
        }
        let of = Arc::clone(cluster);
        self.read_counters("cluster_messages", "Messages between this node and others", "what", move || {
            let Figures { sent, received, dropped, late, .. } = of.figures();
            let (sent, received) = (sent.messages as f64, received.messages as f64);
            vec![("sent", sent), ("received", received), ("dropped", dropped as f64), ("late", late as f64)]
        });
        let of = Arc::clone(cluster);
        self.read_counters("cluster_bytes", "Bytes between this node and others", "what", move || {
            let Figures { sent, received, .. } = of.figures();
            vec![("sent", sent.bytes as f64), ("received", received.bytes as f64)]
        });
        let of = Arc::clone(cluster);
        self.read_counter("cluster_nodes_lost", "Nodes that have gone", move || of.figures().lost as f64);
        let round_trips = cluster.round_trips();
        self.0.register("cluster_round_trip_seconds", "Time until another node has answered", round_trips);
    }

    /// The text of the exposition format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("a String takes all that is written");
        text
    }

    fn read(&mut self, name: &'static str, help: &'static str, value: impl Fn() -> f64 + Send + Sync + 'static) {
        self.register(Reading { name, help, read: Read::Gauge(Box::new(value)) });
    }

    fn read_counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        value: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.register(Reading { name, help, read: Read::Counter(Box::new(value)) });
    }

    fn read_gauges(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Fn() -> Values + Send + Sync + 'static,
    ) {
        let read = Read::Family { kind: MetricType::Gauge, label, values: Box::new(values) };
        self.register(Reading { name, help, read });
    }

    fn read_counters(
        &mut self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl Fn() -> Values + Send + Sync + 'static,
    ) {
        let read = Read::Family { kind: MetricType::Counter, label, values: Box::new(values) };
        self.register(Reading { name, help, read });
    }

    fn register(&mut self, reading: Reading) {
        self.0.register_collector(Box::new(reading));
    }
}

/// What the process occupies of memory. Linux alone tells it this way (proc(5)).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes * 1024)
}

/// One of a cluster's figures.
#[cfg(feature = "cluster")]
type Figure = fn(&Figures) -> f64;

/// Something that is read for each request.
struct Reading {
    name: &'static str,
    help: &'static str,
    read: Read,
}

enum Read {
    /// What is now.
    Gauge(Box<dyn Fn() -> f64 + Send + Sync>),
    /// What has happened since the start.
    Counter(Box<dyn Fn() -> f64 + Send + Sync>),
    /// What is now, or has happened since the start, by a label.
    Family { kind: MetricType, label: &'static str, values: Box<dyn Fn() -> Values + Send + Sync> },
}

/// Values, each with what it is of.
type Values = Vec<(&'static str, f64)>;

impl Collector for Reading {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        match &self.read {
            Read::Gauge(value) => {
                let metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Gauge)?;
                ConstGauge::new(value()).encode(metric)
            }
            Read::Counter(value) => {
                let metric = encoder.encode_descriptor(self.name, self.help, None, MetricType::Counter)?;
                ConstCounter::new(value()).encode(metric)
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
