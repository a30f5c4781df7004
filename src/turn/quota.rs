//! How many allocations there may be, how much one may carry, and how often an address is answered that it needs
//! credentials. Counting.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};

use crate::ice::credential::peer;
use crate::net::network;
use crate::token_bucket::TokenRate;

/// What is allowed. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct TurnLimits {
    /// Allocations in all.
    pub allocations: Option<NonZeroUsize>,
    /// Allocations of one peer, whichever of its credentials it uses. Credentials that name no peer have no such limit:
    /// they are one user to us, and many outside.
    pub allocations_per_user: Option<NonZeroUsize>,
    /// Allocations from one address (IPv6: from one /64).
    pub allocations_per_address: Option<NonZeroUsize>,
    /// Bytes per second that one allocation may carry, each way.
    pub bytes_per_second: Option<NonZeroUsize>,
    /// Answers per second to one address (IPv6: one /64) that it isn't authorized.
    pub refusals_per_second: NonZeroUsize,
    /// Answers per second to one address (IPv6: one /64) to its STUN Bindings.
    pub bindings_per_second: NonZeroUsize,
}

/// A second's worth of so many may come at once.
#[expect(clippy::cast_precision_loss, reason = "a rate")]
pub(super) fn even(per_second: NonZeroUsize) -> TokenRate {
    TokenRate::even(per_second.get() as f64)
}

/// Who has allocations. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct Quota(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limits: TurnLimits,
    all: AtomicUsize,
    /// Invariant: a key is here exactly while it has allocations (`a_peer_without_allocations_is_forgotten`).
    by_peer: DashMap<Box<str>, usize>,
    by_network: DashMap<IpAddr, usize>,
}

/// The right to an allocation, given back when it is dropped.
#[derive(Debug)]
pub(super) struct AllocationPermit {
    counts: Arc<Counts>,
    peer: Option<Box<str>>,
    network: IpAddr,
}

impl Quota {
    pub(super) fn new(limits: TurnLimits) -> Self {
        let (by_peer, by_network) = (DashMap::new(), DashMap::new());
        Self(Arc::new(Counts { limits, all: AtomicUsize::new(0), by_peer, by_network }))
    }

    /// A permit for one more allocation of a client with this user name, or `None` where that would be one too many.
    pub(super) fn take(&self, username: &str, address: IpAddr) -> Option<AllocationPermit> {
        let (counts, limits) = (&self.0, &self.0.limits);
        // Counted first and looked at then: the drop of a permit that is one too many gives it back.
        let all = counts.all.fetch_add(1, Ordering::Relaxed);
        let permit = AllocationPermit {
            counts: Arc::clone(counts),
            peer: peer(username).map(Into::into),
            network: network(address),
        };
        let of_peer = permit.peer.as_ref().map_or(0, |peer| add_one(&counts.by_peer, peer.clone()));
        let of_network = add_one(&counts.by_network, permit.network);
        let fits = |before: usize, limit: Option<NonZeroUsize>| limit.is_none_or(|limit| before < limit.get());
        let all_fit = fits(all, limits.allocations)
            && (permit.peer.is_none() || fits(of_peer, limits.allocations_per_user))
            && fits(of_network, limits.allocations_per_address);
        all_fit.then_some(permit)
    }

    /// How many allocations there are.
    pub(super) fn allocations(&self) -> usize {
        self.0.all.load(Ordering::Relaxed)
    }
}

impl Drop for AllocationPermit {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        if let Some(peer) = self.peer.take() {
            subtract_one(&self.counts.by_peer, peer);
        }
        subtract_one(&self.counts.by_network, self.network);
    }
}

/// The count before.
fn add_one<K: Eq + std::hash::Hash>(counts: &DashMap<K, usize>, key: K) -> usize {
    let mut count = counts.entry(key).or_insert(0);
    *count += 1;
    *count - 1
}

fn subtract_one<K: Eq + std::hash::Hash>(counts: &DashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(all: usize, user: usize, address: usize) -> Quota {
        Quota::new(TurnLimits {
            allocations: NonZeroUsize::new(all),
            allocations_per_user: NonZeroUsize::new(user),
            allocations_per_address: NonZeroUsize::new(address),
            bytes_per_second: None,
            refusals_per_second: NonZeroUsize::MIN,
            bindings_per_second: NonZeroUsize::MIN,
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn allocations_are_bounded_in_all_per_peer_and_per_address() {
        let all = quota(1, 0, 0);
        let permit = all.take("1:alice", address("192.0.2.1"));
        assert!(permit.is_some() && all.take("1:bob", address("192.0.2.2")).is_none());
        drop(permit);
        assert!(all.take("1:bob", address("192.0.2.2")).is_some());

        let peer = quota(0, 1, 0);
        let _permit = peer.take("1:alice", address("192.0.2.1")).unwrap();
        assert!(peer.take("1:alice", address("192.0.2.2")).is_none());
        assert!(peer.take("1:bob", address("192.0.2.1")).is_some());

        let network = quota(0, 0, 1);
        let _permit = network.take("1:alice", address("2001:db8::1")).unwrap();
        assert!(network.take("1:bob", address("2001:db8::2")).is_none());
        assert!(network.take("1:bob", address("2001:db8:0:1::2")).is_some());
    }

    #[test]
    fn a_peer_is_one_whatever_the_expiry_of_its_credentials() {
        let peer = quota(0, 2, 0);
        let _permits = [1, 2].map(|expiry| peer.take(&format!("{expiry}:alice"), address("192.0.2.1")).unwrap());
        assert!(peer.take("3:alice", address("192.0.2.2")).is_none());
    }

    #[test]
    fn credentials_that_name_no_peer_are_bounded_by_address_and_in_all() {
        let both = quota(3, 1, 2);
        let _permits = [1, 2].map(|expiry| both.take(&format!("{expiry}:"), address("192.0.2.1")).unwrap());
        assert!(both.take("3:", address("192.0.2.1")).is_none());
        let _other = both.take("3:", address("192.0.2.2")).unwrap();
        assert!(both.take("3:", address("192.0.2.3")).is_none());
    }

    #[test]
    fn a_peer_without_allocations_is_forgotten() {
        let quota = quota(1, 1, 1);
        let permit = quota.take("1:alice", address("192.0.2.1"));
        assert!(quota.take("1:bob", address("192.0.2.2")).is_none());
        assert_eq!((quota.0.by_peer.len(), quota.0.by_network.len(), quota.allocations()), (1, 1, 1));
        drop(permit);
        assert_eq!((quota.0.by_peer.len(), quota.0.by_network.len(), quota.allocations()), (0, 0, 0));
    }
}
