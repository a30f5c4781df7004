//! The server's side of TLS, without a socket: it is shown what has come, and says what is to be sent.
//!
//! rustls works on the bytes that it is shown ([`rustls::unbuffered`]) and keeps none. After its first error it counts on
//! bytes that are gone and would panic, and after our own last word it takes an error for a second one. So with either there
//! is no rustls any more: what is still asked is answered with an error, and all that leaves is the alert.

use std::io;
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic};
use rustls::{ProtocolVersion, ServerConfig};

use super::READ_BYTES;
use super::unsent::Unsent;
use crate::accept::unread::Unread;

/// What a client may leave incomplete: a handshake's message of 64 KiB, which is all that rustls takes, in records.
const PARTIAL_BYTES: usize = 64 * 1024 + 2 * READ_BYTES;

/// What is encrypted at once: one record's worth.
pub(super) const WRITE_BYTES: usize = 16 * 1024;

/// A record, and an update of the keys before it.
pub(super) const SEALED_BYTES: usize = WRITE_BYTES + 1024;

/// A close_notify and its seal, whatever the suite.
const CLOSE_BYTES: usize = 128;

/// What came of a look at what has come.
struct Advanced {
    /// Bytes that are done with.
    taken: usize,
    /// Bytes that were sealed; none where nothing may be written.
    sealed: Option<usize>,
}

type Sealed = Result<usize, EncryptError>;

/// A connection's TLS.
pub(super) struct Records {
    // Invariant: none from the first error on, and none once the end is said (`play_tls_records`).
    rustls: Option<UnbufferedServerConnection>,
    /// What has come of a record, or of a message of the handshake.
    // Invariant: what rustls has asked to keep, as it has left it.
    partial: Vec<u8>,
    /// What is to be sent: written here, taken by the connection.
    pub(super) unsent: Unsent,
    /// Whether the client has said that nothing more comes.
    is_ended: bool,
}

impl Records {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let rustls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
        let (partial, unsent) = (Vec::new(), Unsent::default());
        Ok(Self { rustls: Some(rustls), partial, unsent, is_ended: false })
    }

    pub(super) fn is_handshaking(&self) -> bool {
        self.rustls.as_ref().is_some_and(|rustls| rustls.is_handshaking())
    }

    /// What client and server have agreed to speak, if they have.
    pub(super) fn agreed(&self) -> Option<&[u8]> {
        self.rustls.as_ref()?.alpn_protocol()
    }

    /// Whether the client needs what is unsent. Behind TLS 1.3's handshake are tickets for a later one, which leave with
    /// the first answer: to send them alone is a twentieth of what a connection costs.
    pub(super) fn is_waited_for(&self) -> bool {
        let is_done = |rustls: &UnbufferedServerConnection| {
            !rustls.is_handshaking() && rustls.protocol_version() == Some(ProtocolVersion::TLSv1_3)
        };
        !self.rustls.as_ref().is_some_and(is_done)
    }

    /// Whether the client has said that nothing more comes.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// Whether there was an error, or the end was said.
    pub(super) fn is_over(&self) -> bool {
        self.rustls.is_none()
    }

    /// What has to stand before the bytes that are shown next.
    pub(super) fn partial(&self) -> &Vec<u8> {
        &self.partial
    }

    /// Decrypts what has come, [what was left](Self::partial) before it, and keeps what is no record yet.
    pub(super) fn show(&mut self, incoming: &mut [u8], unread: &mut Unread) -> io::Result<()> {
        let Advanced { taken, .. } = self.advance(incoming, unread, |_| Ok(0))?;
        let rest = &incoming[taken..];
        if rest.len() > PARTIAL_BYTES {
            self.end();
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        if rest.is_empty() {
            self.partial = Vec::new();
        }
        Ok(())
    }

    /// Encrypts a text of at most [`WRITE_BYTES`] into `record`, which takes [`SEALED_BYTES`]. Says how many bytes came of
    /// it.
    pub(super) fn seal(&mut self, text: &[u8], record: &mut [u8]) -> io::Result<usize> {
        let sealed = self.write(|mut traffic| traffic.encrypt(text, record))?;
        // Only before the end of the handshake, when nothing is written yet.
        sealed.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Says, once, that nothing more comes, as far as that can be said. It is the last that is heard and said.
    pub(super) fn close(&mut self) {
        let mut alert = [0; CLOSE_BYTES];
        if let Ok(Some(sealed)) = self.write(|mut traffic| traffic.queue_close_notify(&mut alert)) {
            self.unsent.keep(&alert[..sealed]);
        }
        self.end();
    }

    fn write(
        &mut self,
        seal: impl FnOnce(WriteTraffic<'_, ServerConnectionData>) -> Sealed,
    ) -> io::Result<Option<usize>> {
        let mut partial = std::mem::take(&mut self.partial);
        let Advanced { taken, sealed } = self.advance(&mut partial, &mut Unread::default(), seal)?;
        partial.drain(..taken);
        self.partial = partial;
        Ok(sealed)
    }

    fn advance(
        &mut self,
        incoming: &mut [u8],
        unread: &mut Unread,
        seal: impl FnOnce(WriteTraffic<'_, ServerConnectionData>) -> Sealed,
    ) -> io::Result<Advanced> {
        self.try_advance(incoming, unread, seal).inspect_err(|_| self.end())
    }

    /// From now on there is nothing but what is unsent.
    fn end(&mut self) {
        self.rustls = None;
        self.partial = Vec::new();
    }

    /// Shows rustls what has come until it wants more, and then what may be written.
    fn try_advance(
        &mut self,
        incoming: &mut [u8],
        unread: &mut Unread,
        seal: impl FnOnce(WriteTraffic<'_, ServerConnectionData>) -> Sealed,
    ) -> io::Result<Advanced> {
        let rustls = self.rustls.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut taken = 0;
        loop {
            let UnbufferedStatus { mut discard, state } = rustls.process_tls_records(&mut incoming[taken..]);
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        unread.append(record.payload);
                        discard += record.discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(data)) => encode(data, &mut self.unsent)?,
                // It is put in its order, and leaves in it.
                Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                Ok(ConnectionState::PeerClosed) => self.is_ended = true,
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    let sealed = seal(traffic).map_err(io::Error::other)?;
                    return Ok(Advanced { taken: taken + discard, sealed: Some(sealed) });
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
                    return Ok(Advanced { taken: taken + discard, sealed: None });
                }
                Ok(_) => return Err(io::Error::other("early data, which is not offered")),
                Err(error) => {
                    alert(rustls, &mut self.unsent);
                    return Err(invalid(error));
                }
            }
            taken += discard;
        }
    }
}

/// Takes the alert that says what was wrong: while there is something to be sent, rustls looks at nothing else.
fn alert(rustls: &mut UnbufferedServerConnection, unsent: &mut Unsent) {
    while rustls.wants_write() {
        let Ok(ConnectionState::EncodeTlsData(alert)) = rustls.process_tls_records(&mut []).state else { break };
        if encode(alert, unsent).is_err() {
            break;
        }
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, unsent: &mut Unsent) -> io::Result<()> {
    // It says how much it needs where there is nothing.
    let needed = match data.encode(&mut []) {
        Err(EncodeError::InsufficientSize(size)) => size.required_size,
        encoded => return encoded.map(|_| ()).map_err(io::Error::other),
    };
    data.encode(unsent.more(needed)).map(|_| ()).map_err(io::Error::other)
}

fn invalid(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
