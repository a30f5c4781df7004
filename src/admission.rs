//! How many there may be, in all and from one address. Counting, no IO.
//!
//! Counted are connections until they are answered for the first time ([`accept`](crate::accept)), WebSockets, and
//! sessions that have lost theirs ([`http`](crate::http)).

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};

use crate::net::network;

/// What is admitted. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// In all.
    pub all: Option<NonZeroUsize>,
    /// From one address (IPv6: from one /64, which is what one customer has).
    pub per_address: Option<NonZeroUsize>,
}

/// Who is admitted at the moment. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct Admission(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    limits: AdmissionLimits,
    all: AtomicUsize,
    /// Invariant: an address is here exactly while it has connections (`an_address_without_connections_is_forgotten`).
    by_address: DashMap<IpAddr, usize>,
}

/// Why somebody was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overload {
    /// Too many from this address.
    Address,
    /// Too many in all.
    All,
}

/// A place among the admitted, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    counts: Arc<Counts>,
    network: IpAddr,
    /// Whether the limits had a say.
    is_regular: bool,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self(Arc::new(Counts { limits, all: AtomicUsize::new(0), by_address: DashMap::new() }))
    }

    /// Takes a place.
    pub(crate) fn enter(&self, address: IpAddr) -> Result<Slot, Overload> {
        self.enter_within(self.0.limits.per_address, address)
    }

    /// Takes a place for an address that speaks for many, such as a reverse proxy's: it is bounded in all alone.
    pub(crate) fn enter_for_many(&self, address: IpAddr) -> Result<Slot, Overload> {
        self.enter_within(None, address)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.all.load(Ordering::Relaxed)
    }

    fn enter_within(&self, per_address: Option<NonZeroUsize>, address: IpAddr) -> Result<Slot, Overload> {
        let network = network(address);
        let mut count = self.0.by_address.entry(network).or_insert(0);
        let slot = if is_over(*count, per_address) {
            Err(Overload::Address)
        } else if self.0.take_one() {
            *count += 1;
            Ok(Slot { counts: Arc::clone(&self.0), network, is_regular: true })
        } else {
            Err(Overload::All)
        };
        let is_unused = *count == 0;
        drop(count);
        if is_unused {
            self.0.by_address.remove_if(&network, |_, count| *count == 0);
        }
        slot
    }

    /// Takes a place, whatever the limits say: for a connection that takes another's place.
    pub(crate) fn enter_regardless(&self, address: IpAddr) -> Slot {
        let network = network(address);
        *self.0.by_address.entry(network).or_insert(0) += 1;
        self.0.all.fetch_add(1, Ordering::Relaxed);
        Slot { counts: Arc::clone(&self.0), network, is_regular: false }
    }

    /// Whether [`enter`](Self::enter) would succeed now. Takes nothing.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), Overload> {
        let count = self.0.by_address.get(&network(address)).map_or(0, |count| *count);
        if is_over(count, self.0.limits.per_address) {
            Err(Overload::Address)
        } else if is_over(self.0.all.load(Ordering::Relaxed), self.0.limits.all) {
            Err(Overload::All)
        } else {
            Ok(())
        }
    }
}

impl Slot {
    /// A place that the limits had a say in: for who took one regardless of them, and then did not take another's.
    pub(super) fn into_regular(self) -> Result<Self, Overload> {
        if self.is_regular {
            return Ok(self);
        }
        let (admission, network) = (Admission(Arc::clone(&self.counts)), self.network);
        drop(self);
        admission.enter(network)
    }
}

impl Counts {
    fn take_one(&self) -> bool {
        let one_more = |all| (!is_over(all, self.limits.all)).then_some(all + 1);
        self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut entry) = self.counts.by_address.entry(self.network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

fn is_over(count: usize, limit: Option<NonZeroUsize>) -> bool {
    limit.is_some_and(|limit| count >= limit.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, per_address: usize) -> Admission {
        Admission::new(AdmissionLimits {
            all: NonZeroUsize::new(connections),
            per_address: NonZeroUsize::new(per_address),
        })
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_is_free_again_once_it_is_given_back() {
        let admission = admission(2, 0);
        let first = admission.enter(address("192.0.2.1")).unwrap();
        let _second = admission.enter(address("192.0.2.1")).unwrap();
        assert_eq!(admission.enter(address("192.0.2.2")).unwrap_err(), Overload::All);
        assert_eq!(admission.check(address("192.0.2.2")), Err(Overload::All));
        drop(first);
        assert!(admission.check(address("192.0.2.2")).is_ok());
        assert!(admission.enter(address("192.0.2.2")).is_ok());
    }

    #[test]
    fn an_address_has_its_own_limit_and_an_ipv6_customer_is_one_address() {
        let admission = admission(0, 1);
        let _one = admission.enter(address("2001:db8::1")).unwrap();
        assert_eq!(admission.enter(address("2001:db8::2")).unwrap_err(), Overload::Address);
        let _other = admission.enter(address("2001:db8:0:1::1")).unwrap();
        let _mapped = admission.enter(address("::ffff:192.0.2.1")).unwrap();
        assert_eq!(admission.enter(address("192.0.2.1")).unwrap_err(), Overload::Address);
    }

    #[test]
    fn an_address_that_speaks_for_many_is_bounded_in_all_alone() {
        let admission = admission(3, 1);
        let proxy = address("192.0.2.1");
        let _slots = [(); 2].map(|()| admission.enter_for_many(proxy).unwrap());
        let _other = admission.enter(address("192.0.2.2")).unwrap();
        assert_eq!(admission.enter_for_many(proxy).unwrap_err(), Overload::All);
        assert_eq!(admission.count(), 3);
    }

    #[test]
    fn an_address_without_connections_is_forgotten() {
        let admission = admission(1, 1);
        let slot = admission.enter(address("192.0.2.1")).unwrap();
        assert_eq!(admission.enter(address("192.0.2.2")).unwrap_err(), Overload::All);
        assert_eq!(admission.0.by_address.len(), 1);
        drop(slot);
        assert_eq!(admission.0.by_address.len(), 0);
    }

    #[test]
    fn who_takes_anothers_place_is_counted_and_never_refused() {
        let admission = admission(1, 1);
        let old = admission.enter(address("192.0.2.1")).unwrap();
        let new = admission.enter_regardless(address("192.0.2.1"));
        drop(old);
        assert_eq!(admission.enter(address("192.0.2.1")).unwrap_err(), Overload::Address);
        drop(new);
        assert!(admission.enter(address("192.0.2.1")).is_ok());
    }

    #[test]
    fn zero_is_no_limit() {
        let admission = admission(0, 0);
        let slots: Vec<_> = (0..1000).map(|_| admission.enter(address("192.0.2.1")).unwrap()).collect();
        assert_eq!(admission.count(), slots.len());
    }

    #[test]
    fn who_came_to_take_anothers_place_and_does_not_is_subject_to_the_limits() {
        for (all, per_address, overload) in [(1, 0, Overload::All), (0, 1, Overload::Address)] {
            let admission = admission(all, per_address);
            let first = admission.enter(address("192.0.2.1")).unwrap();
            let late = admission.enter_regardless(address("192.0.2.1"));
            assert_eq!(late.into_regular().unwrap_err(), overload);
            let late = admission.enter_regardless(address("192.0.2.1"));
            let first = first.into_regular().unwrap();
            drop(first);
            let late = late.into_regular().unwrap();
            assert_eq!(admission.enter(address("192.0.2.1")).unwrap_err(), overload);
            drop(late);
            assert!(admission.check(address("192.0.2.1")).is_ok());
        }
    }
}
