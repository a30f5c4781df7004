//! How much a client may say, and how much nonsense before it has to go. Pure: time is an argument.
//!
//! It is the session's: a client that takes its session up again brings no new burst.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::protocol::Rate;
use crate::token_bucket::{TokenBucket, TokenRate};

/// What one message costs, in units of a bucket of messages: so that parts of a message can be charged too.
pub(crate) const MESSAGE_UNITS: usize = 16;

/// What a client may say. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct AllowanceLimits {
    /// Messages.
    pub rate: Option<Rate>,
    /// Bytes of them, for long; eight times that at once.
    pub bytes_per_second: Option<NonZeroU32>,
    /// Refused messages within ten seconds, the last of which is the end.
    pub refused_messages: Option<NonZeroU32>,
}

impl AllowanceLimits {
    /// As much as it likes.
    pub const NONE: Self = Self { rate: None, bytes_per_second: None, refused_messages: None };
}

/// What a client has used up of its allowance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// What is left of messages and of bytes, in the units of their buckets. None: there is no limit.
    pub left: [Option<f64>; 2],
    /// Refused frames, and how long ago the first of them was.
    pub refused: Option<(u32, Duration)>,
}

/// What a client may still say.
#[derive(Debug)]
pub(crate) struct Allowance {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
    patience: Option<Patience>,
}

impl Allowance {
    pub(crate) fn new(limits: AllowanceLimits, now: Instant) -> Self {
        Self {
            messages: limits.rate.map(|rate| Bucket::of_messages(rate, now)),
            bytes: limits.bytes_per_second.map(|rate| Bucket::of_bytes(rate, now)),
            patience: limits.refused_messages.map(|limit| Patience::new(limit.get(), now)),
        }
    }

    /// What it has come to, for another node.
    pub(super) fn spent(&mut self, now: Instant) -> Spent {
        let left = [&mut self.messages, &mut self.bytes];
        let left = left.map(|bucket| bucket.as_mut().map(|bucket| bucket.units.left(bucket.rate, now)));
        let refused =
            self.patience.as_ref().map(|patience| (patience.refused, now.saturating_duration_since(patience.since)));
        Spent { left, refused }
    }

    /// As another node had it.
    pub(super) fn with(mut self, spent: Spent, now: Instant) -> Self {
        for (bucket, left) in [&mut self.messages, &mut self.bytes].into_iter().zip(spent.left) {
            if let Some((bucket, left)) = bucket.as_mut().zip(left) {
                bucket.units.keep(left, bucket.rate);
            }
        }
        if let Some((patience, (refused, ago))) = self.patience.as_mut().zip(spent.refused) {
            (patience.refused, patience.since) = (refused, now.checked_sub(ago).unwrap_or(now));
        }
        self
    }

    /// Spends what a frame costs: both its units of a message and its bytes, or nothing. Says whether it did.
    pub(crate) fn spend(&mut self, units: usize, bytes: usize, now: Instant) -> bool {
        let mut costs = [(&mut self.messages, units), (&mut self.bytes, bytes)];
        let can = costs.iter_mut().all(|(bucket, cost)| bucket.as_mut().is_none_or(|bucket| bucket.holds(*cost, now)));
        if can {
            for (bucket, cost) in costs {
                if let Some(bucket) = bucket {
                    bucket.take(cost);
                }
            }
        }
        can
    }

    /// Spends what a frame costs, whether it is there or not. Says how long it takes until nothing is owed any more: as long
    /// nothing else is to be read, so that no more than one frame is ever owed.
    pub(super) fn owe(&mut self, units: usize, bytes: usize, now: Instant) -> Duration {
        let costs = [(&mut self.messages, units), (&mut self.bytes, bytes)];
        let waits = costs.into_iter().filter_map(|(bucket, cost)| bucket.as_mut().map(|bucket| bucket.owe(cost, now)));
        waits.max().unwrap_or_default()
    }

    /// Counts a refused frame; says whether that was one too many.
    pub(crate) fn is_lost(&mut self, now: Instant) -> bool {
        self.patience.as_mut().is_some_and(|patience| patience.is_lost(now))
    }
}

/// A token bucket, of messages or of bytes. One message costs [`MESSAGE_UNITS`], a byte one.
#[derive(Debug)]
struct Bucket {
    units: TokenBucket,
    rate: TokenRate,
}

impl Bucket {
    /// A full bucket of messages.
    #[expect(clippy::cast_precision_loss, reason = "16")]
    fn of_messages(rate: Rate, now: Instant) -> Self {
        let message = MESSAGE_UNITS as f64;
        Self::full(TokenRate { per_second: rate.messages * message, burst: f64::from(rate.burst) * message }, now)
    }

    /// A full bucket of bytes: as much as eight seconds' refill, which is what the defaults for messages come to.
    fn of_bytes(per_second: NonZeroU32, now: Instant) -> Self {
        let per_second = f64::from(per_second.get());
        Self::full(TokenRate { per_second, burst: 8.0 * per_second }, now)
    }

    fn full(rate: TokenRate, now: Instant) -> Self {
        Self { units: TokenBucket::new(rate, now), rate }
    }

    /// Whether there is as much.
    fn holds(&mut self, cost: usize, now: Instant) -> bool {
        self.units.wait(self.price(cost), self.rate, now).is_zero()
    }

    /// Spends in any case; the time until nothing is owed.
    fn owe(&mut self, cost: usize, now: Instant) -> Duration {
        self.units.spend_more(self.price(cost), self.rate, now);
        self.units.wait(0, self.rate, now)
    }

    fn take(&mut self, cost: usize) {
        self.units.take(self.price(cost));
    }

    /// What costs more than the whole bucket may pass when the bucket is full: else it never could.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a burst is a whole number of units")]
    fn price(&self, cost: usize) -> usize {
        cost.min(self.rate.burst as usize)
    }
}

/// Counts a client's refused frames within a window that starts with the first.
#[derive(Debug)]
struct Patience {
    limit: u32,
    refused: u32,
    since: Instant,
}

impl Patience {
    /// Short enough that a client of good will, which makes a mistake now and then, never meets the limit.
    const WINDOW: Duration = Duration::from_secs(10);

    fn new(limit: u32, now: Instant) -> Self {
        Self { limit, refused: 0, since: now }
    }

    /// Counts one more refused frame; says whether that was one too many.
    fn is_lost(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Self::WINDOW {
            self.refused = 0;
        }
        if self.refused == 0 {
            self.since = now;
        }
        self.refused += 1;
        self.refused >= self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Bucket {
        fn spend(&mut self, cost: usize, now: Instant) -> bool {
            let can = self.holds(cost, now);
            if can {
                self.take(cost);
            }
            can
        }
    }

    const MESSAGE: usize = MESSAGE_UNITS;

    fn bucket(messages: f64, burst: u32, now: Instant) -> Bucket {
        Bucket::of_messages(Rate { messages, burst }, now)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let mut bucket = bucket(2.0, 5, start);
        assert_eq!((0..10).filter(|_| bucket.spend(MESSAGE, start)).count(), 5);
        let later = start + Duration::from_millis(1500);
        assert_eq!((0..10).filter(|_| bucket.spend(MESSAGE, later)).count(), 3);
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let start = Instant::now();
        let mut bucket = bucket(0.0, 2, start);
        assert!(bucket.spend(MESSAGE, start));
        assert!(!bucket.spend(MESSAGE + 1, start));
        assert!(bucket.spend(MESSAGE, start));
    }

    #[test]
    fn a_room_message_costs_1_and_a_sixteenth_for_each_member() {
        let start = Instant::now();
        let mut bucket = bucket(0.0, 4, start);
        assert!(bucket.spend(MESSAGE + 32, start), "32 members: 3 messages");
        assert!(bucket.spend(MESSAGE, start));
        assert!(!bucket.spend(MESSAGE, start));
    }

    #[test]
    fn a_bucket_of_bytes_holds_eight_seconds() {
        let start = Instant::now();
        let mut bucket = Bucket::of_bytes(NonZeroU32::new(1000).unwrap(), start);
        assert!(bucket.spend(8000, start));
        assert!(!bucket.spend(1, start));
        assert!(bucket.spend(1000, start + Duration::from_secs(1)));
    }

    #[test]
    fn what_costs_more_than_the_bucket_passes_when_it_is_full() {
        let start = Instant::now();
        let mut bucket = bucket(1.0, 2, start);
        assert!(bucket.spend(1000, start));
        assert!(!bucket.spend(1000, start + Duration::from_secs(1)));
        assert!(bucket.spend(1000, start + Duration::from_secs(3)));
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_gives_nothing() {
        let start = Instant::now();
        let mut bucket = bucket(100.0, 1, start + Duration::from_secs(1));
        assert!(bucket.spend(MESSAGE, start));
        assert!(!bucket.spend(MESSAGE, start));
    }

    #[test]
    fn patience_ends_with_the_limit_within_ten_seconds() {
        let start = Instant::now();
        let mut patience = Patience::new(3, start);
        assert!(!patience.is_lost(start));
        assert!(!patience.is_lost(start + Duration::from_secs(9)));
        assert!(!patience.is_lost(start + Duration::from_secs(10)), "a new window");
        assert!(!patience.is_lost(start + Duration::from_secs(11)));
        assert!(patience.is_lost(start + Duration::from_secs(12)));
    }

    #[test]
    fn a_frame_that_is_refused_for_its_bytes_costs_no_message_either() {
        let start = Instant::now();
        let limits = AllowanceLimits {
            rate: Some(Rate { messages: 0.0, burst: 2 }),
            bytes_per_second: NonZeroU32::new(100),
            refused_messages: None,
        };
        let mut allowance = Allowance::new(limits, start);
        assert!(allowance.spend(MESSAGE, 700, start));
        assert!(!allowance.spend(MESSAGE, 700, start));
        assert!(allowance.spend(MESSAGE, 100, start), "there was a message left");
        assert!(!allowance.spend(MESSAGE, 0, start));
    }
}
