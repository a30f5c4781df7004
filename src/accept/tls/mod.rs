//! A TLS connection that holds no buffer while nothing is under way.
//!
//! TLS itself is [`records`], which sees bytes and no socket. Here they are read and written, through buffers of the thread:
//! a connection keeps only what has come of a record, and what the kernel would not take of one.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod records;
mod unsent;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ServerConfig;
use tokio::io::{AsyncRead as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub(super) use unsent::Unsent;

use super::unread::Unread;
use crate::tls;
use records::{Records, SEALED_BYTES, WRITE_BYTES};

/// What is read at once: the largest record (RFC 5246, 6.2.3; those of RFC 8446 are smaller).
const READ_BYTES: usize = 5 + 16 * 1024 + 2048;

/// What may be ahead of a record that is not yet on its way: TLS's own answers, such as the tickets for a later handshake.
const AHEAD_BYTES: usize = 1024;

thread_local! {
    /// Where connections of this thread decrypt, one after the other.
    static INCOMING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// … and where they encrypt.
    static OUTGOING: RefCell<Vec<u8>> = RefCell::new(vec![0; SEALED_BYTES]);
}

/// The server's side of a connection.
pub(super) struct TlsStream {
    tcp: TcpStream,
    records: Records,
}

impl TlsStream {
    // Boxed: a TLS connection is a kilobyte large, and moved around until it is served.
    pub(super) fn new(tcp: TcpStream, config: Arc<ServerConfig>) -> io::Result<Box<Self>> {
        Ok(Box::new(Self { tcp, records: Records::new(config)? }))
    }

    /// Shakes hands. What has come behind the handshake is put into `unread`; a client that does it wrong is told why.
    pub(super) async fn shake_hands(&mut self, unread: &mut Unread) -> io::Result<()> {
        while self.records.is_handshaking() {
            poll_fn(|cx| self.poll_read_once(cx, unread)).await?;
            if self.records.is_waited_for() {
                poll_fn(|cx| self.records.unsent.poll_leave(&mut self.tcp, cx)).await?;
            }
        }
        Ok(())
    }

    /// Whether client and server have agreed to speak STUN or TURN, and nothing else.
    pub(super) fn is_for_stun(&self) -> bool {
        self.records.agreed().is_some_and(tls::is_stun)
    }

    /// Whether the client was an authority, which has seen what it came for.
    pub(super) fn is_challenge(&self) -> bool {
        self.records.agreed().is_some_and(tls::challenge::is_challenge)
    }

    /// The connection beneath, and what is still to be sent over it: the last is that nothing more comes, unless there was
    /// an error, which is the last then (RFC 8446, 6.1 and 6.2).
    pub(super) fn part(mut self) -> (TcpStream, Unsent) {
        self.records.close();
        (self.tcp, self.records.unsent)
    }

    /// Brings some bytes to what there is, or none at the end.
    pub(super) fn poll_bring(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        let before = unread.bytes().len();
        while unread.bytes().len() == before && !self.records.is_ended() {
            ready!(self.poll_read_once(cx, unread))?;
            // What TLS itself answers leaves with the answer to what has come, as long as it is little, or now; and the read
            // does not wait for it.
            let is_answered = unread.bytes().len() > before && self.records.unsent.rest().len() <= AHEAD_BYTES;
            if !is_answered && let Poll::Ready(left) = self.records.unsent.poll_leave(&mut self.tcp, cx) {
                left?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Puts a few bytes ahead of the next that are written, with which they leave.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        OUTGOING.with_borrow_mut(|record| {
            let sealed = self.records.seal(bytes, record)?;
            self.records.unsent.keep(&record[..sealed]);
            Ok(())
        })
    }

    fn poll_read_once(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        if self.records.is_over() {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        INCOMING.with_borrow_mut(|incoming| {
            let kept = self.records.partial().len();
            if incoming.len() < kept + READ_BYTES {
                incoming.resize(kept + READ_BYTES, 0);
            }
            let mut read = ReadBuf::new(&mut incoming[kept..kept + READ_BYTES]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut read))?;
            let count = read.filled().len();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            incoming[..kept].copy_from_slice(self.records.partial());
            Poll::Ready(self.records.show(&mut incoming[..kept + count], unread))
        })
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { tcp, records } = &mut *self;
        if records.unsent.rest().len() > AHEAD_BYTES {
            ready!(records.unsent.poll_leave(tcp, cx))?;
        }
        let count = buf.len().min(WRITE_BYTES);
        OUTGOING.with_borrow_mut(|record| {
            let sealed = records.seal(&buf[..count], record)?;
            records.unsent.send(&record[..sealed], tcp, cx)?;
            Poll::Ready(Ok(count))
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, records } = &mut *self;
        records.unsent.poll_leave(tcp, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, records } = &mut *self;
        records.close();
        ready!(records.unsent.poll_leave(tcp, cx))?;
        Pin::new(tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use rustls::crypto::{CryptoProvider, aws_lc_rs};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::version::{TLS12, TLS13};
    use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::timeout;
    use tokio_rustls::TlsConnector;

    use super::*;

    const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

    /// A server's end and a client's, over TCP.
    pub(in crate::accept) struct Site {
        listener: TcpListener,
        server: Arc<ServerConfig>,
        connector: TlsConnector,
    }

    impl Site {
        pub(in crate::accept) async fn new(version: &'static SupportedProtocolVersion) -> Self {
            let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
            let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
            let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&VERSIONS)
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![own.cert.der().clone()], key)
                .unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(own.cert.der().clone()).unwrap();
            let client = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            Self { listener, server: Arc::new(server), connector: TlsConnector::from(Arc::new(client)) }
        }

        async fn dial(&self) -> TcpStream {
            let tcp = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
            tcp.set_nodelay(true).unwrap();
            tcp
        }

        async fn accept(&self) -> (io::Result<Box<TlsStream>>, Unread) {
            let (tcp, _) = self.listener.accept().await.unwrap();
            let mut unread = Unread::default();
            let mut tls = TlsStream::new(tcp, Arc::clone(&self.server)).unwrap();
            let shaken = tls.shake_hands(&mut unread).await;
            // The alert leaves when the connection is parted with.
            if shaken.is_err() {
                let (mut tcp, mut last) = tls.part();
                poll_fn(|cx| last.poll_leave(&mut tcp, cx)).await.unwrap();
                return (shaken.map(|()| unreachable!()), unread);
            }
            (Ok(tls), unread)
        }

        pub(in crate::accept) async fn pair(&self) -> (Box<TlsStream>, tokio_rustls::client::TlsStream<TcpStream>) {
            let tcp = self.dial().await;
            let name = ServerName::try_from("localhost").unwrap();
            let ((server, _), client) = tokio::join!(self.accept(), self.connector.connect(name, tcp));
            (server.unwrap(), client.unwrap())
        }
    }

    async fn read(tls: &mut TlsStream, count: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while all.len() < count {
            let mut unread = Unread::default();
            let brought = poll_fn(|cx| tls.poll_bring(cx, &mut unread));
            timeout(Duration::from_secs(10), brought).await.expect("some bytes").unwrap();
            assert!(!unread.bytes().is_empty(), "the end after {}", all.len());
            all.extend_from_slice(unread.bytes());
        }
        all
    }

    fn text(count: usize) -> Vec<u8> {
        (0..=u8::MAX).cycle().take(count).collect()
    }

    #[tokio::test]
    async fn an_idle_connection_holds_no_buffer() {
        for version in VERSIONS {
            let (mut server, mut client) = Site::new(version).await.pair().await;
            let sent = text(100_000);
            let ((), ()) = tokio::join!(async { client.write_all(&sent).await.unwrap() }, async {
                assert_eq!(read(&mut server, sent.len()).await, sent);
            },);
            let mut received = vec![0; sent.len()];
            let (written, got) = tokio::join!(
                async {
                    server.write_all(&sent).await?;
                    server.flush().await
                },
                client.read_exact(&mut received)
            );
            written.unwrap();
            assert_eq!(got.unwrap(), sent.len());
            assert_eq!(received, sent);
            assert_eq!((server.records.partial().capacity(), server.records.unsent.capacity()), (0, 0), "{version:?}");
        }
    }

    #[tokio::test]
    async fn what_comes_byte_by_byte_is_the_same() {
        for version in VERSIONS {
            let site = Site::new(version).await;
            let (near, far) = tokio::io::duplex(64 * 1024);
            let tcp = site.dial().await;
            let (mut from_client, mut to_client) = tokio::io::split(far);
            let (mut from_server, mut to_server) = tcp.into_split();
            let bytes = async {
                while let Ok(byte) = from_client.read_u8().await {
                    to_server.write_all(&[byte]).await.unwrap();
                }
            };
            let talk = async {
                let name = ServerName::try_from("localhost").unwrap();
                let ((server, _), client) = tokio::join!(site.accept(), site.connector.connect(name, near));
                let (mut server, mut client) = (server.unwrap(), client.unwrap());
                client.write_all(&text(3000)).await.unwrap();
                client.flush().await.unwrap();
                assert_eq!(read(&mut server, 3000).await, text(3000));
            };
            tokio::select! {
                () = talk => {}
                () = bytes => panic!("the client is there"),
                _ = tokio::io::copy(&mut from_server, &mut to_client) => panic!("the server is there"),
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_reads_nothing_is_kept_one_record() {
        let (mut server, _client) = Site::new(&TLS13).await.pair().await;
        let bytes = text(WRITE_BYTES);
        let blocked = poll_fn(|cx| {
            loop {
                if Pin::new(&mut *server).poll_write(cx, &bytes)?.is_pending() {
                    return Poll::Ready(io::Result::Ok(()));
                }
            }
        });
        blocked.await.unwrap();
        let rest = server.records.unsent.rest().len();
        assert!(rest <= AHEAD_BYTES + SEALED_BYTES, "{rest} bytes");
        assert!(server.records.unsent.capacity() <= AHEAD_BYTES + SEALED_BYTES);
    }

    #[tokio::test]
    async fn the_end_is_said_and_heard_and_nothing_else_is_taken_for_it() {
        for version in VERSIONS {
            let site = Site::new(version).await;
            let (mut server, mut client) = site.pair().await;
            client.write_all(b"last words").await.unwrap();
            client.shutdown().await.unwrap();
            assert_eq!(read(&mut server, 10).await, b"last words");
            let mut unread = Unread::default();
            poll_fn(|cx| server.poll_bring(cx, &mut unread)).await.unwrap();
            assert_eq!(unread.bytes(), b"", "the end");
            server.write_all(b"answer").await.unwrap();
            server.shutdown().await.unwrap();
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await.expect("an end that is said");
            assert_eq!(answer, b"answer");

            let (mut server, client) = site.pair().await;
            drop(client);
            let cut = poll_fn(|cx| server.poll_bring(cx, &mut unread)).await;
            assert!(cut.is_err(), "{version:?}: TCP alone ends nothing");
        }
    }

    #[tokio::test]
    async fn tickets_leave_with_the_first_answer_and_whatever_a_client_waits_for_at_once() {
        let (mut server, mut client) = Site::new(&TLS13).await.pair().await;
        assert!(!server.records.unsent.rest().is_empty(), "tickets");
        server.write_all(b"answer").await.unwrap();
        assert!(server.records.unsent.rest().is_empty());
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");

        let (server, _) = Site::new(&TLS12).await.pair().await;
        assert!(server.records.unsent.rest().is_empty(), "the end of TLS 1.2's handshake");
    }

    #[tokio::test]
    async fn what_is_no_handshake_is_told_so() {
        let site = Site::new(&TLS13).await;
        let mut tcp = site.dial().await;
        tcp.write_all(&[22, 3, 1, 0, 4, 99, 0, 0, 0]).await.unwrap();
        let (accepted, _) = site.accept().await;
        assert_eq!(accepted.err().map(|error| error.kind()), Some(io::ErrorKind::InvalidData));
        let mut alert = [0; 7];
        timeout(Duration::from_secs(10), tcp.read_exact(&mut alert)).await.expect("an alert").unwrap();
        assert_eq!((alert[0], alert[5]), (21, 2), "fatal");
    }

    #[tokio::test]
    async fn after_an_error_nothing_is_waited_for_and_nothing_leaves_but_the_alert() {
        for version in VERSIONS {
            let (mut server, client) = Site::new(version).await.pair().await;
            let (mut tcp, _) = client.into_inner();
            tcp.write_all(&[23, 3, 3, 0, 1, 0]).await.unwrap();
            let mut unread = Unread::default();
            for error in [io::ErrorKind::InvalidData, io::ErrorKind::NotConnected, io::ErrorKind::NotConnected] {
                let brought = timeout(Duration::from_secs(10), poll_fn(|cx| server.poll_bring(cx, &mut unread)));
                assert_eq!(brought.await.expect("no wait").err().map(|error| error.kind()), Some(error));
                assert_eq!(unread.bytes(), b"");
            }
            assert!(server.write_all(b"more").await.is_err());
            server.shutdown().await.unwrap();
            let mut last = Vec::new();
            tcp.read_to_end(&mut last).await.unwrap();
            let alerts = [&b"\x15"[..], b"\x17"];
            // The tickets of TLS 1.3 may be before it.
            assert!(alerts.iter().any(|kind| last.starts_with(kind)), "{version:?}: {last:?}");
        }
    }

    #[tokio::test]
    async fn a_handshake_without_end_is_bounded() {
        let site = Site::new(&TLS13).await;
        let mut tcp = site.dial().await;
        // A ClientHello of 16 MB, in records.
        let record = [&[22, 3, 1, 0x40, 0][..], &[0; 16 * 1024]].concat();
        let flood = async move {
            let mut first = record.clone();
            first[5..9].copy_from_slice(&[1, 0xff, 0xff, 0xff]);
            tcp.write_all(&first).await?;
            loop {
                tcp.write_all(&record).await?;
            }
        };
        tokio::select! {
            (accepted, _) = site.accept() => assert!(accepted.is_err()),
            error = flood => { let _: io::Result<()> = error; panic!("the server is there") }
        }
    }
}
