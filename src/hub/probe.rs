//! Whether the holder of a name is still there, when another client wants the name: it is asked for a sign of life. Pure:
//! time is an argument.

use std::time::{Duration, Instant};

/// How long a holder has to give a sign of life: a browser answers a ping in a round trip, and a phone may wake for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// An answer is good for this long, so that a holder is not asked more often however many want its name.
const FRESH: Duration = Duration::from_secs(1);

/// The last time that a holder was asked.
#[derive(Debug)]
pub(super) struct Probe {
    asked: Instant,
    is_answered: bool,
    /// Whether its connection has to ask it still.
    is_due: bool,
}

/// What a claimant does about a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has just given a sign of life.
    Alive,
    /// It is asked. `is_new`: its connection does not know that yet.
    Asked { is_new: bool },
}

impl Probe {
    /// Asks a holder, unless it has been asked just now.
    pub(super) fn ask(last: &mut Option<Box<Self>>, now: Instant) -> Standing {
        if let Some(probe) = last {
            let age = now.saturating_duration_since(probe.asked);
            if probe.is_answered && age < FRESH {
                return Standing::Alive;
            }
            if !probe.is_answered && age < PATIENCE {
                return Standing::Asked { is_new: false };
            }
        }
        *last = Some(Box::new(Self { asked: now, is_answered: false, is_due: true }));
        Standing::Asked { is_new: true }
    }

    /// A sign of life. Says whether it is what claimants wait for.
    pub(super) fn hear(&mut self) -> bool {
        self.is_due = false;
        !std::mem::replace(&mut self.is_answered, true)
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    /// Whether the holder has had its time, and gave no sign of life.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        !self.is_answered && now >= self.asked + PATIENCE
    }

    /// Whether the connection has to ask now: once.
    pub(super) fn take(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_many_ask_for_is_asked_once() {
        let (mut probe, start) = (None, Instant::now());
        assert_eq!(Probe::ask(&mut probe, start), Standing::Asked { is_new: true });
        assert_eq!(Probe::ask(&mut probe, start + FRESH), Standing::Asked { is_new: false });
        let probe = probe.as_mut().unwrap();
        assert!(probe.take() && !probe.take());
        assert!(!probe.is_silent(start + FRESH) && probe.is_silent(start + PATIENCE));
    }

    #[test]
    fn an_answer_is_good_for_a_second() {
        let (mut probe, start) = (None, Instant::now());
        Probe::ask(&mut probe, start);
        assert!(probe.as_mut().unwrap().hear() && !probe.as_mut().unwrap().hear());
        assert_eq!(Probe::ask(&mut probe, start + FRESH / 2), Standing::Alive);
        assert!(!probe.as_ref().unwrap().is_silent(start + 2 * PATIENCE));
        assert_eq!(Probe::ask(&mut probe, start + FRESH), Standing::Asked { is_new: true });
    }

    #[test]
    fn a_holder_whose_claimant_gave_up_is_asked_anew() {
        let (mut probe, start) = (None, Instant::now());
        Probe::ask(&mut probe, start);
        assert_eq!(Probe::ask(&mut probe, start + PATIENCE), Standing::Asked { is_new: true });
    }
}
