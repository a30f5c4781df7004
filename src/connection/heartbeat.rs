//! When to ping a client, and when to give it up. Pure: time is an argument.

use std::time::{Duration, Instant};

/// Which clients are pinged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pings {
    /// All, every interval.
    Always,
    /// Those that have been silent for an interval: some clients write a line in their log for each ping.
    WhenSilent,
}

/// The heartbeat of one connection: a ping every interval, and the end after two of them without a sign of life.
#[derive(Debug)]
pub(super) struct Heartbeat {
    interval: Duration,
    pings: Pings,
    next_ping: Instant,
    last_sign: Instant,
    /// Until when it has to give a sign of life. None: it was not asked since the last one, and a server that was suspended has
    /// not heard anything either.
    deadline: Option<Instant>,
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

impl Heartbeat {
    pub(super) fn new(interval: Duration, pings: Pings, now: Instant) -> Self {
        Self { interval, pings, next_ping: now + interval, last_sign: now, deadline: None }
    }

    /// Any frame counts as life.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_sign = now;
        self.deadline = None;
    }

    /// When [`beat`](Self::beat) will next have something to say.
    pub(super) fn due(&self) -> Instant {
        self.deadline.map_or(self.next_ping, |deadline| deadline.min(self.next_ping))
    }

    /// What is due now. A ping that is said to be due counts as sent; a client that is silent has so long to answer it.
    pub(super) fn beat(&mut self, now: Instant, patience: Duration) -> Beat {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            Beat::Silent
        } else if now < self.next_ping {
            Beat::Wait
        } else if self.pings == Pings::WhenSilent && now < self.last_sign + self.interval {
            self.next_ping = self.last_sign + self.interval;
            Beat::Wait
        } else {
            self.next_ping = now + self.interval;
            let deadline = (self.last_sign + self.interval).max(now) + patience;
            self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
            Beat::Ping
        }
    }

    /// Whether a client from which nothing is read for now is to be pinged. A ping that is said to be due counts as sent.
    pub(super) fn is_ping_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.next_ping;
        if is_due {
            self.next_ping = now + self.interval;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    impl Heartbeat {
        fn beat_at(&mut self, now: Instant) -> Beat {
            self.beat(now, self.interval)
        }
    }

    #[test]
    fn a_client_for_which_others_wait_has_less_time_to_answer() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(20 * SECOND, Pings::WhenSilent, start);
        assert_eq!(heartbeat.beat(start + 20 * SECOND, 5 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.due(), start + 25 * SECOND);
        assert_eq!(heartbeat.beat(start + 25 * SECOND, 5 * SECOND), Beat::Silent);
        heartbeat.heard(start + 25 * SECOND);
        assert_eq!(heartbeat.beat(start + 25 * SECOND, 5 * SECOND), Beat::Wait);
    }

    #[test]
    fn a_client_that_is_never_silent_is_not_pinged_where_only_silent_ones_are() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(25 * SECOND, Pings::WhenSilent, start);
        heartbeat.heard(start + 20 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 25 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.due(), start + 45 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 45 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.beat_at(start + 70 * SECOND), Beat::Silent);
    }

    #[test]
    fn a_ping_is_due_every_interval_even_while_frames_arrive() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(25 * SECOND, Pings::Always, start);
        assert_eq!(heartbeat.due(), start + 25 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 24 * SECOND), Beat::Wait);
        heartbeat.heard(start + 24 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 25 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.beat_at(start + 25 * SECOND), Beat::Wait);
        assert_eq!(heartbeat.due(), start + 50 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 50 * SECOND), Beat::Ping);
    }

    #[test]
    fn two_intervals_without_a_sign_of_life_are_the_end() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(25 * SECOND, Pings::Always, start);
        assert_eq!(heartbeat.beat_at(start + 25 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.beat_at(start + 50 * SECOND), Beat::Silent);
    }

    #[test]
    fn no_client_is_silent_that_was_not_asked() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(25 * SECOND, Pings::Always, start);
        assert_eq!(heartbeat.beat_at(start + 1000 * SECOND), Beat::Ping, "the server was suspended");
        assert_eq!(heartbeat.due(), start + 1025 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 1025 * SECOND), Beat::Silent);
    }

    #[test]
    fn a_sign_of_life_counts_from_when_it_was_heard() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(25 * SECOND, Pings::Always, start);
        heartbeat.heard(start + 30 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 50 * SECOND), Beat::Ping);
        assert_eq!(heartbeat.due(), start + 75 * SECOND);
        assert_eq!(heartbeat.beat_at(start + 80 * SECOND), Beat::Silent);
    }
}
