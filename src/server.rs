//! The server as a whole: bind does all that can fail, run serves until it is told to stop, then drains.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, info, warn};

use crate::accept::Acceptor;
use crate::config::Config;
use crate::error::StartError;
use crate::hub::Hub;
use crate::tasks::{Drained, Tasks};
use crate::{http, lan, tls};

/// Connections that the system keeps for us while we are busy.
const BACKLOG: i32 = 1024;

/// The largest request head: room for a long cookie of a neighbouring site, far from a burden.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A server that listens, and serves once it is run.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    acceptor: Acceptor,
    router: Router,
    hub: Arc<Hub>,
    tasks: Tasks,
    handshake_timeout: Duration,
    drain_timeout: Duration,
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
    pub fn bind(config: Config) -> Result<Self, StartError> {
        let tls = tls::server_config(&config.pair)?;
        let listener = listen(config.listen).map_err(|source| StartError::Listen { address: config.listen, source })?;
        let address = listener.local_addr().expect("a socket that listens has an address");
        let tasks = Tasks::new();
        let hub = Hub::new(config.hub);
        let router =
            http::router(Arc::clone(&hub), tasks.clone(), config.admission, config.allowed_origins, config.connection);
        Ok(Self {
            listener,
            address,
            // A WebSocket's own deadline comes first, so that its client can still be told.
            acceptor: Acceptor::new(tls, config.handshake_timeout, 2 * config.connection.write_timeout, tasks.clone()),
            router,
            hub,
            tasks,
            handshake_timeout: config.handshake_timeout,
            drain_timeout: config.drain_timeout,
        })
    }

    /// Where it listens: with the port that the system chose, where 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The registry, to look at.
    #[must_use]
    pub fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }

    /// Where a browser can open the page: on this machine first, then from others on its network.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let port = self.address.port();
        let url = |ip| format!("https://{}/", SocketAddr::new(ip, port));
        if !self.address.ip().is_unspecified() {
            return vec![url(self.address.ip().to_canonical())];
        }
        let is_served = |ip: &IpAddr| self.address.is_ipv6() || ip.is_ipv4();
        let others = lan::addresses().into_iter().filter(is_served).map(url);
        [format!("https://localhost:{port}/")].into_iter().chain(others).collect()
    }

    /// Serves until `stop` is ready, then drains: accepting stops, every peer is told, and what is left at the
    /// deadline is cut.
    ///
    /// # Errors
    ///
    /// Where the listening socket can't be used.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<Drained> {
        let handle = Handle::new();
        let mut server = axum_server::from_tcp(self.listener)?.acceptor(self.acceptor).handle(handle.clone());
        let mut http = server.http_builder().http1();
        http.timer(TokioTimer::new()).header_read_timeout(self.handshake_timeout).max_buf_size(MAX_HEAD_BYTES);
        let serving = server.serve(self.router.into_make_service_with_connect_info::<SocketAddr>());
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map(|()| Drained::Clean),
            () = stop => {}
        }
        info!(peers = self.hub.peers(), "stopping");
        // Order: accepting stops before the peers are told, so that none of them can come back to us.
        handle.graceful_shutdown(Some(self.drain_timeout));
        let (ended, drained) = tokio::join!(serving, self.tasks.drain(self.drain_timeout));
        ended?;
        match drained {
            Drained::Clean => debug!("everybody left"),
            Drained::Left(count) => warn!(count, "the drain's deadline passed: connections were cut"),
        }
        Ok(drained)
    }
}

/// A listening socket; one on `[::]` serves IPv4 too. Where the system has no IPv6, `[::]` means `0.0.0.0`.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match open(address) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            open((Ipv4Addr::UNSPECIFIED, address.port()).into())
        }
        opened => opened,
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn is_without_ipv6(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no `ErrorKind`; EADDRNOTAVAIL is what a disabled IPv6 answers.
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}
