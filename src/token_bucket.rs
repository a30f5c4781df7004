//! Rate limits: token buckets, and a table of them for addresses. Pure: time is an argument.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::net::network;

/// How fast a token bucket fills, and its capacity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenRate {
    /// Tokens that are added per second: the rate that may last.
    pub per_second: f64,
    /// The most tokens that the bucket holds, at least 1.
    pub burst: f64,
}

impl TokenRate {
    /// A rate whose burst is the tokens of one second.
    pub(crate) fn even(per_second: f64) -> Self {
        Self { per_second, burst: per_second }
    }
}

/// A token bucket. A token is a byte, an answer, a connection or a sixteenth of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket {
    available: f64,
    updated: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(crate) fn new(rate: TokenRate, now: Instant) -> Self {
        Self { available: rate.burst, updated: now }
    }

    /// Spends `amount` if the bucket holds as much, and returns whether it did.
    pub(crate) fn spend(&mut self, amount: usize, rate: TokenRate, now: Instant) -> bool {
        let enough = self.wait(amount, rate, now).is_zero();
        if enough {
            self.take(amount);
        }
        enough
    }

    /// Spends `amount` whether the bucket holds as much or not.
    pub(crate) fn spend_more(&mut self, amount: usize, rate: TokenRate, now: Instant) {
        // So that it is filled up to now.
        self.wait(0, rate, now);
        self.take(amount);
    }

    /// What the bucket holds.
    pub(crate) fn left(&mut self, rate: TokenRate, now: Instant) -> f64 {
        self.wait(0, rate, now);
        self.available
    }

    /// Has it hold so much, if it is no more than it may.
    pub(crate) fn keep(&mut self, amount: f64, rate: TokenRate) {
        self.available = if amount.is_finite() { amount.min(rate.burst) } else { 0.0 };
    }

    /// Spends `amount`, which the bucket has just been seen to hold: for a caller that spends from several or from none.
    pub(crate) fn take(&mut self, amount: usize) {
        self.available -= tokens(amount);
    }

    /// The time until the bucket holds `amount`. Spends nothing.
    pub(crate) fn wait(&mut self, amount: usize, rate: TokenRate, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.available = (self.available + elapsed * rate.per_second).min(rate.burst);
        self.updated = now;
        let missing = tokens(amount) - self.available;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(missing / rate.per_second).unwrap_or(Duration::MAX)
    }
}

#[expect(clippy::cast_precision_loss, reason = "the length of a frame or a datagram, or a count of members")]
fn tokens(amount: usize) -> f64 {
    amount as f64
}

/// A token bucket for each address (IPv6: for each /64) in a table of fixed size, which strangers cannot make grow: two
/// addresses may share a bucket. A full bucket has no history, so nothing has to be removed.
#[derive(Debug)]
pub(crate) struct AddressBuckets {
    buckets: Box<[TokenBucket]>,
    rate: TokenRate,
    // Keyed, so that a stranger cannot choose addresses that share the bucket of another.
    hasher: RandomState,
}

impl AddressBuckets {
    /// 4,096 buckets of 24 bytes: about 100 KB for a table.
    const BUCKETS: usize = 4096;

    pub(crate) fn new(rate: TokenRate, now: Instant) -> Self {
        let buckets = vec![TokenBucket::new(rate, now); Self::BUCKETS].into_boxed_slice();
        Self { buckets, rate, hasher: RandomState::new() }
    }

    /// Spends a token of this address, if its bucket holds one, and returns whether it did.
    pub(crate) fn spend(&mut self, address: IpAddr, now: Instant) -> bool {
        let rate = self.rate;
        self.of(address).spend(1, rate, now)
    }

    /// The time until this address's bucket holds a token. Spends nothing.
    pub(crate) fn wait(&mut self, address: IpAddr, now: Instant) -> Duration {
        let rate = self.rate;
        self.of(address).wait(1, rate, now)
    }

    fn of(&mut self, address: IpAddr) -> &mut TokenBucket {
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
        let rate = TokenRate { per_second: 2.0, burst: 5.0 };
        let mut bucket = TokenBucket::new(rate, start);
        let passed = |bucket: &mut TokenBucket, now| (0..20).filter(|_| bucket.spend(1, rate, now)).count();
        assert_eq!(passed(&mut bucket, start), 5);
        assert_eq!(passed(&mut bucket, start + Duration::from_millis(1500)), 3);
        assert_eq!(passed(&mut bucket, start + Duration::from_mins(1)), 5);
    }

    #[test]
    fn a_wait_is_until_there_is_enough_and_spends_nothing() {
        let start = Instant::now();
        let rate = TokenRate { per_second: 0.5, burst: 1.0 };
        let mut bucket = TokenBucket::new(rate, start);
        assert_eq!(bucket.wait(1, rate, start), Duration::ZERO);
        assert!(bucket.spend(1, rate, start));
        assert_eq!(bucket.wait(1, rate, start), Duration::from_secs(2));
        let never = TokenRate { per_second: 0.0, burst: 1.0 };
        assert_eq!(bucket.wait(1, never, start), Duration::MAX);
        assert!(bucket.spend(1, rate, start + Duration::from_secs(2)));
    }

    #[test]
    fn each_address_has_a_bucket_and_an_ipv6_network_of_64_bits_is_one_address() {
        let start = Instant::now();
        let mut buckets = AddressBuckets::new(TokenRate::even(10.0), start);
        let allowed =
            |buckets: &mut AddressBuckets, ip: &str, now| (0..50).filter(|_| buckets.spend(address(ip), now)).count();
        assert_eq!(allowed(&mut buckets, "192.0.2.1", start), 10);
        assert_eq!(allowed(&mut buckets, "192.0.2.1", start + Duration::from_millis(500)), 5);
        assert_eq!(allowed(&mut buckets, "192.0.2.2", start), 10);
        assert_eq!(allowed(&mut buckets, "2001:db8::1", start), 10);
        assert_eq!(allowed(&mut buckets, "2001:db8::2", start), 0);
    }
}
