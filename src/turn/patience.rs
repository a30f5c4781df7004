//! How long a client over a stream may be without an allocation.
//!
//! Its requests are signs of life (RFC 8489, 6.2.2), so a client that asks goes on. It would cost nothing to ask for ever: so
//! beyond the first deadline it has to have a permit, of which an address has a number. A client that comes for an
//! allocation has one by then, and never meets that limit.

use std::time::{Duration, Instant};

use crate::admission::Slot;

/// A client's time without an allocation.
#[derive(Debug)]
pub(super) struct Patience {
    timeout: Duration,
    until: Instant,
    /// Whether it has asked for something since the last deadline.
    has_asked: bool,
    permit: Option<Slot>,
}

impl Patience {
    pub(super) fn new(timeout: Duration, now: Instant) -> Self {
        Self { timeout, until: now + timeout, has_asked: false, permit: None }
    }

    /// The next deadline.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// A request was answered.
    pub(super) fn asked(&mut self) {
        self.has_asked = true;
    }

    /// It has an allocation. After that there is as much time as at the beginning.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        *self = Self::new(self.timeout, now);
    }

    /// At a deadline: whether it may stay until the next.
    pub(super) fn goes_on(&mut self, now: Instant, permit: impl FnOnce() -> Option<Slot>) -> bool {
        self.permit = self.permit.take().or_else(permit);
        self.until = now + self.timeout;
        std::mem::take(&mut self.has_asked) && self.permit.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::admission::{Admission, AdmissionLimits};

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn requests_are_signs_of_life_of_as_many_as_there_are_permits() {
        let begin = Instant::now();
        let limits = AdmissionLimits { all: None, per_address: NonZeroUsize::new(1), newcomers: None };
        let admission = Admission::new(limits, begin);
        let permit = || admission.enter([192, 0, 2, 1].into(), begin).ok();
        let [mut first, mut second] = [Patience::new(TIMEOUT, begin), Patience::new(TIMEOUT, begin)];
        for round in 1..10 {
            let now = begin + round * TIMEOUT;
            assert_eq!(first.until(), now);
            first.asked();
            second.asked();
            assert!(first.goes_on(now, permit), "its one permit is for all rounds");
            assert!(!second.goes_on(now, permit), "one too many");
        }
        first.begin_anew(begin);
        assert_eq!((admission.count(), first.until()), (0, begin + TIMEOUT), "it has an allocation");
        second.asked();
        assert!(second.goes_on(begin + TIMEOUT, permit));
        assert!(!second.goes_on(begin + 2 * TIMEOUT, permit), "it has not asked since");
        drop(second);
        assert_eq!(admission.count(), 0);
    }
}
