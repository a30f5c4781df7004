//! An accepted connection, whatever is beneath it: every write has a deadline, and its end is said.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::linger::{self, Lingering};
use super::pending::Pending;
use super::tls::{TlsStream, Unsent};
use super::unread::Unread;
use crate::admission::Permit;
use crate::net::Line;
use crate::tasks::Tasks;

/// What a request that has begun may take to its end once the server stops.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// An accepted connection.
pub(crate) struct Stream {
    io: Io,
    /// What has come of it and nothing has taken yet.
    unread: Unread,
    /// Its permit among those that have not been answered yet, given back with the first byte of an answer, unless it is
    /// shared ([`permit`](Self::permit)). Given back with the first byte of a request, one byte would buy the time of another
    /// deadline.
    permit: Option<Arc<Permit>>,
    /// A moment after the server's stop, until the first byte of an answer: a request that has begun may still be answered,
    /// and one that does not go on must not hold up the drain.
    stop: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    manners: Arc<Manners>,
    /// Runs while a write waits for the other side.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// What all connections have in common.
pub(crate) struct Manners {
    pub(super) lingering: Lingering,
    /// For one write.
    write_timeout: Duration,
}

impl Manners {
    pub(crate) fn new(tasks: Tasks, write_timeout: Duration) -> Arc<Self> {
        Arc::new(Self { lingering: Lingering::new(tasks), write_timeout })
    }
}

impl Stream {
    /// A connection that has not been answered yet.
    pub(super) fn new(io: Io, permit: Permit, manners: Arc<Manners>) -> Self {
        let stop = soon_after(manners.lingering.tasks.stop().clone());
        let (unread, permit) = (Unread::default(), Some(Arc::new(permit)));
        Self { io, unread, permit, stop: Some(Box::pin(stop)), manners, stalled: None }
    }

    /// Over this connection as it is.
    #[cfg(test)]
    pub(crate) fn plain(tcp: TcpStream, tasks: Tasks) -> Self {
        Self::answered(Io::Plain(tcp), Manners::new(tasks, Duration::from_secs(1)))
    }

    /// A line to another node, whose client it is.
    #[cfg(feature = "cluster")]
    pub(crate) fn carried(line: Box<dyn Line>, tasks: Tasks, write_timeout: Duration) -> Self {
        Self::answered(Io::Carried(line), Manners::new(tasks, write_timeout))
    }

    #[cfg(any(test, feature = "cluster"))]
    fn answered(io: Io, manners: Arc<Manners>) -> Self {
        Self { io, unread: Unread::default(), permit: None, stop: None, manners, stalled: None }
    }

    /// Whether the client was an authority, which has seen what it came for.
    pub(super) fn is_challenge(&self) -> bool {
        matches!(&self.io, Io::Tls(tls) if tls.is_challenge())
    }

    /// Whether client and server have agreed to speak STUN or TURN, and nothing else.
    pub(super) fn is_for_stun(&self) -> bool {
        matches!(&self.io, Io::Tls(tls) if tls.is_for_stun())
    }

    /// Its permit, for a service whose first answer does not say that the client may stay. `None`: it was answered.
    pub(super) fn permit(&self) -> Option<Arc<Permit>> {
        self.permit.clone()
    }

    /// The same, for its requests to release.
    pub(super) fn pending(&self) -> Pending {
        self.permit.as_ref().map(Pending::of).unwrap_or_default()
    }

    /// TLS's handshake, where there is TLS.
    pub(super) async fn shake_hands(&mut self) -> io::Result<()> {
        match &mut self.io {
            Io::Tls(tls) => tls.shake_hands(&mut self.unread).await,
            Io::Plain(_) | Io::Carried(_) | Io::Gone => Ok(()),
        }
    }

    /// Brings more than there is already; the end is an error.
    pub(super) async fn bring(&mut self) -> io::Result<()> {
        let before = self.unread.bytes().len();
        poll_fn(|cx| self.io.poll_bring(cx, &mut self.unread)).await?;
        if self.unread.bytes().len() == before { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// What has come and nothing has taken.
    pub(super) fn unread(&self) -> &[u8] {
        self.unread.bytes()
    }

    /// Gives back what was read ahead of need.
    pub(crate) fn put_back(&mut self, bytes: &[u8]) {
        self.unread.put_back(bytes);
    }

    /// Puts a few bytes ahead of the next that are written, with which they leave. False: nothing is held back here.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<bool> {
        match &mut self.io {
            Io::Tls(tls) => tls.put(bytes).map(|()| true),
            Io::Plain(_) | Io::Carried(_) | Io::Gone => Ok(false),
        }
    }

    /// Fails where the server has stopped and nothing has been answered yet.
    fn poll_stop(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let is_over = self.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(cx).is_ready());
        if is_over { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Every write has a deadline, those of HTTP too: hyper has none for its answers.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let timeout = self.manners.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn soon_after(stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_MOMENT).await;
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// What is beneath.
pub(super) enum Io {
    Tls(Box<TlsStream>),
    Plain(TcpStream),
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "there is no other node"))]
    Carried(Box<dyn Line>),
    Gone,
}

impl Io {
    /// Brings some bytes to what there is, or none at the end.
    fn poll_bring(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        match self {
            Self::Tls(tls) => tls.poll_bring(cx, unread),
            Self::Plain(tcp) => unread.poll_bring(cx, Pin::new(tcp)),
            Self::Carried(line) => unread.poll_bring(cx, Pin::new(line)),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let (tcp, last) = match std::mem::replace(&mut self.io, Io::Gone) {
            Io::Tls(tls) => tls.part(),
            Io::Plain(tcp) => (tcp, Unsent::default()),
            // Its last word is that it is dropped.
            Io::Carried(_) | Io::Gone => return,
        };
        // What has had no answer has nothing to lose but an alert, and must not take the room of those that have.
        if self.permit.is_some() {
            linger::cut(&tcp, &last);
        } else {
            self.manners.lingering.part(tcp, last);
        }
    }
}

impl AsyncBufRead for Stream {
    /// Empty only at the end.
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        this.poll_stop(cx)?;
        let Self { io, unread, .. } = this;
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
        self.poll_stop(cx)?;
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
        (self.permit, self.stop) = (None, None);
        let written = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Io::Carried(line) => Pin::new(line).poll_write(cx, buf),
            Io::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Carried(line) => Pin::new(line).poll_flush(cx),
            Io::Gone => Poll::Ready(Ok(())),
        };
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = match &mut self.io {
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Carried(line) => Pin::new(line).poll_shutdown(cx),
            Io::Gone => Poll::Ready(Ok(())),
        };
        // TLS has a last word, for which there may be no room.
        self.in_time(cx, shut_down)
    }
}

#[cfg(test)]
mod tests {
    use rustls::version::TLS13;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::super::HttpStream;
    use super::super::tls::tests::Site;
    use super::*;

    #[tokio::test]
    async fn the_end_of_tls_is_not_waited_for_where_the_client_does_not_read() {
        let (tls, _client) = Site::new(&TLS13).await.pair().await;
        let mut stream = Stream::answered(Io::Tls(tls), Manners::new(Tasks::new(), Duration::from_millis(100)));
        // Until the kernel takes no more.
        while stream.write_all(&[0; 16 * 1024]).await.is_ok() {}
        let ended = timeout(Duration::from_secs(10), stream.shutdown()).await.expect("a deadline");
        assert_eq!(ended.err().map(|error| error.kind()), Some(io::ErrorKind::TimedOut));
    }

    /// And with it TLS's tickets: one write for all three.
    #[tokio::test]
    async fn over_tls_the_101_leaves_with_what_follows_it() {
        let (tls, mut client) = Site::new(&TLS13).await.pair().await;
        let stream = Stream::answered(Io::Tls(tls), Manners::new(Tasks::new(), Duration::from_secs(10)));
        let mut http = HttpStream::new(stream);
        let request = b"GET /ws HTTP/1.1\r\n\r\n";
        client.write_all(request).await.unwrap();
        http.read_exact(&mut [0; 20]).await.unwrap();
        http.write_all(b"HTTP/1.1 101 \r\nupgrade: x\r\n\r\n").await.unwrap();
        http.flush().await.unwrap();
        let (tcp, _) = client.get_mut();
        let waited = timeout(Duration::from_millis(100), tcp.readable()).await;
        assert!(waited.is_err(), "nothing leaves yet");
        http.into_inner().write_all(b"welcome").await.unwrap();
        let mut heard = [0; 36];
        client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"HTTP/1.1 101 \r\nUpgrade: x\r\n\r\nwelcome");
    }

    #[tokio::test]
    async fn a_101_that_nothing_follows_leaves_when_it_is_flushed() {
        let (tls, mut client) = Site::new(&TLS13).await.pair().await;
        let stream = Stream::answered(Io::Tls(tls), Manners::new(Tasks::new(), Duration::from_secs(10)));
        let mut http = HttpStream::new(stream);
        http.write_all(b"HTTP/1.1 101 \r\n\r\n").await.unwrap();
        http.into_inner().flush().await.unwrap();
        client.read_exact(&mut [0; 17]).await.unwrap();
    }
}
