//! One port: a connection's first byte says what it is, and a deadline ends those who say nothing.
//!
//! Before TLS, and after the handshake again: a STUN message goes to the embedded TURN server, so that one TCP port is
//! enough for page, signaling and relay; all else is HTTP. A letter before TLS is a browser that was sent to `http://`,
//! which the router redirects, or a proxy that ends TLS for us. The deadline covers everything up to the first byte of the
//! first request: hyper's own begins only with that byte. How many may be without an answer is
//! [`pending`](PendingConnections).

mod hint;
mod linger;
mod pending;
mod preface;
mod proxy;
mod spelling;
mod stream;
mod tls;
mod unread;

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tower_layer::Layer as _;
use tracing::field::Empty;
use tracing::{Span, debug, debug_span};

pub(crate) use pending::Pending;
pub use pending::{PendingConnections, PendingCount, PendingLimits};
#[cfg(any(test, feature = "fuzzing"))]
pub use proxy::play_proxy_header;
pub(crate) use spelling::HttpStream;
pub(crate) use stream::Stream;
#[cfg(any(test, feature = "fuzzing"))]
pub use tls::fuzzing::play_tls_records;

use hint::Hints;
use preface::Front;
use proxy::Ends;
use stream::{Io, Manners};
use tls::TlsStream;

use crate::admission::Permit;
use crate::net::Cidr;
use crate::tasks::Tasks;
use crate::turn::Turn;

/// RFC 7983: what begins with these is STUN.
const STUN_FIRST: u8 = 0;
const STUN_LAST: u8 = 3;

/// How long accepting rests after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Over TLS.
    Tls,
    /// In plain text: only redirected, unless a proxy ends TLS for us.
    Plain,
}

/// Where a request came from, as an extension of it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Who sent it, or a proxy that says so by headers of HTTP.
    pub(crate) client: IpAddr,
    pub(crate) transport: Transport,
    /// Its connection among those without an answer.
    pub(crate) pending: Pending,
    /// … and among all that there have been, for the log.
    pub(crate) connection: u64,
}

impl Arrival {
    /// What the lines of the log about its connection carry: its number, and the peer's id once there is one.
    pub(crate) fn span(&self) -> Span {
        debug_span!("connection", id = self.connection, peer = Empty)
    }
}

/// The number of a connection: one more for each since the start of the process.
fn next_connection() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// How long a connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// To its first request.
    pub(crate) handshake: Duration,
    /// For one write.
    pub(crate) write: Duration,
}

/// Tells connections apart and shakes hands. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Acceptor {
    /// None: a proxy ends TLS for us.
    tls: Option<Arc<ServerConfig>>,
    turn: Arc<Turn>,
    /// Who has to say first, by the PROXY protocol, whose a connection is. All others are who they are.
    proxies: Arc<[Cidr]>,
    pending: PendingConnections,
    deadlines: Deadlines,
    manners: Arc<Manners>,
    hints: Arc<Hints>,
}

impl Acceptor {
    pub(crate) fn new(
        tls: Option<Arc<ServerConfig>>,
        turn: Arc<Turn>,
        pending: PendingConnections,
        deadlines: Deadlines,
        tasks: Tasks,
    ) -> Self {
        let (manners, hints) = (Manners::new(tasks, deadlines.write), Arc::default());
        Self { tls, turn, proxies: Arc::new([]), pending, deadlines, manners, hints }
    }

    /// Behind proxies that have to say, by the PROXY protocol, whose a connection is.
    pub(crate) fn behind(self, proxies: Vec<Cidr>) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// Opens a connection within the deadline, and hands it over if it is TURN's.
    async fn admit(&self, tcp: TcpStream) -> io::Result<Opened> {
        let number = next_connection();
        let opened = async {
            let direct = Ends { client: tcp.peer_addr()?, server: tcp.local_addr()? };
            let permit = self.pending.enter(direct.client.ip())?;
            tokio::select! {
                // Browsers open connections ahead of need: one that says nothing must not hold up the drain.
                () = self.manners.lingering.tasks.stop().cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
                opened = timeout(self.deadlines.handshake, self.open(tcp, direct, permit, number)) => opened?,
            }
        };
        opened.await.inspect_err(|error| {
            let _within = debug_span!("connection", id = number).entered();
            debug!(%error, "connection refused");
        })
    }

    /// Serves TURN on a TCP port of its own. HTTP is not for here.
    pub(crate) async fn serve_turn(self, listener: TcpListener) {
        let tasks = self.manners.lingering.tasks.clone();
        loop {
            let accepted = tokio::select! {
                () = tasks.stop().cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, _)) => {
                    let this = self.clone();
                    tasks.spawn(async move { drop(this.admit(tcp).await) });
                }
                // Out of descriptors, most likely: a connection has to end first.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn open(&self, mut tcp: TcpStream, direct: Ends, permit: Permit, number: u64) -> io::Result<Opened> {
        // Signaling is small frames, each of which a peer waits for.
        tcp.set_nodelay(true)?;
        let source = direct.client.ip().to_canonical();
        let is_proxy = self.proxies.iter().any(|block| block.contains(source));
        let (ends, permit) =
            if is_proxy { self.introduce(&mut tcp, direct, source, permit).await? } else { (direct, permit) };
        let mut front = [0; proxy::FRONT_BYTES];
        let seen = tcp.peek(&mut front).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if !is_proxy && proxy::begins(&front[..seen]) {
            self.hints.unread(source);
        }
        match front[0] {
            STUN_FIRST..=STUN_LAST => Ok(self.hand_over(self.stream(Io::Plain(tcp), permit), ends)),
            b'A'..=b'Z' => {
                only_http_1(self.stream(Io::Plain(tcp), permit), ends.client.ip(), Transport::Plain, number).await
            }
            // RFC 8446, 5.1: a TLS connection begins with a handshake record, type 22.
            22 => {
                let tls = self.tls.as_ref().ok_or_else(|| io::Error::other("here is no TLS: a proxy ends it"))?;
                let handshake = self.pending.handshake();
                let mut stream = self.stream(Io::Tls(TlsStream::new(tcp, Arc::clone(tls))?), permit);
                stream.shake_hands().await?;
                handshake.completed();
                if stream.is_challenge() {
                    return Err(invalid("an authority, which has seen the proof that a name is ours"));
                }
                let first = stream.fill_buf().await?.first().copied().ok_or(io::ErrorKind::UnexpectedEof)?;
                match first {
                    STUN_FIRST..=STUN_LAST => Ok(self.hand_over(stream, ends)),
                    _ if stream.is_for_stun() => Err(invalid("HTTP, where STUN was agreed on")),
                    _ => only_http_1(stream, ends.client.ip(), Transport::Tls, number).await,
                }
            }
            _ => Err(invalid("neither TLS nor HTTP nor STUN")),
        }
    }

    /// Between whom a connection is, as the proxy says. The client that it is for is the one that is counted.
    async fn introduce(
        &self,
        tcp: &mut TcpStream,
        direct: Ends,
        proxy: IpAddr,
        permit: Permit,
    ) -> io::Result<(Ends, Permit)> {
        let tell = |error: &io::Error| {
            if error.kind() == io::ErrorKind::InvalidData {
                self.hints.missing(proxy);
            }
        };
        let Some(said) = proxy::take_header(tcp).await.inspect_err(tell)? else { return Ok((direct, permit)) };
        drop(permit);
        let permit = self.pending.enter(said.client.ip())?;
        // What the client has connected to may be the proxy's.
        let is_ours = said.server.ip() == direct.server.ip() || self.turn.is_own(said.server.ip());
        let server = if is_ours { said.server } else { direct.server };
        Ok((Ends { server, ..said }, permit))
    }

    fn hand_over(&self, stream: Stream, ends: Ends) -> Opened {
        let permit = stream.permit();
        self.turn.serve_stream(stream, permit, ends.client, ends.server);
        Opened::HandedOver
    }

    fn stream(&self, io: Io, permit: Permit) -> Stream {
        Stream::new(io, permit, Arc::clone(&self.manners))
    }
}

/// Reads until it is sure that this is not HTTP/2.
async fn only_http_1(mut stream: Stream, client: IpAddr, transport: Transport, connection: u64) -> io::Result<Opened> {
    loop {
        match preface::look(stream.unread()) {
            Front::Other => {
                let arrival = Arrival { client, transport, pending: stream.pending(), connection };
                return Ok(Opened::Http(stream, arrival));
            }
            Front::Undecided => stream.bring().await?,
            Front::Http2 => return Err(invalid("HTTP/2, which is not spoken")),
        }
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What became of a new connection.
enum Opened {
    Http(Stream, Arrival),
    /// It is the TURN server's now.
    HandedOver,
}

impl<S: Send + 'static> Accept<TcpStream, S> for Acceptor {
    type Stream = HttpStream;
    type Service = AddExtension<S, Arrival>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, tcp: TcpStream, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            match this.admit(tcp).await? {
                Opened::Http(stream, arrival) => Ok((HttpStream::new(stream), Extension(arrival).layer(service))),
                // To axum-server this connection is over.
                Opened::HandedOver => Err(io::ErrorKind::ConnectionAborted.into()),
            }
        })
    }
}
