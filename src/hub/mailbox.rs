//! One peer's queue: a bounded mpsc channel, in messages and in bytes, under one budget of bytes for all queues.
//!
//! Everything that a peer is told passes through here, in one sequence, and is numbered as it leaves. To say
//! something takes two steps, [`Mailbox::reserve`] and [`Slot::fill`], so that the sender's own answer can be put
//! into its queue in between: when the addressee replies, that answer is already ahead of the reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::protocol::ServerMessage;

/// Counts what is in use, up to a limit.
#[derive(Debug)]
pub(crate) struct Gauge {
    used: AtomicUsize,
    limit: usize,
}

impl Gauge {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: AtomicUsize::new(0), limit }
    }

    /// Adds if the limit allows it; says whether it did.
    pub(crate) fn try_add(&self, amount: usize) -> bool {
        let within = |used: usize| used.checked_add(amount).filter(|&sum| sum <= self.limit);
        // Relaxed: only the sum matters, no other memory is published through it.
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    fn add(&self, amount: usize) {
        self.used.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, amount: usize) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn is_full(&self) -> bool {
        self.used() >= self.limit
    }
}

/// What one mailbox may hold.
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    /// Messages, at least 2: one, and the place for an answer.
    pub messages: usize,
    /// Bytes, by [`ServerMessage::weight`].
    pub bytes: usize,
}

/// How full a mailbox is.
#[derive(Debug)]
struct Load {
    messages: Gauge,
    // Invariant: at most the limit and one answer: `an_answer_has_its_place_even_when_the_queue_is_full`.
    bytes: Gauge,
    /// Shared by all mailboxes.
    budget: Arc<Gauge>,
    /// Set once, when the session ends or is about to.
    closed: AtomicBool,
}

/// The share that one message takes of its mailbox, given back when it is dropped. So whoever holds a message,
/// the queue or the one who writes it, is who it counts against.
#[derive(Debug)]
struct Charge {
    load: Arc<Load>,
    bytes: usize,
}

impl Charge {
    /// A charge for one message, if there is room for it.
    fn take(load: &Arc<Load>, bytes: usize) -> Option<Self> {
        if !load.messages.try_add(1) {
            return None;
        }
        let mut charge = Self { load: Arc::clone(load), bytes: 0 };
        if !load.bytes.try_add(bytes) {
            return None;
        }
        if !load.budget.try_add(bytes) {
            load.bytes.subtract(bytes);
            return None;
        }
        charge.bytes = bytes;
        Some(charge)
    }

    fn force(&mut self, bytes: usize) {
        self.load.bytes.add(bytes);
        self.load.budget.add(bytes);
        self.bytes += bytes;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.load.messages.subtract(1);
        self.load.bytes.subtract(self.bytes);
        self.load.budget.subtract(self.bytes);
    }
}

#[derive(Debug)]
struct Queued {
    message: ServerMessage,
    charge: Charge,
}

/// The end of the queue where messages go in. Everybody writes here.
#[derive(Debug)]
pub struct Mailbox {
    // Boxed: the channel allocates room for 32 items when it is made, and most peers are idle.
    // Capacity: what the load admits, so a send never finds it full.
    sender: mpsc::Sender<Box<Queued>>,
    load: Arc<Load>,
}

/// The end where they come out. The connection that holds the session owns it.
#[derive(Debug)]
pub struct Outbox {
    receiver: mpsc::Receiver<Box<Queued>>,
    taken: u64,
}

/// A message on its way out.
#[derive(Debug)]
pub struct Frame {
    /// Its place in the session's sequence, from 1.
    pub number: u64,
    /// What to say.
    pub message: ServerMessage,
    /// Counts against the mailbox until the frame is dropped.
    _charge: Charge,
}

/// Why a mailbox took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No room, here or in the budget of all.
    Full,
    /// Its session has ended.
    Closed,
}

/// Room for one message in somebody's mailbox.
#[derive(Debug)]
pub struct Slot<'a> {
    permit: mpsc::Permit<'a, Box<Queued>>,
    charge: Charge,
}

impl Slot<'_> {
    /// Puts the message in. Cannot fail, which is what reserving was for.
    pub fn fill(self, message: ServerMessage) {
        self.permit.send(Box::new(Queued { message, charge: self.charge }));
    }
}

/// The place for one answer in a peer's own mailbox. It has no size: an answer may overshoot the limit in bytes.
#[derive(Debug)]
pub struct Place(Charge);

/// A mailbox and its outbox.
pub(crate) fn mailbox(limits: MailboxLimits, budget: Arc<Gauge>) -> (Mailbox, Outbox) {
    let (sender, receiver) = mpsc::channel(limits.messages);
    let load = Arc::new(Load {
        messages: Gauge::new(limits.messages),
        bytes: Gauge::new(limits.bytes),
        budget,
        closed: AtomicBool::new(false),
    });
    (Mailbox { sender, load }, Outbox { receiver, taken: 0 })
}

impl Mailbox {
    /// Room for a message of this weight, at once or not at all: nobody waits for somebody else's queue.
    ///
    /// # Errors
    ///
    /// [`Refused`]: nothing was reserved.
    pub fn reserve(&self, weight: usize) -> Result<Slot<'_>, Refused> {
        if self.load.closed.load(Ordering::Acquire) {
            return Err(Refused::Closed);
        }
        let charge = Charge::take(&self.load, weight).ok_or(Refused::Full)?;
        // The load admits no more than the channel holds, so what is refused here is closed.
        let permit = self.sender.try_reserve().map_err(|_| Refused::Closed)?;
        Ok(Slot { permit, charge })
    }

    /// A place for an answer, or `None` while the queue has no room.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        if self.load.bytes.is_full() { None } else { Charge::take(&self.load, 0).map(Place) }
    }

    /// Puts an answer into its place.
    pub fn answer(&self, place: Place, message: ServerMessage) {
        let Place(mut charge) = place;
        charge.force(message.weight());
        // Refused only when closed, and then there is nobody to answer.
        let _ = self.sender.try_send(Box::new(Queued { message, charge }));
    }

    /// From now on nothing is accepted.
    pub fn close(&self) {
        self.load.closed.store(true, Ordering::Release);
    }
}

impl Outbox {
    /// The next message, as soon as there is one; `None` when the mailbox is closed and empty. Cancel safe.
    pub async fn next(&mut self) -> Option<Frame> {
        let queued = self.receiver.recv().await?;
        Some(self.number(*queued))
    }

    /// The next message, if there is one.
    pub fn try_next(&mut self) -> Option<Frame> {
        let queued = self.receiver.try_recv().ok()?;
        Some(self.number(*queued))
    }

    /// From now on nothing is accepted; what was, can still be taken.
    pub fn close(&mut self) {
        self.receiver.close();
    }

    fn number(&mut self, queued: Queued) -> Frame {
        self.taken += 1;
        Frame { number: self.taken, message: queued.message, _charge: queued.charge }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Kind, PeerId};

    fn message(bytes: usize) -> ServerMessage {
        let payload = Some("x".repeat(bytes).into());
        ServerMessage::Relayed { from: PeerId::random(), kind: Kind::Message, payload }
    }

    fn put(mailbox: &Mailbox, message: ServerMessage) -> Result<(), Refused> {
        mailbox.reserve(message.weight()).map(|slot| slot.fill(message))
    }

    fn limits(messages: usize, bytes: usize) -> MailboxLimits {
        MailboxLimits { messages, bytes }
    }

    #[test]
    fn a_mailbox_is_bounded_in_messages() {
        let (mailbox, mut outbox) = mailbox(limits(2, 1_000_000), Arc::new(Gauge::new(1_000_000)));
        assert_eq!(put(&mailbox, message(1)), Ok(()));
        assert_eq!(put(&mailbox, message(1)), Ok(()));
        assert_eq!(put(&mailbox, message(1)), Err(Refused::Full));
        drop(outbox.try_next());
        assert_eq!(put(&mailbox, message(1)), Ok(()));
    }

    #[test]
    fn a_mailbox_is_bounded_in_bytes() {
        let (mailbox, _outbox) = mailbox(limits(100, 2500), Arc::new(Gauge::new(1_000_000)));
        assert_eq!(put(&mailbox, message(1000)), Ok(()));
        assert_eq!(put(&mailbox, message(1000)), Ok(()));
        assert_eq!(put(&mailbox, message(1000)), Err(Refused::Full));
        assert!(mailbox.load.bytes.used() <= 2500);
    }

    #[test]
    fn all_mailboxes_together_are_bounded_by_the_budget() {
        let budget = Arc::new(Gauge::new(2500));
        let (one, mut outbox) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        let (other, _other_outbox) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        assert_eq!(put(&one, message(2000)), Ok(()));
        assert_eq!(put(&other, message(2000)), Err(Refused::Full));
        drop(outbox.try_next());
        assert_eq!(put(&other, message(2000)), Ok(()));
    }

    #[test]
    fn what_is_refused_or_taken_or_thrown_away_leaves_no_charge() {
        let budget = Arc::new(Gauge::new(1_000_000));
        let (mailbox, mut outbox) = mailbox(limits(3, 2500), Arc::clone(&budget));
        let frame = {
            put(&mailbox, message(100)).unwrap();
            outbox.try_next().unwrap()
        };
        assert_ne!(budget.used(), 0, "a frame counts while it is being written");
        drop(frame);
        assert_eq!(put(&mailbox, message(5000)), Err(Refused::Full));
        drop(mailbox.reserve(10).unwrap());
        drop(mailbox.place());
        put(&mailbox, message(100)).unwrap();
        drop(outbox);
        drop(mailbox);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_answer_has_its_place_even_when_the_queue_is_full() {
        let (mailbox, mut outbox) = mailbox(limits(2, 1500), Arc::new(Gauge::new(1500)));
        let place = mailbox.place().unwrap();
        put(&mailbox, message(1200)).unwrap();
        assert_eq!(put(&mailbox, message(1200)), Err(Refused::Full));
        mailbox.answer(place, message(1000));
        assert!(mailbox.place().is_none(), "over the limit: the next frame is not read");
        assert_eq!([outbox.try_next().unwrap().number, outbox.try_next().unwrap().number], [1, 2]);
        assert!(mailbox.place().is_some());
    }

    #[test]
    fn a_closed_mailbox_accepts_nothing_and_gives_what_it_had() {
        let (mailbox, mut outbox) = mailbox(limits(10, 10_000), Arc::new(Gauge::new(10_000)));
        put(&mailbox, message(1)).unwrap();
        outbox.close();
        assert_eq!(put(&mailbox, message(1)), Err(Refused::Closed));
        assert!(outbox.try_next().is_some());
        assert!(outbox.try_next().is_none());
    }
}
