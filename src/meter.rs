//! Rate limits: token buckets, and a table of them for addresses. Pure: time is an argument.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::net::network;

/// The capacity of a token bucket, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flow {
    /// Tokens that are added per second: the rate that may last.
    pub per_second: f64,
    /// The most tokens that the bucket holds, at least 1.
    pub burst: f64,
}

impl Flow {
    /// A rate whose burst is the tokens of one second.
    pub(crate) fn even(per_second: f64) -> Self {
        Self { per_second, burst: per_second }
    }
}

/// A token bucket. A token is a byte, an answer or a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meter {
    available: f64,
    updated: Instant,
}

impl Meter {
    /// A full bucket.
    pub(crate) fn new(flow: Flow, now: Instant) -> Self {
        Self { available: flow.burst, updated: now }
    }

    /// Spends `amount` if the bucket holds as much, and returns whether it did.
    pub(crate) fn spend(&mut self, amount: usize, flow: Flow, now: Instant) -> bool {
        let enough = self.wait(amount, flow, now).is_zero();
        if enough {
            #[expect(clippy::cast_precision_loss, reason = "a datagram's length, or one")]
            let amount = amount as f64;
            self.available -= amount;
        }
        enough
    }

    /// The time until the bucket holds `amount`. Spends nothing.
    pub(crate) fn wait(&mut self, amount: usize, flow: Flow, now: Instant) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "a datagram's length, or one")]
        let amount = amount as f64;
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.available = (self.available + elapsed * flow.per_second).min(flow.burst);
        self.updated = now;
        let missing = amount - self.available;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / flow.per_second).unwrap_or(Duration::MAX)
    }
}

/// A token bucket for each address (IPv6: for each /64) in a table of fixed size, which strangers cannot make grow: two
/// addresses may share a bucket. A full bucket has no history, so nothing has to be removed.
#[derive(Debug)]
pub(crate) struct Meters {
    buckets: Box<[Meter]>,
    flow: Flow,
    // Keyed, so that a stranger cannot choose addresses that share the bucket of another.
    hasher: RandomState,
}

impl Meters {
    /// 4,096 buckets of 24 bytes: about 100 KB for a table.
    const BUCKETS: usize = 4096;

    pub(crate) fn new(flow: Flow, now: Instant) -> Self {
        let buckets = vec![Meter::new(flow, now); Self::BUCKETS].into_boxed_slice();
        Self { buckets, flow, hasher: RandomState::new() }
    }

    /// Spends a token of this address, if its bucket holds one, and returns whether it did.
    pub(crate) fn spend(&mut self, address: IpAddr, now: Instant) -> bool {
        let flow = self.flow;
        self.of(address).spend(1, flow, now)
    }

    /// The time until this address's bucket holds a token. Spends nothing.
    pub(crate) fn wait(&mut self, address: IpAddr, now: Instant) -> Duration {
        let flow = self.flow;
        self.of(address).wait(1, flow, now)
    }

    fn of(&mut self, address: IpAddr) -> &mut Meter {
        let hash = self.hasher.hash_one(network(address));
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are as good as the high ones")]
        let index = hash as usize % Self::BUCKETS;
        &mut self.buckets[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let flow = Flow { per_second: 2.0, burst: 5.0 };
        let mut meter = Meter::new(flow, start);
        let passed = |meter: &mut Meter, now| (0..20).filter(|_| meter.spend(1, flow, now)).count();
        assert_eq!(passed(&mut meter, start), 5);
        assert_eq!(passed(&mut meter, start + Duration::from_millis(1500)), 3);
        assert_eq!(passed(&mut meter, start + Duration::from_mins(1)), 5);
    }

    #[test]
    fn a_wait_is_until_there_is_enough_and_spends_nothing() {
        let start = Instant::now();
        let flow = Flow { per_second: 0.5, burst: 1.0 };
        let mut meter = Meter::new(flow, start);
        assert_eq!(meter.wait(1, flow, start), Duration::ZERO);
        assert!(meter.spend(1, flow, start));
        assert_eq!(meter.wait(1, flow, start), Duration::from_secs(2));
        let never = Flow { per_second: 0.0, burst: 1.0 };
        assert_eq!(meter.wait(1, never, start), Duration::MAX);
        assert!(meter.spend(1, flow, start + Duration::from_secs(2)));
    }

    #[test]
    fn each_address_has_a_bucket_and_an_ipv6_network_of_64_bits_is_one_address() {
        let start = Instant::now();
        let mut meters = Meters::new(Flow::even(10.0), start);
        let allowed = |meters: &mut Meters, ip: &str, now| (0..50).filter(|_| meters.spend(address(ip), now)).count();
        assert_eq!(allowed(&mut meters, "192.0.2.1", start), 10);
        assert_eq!(allowed(&mut meters, "192.0.2.1", start + Duration::from_millis(500)), 5);
        assert_eq!(allowed(&mut meters, "192.0.2.2", start), 10);
        assert_eq!(allowed(&mut meters, "2001:db8::1", start), 10);
        assert_eq!(allowed(&mut meters, "2001:db8::2", start), 0);
    }
}
