//! A way to a STUN or TURN server, each with a deadline: a datagram socket, a connection, or TLS in one.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use super::target::Transport;

/// For an answer from this machine.
const DEADLINE: Duration = Duration::from_secs(2);

/// Times that a datagram is sent, since one may be lost.
const TRIES: u32 = 3;

/// The longest message: what 16 bits can say, and its header.
const MAX_BYTES: usize = 65535 + 20;

/// The way.
pub(super) enum Wire {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Wire {
    pub(super) fn connect(transport: Transport, at: SocketAddr, host: &str) -> io::Result<Self> {
        match transport {
            Transport::Udp => {
                let any: IpAddr = if at.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
                let socket = UdpSocket::bind((any, 0))?;
                socket.connect(at)?;
                socket.set_read_timeout(Some(DEADLINE / TRIES))?;
                Ok(Self::Udp(socket))
            }
            Transport::Tcp => Ok(Self::Tcp(tcp(at)?)),
            Transport::Tls => Ok(Self::Tls(Box::new(checked_tls(tcp(at)?, host)?))),
        }
    }

    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Tcp(stream) => stream.write_all(message),
            Self::Tls(stream) => stream.write_all(message),
        }
    }

    /// The next message, as it is.
    pub(super) fn receive(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Self::Udp(socket) => {
                let mut bytes = vec![0; MAX_BYTES];
                let length = socket.recv(&mut bytes)?;
                bytes.truncate(length);
                Ok(bytes)
            }
            Self::Tcp(stream) => read_message(stream),
            Self::Tls(stream) => read_message(stream),
        }
    }

    /// How often a request is sent before it has no answer: a stream loses nothing.
    pub(super) fn tries(&self) -> u32 {
        if matches!(self, Self::Udp(_)) { TRIES } else { 1 }
    }
}

/// STUN says its length in its second two bytes. Channels are not used here.
fn read_message(stream: &mut impl io::Read) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 20];
    stream.read_exact(&mut bytes)?;
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    bytes.resize(20 + length, 0);
    stream.read_exact(&mut bytes[20..])?;
    Ok(bytes)
}

/// A connection, with deadlines.
pub(super) fn tcp(at: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&at, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// TLS in a connection, as a browser has it: that the certificate is not for this host, or not valid now, is an error.
/// Who has signed it is not looked at, because browsers differ in whom they trust.
fn checked_tls(tcp: TcpStream, host: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let stream = tls(tcp, host)?;
    let certificate = stream.conn.peer_certificates().and_then(|chain| chain.first());
    let checked = certificate.map_or_else(|| Err("there is no certificate".into()), |shown| check(shown, host));
    checked.map_err(io::Error::other)?;
    Ok(stream)
}

/// TLS in a connection, whatever the certificate.
pub(super) fn tls(tcp: TcpStream, host: &str) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnySigner(provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, tcp);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// What a browser refuses a certificate for, besides its signer.
fn check(certificate: &CertificateDer<'_>, host: &str) -> Result<(), String> {
    let name = ServerName::try_from(host).map_err(|_| format!("{host} is no host's name"))?;
    let damaged = |error: &dyn std::fmt::Display| format!("the certificate is damaged: {error}");
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| damaged(&error))?;
    verify_server_name(&parsed, &name).map_err(|_| format!("the certificate is not for {host}: browsers refuse it"))?;
    let (_, x509) = x509_parser::parse_x509_certificate(certificate).map_err(|error| damaged(&error))?;
    let validity = x509.validity();
    if validity.is_valid() {
        Ok(())
    } else {
        Err(format!("the certificate is valid from {} to {}, and not now", validity.not_before, validity.not_after))
    }
}

/// Takes a certificate from any signer.
#[derive(Debug)]
struct AnySigner(Arc<CryptoProvider>);

impl ServerCertVerifier for AnySigner {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
