//! Certificates and keys: which are served, and what is said of those that can't be.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use entremise::tls::{Audience, PairPaths, Watch};
use pem::Pem;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::ProtocolVersion;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::accept::assert_ended;
use crate::pair::{Pair, params, trusting};
use crate::server::Server;
use crate::within;

/// Starts a server with this pair and welcomes a client that verifies it.
async fn assert_serves(pair: Pair) {
    let server = Server::start_with(pair, &[]);
    server.connect().await.fence().await;
}

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("the system has randomness")
}

fn block(label: &str, der: &[u8]) -> String {
    pem::encode(&Pem::new(label, der))
}

#[tokio::test]
async fn a_pkcs_8_key_loads() {
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("randomness");
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).expect("randomness");
    for key in [KeyPair::generate().expect("randomness"), rsa(), p384, ed25519] {
        assert_serves(Pair::signed(&params(), &key, &key.serialize_pem())).await;
    }
}

#[tokio::test]
async fn a_pkcs_1_key_loads() {
    let key = rsa();
    let pkcs8 = key.serialize_der();
    // RFC 5208: before the RSAPrivateKey, a header of 4 bytes, the version (3), the algorithm (15) and an octet
    // string's header (4).
    let pkcs1 = &pkcs8[4 + 3 + 15 + 4..];
    assert_eq!(pkcs1[..2], [0x30, 0x82], "a sequence");
    assert_serves(Pair::signed(&params(), &key, &block("RSA PRIVATE KEY", pkcs1))).await;
}

#[tokio::test]
async fn a_sec1_key_loads() {
    const PARAMETERS: [u8; 12] = [0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let key = KeyPair::generate().expect("the system has randomness");
    let pkcs8 = key.serialize_der();
    // RFC 5915, as OpenSSL writes it: the version, the key, which curve it is on, and its public half. PKCS#8 says the
    // curve elsewhere, so it is put in here.
    let secret = pkcs8.windows(2).position(|window| window == [4, 32]).expect("an octet string of 32 bytes");
    let (version_and_secret, public) = (&pkcs8[secret - 3..secret + 34], &pkcs8[secret + 34..]);
    let content = [version_and_secret, &PARAMETERS, public].concat();
    let length = u8::try_from(content.len()).expect("a short key");
    let sec1 = [&[0x30, length][..], &content].concat();
    assert_serves(Pair::signed(&params(), &key, &block("EC PRIVATE KEY", &sec1))).await;
}

#[tokio::test]
async fn a_key_is_found_behind_other_blocks_and_words() {
    let key = KeyPair::generate().expect("the system has randomness");
    let parameters = block("EC PARAMETERS", &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]);
    let text = format!("Key Attributes: none\n{parameters}\n{}", key.serialize_pem());
    assert_serves(Pair::signed(&params(), &key, &text)).await;
}

#[tokio::test]
async fn a_full_chain_is_served() {
    let authority = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let [root_key, middle_key, key] = [(); 3].map(|()| KeyPair::generate().expect("the system has randomness"));
    let root = authority("root").self_signed(&root_key).expect("valid");
    let root_issuer = Issuer::new(authority("root"), root_key);
    let middle = authority("middle").signed_by(&middle_key, &root_issuer).expect("valid");
    let leaf = params().signed_by(&key, &Issuer::new(authority("middle"), middle_key)).expect("valid");
    // The client knows the root only: it needs the middle one from the server.
    let chain = format!("{}{}", leaf.pem(), middle.pem());
    assert_serves(Pair::of(&chain, &key.serialize_pem(), root.der().clone())).await;
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let pair = Pair::new();
    let root = pair.root.clone();
    let server = Server::start_with(pair, &[]);
    for (version, expected) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let connector = TlsConnector::from(trusting(&root, &[version]));
        let name = "localhost".try_into().expect("a name");
        let tls = within("the handshake", connector.connect(name, server.tcp().await)).await.expect("it is spoken");
        assert_eq!(tls.get_ref().1.protocol_version(), Some(expected));
        let (mut client, _) = server.upgrade(tls, &[]).await.expect("a WebSocket");
        client.fence().await;
    }
}

/// A connection of a client that says it speaks these.
async fn speaking(server: &Server, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
    let mut trust = Arc::unwrap_or_clone(trusting(&server.pair.root, rustls::ALL_VERSIONS));
    trust.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(trust));
    let name = "localhost".try_into().expect("a name");
    within("the handshake", connector.connect(name, server.tcp().await)).await
}

fn agreed(tls: &TlsStream<TcpStream>) -> &str {
    str::from_utf8(tls.get_ref().1.alpn_protocol().expect("something")).expect("text")
}

#[tokio::test]
async fn http_1_1_is_what_alpn_agrees_on() {
    let server = Server::start(&[]);
    for protocols in [&["h2", "http/1.1"][..], &["stun.turn", "http/1.1"]] {
        let tls = speaking(&server, protocols).await.expect("http/1.1");
        assert_eq!(agreed(&tls), "http/1.1");
        server.upgrade(tls, &[]).await.expect("a WebSocket").0.fence().await;
    }
    assert!(speaking(&server, &["h2"]).await.is_err());
}

#[tokio::test]
async fn alpn_may_agree_on_stun_or_turn_and_then_there_is_no_http() {
    let server = Server::start_turn(&[]);
    for name in ["stun.turn", "stun.nat-discovery"] {
        let tls = speaking(&server, &["h2", name]).await.expect("RFC 7443");
        assert_eq!(agreed(&tls), name);
        let mut client = server.turn_access().await.stream_client(tls);
        client.allocate().await;
        client.refresh(0).await;
        let mut tls = speaking(&server, &[name]).await.expect("RFC 7443");
        tls.write_all(server.head("GET", "/", &[]).as_bytes()).await.expect("the server reads");
        assert_ended(&mut tls).await;
    }
}

/// The one line that stops the start.
fn complaint(cert: PathBuf, key: PathBuf) -> String {
    let error =
        Watch::open(PairPaths { cert, key }, Audience::Developers).expect_err("this pair can't be served").to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

/// The complaint when the file of a good pair has this text instead.
fn complaint_about_cert(text: impl AsRef<[u8]>) -> String {
    let pair = Pair::new();
    fs::write(pair.cert(), text).expect("writable");
    let error = complaint(pair.cert(), pair.key());
    assert!(error.starts_with(&format!("--cert {}: ", pair.cert().display())), "{error}");
    error
}

fn complaint_about_key(text: impl AsRef<[u8]>) -> String {
    let pair = Pair::new();
    fs::write(pair.key(), text).expect("writable");
    let error = complaint(pair.cert(), pair.key());
    assert!(error.starts_with(&format!("--key {}: ", pair.key().display())), "{error}");
    error
}

#[test]
fn a_missing_file_is_named() {
    let pair = Pair::new();
    let nowhere = pair.cert().with_file_name("nowhere.pem");
    let error = complaint(nowhere.clone(), pair.key());
    assert!(error.starts_with(&format!("--cert {}: no such file", nowhere.display())), "{error}");
    let error = complaint(pair.cert(), nowhere.clone());
    assert!(error.starts_with(&format!("--key {}: no such file", nowhere.display())), "{error}");
    assert!(!nowhere.exists(), "a pair is made at the default paths only");
}

#[test]
fn an_unreadable_file_is_named() {
    let pair = Pair::new();
    // A folder and a loop are unreadable for root too.
    let folder = pair.cert().parent().expect("a folder").to_owned();
    assert!(complaint(folder, pair.key()).contains("cannot be read"));
    let endless = pair.cert().with_file_name("loop.pem");
    symlink(&endless, &endless).expect("writable");
    let error = complaint(pair.cert(), endless);
    assert!(error.starts_with("--key") && error.contains("cannot be read"), "{error}");
}

#[test]
fn an_empty_file_is_named() {
    for text in ["", " \n\n"] {
        assert!(complaint_about_cert(text).contains("empty"));
        assert!(complaint_about_key(text).contains("empty"));
    }
}

#[test]
fn what_is_not_pem_is_named() {
    let pair = Pair::new();
    for text in [&b"hello\n"[..], &pair.root, &[0xff; 100]] {
        assert!(complaint_about_cert(text).contains("not PEM"));
        assert!(complaint_about_key(text).contains("not PEM"));
    }
}

#[test]
fn a_broken_pem_block_is_named() {
    let text = "-----BEGIN CERTIFICATE-----\n?not base64?\n-----END CERTIFICATE-----\n";
    complaint_about_cert(text);
    let text = "-----BEGIN PRIVATE KEY-----\nAAAA\n";
    complaint_about_key(text);
}

#[test]
fn a_key_for_a_certificate_and_the_reverse_are_named() {
    let pair = Pair::new();
    let (cert, key) = (fs::read(pair.cert()).expect("readable"), fs::read(pair.key()).expect("readable"));
    let error = complaint_about_cert(key);
    assert!(error.contains("no certificate in it; is this the key?"), "{error}");
    let error = complaint_about_key(cert);
    assert!(error.contains("no private key in it; is this the certificate?"), "{error}");
}

#[test]
fn a_damaged_certificate_and_a_damaged_key_are_named() {
    let error = complaint_about_cert(block("CERTIFICATE", b"hello"));
    assert!(error.contains("damaged"), "{error}");
    let error = complaint_about_key(block("PRIVATE KEY", b"hello"));
    assert!(error.contains("cannot be used"), "{error}");
}

#[test]
fn a_chain_with_a_damaged_second_certificate_is_not_served_blindly() {
    let pair = Pair::new();
    let mut text = fs::read_to_string(pair.cert()).expect("readable");
    text.push_str("-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n");
    complaint_about_cert(text);
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let (pair, other) = (Pair::new(), Pair::new());
    let error = complaint(pair.cert(), other.key());
    assert!(error.starts_with(&format!("--key {}: ", other.key().display())), "{error}");
    assert!(error.contains(&format!("does not fit the certificate in --cert {}", pair.cert().display())), "{error}");
}

#[test]
fn an_encrypted_key_is_named() {
    let error = complaint_about_key(block("ENCRYPTED PRIVATE KEY", b"hello"));
    assert!(error.contains("not encrypted"), "{error}");
}
