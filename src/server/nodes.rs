//! The other nodes of the service, where there are any.

#[cfg(feature = "cluster")]
mod several {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::AbortOnDropHandle;
    use tracing::{info, warn};

    use crate::cluster::Cluster;
    use crate::cluster::nats::{self, NatsSettings};
    use crate::config::Config;
    use crate::connection::Terms;
    use crate::connection::guest::hosting::Hosting;
    use crate::hub::{Elsewhere, Hub};
    use crate::tasks::Tasks;

    /// What a node that ends may need to say so.
    const FAREWELL: Duration = Duration::from_secs(2);

    /// What reaches the other nodes. None: there are none.
    pub(in crate::server) struct Nodes(Option<(Arc<Cluster>, NatsSettings)>);

    impl Nodes {
        pub(in crate::server) fn of(config: &mut Config) -> Self {
            let cluster = config.cluster.take();
            Self(cluster.map(|cluster| (Cluster::new(&cluster.settings, Instant::now()), cluster.nats)))
        }

        /// The cluster, to look at.
        pub(in crate::server) fn cluster(&self) -> Option<Arc<Cluster>> {
            self.0.as_ref().map(|(cluster, _)| Arc::clone(cluster))
        }

        /// A hub of which the other nodes have the other peers.
        pub(in crate::server) fn hub(&self, config: &Config) -> Arc<Hub> {
            let Some(cluster) = self.cluster() else { return Hub::new(config.hub) };
            let hub = Hub::among(config.hub, Some(Arc::clone(&cluster) as Arc<dyn Elsewhere>));
            cluster.attach(&hub);
            hub
        }

        /// Has these keep sessions that come from other nodes.
        pub(in crate::server) fn keep_with(&self, terms: &Arc<Terms>) {
            if let Some((cluster, _)) = &self.0 {
                let terms = Arc::downgrade(terms);
                cluster.keep_with(move |session| {
                    if let Some(terms) = terms.upgrade() {
                        terms.keep(session);
                    }
                });
            }
        }

        /// Has clients of others served that come to places of this node.
        pub(in crate::server) fn host_with(&self, hosting: Hosting) {
            if let Some((cluster, _)) = &self.0 {
                cluster.host_with(move |place, guest| hosting.serve(place, guest));
            }
        }

        /// Reaches the others from now on.
        pub(in crate::server) fn run(self, tasks: &Tasks) -> Reached {
            let over = CancellationToken::new();
            let cluster = self.cluster();
            let task = self.0.map(|(cluster, nats)| tasks.spawn_apart(nats::run(nats, cluster, over.clone())));
            Reached { over, task, cluster }
        }
    }

    /// Is to outlive the drain: what the last sessions leave is told the others.
    pub(in crate::server) struct Reached {
        over: CancellationToken,
        task: Option<AbortOnDropHandle<()>>,
        cluster: Option<Arc<Cluster>>,
    }

    impl Reached {
        /// Gives the others the sessions that can be resumed, in this time.
        pub(in crate::server) async fn hand_over(&self, hub: &Hub, deadline: Duration) {
            if let Some(cluster) = &self.cluster {
                hub.empty();
                match timeout(deadline, cluster.hand_over_all()).await {
                    Ok(0) => {}
                    Ok(sessions) => info!(sessions, "sessions are on other nodes"),
                    Err(_) => warn!("other nodes have not said in time that all of what was handed over has arrived"),
                }
            }
        }

        /// Has this node's clients come again that others serve.
        pub(in crate::server) fn part_lines(&self) {
            if let Some(cluster) = &self.cluster {
                cluster.part_lines();
            }
        }

        /// Takes leave of the others.
        pub(in crate::server) async fn leave(self) {
            self.over.cancel();
            if let Some(task) = self.task {
                let _ = timeout(FAREWELL, task).await;
            }
        }
    }
}

#[cfg(not(feature = "cluster"))]
mod alone {
    use std::sync::Arc;
    use std::time::Duration;

    use crate::config::Config;
    use crate::connection::Terms;
    use crate::hub::Hub;
    use crate::tasks::Tasks;

    /// There are none.
    pub(in crate::server) struct Nodes;

    impl Nodes {
        pub(in crate::server) fn of(_: &mut Config) -> Self {
            Self
        }

        pub(in crate::server) fn hub(&self, config: &Config) -> Arc<Hub> {
            Hub::new(config.hub)
        }

        pub(in crate::server) fn keep_with(&self, _: &Arc<Terms>) {}

        pub(in crate::server) fn run(self, _: &Tasks) -> Reached {
            Reached
        }
    }

    pub(in crate::server) struct Reached;

    impl Reached {
        pub(in crate::server) async fn hand_over(&self, _: &Hub, _: Duration) {}

        pub(in crate::server) fn part_lines(&self) {}

        pub(in crate::server) async fn leave(self) {}
    }
}

#[cfg(not(feature = "cluster"))]
pub(super) use alone::Nodes;
#[cfg(feature = "cluster")]
pub(super) use several::Nodes;
