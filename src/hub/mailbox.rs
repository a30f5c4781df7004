//! One peer's queue: a bounded mpsc channel, in messages and in bytes, under one budget of bytes for all queues.
//!
//! Everything that a peer is told passes through here, in one sequence. To say something takes two steps,
//! [`Mailbox::reserve`] and [`Slot::fill`], so that the sender's own answer can be put into its queue in between: when
//! the addressee replies, that answer is already ahead of the reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::mpsc;

use crate::protocol::ServerMessage;

/// Counts what is in use.
#[derive(Debug, Default)]
struct Gauge(AtomicUsize);

impl Gauge {
    /// Adds if that stays within the limit; says whether it did.
    fn try_add(&self, amount: usize, limit: usize) -> bool {
        let within = |used: usize| used.checked_add(amount).filter(|&sum| sum <= limit);
        // Relaxed: only the sum matters, no other memory is published through it.
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).is_ok()
    }

    fn add(&self, amount: usize) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    fn subtract(&self, amount: usize) {
        self.0.fetch_sub(amount, Ordering::Relaxed);
    }

    fn used(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What all mailboxes together may hold, in bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    used: Gauge,
    limit: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { used: Gauge::default(), limit }
    }

    pub(crate) fn used(&self) -> usize {
        self.used.used()
    }

    fn is_full(&self) -> bool {
        self.used() >= self.limit
    }
}

/// Who must fit into the budget of all mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budgeted {
    /// What peers say.
    Yes,
    /// What the server has to say, which is small: else a few who hoard would cost everybody else their sessions.
    No,
}

/// What a peer may hold although the budget of all is used up, in bytes: whoever reads what it is told can be reached,
/// however much others hoard.
const MODEST_BYTES: usize = 16 * 1024;

/// What one mailbox may hold.
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    /// Messages, at least 2: one, and the place for an answer.
    pub messages: usize,
    /// Bytes, by [`ServerMessage::weight`].
    pub bytes: usize,
}

/// Messages and their bytes.
#[derive(Debug, Default)]
struct Share {
    messages: Gauge,
    bytes: Gauge,
}

impl Share {
    fn add(&self, bytes: usize) {
        self.messages.add(1);
        self.bytes.add(bytes);
    }

    fn subtract(&self, bytes: usize) {
        self.messages.subtract(1);
        self.bytes.subtract(bytes);
    }

    fn is_full(&self, limits: MailboxLimits) -> bool {
        self.messages.used() >= limits.messages || self.bytes.used() >= limits.bytes
    }
}

/// How full a mailbox is. What others say has to fit beside both shares (`a_window_counts_against_the_queue`); the
/// peer's own answers only beside what still waits, or a peer with a full window could not even acknowledge it.
#[derive(Debug)]
struct Load {
    limits: MailboxLimits,
    /// Not yet taken by the connection.
    // Invariant: at most the limits and one answer: `an_answer_has_its_place_even_when_the_queue_is_full`.
    queue: Share,
    /// Taken, and not yet acknowledged.
    window: Share,
    /// Shared by all mailboxes.
    budget: Arc<Budget>,
}

/// The share that one message takes of its mailbox, given back when it is dropped. So whoever holds a message,
/// the queue, the window or the one who writes it, is who it counts against.
#[derive(Debug)]
struct Charge {
    load: Arc<Load>,
    bytes: usize,
    is_taken: AtomicBool,
}

impl Charge {
    /// A charge for one message, if there is room for it.
    fn take(load: &Arc<Load>, bytes: usize, budgeted: Budgeted) -> Option<Self> {
        let MailboxLimits { messages: most, bytes: most_bytes } = load.limits;
        let messages = most.saturating_sub(load.window.messages.used());
        if !load.queue.messages.try_add(1, messages) {
            return None;
        }
        let mut charge = Self::of_nothing(load);
        if !load.queue.bytes.try_add(bytes, most_bytes.saturating_sub(load.window.bytes.used())) {
            return None;
        }
        // The charge's own bytes are in the queue's share by now.
        let is_modest = load.queue.bytes.used() + load.window.bytes.used() <= MODEST_BYTES;
        let is_exempt = is_modest || budgeted == Budgeted::No;
        if !load.budget.used.try_add(bytes, if is_exempt { usize::MAX } else { load.budget.limit }) {
            load.queue.bytes.subtract(bytes);
            return None;
        }
        charge.bytes = bytes;
        Some(charge)
    }

    /// A charge for an answer whose size isn't known yet.
    fn ahead(load: &Arc<Load>) -> Option<Self> {
        let queued = load.queue.bytes.used();
        // Without the window: what would empty it may be the next frame.
        let has_room = queued < load.limits.bytes && (queued < MODEST_BYTES || !load.budget.is_full());
        (has_room && load.queue.messages.try_add(1, load.limits.messages)).then(|| Self::of_nothing(load))
    }

    /// Whoever calls it has counted the message.
    fn of_nothing(load: &Arc<Load>) -> Self {
        Self { load: Arc::clone(load), bytes: 0, is_taken: AtomicBool::new(false) }
    }

    fn force(&mut self, bytes: usize) {
        self.load.queue.bytes.add(bytes);
        self.load.budget.used.add(bytes);
        self.bytes += bytes;
    }

    /// From the queue's share to the window's.
    fn shelve(&self) {
        if !self.is_taken.swap(true, Ordering::Relaxed) {
            // Order: never too little in sum.
            self.load.window.add(self.bytes);
            self.load.queue.subtract(self.bytes);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let share = if *self.is_taken.get_mut() { &self.load.window } else { &self.load.queue };
        share.subtract(self.bytes);
        self.load.budget.used.subtract(self.bytes);
    }
}

/// A message and what it takes of its mailbox.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) message: ServerMessage,
    charge: Charge,
    since: Instant,
}

impl Queued {
    fn new(message: ServerMessage, charge: Charge) -> Arc<Self> {
        Arc::new(Self { message, charge, since: Instant::now() })
    }

    pub(super) fn waited(&self) -> Duration {
        self.since.elapsed()
    }
}

/// The end of the queue where messages go in. Everybody writes here.
#[derive(Debug)]
pub(super) struct Mailbox {
    // In an Arc: the channel allocates room for 32 items when it is made, and most peers are idle; and a message that
    // is not acknowledged stays where it is.
    // Capacity: what the load admits, so a send never finds it full.
    sender: mpsc::Sender<Arc<Queued>>,
    load: Arc<Load>,
    /// Whether messages are accepted. Who has a slot holds it for reading, so that closing waits for the slots that
    /// are about to be filled: what is accepted is in the queue once the mailbox is closed
    /// (`what_was_accepted_is_in_the_queue_once_it_is_closed`). Nobody waits for anything while holding it.
    is_open: RwLock<bool>,
}

/// The end where they come out.
#[derive(Debug)]
pub(super) struct Outbox {
    receiver: mpsc::Receiver<Arc<Queued>>,
    load: Arc<Load>,
}

/// Why a mailbox took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No room, here or in the budget of all.
    Full,
    /// Its session has ended.
    Closed,
}

/// Room for one message in somebody's mailbox.
#[derive(Debug)]
pub(super) struct Slot<'a> {
    permit: mpsc::Permit<'a, Arc<Queued>>,
    charge: Charge,
    _open: RwLockReadGuard<'a, bool>,
}

impl Slot<'_> {
    /// Puts the message in. Cannot fail, which is what reserving was for.
    pub(super) fn fill(self, message: ServerMessage) {
        self.permit.send(Queued::new(message, self.charge));
    }
}

/// The place for one answer in a peer's own mailbox. It has no size: an answer may overshoot the limit in bytes.
#[derive(Debug)]
pub struct Place(Charge);

/// A mailbox and its outbox.
pub(super) fn mailbox(limits: MailboxLimits, budget: Arc<Budget>) -> (Mailbox, Outbox) {
    let (sender, receiver) = mpsc::channel(limits.messages);
    let load = Arc::new(Load { limits, queue: Share::default(), window: Share::default(), budget });
    let outbox = Outbox { receiver, load: Arc::clone(&load) };
    (Mailbox { sender, load, is_open: RwLock::new(true) }, outbox)
}

impl Mailbox {
    /// Room for a message of this weight, at once or not at all: nobody waits for somebody else's queue.
    pub(super) fn reserve(&self, weight: usize) -> Result<Slot<'_>, Refused> {
        self.slot(weight, Budgeted::Yes)
    }

    /// Room for what the server has to say, even where the budget of all mailboxes is used up.
    pub(super) fn reserve_notice(&self, weight: usize) -> Result<Slot<'_>, Refused> {
        self.slot(weight, Budgeted::No)
    }

    fn slot(&self, weight: usize, budgeted: Budgeted) -> Result<Slot<'_>, Refused> {
        // It fails while somebody waits to close the mailbox too: or those who keep coming could keep it open.
        let open = self.is_open.try_read().filter(|open| **open).ok_or(Refused::Closed)?;
        let charge = Charge::take(&self.load, weight, budgeted).ok_or(Refused::Full)?;
        // The load admits no more than the channel holds.
        let permit = self.sender.try_reserve().map_err(|_| Refused::Closed)?;
        Ok(Slot { permit, charge, _open: open })
    }

    /// A place for an answer, or `None` while the queue has no room.
    pub(super) fn place(&self) -> Option<Place> {
        Charge::ahead(&self.load).map(Place)
    }

    /// Puts an answer into its place.
    pub(super) fn answer(&self, place: Place, message: ServerMessage) {
        let Place(mut charge) = place;
        charge.force(message.weight());
        // Refused only when the session has ended, and then there is nobody to answer.
        let _ = self.sender.try_send(Queued::new(message, charge));
    }

    /// From now on nothing is accepted; what was, is in the queue.
    pub(super) fn close(&self) {
        *self.is_open.write() = false;
    }

    pub(super) fn is_closed(&self) -> bool {
        !*self.is_open.read_recursive()
    }

    /// How much of it is used, from 0 to 1: of its messages or of its bytes, whichever is more.
    #[expect(clippy::cast_precision_loss, reason = "a rough figure")]
    pub(super) fn fill(&self) -> f64 {
        let Load { limits, queue, window, .. } = &*self.load;
        let messages = (queue.messages.used() + window.messages.used()) as f64 / limits.messages as f64;
        let bytes = (queue.bytes.used() + window.bytes.used()) as f64 / limits.bytes as f64;
        messages.max(bytes)
    }

    /// Whether so much is unacknowledged that nothing more is taken from the queue.
    pub(super) fn is_window_full(&self) -> bool {
        self.load.window.is_full(self.load.limits)
    }
}

impl Outbox {
    /// The next message, as soon as there is one and the window has room for it. It now counts as the window's.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Queued>> {
        if self.load.window.is_full(self.load.limits) {
            // Whoever acknowledges looks again.
            return Poll::Pending;
        }
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(queued)) => {
                queued.charge.shelve();
                Poll::Ready(queued)
            }
            _ => Poll::Pending,
        }
    }

    /// The next message, whether the window has room for it or not.
    pub(super) fn try_take(&mut self) -> Option<Arc<Queued>> {
        let queued = self.receiver.try_recv().ok()?;
        queued.charge.shelve();
        Some(queued)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::thread;
    use std::time::{Duration, Instant};

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

    fn budget(limit: usize) -> Arc<Budget> {
        Arc::new(Budget::new(limit))
    }

    #[test]
    fn a_mailbox_is_bounded_in_messages() {
        let (mailbox, mut outbox) = mailbox(limits(2, 1_000_000), budget(1_000_000));
        assert_eq!(put(&mailbox, message(1)), Ok(()));
        assert_eq!(put(&mailbox, message(1)), Ok(()));
        assert_eq!(put(&mailbox, message(1)), Err(Refused::Full));
        drop(outbox.try_take());
        assert_eq!(put(&mailbox, message(1)), Ok(()));
    }

    #[test]
    fn a_mailbox_is_bounded_in_bytes() {
        let (mailbox, _outbox) = mailbox(limits(100, 2500), budget(1_000_000));
        assert_eq!(put(&mailbox, message(1000)), Ok(()));
        assert_eq!(put(&mailbox, message(1000)), Ok(()));
        assert_eq!(put(&mailbox, message(1000)), Err(Refused::Full));
        assert!(mailbox.load.queue.bytes.used() <= 2500);
    }

    #[test]
    fn a_window_counts_against_the_queue() {
        let (mailbox, mut outbox) = mailbox(limits(3, 2500), budget(1_000_000));
        put(&mailbox, message(1000)).unwrap();
        put(&mailbox, message(1000)).unwrap();
        let unacknowledged = outbox.try_take().unwrap();
        assert_eq!(put(&mailbox, message(1000)), Err(Refused::Full), "in bytes");
        put(&mailbox, message(1)).unwrap();
        assert_eq!(put(&mailbox, message(1)), Err(Refused::Full), "in messages");
        drop(unacknowledged);
        assert_eq!(put(&mailbox, message(1)), Ok(()));
    }

    #[test]
    fn a_peer_with_a_full_window_is_still_read_and_given_nothing_more() {
        let (mailbox, mut outbox) = mailbox(limits(2, 1_000_000), budget(1_000_000));
        let window: Vec<_> = (0..2)
            .map(|_| {
                put(&mailbox, message(1)).unwrap();
                outbox.try_take().unwrap()
            })
            .collect();
        assert!(mailbox.is_window_full());
        let place = mailbox.place().expect("its next frame may be what empties the window");
        mailbox.answer(place, message(1));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(outbox.poll_take(cx).is_pending());
        drop(window);
        assert!(outbox.poll_take(cx).is_ready());
    }

    #[test]
    fn all_mailboxes_together_are_bounded_by_the_budget() {
        let budget = budget(50_000);
        let (one, mut outbox) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        let (other, _other_outbox) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        assert_eq!(put(&one, message(40_000)), Ok(()));
        assert_eq!(put(&other, message(20_000)), Err(Refused::Full));
        assert_eq!((other.load.queue.messages.used(), other.load.queue.bytes.used()), (0, 0), "it took nothing");
        assert_eq!(put(&other, message(10_000)), Ok(()), "whoever holds next to nothing can be reached");
        assert_eq!(put(&other, message(10_000)), Err(Refused::Full), "and no longer does");
        drop(outbox.try_take());
        assert_eq!(put(&other, message(20_000)), Ok(()));
    }

    #[test]
    fn a_budget_that_others_use_up_keeps_no_announcement_from_anybody() {
        let budget = budget(50_000);
        let (hoarder, _queue) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        let (other, _other_queue) = mailbox(limits(2, 1_000_000), Arc::clone(&budget));
        put(&hoarder, message(40_000)).unwrap();
        assert_eq!(put(&other, message(20_000)), Err(Refused::Full));
        for _ in 0..2 {
            other.reserve_notice(20_000).map(|slot| slot.fill(message(19_000))).unwrap();
        }
        assert_eq!(other.reserve_notice(1).map(drop), Err(Refused::Full), "its own queue is a limit all the same");
    }

    #[test]
    fn over_the_budget_only_the_modest_are_answered() {
        let budget = budget(2500);
        let (mailbox, mut outbox) = mailbox(limits(100, 1_000_000), Arc::clone(&budget));
        let answer = |bytes| mailbox.answer(mailbox.place().unwrap(), message(bytes));
        answer(3000);
        answer(MODEST_BYTES);
        assert!(mailbox.place().is_none(), "it holds much, and all together do");
        let window = [outbox.try_take().unwrap(), outbox.try_take().unwrap()];
        assert!(mailbox.place().is_some(), "its next frame may be what empties the window");
        drop(window);
    }

    #[test]
    fn what_is_refused_or_taken_or_thrown_away_leaves_no_charge() {
        let budget = budget(1_000_000);
        let (mailbox, mut outbox) = mailbox(limits(3, 2500), Arc::clone(&budget));
        put(&mailbox, message(100)).unwrap();
        let taken = outbox.try_take().unwrap();
        assert_ne!(budget.used(), 0, "a message counts until it is acknowledged");
        drop(taken);
        assert_eq!(put(&mailbox, message(5000)), Err(Refused::Full));
        drop(mailbox.reserve(10).unwrap());
        drop(mailbox.place());
        put(&mailbox, message(100)).unwrap();
        drop(outbox);
        assert_eq!(put(&mailbox, message(100)), Err(Refused::Closed));
        drop(mailbox);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn an_answer_has_its_place_even_when_the_queue_is_full() {
        let (mailbox, mut outbox) = mailbox(limits(2, 1500), budget(1500));
        let place = mailbox.place().unwrap();
        put(&mailbox, message(1200)).unwrap();
        assert_eq!(put(&mailbox, message(1200)), Err(Refused::Full));
        mailbox.answer(place, message(1000));
        assert!(mailbox.place().is_none(), "over the limit: the next frame is not read");
        drop((outbox.try_take().unwrap(), outbox.try_take().unwrap()));
        assert!(mailbox.place().is_some());
    }

    #[test]
    fn a_closed_mailbox_accepts_nothing_and_gives_what_it_had() {
        let (mailbox, mut outbox) = mailbox(limits(10, 10_000), budget(10_000));
        put(&mailbox, message(1)).unwrap();
        mailbox.close();
        assert_eq!(put(&mailbox, message(1)), Err(Refused::Closed));
        assert!(outbox.try_take().is_some());
        assert!(outbox.try_take().is_none());
    }

    #[test]
    fn whoever_keeps_coming_does_not_keep_a_mailbox_open() {
        let (mailbox, mut outbox) = mailbox(limits(10, 10_000), budget(10_000));
        thread::scope(|scope| {
            let slot = mailbox.reserve(10).unwrap();
            scope.spawn(|| mailbox.close());
            let deadline = Instant::now() + Duration::from_secs(20);
            while mailbox.reserve(10).is_ok() {
                assert!(Instant::now() < deadline, "it is still open");
            }
            slot.fill(message(1));
        });
        assert!(mailbox.is_closed() && outbox.try_take().is_some());
    }

    #[test]
    fn what_was_accepted_is_in_the_queue_once_it_is_closed() {
        for _ in 0..200 {
            let (mailbox, mut outbox) = mailbox(limits(1000, 1_000_000), budget(1_000_000));
            let accepted = thread::scope(|scope| {
                let put_all = || (0..1000).filter(|_| put(&mailbox, message(1)).is_ok()).count();
                let sender = scope.spawn(put_all);
                while mailbox.load.queue.messages.used() == 0 {
                    std::hint::spin_loop();
                }
                mailbox.close();
                let left = std::iter::from_fn(|| outbox.try_take()).count();
                (sender.join().unwrap(), left)
            });
            assert_eq!(accepted.0, accepted.1);
        }
    }
}
