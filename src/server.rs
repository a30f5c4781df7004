//! The server as a whole: bind does all that can fail, run serves until it is told to stop, then drains.

mod nodes;
mod ports;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use nodes::Nodes;
use ports::IcePorts;

use crate::accept::{Acceptor, Deadlines, PendingConnections};
use crate::acme::Keeper;
use crate::auth::KeyRing;
use crate::config::Config;
#[cfg(feature = "cluster")]
use crate::connection::guest::hosting::Hosting;
use crate::connection::{Farewell, Terms};
use crate::error::StartError;
use crate::http::{BasePath, Hsts, Parts};
use crate::hub::Hub;
use crate::ice::IceConfig;
use crate::metrics::Metrics;
use crate::monitor::{Exposition, Facts, Monitor, Sources};
use crate::net::{TlsEnd, listen};
use crate::parking::Parking;
use crate::tasks::{Drained, Tasks};
use crate::tls::{Asks, Audience, ServedPair, Watch};
use crate::turn::{Turn, TurnCount};
use crate::{http, net, tls};

/// A server that listens, and serves once it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    scheme: &'static str,
    page: BasePath,
    acceptor: Acceptor,
    /// None: a proxy ends TLS for us.
    certificate: Option<Certificate>,
    /// None: credentials are not asked for.
    keys: Option<Arc<KeyRing>>,
    certificate_poll: Duration,
    ports: IcePorts,
    router: Router,
    monitor: Option<Monitor>,
    hub: Arc<Hub>,
    nodes: Nodes,
    turn: Arc<Turn>,
    pending: PendingConnections,
    tasks: Tasks,
    max_header_bytes: usize,
    handshake_timeout: Duration,
    drain_delay: Duration,
    drain_timeout: Duration,
    farewell: Farewell,
}

impl Server {
    /// Reads the certificate and takes the port.
    ///
    /// # Errors
    ///
    /// All that can keep a server from starting.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn bind(mut config: Config) -> Result<Self, StartError> {
        let listener = match config.listener.take() {
            Some(listener) => listener,
            None => listen(config.listen).map_err(|source| StartError::Listen { address: config.listen, source })?,
        };
        let address = listener.local_addr().expect("a socket that listens has an address");
        config.check_address(address)?;
        let certificate = Certificate::open(&mut config, address)?;
        let tls = certificate.as_ref().map(Certificate::tls);
        let pair = certificate.as_ref().map(|certificate| Arc::clone(certificate.served()));
        let tasks = Tasks::new();
        let nodes = Nodes::of(&mut config);
        let (hub, metrics) = (nodes.hub(&config), Metrics::new());
        let turn = Turn::new(config.ice.turn.clone(), tasks.clone());
        let ports = IcePorts::bind(&turn, &config.ice);
        let ice = Arc::new(IceConfig {
            servers: config.ice.servers,
            access: config.ice.access,
            embedded: Arc::clone(ports.embedded()),
            ttl: config.ice.ttl,
            public_host: config.ice.public_host,
        });
        let page = config.http.base_path.clone();
        let keys = config.http.verifier.as_ref().map(|verifier| Arc::clone(verifier.keys()));
        let terms = Arc::new(Terms {
            limits: config.connection,
            metrics: metrics.clone(),
            hub: Arc::clone(&hub),
            parked: Parking::new(config.http.parked),
            tasks: tasks.clone(),
        });
        nodes.keep_with(&terms);
        let mounts = std::mem::take(&mut config.http.mounts);
        let hsts = Hsts::new(config.http.hsts, pair.clone());
        #[cfg(feature = "cluster")]
        let tls_end = config.http.tls_end;
        let web = Parts::new(config.http, Arc::clone(&terms), Arc::clone(&ice));
        #[cfg(feature = "cluster")]
        nodes.host_with(Hosting { terms: Arc::downgrade(&terms), admission: web.admission.clone(), ice, tls_end });
        let pending = PendingConnections::new(config.pending.clone());
        let sources = Sources {
            hub: Arc::clone(&hub),
            admission: web.admission.clone(),
            parked: terms.parked.clone(),
            pending: pending.clone(),
            turn: Arc::clone(&turn),
            #[cfg(feature = "cluster")]
            cluster: nodes.cluster(),
            pair: pair.clone(),
        };
        let facts = Facts {
            hub: Arc::clone(&hub),
            warnings: config.warnings.into(),
            pair,
            #[cfg(feature = "cluster")]
            cluster: nodes.cluster(),
        };
        let monitor = match config.metrics_listen {
            Some(address) => Some(Monitor::bind(address, Exposition::new(&metrics, sources), facts)?),
            None => None,
        };
        let router = http::router(web, mounts, hsts);
        let proxies = if config.proxy_protocol { config.pending.proxies.clone() } else { Vec::new() };
        // A WebSocket's own write deadline comes first, so that its client can still be told.
        let deadlines = Deadlines { handshake: config.handshake_timeout, write: 2 * config.connection.write_timeout };
        Ok(Self {
            listener,
            address,
            scheme: if tls.is_some() { "https" } else { "http" },
            page,
            acceptor: Acceptor::new(tls, Arc::clone(&turn), pending.clone(), deadlines, tasks.clone()).behind(proxies),
            certificate,
            keys,
            certificate_poll: config.certificate_poll,
            ports,
            router,
            monitor,
            hub,
            nodes,
            turn,
            pending,
            tasks,
            max_header_bytes: config.max_header_bytes,
            handshake_timeout: config.handshake_timeout,
            drain_delay: config.drain_delay,
            drain_timeout: config.drain_timeout,
            farewell: config.connection.farewell,
        })
    }

    /// Where it listens: with the port that the system chose, where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where monitors read metrics.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.monitor.as_ref().map(|monitor| monitor.address)
    }

    /// The registry, to look at.
    #[must_use]
    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// The relays, to look at.
    #[must_use]
    pub fn relays(&self) -> Relays {
        Relays(Arc::clone(&self.turn))
    }

    /// Where it relays, and what is missing, in one line.
    #[must_use]
    pub fn relaying(&self) -> String {
        self.ports.describe(self.certificate.as_ref().map(|_| self.address.port()))
    }

    /// Connections before their first answer, to look at.
    #[must_use]
    pub fn pending(&self) -> PendingConnections {
        self.pending.clone()
    }

    /// Whether clients are asked for credentials.
    #[must_use]
    pub fn asks_for_credentials(&self) -> bool {
        self.keys.is_some()
    }

    /// What can be read again while the server runs.
    #[must_use]
    pub fn files(&self) -> Files {
        Files { pair: self.pair(), keys: self.keys.clone() }
    }

    /// The certificate that is served, if TLS ends here: to look at and to have it read again.
    #[must_use]
    pub fn pair(&self) -> Option<Arc<ServedPair>> {
        self.certificate.as_ref().map(|certificate| Arc::clone(certificate.served()))
    }

    /// Where a browser can open the page: on this machine first, then from others on its network.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let (scheme, page, port) = (self.scheme, &self.page, self.address.port());
        let url = |ip| format!("{scheme}://{}{page}", SocketAddr::new(ip, port));
        if !self.address.ip().is_unspecified() {
            return vec![url(self.address.ip().to_canonical())];
        }
        let is_served = |ip: &IpAddr| self.address.is_ipv6() || ip.is_ipv4();
        let others = net::lan_addresses().into_iter().filter(is_served).map(url);
        [format!("{scheme}://localhost:{port}{page}")].into_iter().chain(others).collect()
    }

    /// Serves until `stop` is ready, and for the drain's delay; then drains: accepting stops, every peer is told, and what is left at the
    /// deadline is cut.
    ///
    /// # Errors
    ///
    /// Where the listening socket can't be used.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<Drained> {
        self.tasks.spawn(self.ports.run(self.acceptor.clone(), self.tasks.clone()));
        if let Some(certificate) = self.certificate {
            self.tasks.spawn(certificate.run(self.certificate_poll, self.tasks.stop().clone()));
        }
        if let Some(keys) = self.keys {
            self.tasks.spawn(keys.run(self.tasks.stop().clone()));
        }
        let reached = self.nodes.run(&self.tasks);
        // Outlives the drain, and ends with this function.
        let _monitor = self.monitor.map(|monitor| monitor.serve(&self.tasks)).transpose()?;
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(self.listener)?.acceptor(self.acceptor).handle(handle.clone());
        let mut http = server.http_builder().http1();
        http.timer(TokioTimer::new()).header_read_timeout(self.handshake_timeout).max_buf_size(self.max_header_bytes);
        let serving = server.serve(self.router.into_make_service());
        // A task, because what `main` waits for itself has a thread of its own, and each new connection would wake it.
        let mut serving = self.tasks.spawn_apart(serving);
        tokio::select! {
            ended = &mut serving => return ended?.map(|()| Drained::Clean),
            () = told_to_stop(stop, &self.tasks, self.drain_delay) => {}
        }
        info!(peers = self.hub.peers(), relays = self.turn.allocations(), "stopping");
        // Order: accepting stops, and what asks is refused, before the peers are told: none of them can come back.
        handle.graceful_shutdown(Some(self.drain_timeout));
        self.tasks.stop().cancel();
        reached.part_lines();
        if self.farewell == Farewell::Restart {
            reached.hand_over(&self.hub, self.drain_timeout / 2).await;
        }
        self.hub.close();
        let (ended, drained) = tokio::join!(serving, self.tasks.drain(self.drain_timeout));
        ended??;
        reached.leave().await;
        match drained {
            Drained::Clean => debug!("all have left"),
            Drained::Left(count) => warn!(count, "the drain's deadline passed: connections were cut"),
        }
        Ok(drained)
    }
}

/// Ready when the drain is to begin: this long after it is known that it will.
async fn told_to_stop(stop: impl Future<Output = ()>, tasks: &Tasks, delay: Duration) {
    stop.await;
    tasks.give_notice();
    if !delay.is_zero() {
        info!("--drain-delay: serving goes on for {delay:?}, and /readyz says 503");
        tokio::time::sleep(delay).await;
    }
}

/// Where the certificate comes from.
enum Certificate {
    /// The operator's files.
    Files(Box<Watch>),
    /// An authority.
    Authority(Box<Keeper>, Asks),
}

impl Certificate {
    /// What is to be served. None: a proxy ends TLS for us.
    fn open(config: &mut Config, page: SocketAddr) -> Result<Option<Self>, StartError> {
        let this = match (config.http.tls_end, config.acme.take()) {
            (TlsEnd::Proxy, _) => return Ok(None),
            (TlsEnd::Here, None) => Self::Files(Box::new(Watch::open(config.pair.clone(), audience(config))?)),
            (TlsEnd::Here, Some(settings)) => {
                let asks = if settings.http_listen.is_some() { Asks::Browsers } else { Asks::Authority };
                Self::Authority(Box::new(Keeper::open(settings, page, config.is_rehearsal)?), asks)
            }
        };
        if let Some(host) = &config.http.public_host
            && !this.served().is_for(host.host())
        {
            let from = match &this {
                Self::Files(_) => format!("in --cert {}", config.pair.cert.display()),
                Self::Authority(..) => "for --acme-domain".to_owned(),
            };
            warn!("--public-host {host}: the certificate {from} is not for this host, so browsers refuse it");
        }
        Ok(Some(this))
    }

    fn served(&self) -> &Arc<ServedPair> {
        match self {
            Self::Files(watch) => watch.served(),
            Self::Authority(keeper, _) => keeper.served(),
        }
    }

    fn tls(&self) -> Arc<rustls::ServerConfig> {
        let asks = if let Self::Authority(_, asks) = self { *asks } else { Asks::Browsers };
        tls::server_config(Arc::clone(self.served()), asks)
    }

    /// Keeps it up to date, until it is told to stop.
    async fn run(self, poll: Duration, stop: CancellationToken) {
        match self {
            Self::Files(watch) => watch.run(poll, stop).await,
            Self::Authority(keeper, _) => keeper.run(stop).await,
        }
    }
}

/// A pair for development is for developers alone: not where the server has a public name, nor where it asks for
/// credentials.
fn audience(config: &Config) -> Audience {
    match (&config.http.public_host, &config.http.verifier) {
        (None, None) if config.is_rehearsal => Audience::Rehearsal,
        (None, None) => Audience::Developers,
        _ => Audience::Public,
    }
}

/// Files of the operator's that may change while the server runs.
#[derive(Clone, Debug)]
pub struct Files {
    pair: Option<Arc<ServedPair>>,
    keys: Option<Arc<KeyRing>>,
}

impl Files {
    /// Has all of them read again.
    pub fn reload(&self) {
        if let Some(pair) = &self.pair {
            pair.reload();
        }
        if let Some(keys) = &self.keys {
            keys.reload();
        }
    }
}

/// What the embedded TURN server does, to look at.
#[derive(Clone)]
pub struct Relays(Arc<Turn>);

impl Relays {
    /// How many allocations there are.
    #[must_use]
    pub fn allocations(&self) -> usize {
        self.0.allocations()
    }

    /// What has been done so far.
    #[must_use]
    pub fn count(&self, what: TurnCount) -> u64 {
        self.0.count(what)
    }
}
