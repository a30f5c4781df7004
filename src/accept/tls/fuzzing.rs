//! A real client's records, as they are and then cut, merged, doubled, out of their order, changed and forged, for `fuzz/`.
//! No part of the server.

use std::collections::VecDeque;
use std::io::{Cursor, Read as _, Write as _};
use std::sync::{Arc, OnceLock};

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::aws_lc_rs as provider;
use rustls::crypto::aws_lc_rs::cipher_suite::{TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ConnectionTrafficSecrets, ProtocolVersion, RootCertStore, ServerConfig};

use super::records::{Records, SEALED_BYTES};
use crate::accept::unread::Unread;

/// Steps of one play.
const STEPS: usize = 64;

/// Kinds of records (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// Lets a client and the server talk. The first byte says which version of TLS, and whether they shake hands undisturbed;
/// the others, in pairs, what happens then.
///
/// # Panics
///
/// Where something comes through that the client has not said, in its order; where unchanged records are not understood;
/// where an error is not the last thing; where rustls panics.
pub fn play_tls_records(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    let mut play = Play::new(first);
    if first & 2 == 0 {
        play.exchange();
    }
    for step in rest.as_chunks::<2>().0.iter().take(STEPS) {
        play.step(*step);
    }
    play.exchange();
    play.assert_end();
}

/// Both sides' settings, for TLS 1.2 and for TLS 1.3.
struct Settings {
    server: Arc<ServerConfig>,
    clients: [Arc<ClientConfig>; 2],
}

fn settings() -> &'static Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a name");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let mut provider = provider::default_provider();
        provider.cipher_suites = vec![TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256];
        let provider = Arc::new(provider);
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS12, &TLS13])
            .expect("the suites are of both versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("they fit each other");
        let clients = [&TLS12, &TLS13].map(|version| {
            let mut roots = RootCertStore::empty();
            roots.add(own.cert.der().clone()).expect("a certificate");
            let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(&[version])
                .expect("the suites are of both versions")
                .with_root_certificates(roots)
                .with_no_client_auth();
            client.enable_secret_extraction = true;
            Arc::new(client)
        });
        Settings { server: Arc::new(server), clients }
    })
}

struct Play {
    client: Client,
    server: Records,
    /// What the client has sent and the server has not been shown, record by record.
    wire: VecDeque<Vec<u8>>,
    /// What the server has sealed and the client has not read.
    answers: Vec<u8>,
    said: Vec<u8>,
    heard: Vec<u8>,
    /// Whether nothing has happened to what the client has sent, and the server hears it.
    is_intact: bool,
}

enum Client {
    Real(Box<ClientConnection>),
    /// Sealed with its secrets, whatever it is.
    ByHand(Seal),
    Gone,
}

impl Play {
    fn new(first: u8) -> Self {
        let settings = settings();
        let config = Arc::clone(&settings.clients[usize::from(first & 1)]);
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(config, name).expect("the settings fit");
        let mut play = Self {
            client: Client::Real(Box::new(client)),
            server: Records::new(Arc::clone(&settings.server)).expect("the settings fit"),
            wire: VecDeque::new(),
            answers: Vec::new(),
            said: Vec::new(),
            heard: Vec::new(),
            is_intact: true,
        };
        play.collect();
        play
    }

    fn step(&mut self, [what, much]: [u8; 2]) {
        let much = usize::from(much);
        match what % 16 {
            0 | 1 => self.say(much * 90),
            2 => self.show_some(usize::MAX),
            3 => self.show_some(much),
            4 => self.exchange(),
            5 => self.seal(much * 60),
            6 => {
                self.is_intact = false;
                self.server.close();
            }
            7 => self.close(),
            8 => self.update_keys(),
            9 => self.take_over(),
            10 => self.by_hand(HANDSHAKE, &[4, 0, 0, 200, 1, 2, 3, 4][..much % 9]),
            11 => self.by_hand(u8::try_from(much).expect("it was a byte"), b"12"),
            12 => self.disturb(|wire| wire.extend(wire.back().cloned())),
            13 => self.disturb(|wire| wire.make_contiguous().reverse()),
            14 => self.disturb(|wire| {
                if let Some(byte) = wire.back_mut().and_then(|record| record.get_mut(much)) {
                    *byte ^= 0x55;
                }
            }),
            _ => self.disturb(|wire| wire.push_back(record(HANDSHAKE, &vec![1; much]))),
        }
    }

    fn disturb(&mut self, change: impl FnOnce(&mut VecDeque<Vec<u8>>)) {
        self.is_intact = false;
        change(&mut self.wire);
    }

    /// The client says so many bytes.
    fn say(&mut self, count: usize) {
        let text: Vec<u8> = (0..u8::MAX).cycle().skip(self.said.len() % 255).take(count).collect();
        match &mut self.client {
            Client::Real(client) if !client.is_handshaking() => client.writer().write_all(&text).expect("memory"),
            Client::ByHand(seal) => self.wire.extend(text.chunks(16_000).map(|text| seal.seal(APPLICATION_DATA, text))),
            _ => return,
        }
        self.said.extend(text);
        self.collect();
    }

    /// The client says that nothing more comes, and nothing does.
    fn close(&mut self) {
        if let Client::Real(client) = &mut self.client
            && !client.is_handshaking()
        {
            client.send_close_notify();
            self.collect();
            self.client = Client::Gone;
        }
    }

    fn update_keys(&mut self) {
        if let Client::Real(client) = &mut self.client {
            // There is no such thing in TLS 1.2.
            let _ = client.refresh_traffic_keys();
            self.collect();
        }
    }

    /// From now on the client's records are sealed by hand.
    fn take_over(&mut self) {
        match std::mem::replace(&mut self.client, Client::Gone) {
            Client::Real(client) if !client.is_handshaking() => {
                self.is_intact &= client.protocol_version() == Some(ProtocolVersion::TLSv1_3);
                if let Ok(secrets) = client.dangerous_extract_secrets() {
                    self.client = Client::ByHand(Seal::new(secrets.tx));
                }
            }
            other => self.client = other,
        }
    }

    /// Seals something of this kind, which the server need not understand.
    fn by_hand(&mut self, kind: u8, text: &[u8]) {
        if let Client::ByHand(seal) = &mut self.client {
            self.is_intact = false;
            if kind == APPLICATION_DATA {
                self.said.extend(text);
            }
            self.wire.push_back(seal.seal(kind, text));
        }
    }

    /// Takes what the client wants to send, record by record.
    fn collect(&mut self) {
        let Client::Real(client) = &mut self.client else { return };
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        let mut rest = &bytes[..];
        while let Some(header) = rest.first_chunk::<5>() {
            let (record, behind) = rest.split_at(5 + usize::from(u16::from_be_bytes([header[3], header[4]])));
            self.wire.push_back(record.to_vec());
            rest = behind;
        }
    }

    /// Shows the server so many bytes of what was sent.
    fn show_some(&mut self, most: usize) {
        let mut all: Vec<u8> = self.wire.drain(..).flatten().collect();
        let rest = all.split_off(most.min(all.len()));
        if !rest.is_empty() {
            self.wire.push_back(rest);
        }
        let (was_over, before) = (self.server.is_over(), self.heard.len());
        // As much at once as is read at once.
        for piece in all.chunks(super::READ_BYTES) {
            let mut incoming = [self.server.partial(), piece].concat();
            let mut unread = Unread::default();
            let shown = self.server.show(&mut incoming, &mut unread);
            self.heard.extend(unread.bytes());
            assert_eq!(shown.is_err(), self.server.is_over(), "an error is the end, and nothing else is");
            assert!(!self.is_intact || shown.is_ok(), "unchanged records are understood: {shown:?}");
        }
        assert!(!was_over || self.heard.len() == before, "nothing comes through after an error");
        assert!(self.said.starts_with(&self.heard), "what comes through is what was said");
    }

    /// The server says so many bytes.
    fn seal(&mut self, count: usize) {
        let mut record = vec![0; SEALED_BYTES];
        let (was_over, unsent) = (self.server.is_over(), self.server.unsent.rest().len());
        if let Ok(sealed) = self.server.seal(&vec![7; count], &mut record) {
            assert!(!was_over, "nothing is sealed after an error");
            self.answers.extend(self.server.unsent.rest());
            self.server.unsent = super::Unsent::default();
            self.answers.extend(&record[..sealed]);
        }
        assert!(!was_over || self.server.unsent.rest().len() == unsent, "nothing is said after an error");
    }

    /// Until neither side has anything more to send.
    fn exchange(&mut self) {
        while !self.wire.is_empty() || !self.answers.is_empty() || !self.server.unsent.rest().is_empty() {
            self.show_some(usize::MAX);
            self.answers.extend(self.server.unsent.rest());
            self.server.unsent = super::Unsent::default();
            let mut answers = Cursor::new(std::mem::take(&mut self.answers));
            let Client::Real(client) = &mut self.client else { continue };
            while client.wants_read() && client.read_tls(&mut answers).is_ok_and(|count| count > 0) {
                if client.process_new_packets().is_err() {
                    self.client = Client::Gone;
                    break;
                }
                let _ = client.reader().read_to_end(&mut Vec::new());
            }
            self.collect();
        }
    }

    fn assert_end(&mut self) {
        if self.is_intact {
            assert_eq!(self.heard, self.said, "all of it");
        }
        self.server.close();
        let unsent = self.server.unsent.rest().len();
        self.server.close();
        assert_eq!(self.server.unsent.rest().len(), unsent, "the end is said once");
    }
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).expect("a short record").to_be_bytes();
    [&[kind, 3, 3][..], &length, payload].concat()
}

/// The client's direction, sealed by hand.
struct Seal {
    key: LessSafeKey,
    iv: Vec<u8>,
    sequence: u64,
}

impl Seal {
    fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else { panic!("the only suites are these") };
        let key = UnboundKey::new(&AES_128_GCM, key.as_ref()).expect("16 bytes");
        Self { key: LessSafeKey::new(key), iv: iv.as_ref().to_vec(), sequence }
    }

    /// A record of TLS 1.3 (RFC 8446, 5.2 and 5.3). To TLS 1.2 it is a broken one.
    fn seal(&mut self, kind: u8, text: &[u8]) -> Vec<u8> {
        let mut nonce: [u8; 12] = self.iv[..].try_into().expect("12 bytes");
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
}
