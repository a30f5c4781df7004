//! The heartbeat of an Engine.IO session: a ping an interval after the last pong, and the end if no pong answers it.

use std::time::{Duration, Instant};

/// When to ping, and when to give a client up.
#[derive(Debug)]
pub(super) struct Pulse {
    interval: Duration,
    timeout: Duration,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A ping is due at this time.
    Resting(Instant),
    /// A pong is due by this time.
    Waiting { deadline: Instant, wait: Wait },
}

#[derive(Debug, PartialEq, Eq)]
enum Wait {
    First,
    Extended,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing yet.
    Wait,
    /// A ping.
    Ping,
    /// Giving up.
    Silent,
}

impl Pulse {
    pub(super) fn new(interval: Duration, timeout: Duration, now: Instant) -> Self {
        Self { interval, timeout, state: State::Resting(now + interval) }
    }

    /// The next time at which [`beat`](Self::beat) has something to say.
    pub(super) fn due(&self) -> Instant {
        match self.state {
            State::Resting(at) | State::Waiting { deadline: at, .. } => at,
        }
    }

    /// What is due now. A ping that is said to be due counts as sent.
    pub(super) fn beat(&mut self, now: Instant) -> Beat {
        match self.state {
            State::Resting(at) if now >= at => {
                // From when the ping was due, so that a late timer does not add to the time-out; but a server that was
                // suspended leaves its clients half of it to answer.
                let deadline = (at + self.timeout).max(now + self.timeout / 2);
                self.state = State::Waiting { deadline, wait: Wait::First };
                Beat::Ping
            }
            State::Waiting { deadline, .. } if now >= deadline => Beat::Silent,
            _ => Beat::Wait,
        }
    }

    /// A pong, whether it was asked for or not.
    pub(super) fn answered(&mut self, now: Instant) {
        self.state = State::Resting(now + self.interval);
    }

    /// Any other packet: the client lives, so the wait for its pong begins anew, once. The pong may be behind it.
    pub(super) fn heard(&mut self, now: Instant) {
        if let State::Waiting { deadline, wait } = &mut self.state
            && *wait == Wait::First
        {
            *deadline = now + self.timeout;
            *wait = Wait::Extended;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pulse(start: Instant) -> Pulse {
        Pulse::new(25 * SECOND, 20 * SECOND, start)
    }

    #[test]
    fn a_ping_is_due_an_interval_after_the_opening_and_after_each_pong() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        assert_eq!(pulse.due(), start + 25 * SECOND);
        assert_eq!(pulse.beat(start + 24 * SECOND), Beat::Wait);
        assert_eq!(pulse.beat(start + 25 * SECOND), Beat::Ping);
        assert_eq!(pulse.beat(start + 30 * SECOND), Beat::Wait);
        pulse.answered(start + 30 * SECOND);
        assert_eq!(pulse.due(), start + 55 * SECOND, "after the pong, not after the ping");
        assert_eq!(pulse.beat(start + 55 * SECOND), Beat::Ping);
    }

    #[test]
    fn no_pong_in_time_is_the_end_to_the_moment() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        assert_eq!(pulse.beat(start + 25 * SECOND), Beat::Ping);
        assert_eq!(pulse.due(), start + 45 * SECOND);
        assert_eq!(pulse.beat(start + Duration::from_millis(44_999)), Beat::Wait);
        assert_eq!(pulse.beat(start + 45 * SECOND), Beat::Silent);
    }

    #[test]
    fn a_late_timer_does_not_add_to_the_time_out() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        assert_eq!(pulse.beat(start + 26 * SECOND), Beat::Ping);
        assert_eq!(pulse.beat(start + 45 * SECOND), Beat::Silent);
    }

    #[test]
    fn no_client_is_given_up_that_was_not_asked() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        assert_eq!(pulse.beat(start + 1000 * SECOND), Beat::Ping, "the server was suspended");
        assert_eq!(pulse.due(), start + 1010 * SECOND);
        assert_eq!(pulse.beat(start + 1010 * SECOND), Beat::Silent);
    }

    #[test]
    fn another_packet_extends_the_wait_once() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        pulse.heard(start + 24 * SECOND);
        assert_eq!(pulse.beat(start + 25 * SECOND), Beat::Ping);
        pulse.heard(start + 30 * SECOND);
        pulse.heard(start + 49 * SECOND);
        assert_eq!(pulse.beat(start + 49 * SECOND), Beat::Wait);
        assert_eq!(pulse.beat(start + 50 * SECOND), Beat::Silent);
    }

    #[test]
    fn each_ping_has_an_extension_of_its_own() {
        let start = Instant::now();
        let mut pulse = pulse(start);
        assert_eq!(pulse.beat(start + 25 * SECOND), Beat::Ping);
        pulse.heard(start + 30 * SECOND);
        pulse.answered(start + 31 * SECOND);
        assert_eq!(pulse.beat(start + 56 * SECOND), Beat::Ping);
        pulse.heard(start + 60 * SECOND);
        assert_eq!(pulse.beat(start + 76 * SECOND), Beat::Wait);
        assert_eq!(pulse.due(), start + 80 * SECOND);
    }
}
