//! A message on its way to one peer or to many: one allocation for all the queues that it is in.

use std::sync::Arc;
use std::time::Instant;

use super::budget::{Budget, Reservation};
use super::debt::{Debt, Owed};
use crate::protocol::{RoomName, ServerMessage, footprint};

/// What a message takes in one queue, in bytes, besides itself: its [`Waiting`] in a queue and in a window, each of which
/// grows by doubling.
pub(super) const WAITING_BYTES: usize = 4 * size_of::<Waiting>();

/// A message. What it takes of the budget of all is given back when nothing holds it any more.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) message: ServerMessage,
    /// The bytes of memory that it takes.
    bytes: usize,
    _reservation: Reservation,
}

impl Letter {
    /// A message for so many queues.
    pub(super) fn new(message: ServerMessage, queues: usize, budget: &Arc<Budget>) -> Arc<Self> {
        let bytes = footprint::shared(size_of::<Self>()) + message.heap_bytes();
        let reservation = Reservation::new(budget, bytes + queues * WAITING_BYTES);
        Arc::new(Self { message, bytes, _reservation: reservation })
    }

    /// What it counts for in one queue, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.bytes + WAITING_BYTES
    }
}

/// The most that what a peer says counts for in one queue, in bytes, with so much payload.
#[must_use]
pub fn largest_weight(payload: usize) -> usize {
    let message = footprint::shared(size_of::<Letter>()) + footprint::shared(RoomName::MAX_TOPIC_BYTES) + WAITING_BYTES;
    message.saturating_add(footprint::shared(payload))
}

/// A message in one peer's queue or window.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) letter: Arc<Letter>,
    /// When it was put there, if a peer says it.
    since: Option<Instant>,
    /// What is owed to its sender while it is not acknowledged. None: the server says it.
    debt: Option<Debt>,
}

impl Waiting {
    pub(super) fn new(letter: Arc<Letter>, debt: Option<Debt>) -> Self {
        let since = letter.message.is_said().then(Instant::now);
        Self { letter, since, debt }
    }

    pub(super) fn weight(&self) -> usize {
        self.letter.weight()
    }

    pub(super) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// What is owed for it elsewhere, once it is settled here.
    pub(super) fn take_debt(&mut self) -> Option<Debt> {
        self.debt.take()
    }

    /// Hands over what is owed to the sender, to a later message of the same one. None: it is known where the sender was, not
    /// where it is.
    pub(super) fn pass_debt(&mut self, owed: &Arc<Owed>) -> Option<Debt> {
        self.debt.take_if(|debt| debt.is_like(owed))
    }
}
