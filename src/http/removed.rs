//! Proxies that take away what a WebSocket's handshake needs: `Upgrade`, `Connection` or `Sec-WebSocket-Protocol`.
//!
//! A browser hides the refusal from its page, and the plain GET with which a page asks what is wrong has none of these
//! headers anyway. So it is remembered for a while by whom a handshake came that had lost them.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tracing::warn;

use crate::token_bucket::{AddressBuckets, TokenRate};

/// A minute: a page asks at once.
const MEMORY: TokenRate = TokenRate { per_second: 1.0 / 60.0, burst: 1.0 };

/// What has been seen of such proxies.
#[derive(Debug)]
pub(super) struct Removals {
    seen: Mutex<AddressBuckets>,
    /// Whether the operator has been told: once, because clients could send such handshakes themselves.
    is_told: AtomicBool,
}

impl Removals {
    pub(super) fn new(now: Instant) -> Self {
        Self { seen: Mutex::new(AddressBuckets::new(MEMORY, now)), is_told: AtomicBool::new(false) }
    }

    /// A handshake of this client's has lost something, or seems to.
    pub(super) fn note(&self, client: IpAddr, now: Instant) {
        self.seen.lock().spend(client, now);
    }

    /// It is sure: something was lost.
    pub(super) fn tell(&self) {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            warn!(
                "a proxy before this server takes away what a WebSocket needs, so pages behind it can't connect: have it pass \
                 on Upgrade, Connection and Sec-WebSocket-Protocol (in nginx: proxy_http_version 1.1, proxy_set_header \
                 Upgrade $http_upgrade, proxy_set_header Connection upgrade)"
            );
        }
    }

    /// Whether that was just now.
    pub(super) fn are_recent(&self, client: IpAddr, now: Instant) -> bool {
        !self.seen.lock().wait(client, now).is_zero()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_taken_away_is_known_of_its_client_for_a_minute() {
        let begin = Instant::now();
        let removals = Removals::new(begin);
        let [client, other] = [[192, 0, 2, 1], [192, 0, 2, 2]].map(IpAddr::from);
        assert!(!removals.are_recent(client, begin));
        removals.note(client, begin);
        removals.note(client, begin);
        assert!(removals.are_recent(client, begin + Duration::from_secs(59)));
        assert!(!removals.are_recent(other, begin));
        assert!(!removals.are_recent(client, begin + Duration::from_secs(61)));
    }
}
