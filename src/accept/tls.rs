//! A TLS connection that holds no buffer while nothing is under way.
//!
//! rustls works on the bytes that it is shown ([`rustls::unbuffered`]), and they are in buffers of the thread. A
//! connection keeps only what has come of a record, and what the kernel would not take of one.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{ProtocolVersion, ServerConfig};
use tokio::io::{AsyncRead as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::unread::Unread;

/// What is read at once: the largest record (RFC 5246, 6.2.3; those of RFC 8446 are smaller).
const READ_BYTES: usize = 5 + 16 * 1024 + 2048;

/// What a client may leave incomplete: a handshake's message of 64 KiB, which is all that rustls takes, in records.
const PARTIAL_BYTES: usize = 64 * 1024 + 2 * READ_BYTES;

/// What is encrypted at once: one record's worth.
const WRITE_BYTES: usize = 16 * 1024;

/// What may be ahead of a record that is not yet on its way: TLS's own answers, such as the tickets for a later handshake.
const AHEAD_BYTES: usize = 1024;

/// A record, and an update of the keys before it.
const SEALED_BYTES: usize = WRITE_BYTES + 1024;

thread_local! {
    /// Where connections of this thread decrypt, one after the other.
    static INCOMING: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// … and where they encrypt.
    static OUTGOING: RefCell<Vec<u8>> = RefCell::new(vec![0; SEALED_BYTES]);
}

/// The server's side of a connection.
pub(super) struct TlsStream {
    tcp: TcpStream,
    tls: UnbufferedServerConnection,
    /// What has come of a record, or of a message of the handshake.
    // Invariant: what rustls has asked to keep, as it has left it.
    partial: Vec<u8>,
    pending: Pending,
    /// Whether the client has said that nothing more comes.
    is_ended: bool,
    /// Whether we have.
    has_ended: bool,
}

/// Encrypted bytes that have not left. What a client can make of them without reading is an answer to a handshake's
/// message: what it is told is put here only when there is hardly anything.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// How many of them have left.
    written: usize,
}

impl TlsStream {
    /// Shakes hands. What has come behind the handshake is put into `unread`; a client that does it wrong is told why.
    // Boxed: a TLS connection is a kilobyte large, and moved around until it is served.
    pub(super) async fn accept(
        tcp: TcpStream,
        config: Arc<ServerConfig>,
        unread: &mut Unread,
    ) -> io::Result<Box<Self>> {
        let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let pending = Pending::default();
        let mut this = Box::new(Self { tcp, tls, partial: Vec::new(), pending, is_ended: false, has_ended: false });
        while this.tls.is_handshaking() {
            poll_fn(|cx| this.poll_read_once(cx, unread)).await?;
            if this.is_waited_for() {
                poll_fn(|cx| this.pending.poll_leave(&mut this.tcp, cx)).await?;
            }
        }
        Ok(this)
    }

    /// Whether the client needs what is pending. Behind TLS 1.3's handshake are tickets for a later one, which leave with
    /// the first answer: to send them alone is a twentieth of what a connection costs.
    fn is_waited_for(&self) -> bool {
        self.tls.is_handshaking() || self.tls.protocol_version() != Some(ProtocolVersion::TLSv1_3)
    }

    /// The connection beneath.
    pub(super) fn into_tcp(self) -> TcpStream {
        self.tcp
    }

    /// Brings some bytes to what there is, or none at the end.
    pub(super) fn poll_bring(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        let before = unread.bytes().len();
        while unread.bytes().len() == before && !self.is_ended {
            ready!(self.poll_read_once(cx, unread))?;
            // What TLS itself answers does not wait for the next write, and nobody for it.
            if let Poll::Ready(left) = self.pending.poll_leave(&mut self.tcp, cx) {
                left?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read_once(&mut self, cx: &mut Context<'_>, unread: &mut Unread) -> Poll<io::Result<()>> {
        INCOMING.with_borrow_mut(|incoming| {
            let kept = self.partial.len();
            if incoming.len() < kept + READ_BYTES {
                incoming.resize(kept + READ_BYTES, 0);
            }
            let mut read = ReadBuf::new(&mut incoming[kept..kept + READ_BYTES]);
            ready!(Pin::new(&mut self.tcp).poll_read(cx, &mut read))?;
            let count = read.filled().len();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            incoming[..kept].copy_from_slice(&self.partial);
            Poll::Ready(self.take(&mut incoming[..kept + count], unread))
        })
    }

    /// Decrypts what has come, and keeps what is no record yet.
    fn take(&mut self, incoming: &mut [u8], unread: &mut Unread) -> io::Result<()> {
        let (taken, _) = self.advance(incoming, unread, |_| Ok(0))?;
        let rest = &incoming[taken..];
        if rest.len() > PARTIAL_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        if rest.is_empty() {
            self.partial = Vec::new();
        }
        Ok(())
    }

    /// Encrypts through `seal`; says how many bytes came of it.
    fn seal(&mut self, seal: impl FnOnce(WriteTraffic<'_, ServerConnectionData>) -> Sealed) -> io::Result<usize> {
        let mut partial = std::mem::take(&mut self.partial);
        let (taken, sealed) = self.advance(&mut partial, &mut Unread::default(), seal)?;
        partial.drain(..taken);
        self.partial = partial;
        // Only before the end of the handshake, when there is nobody yet who would write.
        sealed.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Shows rustls what has come until it wants more, and then what may be written. Says how many bytes are taken, and
    /// what `seal` said.
    fn advance(
        &mut self,
        incoming: &mut [u8],
        unread: &mut Unread,
        seal: impl FnOnce(WriteTraffic<'_, ServerConnectionData>) -> Sealed,
    ) -> io::Result<(usize, Option<usize>)> {
        let mut taken = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = self.tls.process_tls_records(&mut incoming[taken..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        unread.append(record.payload);
                        discard += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => self.pending.put(data)?,
                // It is put in its order, and leaves in it.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    let sealed = seal(traffic).map_err(io::Error::other)?;
                    return Ok((taken + discard, Some(sealed)));
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => return Ok((taken + discard, None)),
                Ok(_) => return Err(io::Error::other("early data, which is not offered")),
                Err(error) => {
                    self.refuse();
                    return Err(invalid(error));
                }
            }
            taken += discard;
        }
    }

    /// Sends the alert that says what was wrong, as far as the kernel takes it at once.
    fn refuse(&mut self) {
        while self.tls.wants_write() {
            let Ok(ConnectionState::EncodeTlsData(alert)) = self.tls.process_tls_records(&mut []).state else { break };
            if self.pending.put(alert).is_err() {
                break;
            }
        }
        let _ = self.tcp.try_write(self.pending.rest());
    }
}

type Sealed = Result<usize, EncryptError>;

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.pending.rest().len() > AHEAD_BYTES {
            ready!(this.pending.poll_leave(&mut this.tcp, cx))?;
        }
        let count = buf.len().min(WRITE_BYTES);
        OUTGOING.with_borrow_mut(|record| {
            let sealed = this.seal(|mut traffic| traffic.encrypt(&buf[..count], record))?;
            this.pending.send(&record[..sealed], &mut this.tcp, cx)?;
            Poll::Ready(Ok(count))
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.pending.poll_leave(&mut this.tcp, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.has_ended {
            this.has_ended = true;
            OUTGOING.with_borrow_mut(|record| {
                let sealed = this.seal(|mut traffic| traffic.queue_close_notify(record))?;
                this.pending.bytes.extend_from_slice(&record[..sealed]);
                io::Result::Ok(())
            })?;
        }
        ready!(this.pending.poll_leave(&mut this.tcp, cx))?;
        Pin::new(&mut this.tcp).poll_shutdown(cx)
    }
}

impl Pending {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    fn put(&mut self, mut data: EncodeTlsData<'_, ServerConnectionData>) -> io::Result<()> {
        // It says how much it needs where there is nothing.
        let needed = match data.encode(&mut []) {
            Err(EncodeError::InsufficientSize(size)) => size.required_size,
            encoded => return encoded.map(|_| ()).map_err(io::Error::other),
        };
        let from = self.bytes.len();
        self.bytes.resize(from + needed, 0);
        data.encode(&mut self.bytes[from..]).map(|_| ()).map_err(io::Error::other)
    }

    /// Sends all of it and these bytes, and keeps what the kernel would not take.
    fn send(&mut self, bytes: &[u8], tcp: &mut TcpStream, cx: &mut Context<'_>) -> io::Result<()> {
        if self.rest().is_empty() {
            // Straight from where they are: most leave at once.
            let written = match Pin::new(tcp).poll_write(cx, bytes) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            self.keep(&bytes[written..]);
            return Ok(());
        }
        self.keep(bytes);
        match self.poll_leave(tcp, cx) {
            Poll::Ready(left) => left,
            Poll::Pending => Ok(()),
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.written);
        self.written = 0;
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Ready once all of it has left.
    fn poll_leave(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let written = ready!(Pin::new(&mut *tcp).poll_write(cx, self.rest()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        *self = Self::default();
        Poll::Ready(Ok(()))
    }
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
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

    struct Site {
        listener: TcpListener,
        server: Arc<ServerConfig>,
        connector: TlsConnector,
    }

    impl Site {
        async fn new(version: &'static SupportedProtocolVersion) -> Self {
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
            (TlsStream::accept(tcp, Arc::clone(&self.server), &mut unread).await, unread)
        }

        async fn pair(&self) -> (Box<TlsStream>, tokio_rustls::client::TlsStream<TcpStream>) {
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
            assert_eq!((server.partial.capacity(), server.pending.bytes.capacity()), (0, 0), "{version:?}");
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
        let rest = server.pending.rest().len();
        assert!(rest <= AHEAD_BYTES + SEALED_BYTES, "{rest} bytes");
        assert!(server.pending.bytes.capacity() <= AHEAD_BYTES + SEALED_BYTES);
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
        assert!(!server.pending.rest().is_empty(), "tickets");
        server.write_all(b"answer").await.unwrap();
        assert!(server.pending.rest().is_empty());
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");

        let (server, _) = Site::new(&TLS12).await.pair().await;
        assert!(server.pending.rest().is_empty(), "the end of TLS 1.2's handshake");
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
