//! How many there may be, in all and from one address, and how fast they may come. Counting, no IO; time is an argument.
//!
//! Counted are connections until they are answered for the first time ([`accept`](crate::accept)), and WebSockets and
//! sessions over long polling ([`http`](crate::http)).

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::{DashMap, Entry};
use parking_lot::{Mutex, MutexGuard};

use crate::net::network;
use crate::token_bucket::{AddressBuckets, TokenRate};

/// What is admitted. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// In all.
    pub all: Option<NonZeroUsize>,
    /// From one address (IPv6: from one /64, which is what one customer has).
    pub per_address: Option<NonZeroUsize>,
    /// Newcomers from one address.
    pub newcomers: Option<TokenRate>,
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
    /// How many have come lately.
    newcomers: Option<Mutex<AddressBuckets>>,
}

/// Why a connection was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overload {
    /// Too many from this address.
    Address,
    /// Too many from this address in a short time: there is room for one more after this time.
    Rate(Duration),
    /// Too many in all.
    All,
}

/// The right to be one of the admitted, given back when it is dropped, or before.
#[derive(Debug)]
pub(crate) struct Permit {
    counts: Arc<Counts>,
    network: IpAddr,
    /// Whether the limits had a say.
    is_regular: bool,
    is_given_back: AtomicBool,
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits, now: Instant) -> Self {
        let newcomers = limits.newcomers.map(|rate| Mutex::new(AddressBuckets::new(rate, now)));
        Self(Arc::new(Counts { limits, all: AtomicUsize::new(0), by_address: DashMap::new(), newcomers }))
    }

    /// A permit for an address that speaks for many, such as a reverse proxy's: it is bounded in all alone.
    pub(crate) fn enter_for_many(&self, address: IpAddr) -> Result<Permit, Overload> {
        let (permit, others) = self.take(address);
        if is_over(others.all, self.0.limits.all) { Err(Overload::All) } else { Ok(permit) }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.all.load(Ordering::Relaxed)
    }

    /// A permit within the limits.
    pub(crate) fn enter(&self, address: IpAddr, now: Instant) -> Result<Permit, Overload> {
        // Taken first and looked at then: the drop of a permit that is one too many gives it back.
        let (permit, others) = self.take(address);
        let mut newcomers = self.0.newcomers();
        self.0.look(address, &others, newcomers.as_deref_mut(), now)?;
        if let Some(newcomers) = &mut newcomers {
            newcomers.spend(address, now);
        }
        Ok(permit)
    }

    /// A permit whatever the limits say: for a client that takes up a session, and so gives back that session's permit.
    pub(crate) fn enter_regardless(&self, address: IpAddr) -> Permit {
        let (mut permit, _) = self.take(address);
        permit.is_regular = false;
        permit
    }

    /// Whether [`enter`](Self::enter) would succeed now. Takes nothing.
    pub(crate) fn check(&self, address: IpAddr, now: Instant) -> Result<(), Overload> {
        let from_address = self.0.by_address.get(&network(address)).map_or(0, |count| *count);
        let others = Others { all: self.0.all.load(Ordering::Relaxed), from_address };
        self.0.look(address, &others, self.0.newcomers().as_deref_mut(), now)
    }

    fn take(&self, address: IpAddr) -> (Permit, Others) {
        let network = network(address);
        let from_address = {
            let mut count = self.0.by_address.entry(network).or_insert(0);
            *count += 1;
            *count - 1
        };
        let all = self.0.all.fetch_add(1, Ordering::Relaxed);
        let permit =
            Permit { counts: Arc::clone(&self.0), network, is_regular: true, is_given_back: AtomicBool::new(false) };
        (permit, Others { all, from_address })
    }
}

/// The permits besides the one in question.
struct Others {
    all: usize,
    from_address: usize,
}

impl Counts {
    /// Whether there is room for one more.
    fn look(
        &self,
        address: IpAddr,
        others: &Others,
        newcomers: Option<&mut AddressBuckets>,
        now: Instant,
    ) -> Result<(), Overload> {
        let wait = newcomers.map_or(Duration::ZERO, |newcomers| newcomers.wait(address, now));
        if is_over(others.from_address, self.limits.per_address) {
            Err(Overload::Address)
        } else if !wait.is_zero() {
            Err(Overload::Rate(wait))
        } else if is_over(others.all, self.limits.all) {
            Err(Overload::All)
        } else {
            Ok(())
        }
    }

    fn newcomers(&self) -> Option<MutexGuard<'_, AddressBuckets>> {
        self.newcomers.as_ref().map(Mutex::lock)
    }
}

impl Permit {
    /// A permit that the limits had a say in: for a client that took one regardless of them, and then resumed no session.
    pub(crate) fn into_regular(self, now: Instant) -> Result<Self, Overload> {
        if self.is_regular {
            return Ok(self);
        }
        let (admission, network) = (Admission(Arc::clone(&self.counts)), self.network);
        drop(self);
        admission.enter(network, now)
    }
}

impl Permit {
    /// Gives it back while its holder goes on without one.
    pub(crate) fn give_back(&self) {
        if self.is_given_back.swap(true, Ordering::Relaxed) {
            return;
        }
        self.counts.all.fetch_sub(1, Ordering::Relaxed);
        if let Entry::Occupied(mut entry) = self.counts.by_address.entry(self.network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn is_over(count: usize, limit: Option<NonZeroUsize>) -> bool {
    limit.is_some_and(|limit| count >= limit.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, per_address: usize) -> Admission {
        Admission::new(
            AdmissionLimits {
                all: NonZeroUsize::new(connections),
                per_address: NonZeroUsize::new(per_address),
                newcomers: None,
            },
            Instant::now(),
        )
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    impl Admission {
        fn enter_now(&self, text: &str) -> Result<Permit, Overload> {
            self.enter(address(text), Instant::now())
        }
    }

    #[test]
    fn a_permit_is_free_again_once_it_is_given_back() {
        let admission = admission(2, 0);
        let first = admission.enter_now("192.0.2.1").unwrap();
        let _second = admission.enter_now("192.0.2.1").unwrap();
        assert_eq!(admission.enter_now("192.0.2.2").unwrap_err(), Overload::All);
        assert_eq!(admission.check(address("192.0.2.2"), Instant::now()), Err(Overload::All));
        drop(first);
        assert!(admission.check(address("192.0.2.2"), Instant::now()).is_ok());
        assert!(admission.enter_now("192.0.2.2").is_ok());
    }

    #[test]
    fn an_address_has_its_own_limit_and_an_ipv6_customer_is_one_address() {
        let admission = admission(0, 1);
        let _one = admission.enter_now("2001:db8::1").unwrap();
        assert_eq!(admission.enter_now("2001:db8::2").unwrap_err(), Overload::Address);
        let _other = admission.enter_now("2001:db8:0:1::1").unwrap();
        let _mapped = admission.enter_now("::ffff:192.0.2.1").unwrap();
        assert_eq!(admission.enter_now("192.0.2.1").unwrap_err(), Overload::Address);
    }

    #[test]
    fn an_address_that_speaks_for_many_is_bounded_in_all_alone() {
        let admission = admission(3, 1);
        let proxy = address("192.0.2.1");
        let _permits = [(); 2].map(|()| admission.enter_for_many(proxy).unwrap());
        let _other = admission.enter_now("192.0.2.2").unwrap();
        assert_eq!(admission.enter_for_many(proxy).unwrap_err(), Overload::All);
        assert_eq!(admission.count(), 3);
    }

    #[test]
    fn an_address_without_connections_is_forgotten() {
        let admission = admission(1, 1);
        let permit = admission.enter_now("192.0.2.1").unwrap();
        assert_eq!(admission.enter_now("192.0.2.2").unwrap_err(), Overload::All);
        assert_eq!(admission.0.by_address.len(), 1);
        drop(permit);
        assert_eq!((admission.0.by_address.len(), admission.0.all.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn zero_is_no_limit() {
        let admission = admission(0, 0);
        let permits: Vec<_> = (0..1000).map(|_| admission.enter_now("192.0.2.1").unwrap()).collect();
        assert_eq!(admission.0.all.load(Ordering::Relaxed), permits.len());
    }

    #[test]
    fn who_takes_up_a_session_meets_no_limit_and_is_counted() {
        let admission = admission(1, 1);
        let old = admission.enter_now("192.0.2.1").unwrap();
        let new = admission.enter_regardless(address("192.0.2.1"));
        drop(old);
        assert_eq!(admission.enter_now("192.0.2.1").unwrap_err(), Overload::Address);
        drop(new);
        assert!(admission.enter_now("192.0.2.1").is_ok());
    }

    fn slowly(connections: usize, start: Instant) -> Admission {
        let newcomers = Some(TokenRate { per_second: 0.5, burst: 2.0 });
        Admission::new(AdmissionLimits { all: NonZeroUsize::new(connections), per_address: None, newcomers }, start)
    }

    #[test]
    fn newcomers_from_one_address_come_in_a_burst_and_then_at_their_rate() {
        let start = Instant::now();
        let admission = slowly(0, start);
        let enter = |at: &str, seconds| admission.enter(address(at), start + Duration::from_secs(seconds)).map(drop);
        assert_eq!((enter("2001:db8::1", 0), enter("2001:db8::2", 0)), (Ok(()), Ok(())));
        assert_eq!(enter("2001:db8::3", 0), Err(Overload::Rate(Duration::from_secs(2))));
        assert_eq!(enter("2001:db8:0:1::1", 0), Ok(()), "another customer");
        assert_eq!(enter("2001:db8::1", 1), Err(Overload::Rate(Duration::from_secs(1))));
        assert_eq!((enter("2001:db8::1", 2), enter("2001:db8::1", 2).is_err()), (Ok(()), true));
    }

    #[test]
    fn who_only_asks_or_is_refused_or_takes_up_a_session_is_no_newcomer() {
        let start = Instant::now();
        let admission = slowly(1, start);
        let address = address("192.0.2.1");
        let permit = admission.enter(address, start).unwrap();
        for _ in 0..10 {
            assert_eq!(admission.check(address, start), Err(Overload::All));
            assert_eq!(admission.enter(address, start).unwrap_err(), Overload::All);
            drop(admission.enter_regardless(address));
        }
        drop(permit);
        assert!(admission.enter(address, start).is_ok());
    }

    #[test]
    fn who_came_to_take_up_a_session_and_does_not_is_subject_to_the_limits() {
        for (all, per_address, overload) in [(1, 0, Overload::All), (0, 1, Overload::Address)] {
            let admission = admission(all, per_address);
            let first = admission.enter_now("192.0.2.1").unwrap();
            let late = admission.enter_regardless(address("192.0.2.1"));
            assert_eq!(late.into_regular(Instant::now()).unwrap_err(), overload);
            let late = admission.enter_regardless(address("192.0.2.1"));
            let first = first.into_regular(Instant::now()).unwrap();
            drop(first);
            let late = late.into_regular(Instant::now()).unwrap();
            assert_eq!(admission.enter_now("192.0.2.1").unwrap_err(), overload);
            drop(late);
            assert!(admission.check(address("192.0.2.1"), Instant::now()).is_ok());
        }
    }
}
