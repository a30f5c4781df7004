//! How many allocations there may be, how much one may carry, and how often a source is told that it needs
//! credentials. Counting; time is an argument.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use dashmap::{DashMap, Entry};

use crate::net::network;

/// What is allowed. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct TurnLimits {
    /// Allocations in all.
    pub allocations: Option<NonZeroUsize>,
    /// Allocations of one user.
    pub allocations_per_user: Option<NonZeroUsize>,
    /// Allocations from one address (IPv6: from one /64).
    pub allocations_per_address: Option<NonZeroUsize>,
    /// Bytes per second that one allocation may carry, each way.
    pub bytes_per_second: Option<NonZeroUsize>,
    /// Answers per second to one address (IPv6: one /64) that it isn't authorized.
    pub refusals_per_second: NonZeroUsize,
}

/// Who has allocations. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(super) struct Quota(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limits: TurnLimits,
    all: AtomicUsize,
    /// Invariant: a key is here exactly while it has allocations (`a_user_without_allocations_is_forgotten`).
    by_user: DashMap<Box<str>, usize>,
    by_network: DashMap<IpAddr, usize>,
}

/// A share of the quota, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    counts: Arc<Counts>,
    user: Box<str>,
    network: IpAddr,
}

impl Quota {
    pub(super) fn new(limits: TurnLimits) -> Self {
        let (by_user, by_network) = (DashMap::new(), DashMap::new());
        Self(Arc::new(Counts { limits, all: AtomicUsize::new(0), by_user, by_network }))
    }

    /// A share for one more allocation, or `None` where that would be one too many.
    pub(super) fn take(&self, user: &str, address: IpAddr) -> Option<Share> {
        let (counts, limits) = (&self.0, &self.0.limits);
        // Counted first and looked at then: the drop of a share that is one too many gives it back.
        let all = counts.all.fetch_add(1, Ordering::Relaxed);
        let share = Share { counts: Arc::clone(counts), user: user.into(), network: network(address) };
        let of_user = add_one(&counts.by_user, share.user.clone());
        let of_network = add_one(&counts.by_network, share.network);
        let fits = |before: usize, limit: Option<NonZeroUsize>| limit.is_none_or(|limit| before < limit.get());
        let all_fit = fits(all, limits.allocations)
            && fits(of_user, limits.allocations_per_user)
            && fits(of_network, limits.allocations_per_address);
        all_fit.then_some(share)
    }

    /// How many allocations there are.
    pub(super) fn allocations(&self) -> usize {
        self.0.all.load(Ordering::Relaxed)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        subtract_one(&self.counts.by_user, self.user.clone());
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

/// A token bucket in bytes, or in answers, that holds one second's worth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    available: f64,
    updated: Instant,
}

impl Meter {
    /// Full.
    pub(super) fn new(per_second: f64, now: Instant) -> Self {
        Self { available: per_second, updated: now }
    }

    /// Spends `amount` if there is as much.
    #[expect(clippy::cast_precision_loss, reason = "a datagram's length, or one")]
    pub(super) fn spend(&mut self, amount: usize, per_second: f64, now: Instant) -> bool {
        let amount = amount as f64;
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.available = (self.available + elapsed * per_second).min(per_second);
        self.updated = now;
        let enough = self.available >= amount;
        if enough {
            self.available -= amount;
        }
        enough
    }
}

/// Counts refusals by source in a table of fixed size: spoofed sources share its places, and cannot make it grow.
#[derive(Debug)]
pub(super) struct Refusals {
    places: Box<[Meter]>,
    per_second: f64,
    // Keyed, so that nobody can choose addresses that share somebody's place.
    hasher: RandomState,
}

impl Refusals {
    /// 4,096 places of 24 bytes: about 100 KB for each listening socket.
    const PLACES: usize = 4096;

    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    pub(super) fn new(per_second: NonZeroUsize, now: Instant) -> Self {
        let per_second = per_second.get() as f64;
        let places = vec![Meter::new(per_second, now); Self::PLACES].into_boxed_slice();
        Self { places, per_second, hasher: RandomState::new() }
    }

    /// Whether one more refusal may be sent to this address.
    pub(super) fn allow(&mut self, address: IpAddr, now: Instant) -> bool {
        let hash = self.hasher.hash_one(network(address));
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as the high ones")]
        let place = hash as usize % Self::PLACES;
        self.places[place].spend(1, self.per_second, now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quota(all: usize, user: usize, address: usize) -> Quota {
        Quota::new(TurnLimits {
            allocations: NonZeroUsize::new(all),
            allocations_per_user: NonZeroUsize::new(user),
            allocations_per_address: NonZeroUsize::new(address),
            bytes_per_second: None,
            refusals_per_second: NonZeroUsize::MIN,
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn allocations_are_bounded_in_all_per_user_and_per_address() {
        let all = quota(1, 0, 0);
        let share = all.take("alice", address("192.0.2.1"));
        assert!(share.is_some() && all.take("bob", address("192.0.2.2")).is_none());
        drop(share);
        assert!(all.take("bob", address("192.0.2.2")).is_some());

        let user = quota(0, 1, 0);
        let _share = user.take("alice", address("192.0.2.1")).unwrap();
        assert!(user.take("alice", address("192.0.2.2")).is_none() && user.take("bob", address("192.0.2.1")).is_some());

        let network = quota(0, 0, 1);
        let _share = network.take("alice", address("2001:db8::1")).unwrap();
        assert!(network.take("bob", address("2001:db8::2")).is_none());
        assert!(network.take("bob", address("2001:db8:0:1::2")).is_some());
    }

    #[test]
    fn a_user_without_allocations_is_forgotten() {
        let quota = quota(1, 1, 1);
        let share = quota.take("alice", address("192.0.2.1"));
        assert!(quota.take("bob", address("192.0.2.2")).is_none());
        assert_eq!((quota.0.by_user.len(), quota.0.by_network.len(), quota.allocations()), (1, 1, 1));
        drop(share);
        assert_eq!((quota.0.by_user.len(), quota.0.by_network.len(), quota.allocations()), (0, 0, 0));
    }

    #[test]
    fn refusals_to_one_source_are_bounded_and_others_do_not_suffer() {
        let start = Instant::now();
        let mut refusals = Refusals::new(NonZeroUsize::new(10).unwrap(), start);
        let allowed =
            |refusals: &mut Refusals, ip: &str, now| (0..50).filter(|_| refusals.allow(address(ip), now)).count();
        assert_eq!(allowed(&mut refusals, "192.0.2.1", start), 10);
        assert_eq!(allowed(&mut refusals, "192.0.2.1", start + Duration::from_millis(500)), 5);
        assert_eq!(allowed(&mut refusals, "192.0.2.2", start), 10);
    }
}
