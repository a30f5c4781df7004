//! What all mailboxes together may hold, and counts that many threads change.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts what is in use.
#[derive(Debug, Default)]
pub(super) struct Gauge(AtomicUsize);

impl Gauge {
    pub(super) fn add(&self, amount: usize) {
        // Relaxed: only the sum matters, no other memory is published through it.
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Says what is left.
    pub(super) fn subtract(&self, amount: usize) -> usize {
        self.0.fetch_sub(amount, Ordering::Relaxed) - amount
    }

    pub(super) fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The bytes that wait in all mailboxes, and how many of them peers may fill with what they say.
#[derive(Debug)]
pub(super) struct Budget {
    used: Gauge,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { used: Gauge::default(), limit }
    }

    pub(super) fn used(&self) -> usize {
        self.used.used()
    }

    /// So much is used instead of what was used before.
    pub(super) fn replace(&self, before: usize, after: usize) {
        self.used.add(after);
        self.used.subtract(before);
    }

    /// Whether more is used than peers may fill.
    pub(super) fn is_exceeded(&self) -> bool {
        self.used() > self.limit
    }
}

/// Bytes of the budget, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Reservation {
    /// Whether the budget allows it is for the caller to ask: what the server has to say is charged all the same.
    pub(super) fn new(budget: &Arc<Budget>, bytes: usize) -> Self {
        budget.used.add(bytes);
        Self { budget: Arc::clone(budget), bytes }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.subtract(self.bytes);
    }
}
