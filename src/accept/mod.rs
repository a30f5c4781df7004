//! One port: a connection's first byte says what it is, and a deadline ends those who say nothing.
//!
//! Before TLS, and after the handshake again: a STUN message goes to the embedded TURN server, so that one TCP port is
//! enough for page, signaling and relay; all else is HTTP. A letter before TLS is a browser that was sent to `http://`,
//! which the router redirects, or a proxy that ends TLS for us. The deadline covers everything up to the first byte of the first request: hyper's own
//! begins only with that byte. How many there may be that have not been answered yet is [`opening`](Openings).

mod opening;
mod preface;
mod proxy;
mod spelling;
mod tls;
mod unread;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use rustls::ServerConfig;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, timeout};
use tower_layer::Layer as _;
use tracing::debug;

pub use opening::{OpeningCount, OpeningLimits, Openings};
#[cfg(any(test, feature = "fuzzing"))]
pub use proxy::play_proxy_header;
pub(crate) use spelling::HttpStream;
#[cfg(any(test, feature = "fuzzing"))]
pub use tls::fuzzing::play_tls_records;

use preface::Front;
use proxy::Ends;
use tls::{Pending, TlsStream};
use unread::Unread;

use crate::admission::Slot;
use crate::net::Cidr;
use crate::tasks::Tasks;
use crate::turn::Turn;

/// How long a connection that we closed may take to read what we said last.
const LINGER: Duration = Duration::from_secs(1);

/// Connections that linger at once; what is closed beyond that is cut.
const LINGERING: usize = 1024;

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Who sent it, or a proxy that says so by headers of HTTP.
    pub(crate) client: IpAddr,
    pub(crate) transport: Transport,
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
    openings: Openings,
    deadlines: Deadlines,
    lingering: Lingering,
}

impl Acceptor {
    pub(crate) fn new(
        tls: Option<Arc<ServerConfig>>,
        turn: Arc<Turn>,
        openings: Openings,
        deadlines: Deadlines,
        tasks: Tasks,
    ) -> Self {
        let lingering = Lingering { tasks, places: Arc::new(Semaphore::new(LINGERING)) };
        Self { tls, turn, proxies: Arc::new([]), openings, deadlines, lingering }
    }

    /// Behind proxies that have to say, by the PROXY protocol, whose a connection is.
    pub(crate) fn behind(self, proxies: Vec<Cidr>) -> Self {
        Self { proxies: proxies.into(), ..self }
    }

    /// Opens a connection within the deadline, and hands it over if it is TURN's.
    async fn admit(&self, tcp: TcpStream) -> io::Result<Opened> {
        let opened = async {
            let place = self.openings.enter(tcp.peer_addr()?.ip())?;
            tokio::select! {
                // Browsers open connections ahead of need: one that says nothing must not hold up the drain.
                () = self.lingering.tasks.stop().cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
                opened = timeout(self.deadlines.handshake, self.open(tcp, place)) => opened?,
            }
        };
        opened.await.inspect_err(|error| debug!(%error, "connection refused"))
    }

    /// Serves TURN on a TCP port of its own. HTTP is not for here.
    pub(crate) async fn serve_turn(self, listener: TcpListener) {
        let tasks = self.lingering.tasks.clone();
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
                // Out of descriptors, most likely: somebody has to leave first.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn open(&self, mut tcp: TcpStream, place: Slot) -> io::Result<Opened> {
        // Signaling is small frames, each of which somebody waits for.
        tcp.set_nodelay(true)?;
        let (ends, place) = self.introduce(&mut tcp, place).await?;
        let mut first = [0];
        if tcp.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let arrival = |transport| Arrival { client: ends.client.ip(), transport };
        match first[0] {
            STUN_FIRST..=STUN_LAST => Ok(self.hand_over(self.stream(Io::Plain(tcp), place), ends)),
            b'A'..=b'Z' => only_http_1(self.stream(Io::Plain(tcp), place), arrival(Transport::Plain)).await,
            // RFC 8446, 5.1: a TLS connection begins with a handshake record, type 22.
            22 => {
                let tls = self.tls.as_ref().ok_or_else(|| io::Error::other("here is no TLS: a proxy ends it"))?;
                let handshake = self.openings.handshake();
                let mut stream = self.stream(Io::Tls(TlsStream::new(tcp, Arc::clone(tls))?), place);
                stream.shake_hands().await?;
                handshake.completed();
                let first = stream.fill_buf().await?.first().copied().ok_or(io::ErrorKind::UnexpectedEof)?;
                match first {
                    STUN_FIRST..=STUN_LAST => Ok(self.hand_over(stream, ends)),
                    _ if stream.is_for_stun() => Err(invalid("HTTP, where STUN was agreed on")),
                    _ => only_http_1(stream, arrival(Transport::Tls)).await,
                }
            }
            _ => Err(invalid("neither TLS nor HTTP nor STUN")),
        }
    }

    /// Between whom a connection is, as the proxy says or, without one, the system. The client that it is for is the one
    /// that is counted.
    async fn introduce(&self, tcp: &mut TcpStream, place: Slot) -> io::Result<(Ends, Slot)> {
        let direct = Ends { client: tcp.peer_addr()?, server: tcp.local_addr()? };
        let proxy = direct.client.ip().to_canonical();
        if !self.proxies.iter().any(|block| block.contains(proxy)) {
            return Ok((direct, place));
        }
        let Some(said) = proxy::take_header(tcp).await? else { return Ok((direct, place)) };
        drop(place);
        let place = self.openings.enter(said.client.ip())?;
        // What the client has connected to may be the proxy's.
        let is_ours = said.server.ip() == direct.server.ip() || self.turn.is_own(said.server.ip());
        let server = if is_ours { said.server } else { direct.server };
        Ok((Ends { server, ..said }, place))
    }

    fn hand_over(&self, stream: Stream, ends: Ends) -> Opened {
        self.turn.serve_stream(stream, ends.client, ends.server);
        Opened::HandedOver
    }

    fn stream(&self, io: Io, place: Slot) -> Stream {
        let (lingering, write_timeout) = (self.lingering.clone(), self.deadlines.write);
        Stream { io, unread: Unread::default(), opening: Some(place), lingering, write_timeout, stalled: None }
    }
}

/// Reads until it is sure that this is not HTTP/2.
async fn only_http_1(mut stream: Stream, arrival: Arrival) -> io::Result<Opened> {
    loop {
        match preface::look(stream.unread.bytes()) {
            Front::Other => return Ok(Opened::Http(stream, arrival)),
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

/// An accepted connection.
pub(crate) struct Stream {
    io: Io,
    /// What has come of it and nobody has taken yet.
    unread: Unread,
    /// Its place among those that have not been answered yet: given back with the first byte of an answer. Not before,
    /// or who sends one byte of a request would have the time of two deadlines and no place.
    opening: Option<Slot>,
    lingering: Lingering,
    write_timeout: Duration,
    /// Runs while a write waits for the other side.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    /// Over this connection as it is.
    #[cfg(test)]
    pub(crate) fn plain(tcp: TcpStream, tasks: Tasks) -> Self {
        let lingering = Lingering { tasks, places: Arc::new(Semaphore::new(1)) };
        let (io, unread) = (Io::Plain(tcp), Unread::default());
        Self { io, unread, opening: None, lingering, write_timeout: LINGER, stalled: None }
    }

    fn is_for_stun(&self) -> bool {
        matches!(&self.io, Io::Tls(tls) if tls.is_for_stun())
    }

    async fn shake_hands(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Tls(tls) => tls.shake_hands(&mut self.unread).await,
            Io::Plain(_) | Io::Gone => Ok(()),
        }
    }

    /// Brings more than there is already; the end is an error.
    async fn bring(&mut self) -> io::Result<()> {
        let before = self.unread.bytes().len();
        poll_fn(|cx| self.io.poll_bring(cx, &mut self.unread)).await?;
        if self.unread.bytes().len() == before { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Gives back what was read ahead of need.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.unread.put_back(bytes);
    }

    /// Every write has a deadline, those of HTTP too: hyper has none for its answers.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

enum Io {
    Tls(Box<TlsStream>),
    Plain(TcpStream),
    Gone,
}

impl Io {
    /// Brings some bytes to what there is, or none at the end.
    fn poll_bring(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_bring(cx, unread),
            Self::Plain(tcp) => unread.poll_bring(cx, Pin::new(tcp)),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.io, Io::Gone) {
            Io::Tls(tls) => {
                let (tcp, last) = tls.part();
                self.lingering.part(tcp, last);
            }
            Io::Plain(tcp) => self.lingering.part(tcp, Pending::default()),
            Io::Gone => {}
        }
    }
}

impl AsyncBufRead for Stream {
    /// Empty only at the end.
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let Self { io, unread, .. } = self.get_mut();
        if unread.bytes().is_empty() {
            ready!(io.poll_bring(cx, unread))?;
        }
        Poll::Ready(Ok(unread.bytes()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.unread.consume(count);
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.unread.bytes().is_empty()
            && let Io::Plain(tcp) = &mut self.io
        {
            // Straight to where it is wanted: a relay's packets cost no memory.
            return Pin::new(tcp).poll_read(cx, buf);
        }
        let unread = ready!(self.as_mut().poll_fill_buf(cx))?;
        let count = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..count]);
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.opening = None;
        let written = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Gone => Poll::Ready(Ok(())),
        };
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Gone => Poll::Ready(Ok(())),
        };
        // TLS has a last word, for which there may be no room.
        self.in_time(cx, shut_down)
    }
}

/// Parts with connections in the way that lets the other side read our last words: TCP resets a connection that is
/// closed with unread bytes, and a reset overtakes what was sent before it (RFC 1122, 4.2.2.13).
#[derive(Clone)]
struct Lingering {
    tasks: Tasks,
    places: Arc<Semaphore>,
}

impl Lingering {
    /// `last`: what is still to be sent.
    fn part(&self, tcp: TcpStream, last: Pending) {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            let _ = tcp.try_write(last.rest());
            return;
        };
        self.tasks.spawn(async move {
            let _ = timeout(LINGER, linger(tcp, last)).await;
            drop(place);
        });
    }
}

/// Says its last and that nothing more comes, then reads until the other side says so too.
async fn linger(mut tcp: TcpStream, mut last: Pending) -> io::Result<()> {
    poll_fn(|cx| last.poll_leave(&mut tcp, cx)).await?;
    socket2::SockRef::from(&tcp).shutdown(std::net::Shutdown::Write)?;
    loop {
        tcp.readable().await?;
        // Not held while it waits.
        let mut discarded = [0; 1024];
        match tcp.try_read(&mut discarded) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
