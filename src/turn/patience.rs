//! How long a client over a stream may be without an allocation.
//!
//! It always has a permit. At the beginning that is the one of a pending connection, whatever has been
//! answered meanwhile: a Binding is answered to all. Its requests are signs of life (RFC 8489, 6.2.2), so a client that asks
//! goes on. It would cost nothing to ask for ever: so beyond the first deadline it has to have another permit, of which an
//! address has fewer. A client that comes for an allocation has one by then, and never meets that limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::admission::Permit;

/// A client's time without an allocation.
#[derive(Debug)]
pub(super) struct Patience {
    timeout: Duration,
    until: Instant,
    /// Whether it has asked for something since the last deadline.
    has_asked: bool,
    phase: Phase,
}

/// Which permit it has, given back when it is dropped.
#[derive(Debug)]
enum Phase {
    /// Until the first deadline. `None`: its connection needs none.
    Pending { _permit: Option<Arc<Permit>> },
    /// For as long as it asks.
    Waiting { _permit: Permit },
}

impl Patience {
    /// Of a new connection.
    pub(super) fn new(timeout: Duration, permit: Option<Arc<Permit>>, now: Instant) -> Self {
        Self { timeout, until: now + timeout, has_asked: false, phase: Phase::Pending { _permit: permit } }
    }

    /// Of a client that had an allocation.
    pub(super) fn anew(timeout: Duration, permit: Permit, now: Instant) -> Self {
        Self { timeout, until: now + timeout, has_asked: false, phase: Phase::Waiting { _permit: permit } }
    }

    /// The next deadline.
    pub(super) fn until(&self) -> Instant {
        self.until
    }

    /// A request was understood.
    pub(super) fn asked(&mut self) {
        self.has_asked = true;
    }

    /// At a deadline: whether it may stay until the next.
    pub(super) fn goes_on(&mut self, now: Instant, permit: impl FnOnce() -> Option<Permit>) -> bool {
        self.until = now + self.timeout;
        std::mem::take(&mut self.has_asked) && self.may_wait(permit)
    }

    fn may_wait(&mut self, permit: impl FnOnce() -> Option<Permit>) -> bool {
        if matches!(self.phase, Phase::Pending { .. }) {
            let Some(permit) = permit() else { return false };
            self.phase = Phase::Waiting { _permit: permit };
        }
        true
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
        let admission = |count| {
            let limits = AdmissionLimits { all: None, per_address: NonZeroUsize::new(count), newcomers: None };
            Admission::new(limits, begin)
        };
        let (pending, waiting) = (admission(2), admission(1));
        let enter = |admission: &Admission| admission.enter([192, 0, 2, 1].into(), begin).ok();
        let permit = || enter(&waiting);
        let [mut first, mut second] = [(); 2].map(|()| Patience::new(TIMEOUT, enter(&pending).map(Arc::new), begin));
        for round in 1..10 {
            assert_eq!(pending.count(), if round == 1 { 2 } else { 1 }, "the first permit is for one round");
            let now = begin + round * TIMEOUT;
            assert_eq!(first.until(), now);
            first.asked();
            second.asked();
            assert!(first.goes_on(now, permit), "its one permit is for all rounds");
            assert!(!second.goes_on(now, permit), "one too many");
        }
        drop(first);
        assert_eq!(waiting.count(), 0, "it has an allocation");
        second.asked();
        assert!(second.goes_on(begin + TIMEOUT, permit));
        assert_eq!(pending.count(), 0);
        assert!(!second.goes_on(begin + 2 * TIMEOUT, permit), "it has not asked since");
        drop(second);
        let mut third = Patience::anew(TIMEOUT, permit().unwrap(), begin);
        third.asked();
        assert!(third.goes_on(begin + TIMEOUT, || None), "it had an allocation, and has its permit");
        drop(third);
        assert_eq!(waiting.count(), 0);
    }
}
