//! Certificates that come by themselves, from an authority that speaks ACME (RFC 8555).
//!
//! `Keeper` holds what is served and sees to it that it never ends: when to ask is `schedule`, what outlives the
//! process `store`, one certificate's way `order`, how the authority reaches us `proof`, and how we reach it
//! `authority`. Until the first one is there, the page is served with one of our own, in memory.

mod authority;
mod keeper;
mod name;
mod order;
mod proof;
mod schedule;
mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use instant_acme::LetsEncrypt;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use tracing::debug;

pub(crate) use keeper::Keeper;
pub use name::Name;

use crate::error::StartError;
use authority::Authority;

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = LetsEncrypt::Production.url();

/// For whom certificates are, and from whom.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For which names, all of them in one certificate.
    pub names: Vec<Name>,
    /// Whether the operator has agreed to the authority's terms.
    pub is_agreed: bool,
    /// Where the authority's directory is.
    pub directory: String,
    /// How the authority may reach the operator: a URL such as `mailto:a@example.org`.
    pub contact: Option<String>,
    /// Whose certificates the authority's own has to be of. None: those that the system knows.
    pub roots: Option<Vec<CertificateDer<'static>>>,
    /// An account that the authority knows from elsewhere: its id and its key.
    pub external: Option<(String, Vec<u8>)>,
    /// Where what outlives the process is.
    pub state: PathBuf,
    /// Where the proof is over HTTP. None: it is in TLS's handshake, on the page's own port.
    pub http_listen: Option<SocketAddr>,
    /// The shortest time between two questions for when to renew.
    pub question: Duration,
}

/// See [`Settings::question`].
pub const QUESTION: Duration = Duration::from_hours(1);

impl Settings {
    /// Asks the authority where its terms stand, unless the operator has agreed to them.
    ///
    /// # Errors
    ///
    /// [`StartError::Terms`] unless they are agreed to.
    pub async fn agreed(&self) -> Result<(), StartError> {
        if self.is_agreed {
            return Ok(());
        }
        let asked = self.authority().terms(&self.directory).await;
        let asked = asked.inspect_err(|error| debug!(%error, "the authority was not reached"));
        let terms = asked.ok().flatten();
        Err(StartError::Terms { place: terms.unwrap_or_else(|| format!("named in {}", self.directory)) })
    }

    fn authority(&self) -> Authority {
        let mut roots = RootCertStore::empty();
        let _ = match &self.roots {
            Some(own) => roots.add_parsable_certificates(own.iter().cloned()),
            None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        Authority::new(roots)
    }

    /// The names, for people.
    fn named(&self) -> String {
        let names: Vec<String> = self.names.iter().map(Name::to_string).collect();
        names.join(", ")
    }
}

/// Where what outlives the process is, unless the operator says: where systemd has it (`StateDirectory=`), or beside the
/// certificate for development.
#[must_use]
pub fn state_directory() -> PathBuf {
    let given = std::env::var_os("STATE_DIRECTORY").filter(|given| !given.is_empty());
    // Of several, the first: they are separated as in PATH (systemd.exec(5)).
    let first = given.and_then(|given| std::env::split_paths(&given).next());
    first.unwrap_or_else(|| Path::new("certs").to_owned())
}
