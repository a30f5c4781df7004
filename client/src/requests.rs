//! The messages that were said and not yet answered: each waits for the one answer that carries its `ref`. They belong to the session,
//! not to a connection: without one, no deadline runs. Pure.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// `W` is what waits for an answer.
#[derive(Debug)]
pub(crate) struct Requests<W> {
    /// By their `ref`, and so in the order in which they were asked.
    waiting: BTreeMap<u64, Request<W>>,
    last: u64,
    is_running: bool,
}

#[derive(Debug)]
struct Request<W> {
    waiter: W,
    /// How long an answer may take.
    patience: Duration,
    /// While there is a connection.
    deadline: Option<Instant>,
}

impl<W> Requests<W> {
    pub(crate) fn new() -> Self {
        Self { waiting: BTreeMap::new(), last: 0, is_running: false }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The `ref` of the next message.
    pub(crate) fn next_reference(&self) -> u64 {
        self.last + 1
    }

    /// The message with that `ref` was said. Its deadline runs from now, or from the next connection on.
    pub(crate) fn ask(&mut self, now: Instant, waiter: W, patience: Duration) {
        self.last += 1;
        let deadline = self.is_running.then(|| now + patience);
        self.waiting.insert(self.last, Request { waiter, patience, deadline });
    }

    /// There is a connection: every deadline begins anew.
    pub(crate) fn run(&mut self, now: Instant) {
        self.is_running = true;
        for request in self.waiting.values_mut() {
            request.deadline = Some(now + request.patience);
        }
    }

    /// There is none: no answer can be late.
    pub(crate) fn pause(&mut self) {
        self.is_running = false;
        for request in self.waiting.values_mut() {
            request.deadline = None;
        }
    }

    /// What waited for this answer, if anything still does.
    pub(crate) fn settle(&mut self, reference: u64) -> Option<W> {
        self.waiting.remove(&reference).map(|request| request.waiter)
    }

    /// What waits no longer, each with its `ref`.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(u64, W)> {
        let is_late = |_: &u64, request: &mut Request<W>| request.deadline.is_some_and(|deadline| deadline <= now);
        self.waiting.extract_if(.., is_late).map(|(reference, request)| (reference, request.waiter)).collect()
    }

    /// When the next of them expires.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.waiting.values().filter_map(|request| request.deadline).min()
    }

    /// All that wait.
    pub(crate) fn abandon(self) -> impl Iterator<Item = W> {
        self.waiting.into_values().map(|request| request.waiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_finds_what_waits_for_it_once() {
        let now = Instant::now();
        let mut requests = Requests::new();
        assert_eq!(requests.next_reference(), 1);
        requests.ask(now, 'a', SECOND);
        requests.ask(now, 'b', SECOND);
        assert_eq!((requests.settle(2), requests.settle(2), requests.settle(7)), (Some('b'), None, None));
        assert_eq!(requests.abandon().collect::<Vec<_>>(), ['a']);
    }

    #[test]
    fn a_deadline_runs_only_while_there_is_a_connection_and_anew_on_each() {
        let now = Instant::now();
        let mut requests = Requests::new();
        requests.ask(now, 'a', SECOND);
        assert_eq!(requests.deadline(), None);
        requests.run(now + 5 * SECOND);
        assert_eq!(requests.deadline(), Some(now + 6 * SECOND));
        requests.pause();
        assert!(requests.expire(now + 100 * SECOND).is_empty());
        requests.run(now + 100 * SECOND);
        requests.ask(now + 100 * SECOND, 'b', 3 * SECOND);
        assert_eq!(requests.expire(now + 101 * SECOND), [(1, 'a')]);
        assert_eq!(requests.settle(1), None);
        assert_eq!(requests.deadline(), Some(now + 103 * SECOND));
    }
}
