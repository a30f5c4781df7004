//! Records after an error: the TLS library panics when it is used again, so a stream is over with its first error.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::{ClientConfig, ConnectionTrafficSecrets, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::raw::{FIN, HANDSHAKE, TEXT, masked};
use crate::server::Server;
use crate::within;

/// Kinds of records (RFC 8446, 5.1).
const ALERT: u8 = 21;
const A_HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// How a stream is broken.
#[derive(Clone, Copy, Debug)]
enum Way {
    HalfAMessage,
    PlainText,
    Changed,
    FatalAlert,
    TooLong,
}

/// A client of TLS 1.3 that seals its records by hand (RFC 8446, 5.2 and 5.3).
struct ByHand {
    stream: TcpStream,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl ByHand {
    async fn open(server: &Server) -> Self {
        let mut provider = provider::default_provider();
        provider.cipher_suites = vec![TLS13_AES_128_GCM_SHA256];
        let mut roots = RootCertStore::empty();
        roots.add(server.pair.root.clone()).expect("a certificate");
        let mut trust = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("the suite is one of TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        trust.enable_secret_extraction = true;
        let connecting = TlsConnector::from(Arc::new(trust));
        let name = "localhost".try_into().expect("a name");
        let tls = within("the handshake", connecting.connect(name, server.tcp().await)).await.expect("TLS 1.3");
        let (stream, connection) = tls.into_inner();
        let (sequence, secrets) = connection.dangerous_extract_secrets().expect("they were asked for").tx;
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("the only suite") };
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.as_ref()).expect("16 bytes"));
        Self { stream, key, iv: iv.as_ref().try_into().expect("12 bytes"), sequence }
    }

    fn seal(&mut self, kind: u8, text: &[u8]) -> Vec<u8> {
        let mut nonce = self.iv;
        for (byte, of) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= of;
        }
        self.sequence += 1;
        let mut sealed = [text, &[kind]].concat();
        let length = u16::try_from(sealed.len() + AES_128_GCM.tag_len()).expect("a short record").to_be_bytes();
        let header = [&[APPLICATION_DATA, 3, 3][..], &length].concat();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(&header), &mut sealed).expect("a short record");
        [header, sealed].concat()
    }

    /// What breaks a stream, with something valid behind it.
    fn broken(&mut self, way: Way) -> Vec<u8> {
        const MORE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        let first = match way {
            Way::HalfAMessage => self.seal(A_HANDSHAKE, &[4, 0, 0, 200, 1, 2, 3]),
            Way::PlainText => vec![A_HANDSHAKE, 3, 3, 0, 8, 1, 0, 0, 200, 1, 2, 3, 4],
            Way::Changed => {
                let mut changed = self.seal(APPLICATION_DATA, MORE);
                changed[20] ^= 1;
                changed
            }
            Way::FatalAlert => self.seal(ALERT, &[2, 40]),
            Way::TooLong => vec![APPLICATION_DATA, 3, 3, 0xff, 0xff],
        };
        [first, self.seal(APPLICATION_DATA, MORE)].concat()
    }

    async fn send(&mut self, bytes: &[u8]) {
        within("the bytes to be sent", self.stream.write_all(bytes)).await.expect("the server reads");
    }

    async fn assert_ended(mut self, way: Way) {
        // Ended or reset: gone either way.
        let _ = within(&format!("the end after {way:?}"), self.stream.read_to_end(&mut Vec::new())).await;
    }
}

/// What a connection has said before it breaks: nothing, a request, a WebSocket's handshake and a frame, STUN.
fn beginnings(server: &Server) -> [Vec<u8>; 4] {
    let upgrade = server.head("GET", "/ws", &HANDSHAKE).into_bytes();
    let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    [
        Vec::new(),
        server.head("GET", "/healthz", &[]).into_bytes(),
        [upgrade, masked(FIN | TEXT, br#"{"type":"ping","ref":1}"#)].concat(),
        binding,
    ]
}

/// The server's end asserts that nothing panicked.
#[tokio::test]
async fn records_after_an_error_panic_nothing_and_end_their_connection_alone() {
    let server = Server::start_turn(&[]);
    let mut other = server.connect().await;
    for beginning in beginnings(&server) {
        for way in [Way::HalfAMessage, Way::PlainText, Way::Changed, Way::FatalAlert, Way::TooLong] {
            let mut client = ByHand::open(&server).await;
            let said = if beginning.is_empty() { Vec::new() } else { client.seal(APPLICATION_DATA, &beginning) };
            let broken = client.broken(way);
            client.send(&said).await;
            client.send(&broken).await;
            client.assert_ended(way).await;
            other.fence().await;
        }
    }
}
