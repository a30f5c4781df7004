//! When a certificate is asked for. Pure: times are seconds since 1970, by this machine's clock.

use serde::{Deserialize, Serialize};

/// In seconds.
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;

/// Orders within an hour. Let's Encrypt allows five failed proofs of a name; one is the operator's, by hand.
const ORDERS_PER_HOUR: usize = 4;

/// Certificates for the same names within a week. Let's Encrypt allows five; one is the operator's, by hand.
const CERTIFICATES_PER_WEEK: usize = 4;

/// How long nothing is tried after failures in a row, the longest after all further ones.
const PAUSES: [i64; 7] = [MINUTE, 4 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR];

/// What was asked of an authority, as far as it counts against its limits. It outlives the process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ledger {
    /// When orders were made, in their order; a few at most.
    orders: Vec<i64>,
    /// When certificates came of them.
    issued: Vec<i64>,
    /// Until when the authority wants to hear nothing (`Retry-After`).
    closed_until: i64,
}

impl Ledger {
    /// An order is about to be made.
    pub(super) fn order(&mut self, now: i64) {
        self.forget(now);
        self.orders.push(now);
    }

    /// A certificate has come.
    pub(super) fn issue(&mut self, now: i64) {
        self.forget(now);
        self.issued.push(now);
    }

    /// The authority wants to hear nothing for so many seconds; a week at most.
    pub(super) fn close(&mut self, now: i64, seconds: i64) {
        self.closed_until = now + seconds.clamp(0, WEEK);
    }

    /// From when on the authority's limits allow another order.
    pub(super) fn open_from(&self, now: i64) -> i64 {
        let of = |times: &[i64], span: i64, most: usize| {
            let within: Vec<i64> = times.iter().copied().filter(|time| (now - span..=now).contains(time)).collect();
            // The oldest that has to be out of the span before there is room for one more.
            within.len().checked_sub(most).map_or(now, |index| within[index] + span + 1)
        };
        // A clock that was far ahead must not close the door for that long.
        let closed = if self.closed_until > now + WEEK { now } else { self.closed_until };
        [closed, of(&self.orders, HOUR, ORDERS_PER_HOUR), of(&self.issued, WEEK, CERTIFICATES_PER_WEEK)]
            .into_iter()
            .fold(now, i64::max)
    }

    /// What can't count any more, and what a clock that was ahead has left.
    fn forget(&mut self, now: i64) {
        self.orders.retain(|time| (now - HOUR..=now).contains(time));
        self.issued.retain(|time| (now - WEEK..=now).contains(time));
    }
}

/// How long nothing is tried after so many failures in a row.
pub(super) fn pause(failures: usize) -> i64 {
    PAUSES[failures.saturating_sub(1).min(PAUSES.len() - 1)]
}

/// From when to when a certificate is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) begin: i64,
    pub(super) end: i64,
}

/// When to renew, where the authority does not say: at two thirds of the life, or up to a twentieth of it sooner, so that
/// not all servers come at once. `luck` is from 0 to 1.
pub(super) fn renewal(life: Life, luck: f64) -> i64 {
    let length = (life.end - life.begin).max(0);
    life.begin + length * 2 / 3 - share(length / 20, luck)
}

/// When to renew, where the authority suggests a window: somewhere in it (RFC 9773, 4.2), but while there is a twelfth of
/// the life left to do it.
pub(super) fn renewal_in(window: Life, life: Life, luck: f64) -> i64 {
    let suggested = window.begin.saturating_add(share(window.end.saturating_sub(window.begin).max(0), luck));
    suggested.min(life.end - (life.end - life.begin).max(0) / 12)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds are far below 2⁵³")]
fn share(of: i64, luck: f64) -> i64 {
    (of as f64 * luck) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn the_fifth_order_within_an_hour_waits() {
        let mut ledger = Ledger::default();
        for minute in 0..4 {
            assert_eq!(ledger.open_from(NOW + minute), NOW + minute);
            ledger.order(NOW + minute);
        }
        assert_eq!(ledger.open_from(NOW + 5), NOW + HOUR + 1);
        assert_eq!(ledger.open_from(NOW + HOUR + 1), NOW + HOUR + 1);
    }

    #[test]
    fn the_fifth_certificate_within_a_week_waits() {
        let mut ledger = Ledger::default();
        for day in 0..4 {
            ledger.issue(NOW + day * DAY);
        }
        assert_eq!(ledger.open_from(NOW + 4 * DAY), NOW + WEEK + 1);
    }

    #[test]
    fn what_the_authority_asks_for_is_kept_to_and_a_wrong_clock_is_forgiven() {
        let mut ledger = Ledger::default();
        ledger.close(NOW, 120);
        assert_eq!(ledger.open_from(NOW), NOW + 120);
        ledger.close(NOW, i64::MAX / 2);
        assert_eq!(ledger.open_from(NOW), NOW + WEEK, "not for ever");
        // All of this happened while the clock was a year ahead.
        let ahead = NOW + 365 * DAY;
        let mut ledger = Ledger::default();
        for _ in 0..4 {
            ledger.order(ahead);
            ledger.issue(ahead);
        }
        ledger.close(ahead, 3600);
        assert_eq!(ledger.open_from(NOW), NOW);
    }

    #[test]
    fn pauses_grow_to_half_a_day() {
        let pauses: Vec<i64> = (1..20).map(pause).collect();
        assert!(pauses.is_sorted() && pauses[0] == 60 && pauses[18] == 12 * HOUR);
    }

    #[test]
    fn a_certificate_is_renewed_at_two_thirds_of_its_life_or_somewhat_sooner() {
        let life = Life { begin: NOW, end: NOW + 90 * DAY };
        assert_eq!(renewal(life, 0.0), NOW + 60 * DAY);
        assert_eq!(renewal(life, 1.0), NOW + 60 * DAY - 90 * DAY / 20);
        assert_eq!(renewal_in(Life { begin: NOW, end: NOW + 100 }, life, 0.5), NOW + 50);
        // One that is no help.
        let late = Life { begin: NOW + 200 * DAY, end: i64::MAX };
        assert_eq!(renewal_in(late, life, 1.0), NOW + 90 * DAY - 90 * DAY / 12);
        assert_eq!(renewal_in(Life { begin: NOW + 10, end: NOW }, life, 1.0), NOW + 10);
    }

    proptest! {
        /// Whatever is tried whenever it is allowed: no span of an hour or a week has more than its share.
        #[test]
        fn no_span_has_more_than_its_share(waits in proptest::collection::vec(0_i64..DAY, 1..60)) {
            let (mut ledger, mut now) = (Ledger::default(), NOW);
            let (mut orders, mut issued) = (Vec::new(), Vec::new());
            for (index, wait) in waits.into_iter().enumerate() {
                now = ledger.open_from(now + wait);
                ledger.order(now);
                orders.push(now);
                if index % 3 == 0 {
                    ledger.issue(now);
                    issued.push(now);
                }
                // As a restart does.
                let text = serde_json::to_string(&ledger).unwrap();
                ledger = serde_json::from_str(&text).unwrap();
            }
            prop_assert!(orders.windows(ORDERS_PER_HOUR + 1).all(|span| span[ORDERS_PER_HOUR] - span[0] > HOUR));
            prop_assert!(
                issued.windows(CERTIFICATES_PER_WEEK + 1).all(|span| span[CERTIFICATES_PER_WEEK] - span[0] > WEEK)
            );
        }
    }
}
