//! HSTS (RFC 6797): browsers that have seen the page over TLS come back over TLS alone, whatever a link says.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Uri};

use crate::tls::ServedPair;

/// Whether and for how long browsers are told.
#[derive(Clone, Debug)]
pub(crate) struct Hsts {
    header: HeaderValue,
    pair: Arc<ServedPair>,
}

impl Hsts {
    /// None where there is nothing to say: for no time, or where a proxy ends TLS, which then has to say it.
    pub(crate) fn new(time: Duration, pair: Option<Arc<ServedPair>>) -> Option<Self> {
        let header = HeaderValue::try_from(format!("max-age={}", time.as_secs())).expect("digits");
        pair.filter(|_| !time.is_zero()).map(|pair| Self { header, pair })
    }

    /// What an answer says that was asked for under this host. Nothing with a certificate for which no authority vouches: its
    /// visitors could not come back once it is gone. Nothing on a port of its own either, or on this machine: browsers
    /// take it for all ports of the host, and those are of others.
    pub(super) fn header(&self, host: &str) -> Option<HeaderValue> {
        let is_host_s_own = host.parse::<Uri>().is_ok_and(|uri| uri.port().is_none());
        let is_this_machine = host == "localhost" || host.ends_with(".localhost");
        (is_host_s_own && !is_this_machine && self.pair.is_vouched_for()).then(|| self.header.clone())
    }
}
