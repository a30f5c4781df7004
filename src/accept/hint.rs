//! What the operator should know of proxies and the PROXY protocol that do not fit each other, each once: strangers can
//! bring it about too.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use tracing::warn;

use crate::net;

/// What has been said.
#[derive(Debug, Default)]
pub(super) struct Hints {
    missing: AtomicBool,
    unread: AtomicBool,
}

impl Hints {
    /// A trusted proxy did not say whose a connection is.
    pub(super) fn missing(&self, proxy: IpAddr) {
        if is_first(&self.missing) {
            warn!(
                "--proxy-protocol: a connection from the trusted proxy {proxy} has no PROXY header, and is refused: turn \
                 it on there (send-proxy-v2, proxy_protocol on) or leave out --proxy-protocol"
            );
        }
    }

    /// A header came from an address that is not to send one.
    pub(super) fn unread(&self, peer: IpAddr) {
        // A stranger's address is not for the log; that of a proxy on the operator's own network is what she needs.
        let address = if net::is_private(peer) { peer.to_string() } else { "with its address".to_owned() };
        if is_first(&self.unread) {
            warn!(
                "a connection began with a PROXY header, which is not read; if a proxy of yours sent it, give \
                 --proxy-protocol --trusted-proxy {address}"
            );
        }
    }
}

fn is_first(told: &AtomicBool) -> bool {
    !told.swap(true, Relaxed)
}
