//! A server in this process, with a port, a certificate and threads of its own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clap::Parser as _;
use entremise::accept::PendingConnections;
use entremise::cli::Cli;
use entremise::config::Config;
use entremise::hub::Hub;
use entremise::server::Relays;
use entremise::tasks::Drained;
use entremise::tls::ServedPair;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tracing::Level;

use crate::pair::{Pair, trusting};
use crate::within;

/// The variable with the address of a NATS server, where each server of a test is to be two nodes.
const NATS: &str = "NATS";

/// Where a server is, and how to trust it.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) trust: Arc<ClientConfig>,
    /// Another node of the same service, to which each second connection goes.
    pub(crate) twin: Option<(SocketAddr, Arc<AtomicUsize>)>,
}

impl Site {
    pub(crate) fn new(address: SocketAddr, root: &CertificateDer<'static>) -> Self {
        Self { address, trust: trusting(root, rustls::ALL_VERSIONS), twin: None }
    }

    /// Where the next connection goes.
    fn next(&self) -> SocketAddr {
        match &self.twin {
            Some((twin, count)) if count.fetch_add(1, Ordering::Relaxed) % 2 == 1 => *twin,
            _ => self.address,
        }
    }

    pub(crate) async fn tcp(&self) -> TcpStream {
        within("a TCP connection", TcpStream::connect(self.next())).await.expect("the server listens")
    }

    pub(crate) async fn tls(&self) -> TlsStream<TcpStream> {
        self.shake_hands(self.tcp().await).await
    }

    /// From another address of this machine: all of 127.0.0.0/8 is.
    pub(crate) async fn tls_from(&self, address: [u8; 4]) -> TlsStream<TcpStream> {
        self.shake_hands(self.tcp_from(address).await).await
    }

    pub(crate) async fn tcp_from(&self, address: [u8; 4]) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((IpAddr::from(address), 0).into()).expect("a loopback address");
        within("a TCP connection", socket.connect(self.next())).await.expect("the server listens")
    }

    /// With a receive buffer so small that a client that doesn't read is soon noticed.
    pub(crate) async fn narrow_tls(&self) -> TlsStream<TcpStream> {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("before the connection, any size is taken");
        let tcp = within("a TCP connection", socket.connect(self.next())).await.expect("the server listens");
        self.shake_hands(tcp).await
    }

    pub(crate) async fn shake_hands(&self, tcp: TcpStream) -> TlsStream<TcpStream> {
        // As browsers do: a second small message would else wait for 40 milliseconds.
        tcp.set_nodelay(true).expect("a socket");
        let connector = TlsConnector::from(Arc::clone(&self.trust));
        let name = "localhost".try_into().expect("a name");
        within("the TLS handshake", connector.connect(name, tcp)).await.expect("the server has the trusted certificate")
    }
}

/// A server that runs until it is dropped, and then has to have drained cleanly, without a trace and without a panic.
pub(crate) struct Server {
    site: Site,
    pub(crate) hub: Arc<Hub>,
    pub(crate) relays: Relays,
    /// What its start says about them.
    pub(crate) relaying: String,
    /// Where its metrics are, if it has any.
    pub(crate) metrics: Option<SocketAddr>,
    /// Its certificate, if it has one.
    served: Option<Arc<ServedPair>>,
    pub(crate) pending: PendingConnections,
    /// The files that it was started with.
    pub(crate) pair: Pair,
    name: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Drained>>,
    /// Another node of the same service, where tests are to be played on two.
    twin: Option<Box<Self>>,
}

impl Server {
    /// With these flags besides a free port and a pair of its own.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(Pair::new(), flags)
    }

    pub(crate) fn start_with(pair: Pair, flags: &[&str]) -> Self {
        match std::env::var(NATS) {
            Ok(nats) if !nats.is_empty() => Self::start_two(pair, flags, &nats),
            _ => Self::start_changed(pair, flags, |_| {}),
        }
    }

    /// Two nodes that are one service, with these flags each.
    fn start_two(pair: Pair, flags: &[&str], nats: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let key = pair.secret("cluster.key");
        let own =
            [format!("--cluster={nats}"), format!("--cluster-key-file={key}"), format!("--cluster-prefix={prefix}")];
        let flags: Vec<&str> = flags.iter().copied().chain(own.iter().map(String::as_str)).collect();
        let twin = Self::start_changed(pair.again(), &flags, |_| {});
        let mut server = Self::start_changed(pair, &flags, |_| {});
        let until = Instant::now() + Duration::from_secs(15);
        while let Some(why) = server.hub.unready().or_else(|| twin.hub.unready()) {
            assert!(Instant::now() < until, "the two nodes meet: {why}");
            thread::sleep(Duration::from_millis(20));
        }
        server.site.twin = Some((twin.address, Arc::default()));
        server.twin = Some(Box::new(twin));
        server
    }

    /// With settings that no flag can give, such as any free port.
    pub(crate) fn start_changed(pair: Pair, flags: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        remember_panics_and_logs();
        let name = format!("server-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut config = config(&pair, flags);
        change(&mut config);
        let (bound, binding) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = {
            let name = name.clone();
            move || {
                let mut runtime = tokio::runtime::Builder::new_multi_thread();
                let runtime = runtime.worker_threads(2).thread_name(name).enable_all().build().expect("threads");
                runtime.block_on(async {
                    let server = entremise::server::Server::bind(config).expect("the server starts");
                    let looks =
                        (server.hub(), server.relays(), server.pair(), server.pending(), server.metrics_address());
                    bound.send((server.address(), server.relaying(), looks)).expect("the test waits");
                    let stopped = async { drop(stopped.await) };
                    server.run(stopped).await.expect("the listener works")
                })
            }
        };
        let thread = thread::Builder::new().name(name.clone()).spawn(run).expect("a thread");
        let (address, relaying, (hub, relays, served, pending, metrics)) = binding.recv().expect("the server starts");
        let site = Site::new(address, &pair.root);
        let (stop, thread) = (Some(stop), Some(thread));
        Self { site, hub, relays, relaying, metrics, served, pending, pair, name, stop, thread, twin: None }
    }

    /// The certificate that is served.
    pub(crate) fn served(&self) -> &ServedPair {
        self.served.as_ref().expect("it serves TLS")
    }

    /// Whether there is another node.
    pub(crate) fn is_one_of_two(&self) -> bool {
        self.twin.is_some()
    }

    /// Tells it to stop; the drain begins.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Forgets that something panicked, because the test made it.
    pub(crate) fn forgive_panics(&self) {
        PANICKED.lock().expect("no panic while it is held").retain(|name| *name != self.name);
    }

    /// The lines that it has logged until now at this level, from `info` up.
    pub(crate) fn logged(&self, level: &str) -> Vec<String> {
        let logged = LOGGED.lock().expect("no panic while it is held");
        let lines = logged.iter().filter(|(name, line)| *name == self.name && line.contains(level));
        lines.map(|(_, line)| line.clone()).collect()
    }

    /// Waits until it has stopped, however.
    pub(crate) async fn drained(mut self) -> Drained {
        self.stop();
        let thread = self.thread.take().expect("it runs until it is asked this");
        let joined = within("the server's end", tokio::task::spawn_blocking(|| thread.join())).await;
        joined.expect("a join does not panic").expect("the server did not panic")
    }
}

impl Deref for Server {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let Some(thread) = self.thread.take() else { return };
        let drained = thread.join();
        if thread::panicking() {
            return;
        }
        assert_eq!(drained.expect("the server did not panic"), Drained::Clean, "the drain");
        assert_eq!(
            (self.hub.peers(), self.hub.rooms(), self.hub.queued_bytes()),
            (0, 0, 0),
            "peers, rooms, bytes left"
        );
        assert_eq!(Arc::strong_count(&self.hub), 1, "what holds on to the hub");
        assert_eq!((self.relays.allocations(), self.pending.connections()), (0, 0), "relays, unanswered connections");
        let panicked = PANICKED.lock().expect("no panic while it is held").contains(&self.name);
        assert!(!panicked, "a task of the server panicked");
    }
}

/// The checked settings that these flags ask for. The usual port of STUN is not for tests, of which many run at once.
pub(crate) fn config(pair: &Pair, flags: &[&str]) -> Config {
    let own = ["entremise".to_owned(), "--listen=127.0.0.1:0".to_owned()];
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    let cli = Cli::try_parse_from(own.into_iter().chain(pair.flags()).chain(flags)).expect("the flags are right");
    let mut config = Config::from_cli(&cli).expect("the settings fit each other");
    config.ice.stun_port = None;
    config
}

/// Names of threads in which something panicked: tokio catches a task's panic, and no test may miss it.
static PANICKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Lines of the log, each with the name of the thread that wrote it.
static LOGGED: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

/// Writes to [`LOGGED`].
struct Journal;

impl io::Write for Journal {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let name = thread::current().name().unwrap_or_default().to_owned();
        let text = String::from_utf8_lossy(line).into_owned();
        LOGGED.lock().expect("no panic while it is held").push((name, text));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn remember_panics_and_logs() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_max_level(Level::INFO).with_ansi(false).with_writer(|| Journal).init();
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if let (Some(name), Ok(mut panicked)) = (thread::current().name(), PANICKED.lock()) {
                panicked.push(name.to_owned());
            }
            report(panic);
        }));
    });
}
