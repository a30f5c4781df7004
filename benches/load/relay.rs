//! The bare relay: tokio-rustls and tokio-tungstenite as their examples use them, and nothing else.
//!
//! No JSON, no limits, no session, no heartbeat: a frame is its addressee's id and a payload, and goes on with its
//! sender's id instead. It shows what a server of this stack costs without any feature or protection.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// Digits of an id.
pub(crate) const ID_BYTES: usize = 8;

/// The size of a TLS record; the library's default is 128 KiB for each peer.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// Messages that may wait for a peer before a sender of another one has to wait.
const QUEUE: usize = 1024;

type Peers = Arc<RwLock<HashMap<String, mpsc::Sender<String>>>>;
type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Serves on a port with a certificate and a key: the three arguments.
pub(crate) fn serve(arguments: &[String]) {
    let [port, cert, key] = arguments else { panic!("relay PORT CERT KEY") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(accept(port.parse().expect("a port"), acceptor(cert, key)));
}

fn acceptor(cert: &str, key: &str) -> TlsAcceptor {
    TlsAcceptor::from(config(cert, key))
}

/// The library's own choices, with this certificate.
pub(crate) fn config(cert: &str, key: &str) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_file(cert).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(key).expect("its key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("the key is the certificate's");
    Arc::new(config)
}

async fn accept(port: u16, acceptor: TlsAcceptor) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.expect("the port is free");
    let peers = Peers::default();
    let mut tasks = JoinSet::new();
    for number in 0_u32.. {
        let (tcp, _) = listener.accept().await.expect("a connection");
        let (acceptor, peers) = (acceptor.clone(), Arc::clone(&peers));
        tasks.spawn(async move {
            // A connection whose handshake fails is not counted: the load's own assertions report it.
            if let Some(socket) = open(tcp, &acceptor).await {
                talk(socket, format!("{number:08x}"), &peers).await;
            }
        });
        while tasks.try_join_next().is_some() {}
    }
}

async fn open(tcp: TcpStream, acceptor: &TlsAcceptor) -> Option<Socket> {
    tcp.set_nodelay(true).ok()?;
    let tls = acceptor.accept(tcp).await.ok()?;
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
    tokio_tungstenite::accept_async_with_config(tls, Some(config)).await.ok()
}

async fn talk(mut socket: Socket, id: String, peers: &Peers) {
    if socket.send(Message::text(id.clone())).await.is_err() {
        return;
    }
    let (mailbox, outbox) = mpsc::channel(QUEUE);
    peers.write().insert(id.clone(), mailbox);
    let (sink, stream) = socket.split();
    tokio::select! {
        () = write(sink, outbox) => {}
        () = read(stream, &id, peers) => {}
    }
    peers.write().remove(&id);
}

/// Writes frames one by one.
async fn write(mut sink: SplitSink<Socket, Message>, mut outbox: mpsc::Receiver<String>) {
    while let Some(frame) = outbox.recv().await {
        if sink.send(Message::text(frame)).await.is_err() {
            return;
        }
    }
}

async fn read(mut stream: SplitStream<Socket>, id: &str, peers: &Peers) {
    while let Some(Ok(frame)) = stream.next().await {
        let Message::Text(text) = frame else { continue };
        let Some((to, payload)) = text.split_at_checked(ID_BYTES) else { return };
        let addressee = peers.read().get(to).cloned();
        if let Some(addressee) = addressee {
            let _ = addressee.send(format!("{id}{payload}")).await;
        }
    }
}
