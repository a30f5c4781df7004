//! A server that runs: which, and where.

use tokio_rustls::TlsConnector;

use crate::rival::Rival;

/// A server that runs.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) rival: &'static dyn Rival,
    pub(crate) port: u16,
    pub(crate) connector: TlsConnector,
}
