//! TLS by hand: what is refused that no library of today would offer.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::aws_lc_rs::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
use rustls::{ClientConfig, ConnectionTrafficSecrets, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::pair::{Pair, params};
use crate::server::{Server, Site};
use crate::within;

/// Kinds of records (RFC 8446, 5.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Alerts (RFC 8446, 6): how bad, and what.
const HANDSHAKE_FAILURE: [u8; 2] = [2, 40];
const PROTOCOL_VERSION: [u8; 2] = [2, 70];
const NO_RENEGOTIATION: [u8; 2] = [1, 100];

const TLS_1_2: [u8; 2] = [3, 3];

/// All that TLS 1.2 has here: ECDHE, so that a stolen key opens nothing of before, and AEAD.
const SUITES_FOR_ECDSA: [u16; 3] = [0xc02b, 0xc02c, 0xcca9];
const SUITES_FOR_RSA: [u16; 3] = [0xc02f, 0xc030, 0xcca8];

/// A ClientHello of TLS up to 1.2, as a handshake message.
fn hello(version: [u8; 2], suites: &[u16]) -> Vec<u8> {
    // supported_groups, ec_point_formats, signature_algorithms, extended_master_secret.
    let extensions = [
        &[0, 10, 0, 8, 0, 6, 0, 0x1d, 0, 0x17, 0, 0x18][..],
        &[0, 11, 0, 2, 1, 0],
        &[0, 13, 0, 14, 0, 12, 4, 3, 5, 3, 8, 4, 8, 5, 4, 1, 5, 1],
        &[0, 23, 0, 0],
    ]
    .concat();
    let suites: Vec<u8> = suites.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    let body = [&version[..], &[7; 32], &[0], &with_length(&suites), &[1, 0], &with_length(&extensions)].concat();
    let length = u32::try_from(body.len()).expect("a short message").to_be_bytes();
    [&[1], &length[1..], &body].concat()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short list");
    [&length.to_be_bytes(), bytes].concat()
}

fn record(kind: u8, version: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&[kind][..], &version, &with_length(payload)].concat()
}

/// The next record: its kind and its payload.
async fn read_record(stream: &mut (impl AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    let record = async {
        let kind = stream.read_u8().await?;
        let _version = stream.read_u16().await?;
        let mut payload = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut payload).await?;
        Ok::<_, std::io::Error>((kind, payload))
    };
    within("a record", record).await.expect("an answer")
}

/// What a ClientHello is answered first.
async fn answer(site: &Site, version: [u8; 2], suites: &[u16]) -> (u8, Vec<u8>) {
    let mut stream = site.tcp().await;
    let hello = record(HANDSHAKE, [3, 1], &hello(version, suites));
    stream.write_all(&hello).await.expect("the server reads");
    read_record(&mut stream).await
}

/// The suite that a ServerHello has chosen.
fn chosen((kind, hello): &(u8, Vec<u8>)) -> u16 {
    assert_eq!((*kind, hello[0]), (HANDSHAKE, 2), "a ServerHello");
    // Its header, the version, random bytes, and the session's id.
    let at = 4 + 2 + 32 + 1 + usize::from(hello[38]);
    u16::from_be_bytes([hello[at], hello[at + 1]])
}

#[tokio::test]
async fn tls_before_1_2_is_refused_by_its_version() {
    let server = Server::start(&[]);
    let suites: Vec<u16> = [0xc009, 0xc00a, 0xc013, 0xc014, 0x002f, 0x0035, 0x000a].into();
    for version in [[3, 0], [3, 1], [3, 2]] {
        for suites in [&suites[..], &SUITES_FOR_ECDSA] {
            assert_eq!(answer(&server, version, suites).await, (ALERT, PROTOCOL_VERSION.into()), "{version:?}");
        }
    }
    server.connect().await.fence().await;
}

#[tokio::test]
async fn nothing_but_aead_with_forward_secrecy_is_spoken_in_tls_1_2() {
    let rsa = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("randomness");
    let rsa = Pair::signed(&params(), &rsa, &rsa.serialize_pem());
    for (pair, spoken) in [(Pair::new(), SUITES_FOR_ECDSA), (rsa, SUITES_FOR_RSA)] {
        let server = Server::start_with(pair, &[]);
        for suite in spoken {
            assert_eq!(chosen(&answer(&server, TLS_1_2, &[suite]).await), suite);
        }
        let all: Vec<u16> = (0..=u16::MAX).filter(|suite| !spoken.contains(suite)).collect();
        for some in all.chunks(4096) {
            let what = format!("{:#x} to {:#x}", some[0], some[some.len() - 1]);
            assert_eq!(answer(&server, TLS_1_2, some).await, (ALERT, HANDSHAKE_FAILURE.into()), "{what}");
        }
    }
}

/// One direction of a connection, sealed by hand (RFC 5288): the first four bytes of the nonce are secret, the others
/// are sent along.
struct Sealed {
    key: LessSafeKey,
    salt: [u8; 4],
    sequence: u64,
}

impl Sealed {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
            panic!("the only suite that was offered")
        };
        let key = UnboundKey::new(&AES_128_GCM, key.as_ref()).expect("16 bytes");
        Self { key: LessSafeKey::new(key), salt: *iv.as_ref().first_chunk().expect("12 bytes"), sequence }
    }

    /// What the next record's seal covers besides its text.
    fn header(&mut self, kind: u8, length: usize) -> Aad<Vec<u8>> {
        let sequence = self.sequence.to_be_bytes();
        self.sequence += 1;
        let length = u16::try_from(length).expect("a short record").to_be_bytes();
        Aad::from([&sequence[..], &[kind], &TLS_1_2, &length].concat())
    }

    fn nonce(&self, explicit: &[u8]) -> Nonce {
        Nonce::try_assume_unique_for_key(&[&self.salt, explicit].concat()).expect("12 bytes")
    }

    fn seal(&mut self, kind: u8, text: &[u8]) -> Vec<u8> {
        // No other record of this side has it.
        let explicit = (self.sequence | 1 << 63).to_be_bytes();
        let (header, nonce) = (self.header(kind, text.len()), self.nonce(&explicit));
        let mut sealed = text.to_vec();
        self.key.seal_in_place_append_tag(nonce, header, &mut sealed).expect("a short record");
        record(kind, TLS_1_2, &[&explicit[..], &sealed].concat())
    }

    fn open(&mut self, (kind, sealed): (u8, Vec<u8>)) -> (u8, Vec<u8>) {
        let (explicit, sealed) = sealed.split_at(8);
        let (header, nonce) = (self.header(kind, sealed.len() - AES_128_GCM.tag_len()), self.nonce(explicit));
        let mut text = sealed.to_vec();
        let text = self.key.open_in_place(nonce, header, &mut text).expect("the server's seal");
        (kind, text.to_vec())
    }
}

/// A connection of TLS 1.2 whose records are written by hand from now on.
async fn open_by_hand(server: &Server) -> (TcpStream, Sealed, Sealed) {
    let mut provider = provider::default_provider();
    provider.cipher_suites = vec![TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256];
    let mut roots = RootCertStore::empty();
    roots.add(server.pair.root.clone()).expect("a certificate");
    let mut trust = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("the suite is one of TLS 1.2")
        .with_root_certificates(roots)
        .with_no_client_auth();
    trust.enable_secret_extraction = true;
    let connector = TlsConnector::from(Arc::new(trust));
    let name = "localhost".try_into().expect("a name");
    let tls = within("the handshake", connector.connect(name, server.tcp().await)).await.expect("TLS 1.2 is spoken");
    let (stream, connection) = tls.into_inner();
    let secrets = connection.dangerous_extract_secrets().expect("they were asked for");
    (stream, Sealed::new(secrets.tx), Sealed::new(secrets.rx))
}

#[tokio::test]
async fn a_client_cannot_negotiate_anew() {
    let server = Server::start(&[]);
    let (mut stream, mut ours, mut theirs) = open_by_hand(&server).await;
    let again = ours.seal(HANDSHAKE, &hello(TLS_1_2, &SUITES_FOR_ECDSA));
    let request = ours.seal(APPLICATION_DATA, server.head("GET", "/healthz", &[]).as_bytes());
    stream.write_all(&[again, request].concat()).await.expect("the server reads");
    assert_eq!(theirs.open(read_record(&mut stream).await), (ALERT, NO_RENEGOTIATION.into()));
    let (kind, answer) = theirs.open(read_record(&mut stream).await);
    assert!(kind == APPLICATION_DATA && answer.starts_with(b"HTTP/1.1 200 "), "the connection goes on as it was");
    // It is told so once: who insists is not heard any more.
    let again = ours.seal(HANDSHAKE, &hello(TLS_1_2, &SUITES_FOR_ECDSA));
    stream.write_all(&again).await.expect("the server reads");
    let mut rest = Vec::new();
    within("the end", stream.read_to_end(&mut rest)).await.expect("the end");
    assert!(rest.first().is_none_or(|kind| *kind == ALERT), "no handshake");
    server.connect().await.fence().await;
}
