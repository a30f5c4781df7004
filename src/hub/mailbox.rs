//! One peer's queue, bounded in messages and in bytes, under one budget of bytes for all queues.
//!
//! Everything that a peer is told passes through here, in one sequence. It is not a channel of tokio's: what the server
//! has to say unasked can be taken back while it waits ([`announcement`](super::announcement)), and an answer keeps a
//! position for itself ([`Mailbox::keep_seat`]), so that the answer to a message is ahead of what its addressee replies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::announcement::{ANNOUNCEMENT_BYTES, Announcement, Announcements};
use super::budget::{Budget, Gauge};
use super::debt::{Debt, Owed};
use super::exchange::{News, Standing};
use super::letter::{Letter, Waiting};
use super::window::shrink;
use crate::protocol::{Address, Notice, RoomName, ServerMessage, SessionId};

/// What a peer may hold although the budget of all is used up, in bytes: a peer that reads what it is told can be
/// reached, however much others hoard.
pub(super) const MODEST_BYTES: usize = 16 * 1024;

/// What one mailbox may hold.
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    /// Messages, at least 2: one, and the answer to one's own.
    pub messages: usize,
    /// Bytes of memory.
    pub bytes: usize,
}

impl MailboxLimits {
    /// How many messages of one peer may be accepted and not acknowledged: for each, an error may have to be told.
    /// Successive ones to the same addressee count once, and those to a room may exceed it by the room's members.
    pub(super) fn debts(self) -> usize {
        self.messages.saturating_mul(2)
    }
}

/// Messages and their bytes.
#[derive(Debug, Default)]
struct Usage {
    messages: usize,
    bytes: usize,
}

impl Usage {
    fn add(&mut self, waiting: &Waiting) {
        self.messages += 1;
        self.bytes += waiting.weight();
    }

    fn subtract(&mut self, waiting: &Waiting) {
        self.messages -= 1;
        self.bytes -= waiting.weight();
    }

    fn is_full(&self, limits: MailboxLimits) -> bool {
        self.messages >= limits.messages || self.bytes >= limits.bytes
    }
}

/// What has to be said to one peer. Every thread writes here; the connection that holds the session reads.
#[derive(Debug)]
pub(super) struct Mailbox {
    limits: MailboxLimits,
    budget: Arc<Budget>,
    /// The errors that this peer may have to be told, one for each of its messages that is not acknowledged.
    owed: Arc<Owed>,
    /// Messages of this peer that other nodes have not answered.
    unanswered: Gauge,
    inbox: Mutex<Inbox>,
}

#[derive(Debug)]
struct Inbox {
    is_open: bool,
    /// Woken when there is something to take.
    reader: Option<Waker>,
    /// Messages and answers. None: the seat of an answer that is not given yet, or was not due.
    queue: VecDeque<Option<Waiting>>,
    /// How many have ever been taken from the queue, so the number of its first.
    taken: u64,
    /// The seat of an answer that another node has to give first. Nothing behind it is taken before.
    awaited: Option<u64>,
    /// None: none waits. Of most peers it is so most of the time.
    announcements: Option<Box<Announcements>>,
    /// What others say, in the queue: has to fit beside both other loads (`a_window_counts_against_the_queue`).
    said: Usage,
    /// The peer's own answers in the queue: they fit whatever others say, or a peer with a full window could not even
    /// acknowledge it.
    // Invariant: at most the limits and one answer: `an_answer_has_its_permit_even_when_the_queue_is_full`.
    answers: Usage,
    /// Taken, and not yet acknowledged.
    window: Usage,
}

/// Why a mailbox took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No room, here or in the budget of all.
    Full,
    /// Its session has ended.
    Closed,
}

/// The right to one answer, in a peer's own mailbox: given while few answers wait there. An answer has no size before it is
/// there, so it may exceed the limit in bytes.
#[derive(Debug)]
pub struct AnswerPermit(());

/// An answer's position in the sequence.
#[derive(Debug)]
pub(super) struct Seat(u64);

impl Mailbox {
    pub(super) fn new(limits: MailboxLimits, budget: Arc<Budget>) -> Self {
        let inbox = Inbox {
            is_open: true,
            reader: None,
            queue: VecDeque::new(),
            taken: 0,
            awaited: None,
            announcements: None,
            said: Usage::default(),
            answers: Usage::default(),
            window: Usage::default(),
        };
        Self { limits, budget, owed: Arc::default(), unanswered: Gauge::default(), inbox: Mutex::new(inbox) }
    }

    /// Puts in what another peer says, at once or not at all: nothing waits for a queue of a peer. `sender` may have to
    /// be told that it was not delivered.
    pub(super) fn put(&self, letter: &Arc<Letter>, sender: &Self) -> Result<(), Refused> {
        self.put_owing(letter, &sender.owed)
    }

    /// The same, where the sender may be elsewhere.
    pub(super) fn put_owing(&self, letter: &Arc<Letter>, owed: &Arc<Owed>) -> Result<(), Refused> {
        self.accept(letter, |inbox| Some(inbox.debt_of_the_last(letter, owed).unwrap_or_else(|| Debt::new(owed))))
    }

    /// … of which the sender is not told whether it was delivered.
    pub(super) fn put_unowed(&self, letter: &Arc<Letter>) -> Result<(), Refused> {
        self.accept(letter, |_| None)
    }

    fn accept(&self, letter: &Arc<Letter>, debt: impl FnOnce(&mut Inbox) -> Option<Debt>) -> Result<(), Refused> {
        let mut inbox = self.inbox.lock();
        if !inbox.is_open {
            return Err(Refused::Closed);
        }
        if !self.has_room(&inbox, letter) {
            return Err(Refused::Full);
        }
        let debt = debt(&mut inbox);
        inbox.push(Waiting::new(Arc::clone(letter), debt));
        wake(inbox);
        Ok(())
    }

    fn has_room(&self, inbox: &Inbox, letter: &Letter) -> bool {
        let held = inbox.held();
        let bytes = held.bytes + letter.weight();
        let is_within = held.messages < self.limits.messages && bytes <= self.limits.bytes;
        is_within && (bytes <= MODEST_BYTES || !self.budget.is_exceeded())
    }

    /// What is owed to this peer.
    pub(super) fn owed(&self) -> &Arc<Owed> {
        &self.owed
    }

    /// Whether this peer may say something more that could be undelivered.
    pub(super) fn may_owe(&self) -> bool {
        self.owed.used() < self.limits.debts()
    }

    /// The right to an answer, or `None` while too many answers wait, or one is awaited.
    pub(super) fn answer_permit(&self) -> Option<AnswerPermit> {
        let Inbox { answers, awaited, .. } = &*self.inbox.lock();
        let has_room = !answers.is_full(self.limits) && (answers.bytes < MODEST_BYTES || !self.budget.is_exceeded());
        (has_room && awaited.is_none()).then_some(AnswerPermit(()))
    }

    /// Keeps the position of an answer, ahead of all that is put in from now on.
    // Order: nothing is taken before the seat is filled, because both need the peer's state.
    pub(super) fn keep_seat(&self) -> Seat {
        let mut inbox = self.inbox.lock();
        let seat = inbox.end();
        inbox.queue.push_back(None);
        Seat(seat)
    }

    /// … which another node has to give first. There is one at a time: until it is there, no frame of the client is read.
    pub(super) fn await_answer(&self) -> Seat {
        let mut inbox = self.inbox.lock();
        let seat = inbox.end();
        inbox.queue.push_back(None);
        inbox.awaited = Some(seat);
        Seat(seat)
    }

    /// The same, where the seat is kept already.
    pub(super) fn await_in(&self, seat: Seat) -> Seat {
        self.inbox.lock().awaited = Some(seat.0);
        seat
    }

    /// Gives the answer that the seat was kept for.
    pub(super) fn fill(&self, Seat(seat): Seat, answer: Notice) {
        let letter = self.notice(answer);
        let mut inbox = self.inbox.lock();
        inbox.awaited.take_if(|awaited| *awaited == seat);
        inbox.fill(seat, Waiting::new(letter, None));
        wake(inbox);
    }

    /// Tells the peer of a message that nothing was to be said of, had it not gone wrong elsewhere. It has no permit: there are
    /// no more of these than debts.
    pub(super) fn complain(&self, error: Notice) {
        let letter = self.notice(error);
        let mut inbox = self.inbox.lock();
        if inbox.is_open {
            inbox.push(Waiting::new(letter, None));
            wake(inbox);
        }
    }

    /// Puts an answer behind all that is there.
    pub(super) fn answer(&self, _: AnswerPermit, answer: Notice) {
        let letter = self.notice(answer);
        let mut inbox = self.inbox.lock();
        // Where the session has ended there is nothing to answer.
        if inbox.is_open {
            inbox.push(Waiting::new(letter, None));
            wake(inbox);
        }
    }

    fn notice(&self, notice: Notice) -> Arc<Letter> {
        Letter::new(ServerMessage::Notice(notice), 1, &self.budget)
    }

    /// Tells the peer that another has entered a room that it is in.
    pub(super) fn tell_joined(&self, room: &RoomName, peer: &Address) {
        self.announce(|announcements, after| announcements.joined(room, peer, after));
    }

    /// … and that another has left it.
    pub(super) fn tell_left(&self, room: &RoomName, peer: &Address) {
        self.announce(|announcements, after| announcements.left(room, peer, after));
    }

    /// … a group that was complete with it.
    pub(super) fn tell_left_a_group(&self, group: &RoomName, peer: &Address) {
        self.announce(|announcements, after| announcements.left_a_group(group, peer, after));
    }

    /// Tells the peer that it is no longer in a room.
    pub(super) fn tell_expelled(&self, room: &RoomName) {
        self.announce(|announcements, after| announcements.expelled(room, after));
    }

    /// Tells the peer that a session ended which had not acknowledged all that the peer said to it.
    pub(super) fn tell_undelivered(&self, by: Address) {
        let debt = Debt::new(&self.owed);
        self.announce(|announcements, after| announcements.undelivered(by, debt, after));
    }

    /// Tells the peer that another has a new status: the one that it has when this is said.
    pub(super) fn tell_status(&self, standing: &Arc<Standing>, news: News) {
        self.announce(|announcements, after| announcements.status(standing, news, after));
    }

    /// The peer listens no more: statuses that wait are not said any more.
    pub(super) fn forget_statuses(&self) {
        self.announce(|announcements, _| announcements.forget_statuses());
    }

    /// Tells the peer that a session of the exchange has ended.
    pub(super) fn tell_session_ended(&self, session: SessionId) {
        self.announce(|announcements, after| announcements.session_ended(session, after));
    }

    /// The peer leaves a room: what waits to be said of it is not said any more.
    pub(super) fn forget(&self, room: &RoomName) {
        self.announce(|announcements, _| announcements.forget(room));
    }

    /// There is room for it, however full the queue is.
    fn announce(&self, say: impl FnOnce(&mut Announcements, u64)) {
        let mut inbox = self.inbox.lock();
        if !inbox.is_open {
            return;
        }
        let after = inbox.end();
        let announcements = inbox.announcements.get_or_insert_default();
        let before = announcements.len();
        say(announcements, after);
        self.budget.replace(before * ANNOUNCEMENT_BYTES, announcements.len() * ANNOUNCEMENT_BYTES);
        inbox.tidy();
        wake(inbox);
    }

    /// Puts in what has waited for this peer before it was there. It counted in the budget of all while it did, and it fits:
    /// nothing else is here yet.
    pub(super) fn receive(&self, letters: impl Iterator<Item = Waiting>) {
        let mut inbox = self.inbox.lock();
        letters.for_each(|waiting| inbox.push(waiting));
        wake(inbox);
    }

    /// An error that this peer may have to be told.
    pub(super) fn debt(&self) -> Debt {
        Debt::new(&self.owed)
    }

    /// Has the reader look again.
    pub(super) fn wake_reader(&self) {
        wake(self.inbox.lock());
    }

    /// The next message, as soon as there is one and the window has room for it. It now counts as the window's.
    pub(super) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Waiting> {
        let mut inbox = self.inbox.lock();
        if let Some(waiting) = self.take_within(&mut inbox) {
            return Poll::Ready(waiting);
        }
        inbox.wait(cx.waker());
        Poll::Pending
    }

    /// The next message, if there is one and the window has room for it.
    pub(super) fn take_now(&self) -> Option<Waiting> {
        self.take_within(&mut self.inbox.lock())
    }

    /// The next message, whether the window has room for it or not.
    pub(super) fn take_left(&self) -> Option<Waiting> {
        self.take(&mut self.inbox.lock())
    }

    fn take_within(&self, inbox: &mut Inbox) -> Option<Waiting> {
        // What is acknowledged makes room, and then the reader looks again.
        if inbox.window.is_full(self.limits) { None } else { self.take(inbox) }
    }

    fn take(&self, inbox: &mut Inbox) -> Option<Waiting> {
        let waiting = loop {
            if let Some(announcement) = inbox.take_announcement() {
                break self.written(announcement);
            }
            if inbox.is_awaited_next() {
                return None;
            }
            let front = inbox.queue.pop_front()?;
            inbox.taken += 1;
            shrink(&mut inbox.queue);
            if let Some(waiting) = front {
                inbox.usage_of(&waiting).subtract(&waiting);
                break waiting;
            }
        };
        inbox.window.add(&waiting);
        Some(waiting)
    }

    fn written(&self, announcement: Announcement) -> Waiting {
        self.budget.replace(ANNOUNCEMENT_BYTES, 0);
        let (message, debt) = announcement.into_message();
        Waiting::new(Letter::new(message, 1, &self.budget), debt)
    }

    /// Takes back what was taken and has been acknowledged, one by one.
    pub(super) fn release(&self) -> impl FnMut(Waiting) {
        let mut inbox = self.inbox.lock();
        move |waiting| inbox.window.subtract(&waiting)
    }

    /// Counts what an earlier node had taken from the queue, and was not acknowledged.
    pub(super) fn hold(&self, waiting: &Waiting) {
        self.inbox.lock().window.add(waiting);
    }

    /// Counts it no more: another node has it.
    pub(super) fn let_go(&self, waiting: &Waiting) {
        self.inbox.lock().window.subtract(waiting);
    }

    /// Another node has to answer a message of this peer.
    pub(super) fn count_unanswered(&self) {
        self.unanswered.add(1);
    }

    /// … and has.
    pub(super) fn count_answered(&self) {
        self.unanswered.subtract(1);
    }

    /// Whether answers of other nodes are to come.
    pub(super) fn is_awaiting(&self) -> bool {
        self.unanswered.used() > 0
    }

    /// Whether its session is here.
    pub(super) fn is_open(&self) -> bool {
        self.inbox.lock().is_open
    }

    /// From now on nothing is accepted; what was, is in the queue.
    pub(super) fn close(&self) {
        let mut inbox = self.inbox.lock();
        inbox.is_open = false;
        // What is left is taken whole, whatever may still be answered.
        inbox.awaited = None;
    }

    /// How much of it is used, from 0 to 1: of its messages or of its bytes, whichever is more.
    #[expect(clippy::cast_precision_loss, reason = "a rough figure")]
    pub(super) fn usage(&self) -> f64 {
        let held = self.inbox.lock().held();
        let messages = held.messages as f64 / self.limits.messages as f64;
        let bytes = held.bytes as f64 / self.limits.bytes as f64;
        messages.max(bytes)
    }

    /// Whether so much is unacknowledged that nothing more is taken from the queue.
    pub(super) fn is_window_full(&self) -> bool {
        self.inbox.lock().window.is_full(self.limits)
    }
}

impl Inbox {
    /// The number of the next message that comes into the queue.
    fn end(&self) -> u64 {
        self.taken + self.queue.len() as u64
    }

    /// Whether the next of the queue is an answer that is not there yet.
    fn is_awaited_next(&self) -> bool {
        self.awaited == Some(self.taken)
    }

    /// All that counts against the limits when others say something.
    fn held(&self) -> Usage {
        let Self { said, answers, window, .. } = self;
        let messages = said.messages + answers.messages + window.messages;
        Usage { messages, bytes: said.bytes + answers.bytes + window.bytes }
    }

    /// Where a message of the queue counts.
    fn usage_of(&mut self, waiting: &Waiting) -> &mut Usage {
        if waiting.letter.message.is_said() { &mut self.said } else { &mut self.answers }
    }

    fn fill(&mut self, seat: u64, answer: Waiting) {
        let index = seat.checked_sub(self.taken).and_then(|index| usize::try_from(index).ok());
        if let Some(seat) = index.and_then(|index| self.queue.get_mut(index)) {
            self.answers.add(seat.insert(answer));
        }
    }

    fn push(&mut self, waiting: Waiting) {
        self.usage_of(&waiting).add(&waiting);
        self.queue.push_back(Some(waiting));
    }

    /// Of the queue's last message, if it is of the same sender: what is acknowledged last is what the debt is for.
    fn debt_of_the_last(&mut self, letter: &Letter, owed: &Arc<Owed>) -> Option<Debt> {
        let last = self.queue.back_mut()?.as_mut()?;
        if last.letter.message.sender() == letter.message.sender() { last.pass_debt(owed) } else { None }
    }

    fn take_announcement(&mut self) -> Option<Announcement> {
        let front = if self.queue.is_empty() { None } else { Some(self.taken) };
        let announcement = self.announcements.as_mut()?.take(front);
        self.tidy();
        announcement
    }

    /// No memory for announcements where none waits.
    fn tidy(&mut self) {
        self.announcements.take_if(|announcements| announcements.len() == 0);
    }

    fn wait(&mut self, reader: &Waker) {
        match &mut self.reader {
            Some(current) => current.clone_from(reader),
            None => self.reader = Some(reader.clone()),
        }
    }
}

/// Wakes the reader, with the lock released.
fn wake(mut inbox: parking_lot::MutexGuard<'_, Inbox>) {
    let reader = inbox.reader.take();
    drop(inbox);
    if let Some(reader) = reader {
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;
    use std::thread;

    use super::*;
    use crate::dialect::v1::decode;
    use crate::hub::letter::largest_weight;
    use crate::protocol::{Kind, PeerId};

    const ROOMY: MailboxLimits = MailboxLimits { messages: 1000, bytes: 1_000_000 };

    struct Site {
        budget: Arc<Budget>,
        sender: Mailbox,
        from: PeerId,
    }

    impl Site {
        fn new(budget: usize) -> Self {
            let budget = Arc::new(Budget::new(budget));
            let sender = Mailbox::new(ROOMY, Arc::clone(&budget));
            Self { budget, sender, from: PeerId::random() }
        }

        fn mailbox(&self, messages: usize, bytes: usize) -> Mailbox {
            Mailbox::new(MailboxLimits { messages, bytes }, Arc::clone(&self.budget))
        }

        fn put(&self, mailbox: &Mailbox, bytes: usize) -> Result<(), Refused> {
            self.put_from(self.from, mailbox, bytes)
        }

        fn put_from(&self, from: PeerId, mailbox: &Mailbox, bytes: usize) -> Result<(), Refused> {
            let payload = Some("x".repeat(bytes).into());
            let message = ServerMessage::Relayed { from: from.into(), kind: Kind::Message, payload };
            mailbox.put(&Letter::new(message, 1, &self.budget), &self.sender)
        }
    }

    fn notice() -> Notice {
        let reference = decode(r#"{"type":"ping","ref":1}"#).unwrap().reference.unwrap();
        Notice::Ack { reference, parked: false }
    }

    fn answer(mailbox: &Mailbox) {
        mailbox.answer(mailbox.answer_permit().expect("a permit"), notice());
    }

    /// A mailbox's weight of a message with so much payload: a weight is more than a payload.
    fn weight(bytes: usize) -> usize {
        let site = Site::new(usize::MAX);
        let mailbox = site.mailbox(1, usize::MAX);
        site.put(&mailbox, bytes).unwrap();
        mailbox.take_now().unwrap().weight()
    }

    fn acknowledge(mailbox: &Mailbox, taken: Waiting) {
        mailbox.release()(taken);
    }

    #[test]
    fn a_mailbox_is_bounded_in_messages() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(2, 1_000_000);
        assert_eq!([site.put(&mailbox, 1), site.put(&mailbox, 1)], [Ok(()); 2]);
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Full));
        acknowledge(&mailbox, mailbox.take_now().unwrap());
        assert_eq!(site.put(&mailbox, 1), Ok(()));
    }

    #[test]
    fn a_mailbox_is_bounded_in_bytes() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(100, 2 * weight(1000));
        assert_eq!([site.put(&mailbox, 1000), site.put(&mailbox, 1000)], [Ok(()); 2]);
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Full));
    }

    #[test]
    fn the_largest_message_weighs_no_more_than_is_foreseen() {
        for bytes in [0, 1, 1000, 65_536] {
            assert!(weight(bytes) <= largest_weight(bytes));
        }
    }

    #[test]
    fn a_window_counts_against_the_queue() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(3, 2 * weight(1000) + 1);
        site.put(&mailbox, 1000).unwrap();
        site.put(&mailbox, 1000).unwrap();
        let unacknowledged = mailbox.take_now().unwrap();
        assert_eq!(site.put(&mailbox, 1000), Err(Refused::Full), "in bytes");
        let mailbox = site.mailbox(1, 1_000_000);
        site.put(&mailbox, 1).unwrap();
        let taken = mailbox.take_now().unwrap();
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Full), "in messages");
        acknowledge(&mailbox, taken);
        assert_eq!(site.put(&mailbox, 1), Ok(()));
        drop(unacknowledged);
    }

    #[test]
    fn a_peer_with_a_full_window_is_still_read_and_given_nothing_more() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(2, 1_000_000);
        let window = [(); 2].map(|()| {
            site.put(&mailbox, 1).unwrap();
            mailbox.take_now().unwrap()
        });
        assert!(mailbox.is_window_full());
        // Its next frame may be what empties the window.
        answer(&mailbox);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(mailbox.poll_take(cx).is_pending());
        for taken in window {
            acknowledge(&mailbox, taken);
        }
        assert!(mailbox.poll_take(cx).is_ready());
    }

    #[test]
    fn all_mailboxes_together_are_bounded_by_the_budget() {
        let site = Site::new(50_000);
        let [one, other] = [(); 2].map(|()| site.mailbox(100, 1_000_000));
        assert_eq!(site.put(&one, 40_000), Ok(()));
        let used = site.budget.used();
        assert_eq!(site.put(&other, 20_000), Err(Refused::Full));
        assert_eq!((site.budget.used(), other.usage()), (used, 0.0), "it took nothing");
        assert_eq!(site.put(&other, 10_000), Ok(()), "a peer that holds next to nothing can be reached");
        assert_eq!(site.put(&other, 10_000), Err(Refused::Full), "and no longer can");
        acknowledge(&one, one.take_now().unwrap());
        assert_eq!(site.put(&other, 20_000), Ok(()));
    }

    #[test]
    fn a_message_for_many_takes_of_the_budget_once() {
        let site = Site::new(1_000_000);
        let mailboxes = [(); 10].map(|()| site.mailbox(100, 1_000_000));
        let message = ServerMessage::Relayed {
            from: site.from.into(),
            kind: Kind::Message,
            payload: Some("x".repeat(10_000).into()),
        };
        let letter = Letter::new(message, mailboxes.len(), &site.budget);
        for mailbox in &mailboxes {
            mailbox.put(&letter, &site.sender).unwrap();
        }
        drop(letter);
        assert!(site.budget.used() < 20_000, "{}", site.budget.used());
        for mailbox in &mailboxes {
            acknowledge(mailbox, mailbox.take_now().unwrap());
        }
        assert_eq!(site.budget.used(), 0);
    }

    #[test]
    fn over_the_budget_a_peer_is_read_as_long_as_few_answers_wait() {
        let site = Site::new(30_000);
        let [mailbox, other] = [(); 2].map(|()| site.mailbox(1000, 1_000_000));
        site.put(&mailbox, 20_000).unwrap();
        site.put(&other, 12_000).unwrap();
        assert!(site.budget.is_exceeded() && mailbox.answer_permit().is_some(), "what others say to it does not count");
        while mailbox.answer_permit().is_some() {
            answer(&mailbox);
        }
        assert!(mailbox.usage() < 0.2, "its answers wait, and all together hold too much: {}", mailbox.usage());
        let window: Vec<_> = std::iter::from_fn(|| mailbox.take_now()).collect();
        assert!(mailbox.answer_permit().is_some(), "its next frame may be what empties the window");
        drop(window);
    }

    #[test]
    fn what_is_refused_or_acknowledged_leaves_no_charge() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(3, 2500);
        site.put(&mailbox, 100).unwrap();
        let taken = mailbox.take_now().unwrap();
        assert_ne!(site.budget.used(), 0, "a message counts until it is acknowledged");
        assert_eq!(site.put(&mailbox, 5000), Err(Refused::Full));
        acknowledge(&mailbox, taken);
        site.put(&mailbox, 100).unwrap();
        mailbox.close();
        assert_eq!(site.put(&mailbox, 100), Err(Refused::Closed));
        drop(mailbox);
        assert_eq!((site.budget.used(), site.sender.owed.used()), (0, 0));
    }

    #[test]
    fn an_answer_has_its_permit_even_when_the_queue_is_full() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(2, 10_000);
        assert_eq!([site.put(&mailbox, 1), site.put(&mailbox, 1)], [Ok(()); 2]);
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Full));
        answer(&mailbox);
        answer(&mailbox);
        assert!(mailbox.answer_permit().is_none(), "as many answers: the next frame is not read");
        while let Some(taken) = mailbox.take_left() {
            acknowledge(&mailbox, taken);
        }
        assert!(mailbox.answer_permit().is_some());
    }

    #[test]
    fn an_answer_whose_seat_is_kept_comes_before_what_came_meanwhile() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(10, 10_000);
        site.put(&mailbox, 1).unwrap();
        let seat = mailbox.keep_seat();
        site.put(&mailbox, 1).unwrap();
        mailbox.fill(seat, notice());
        let from_peer = std::iter::from_fn(|| mailbox.take_now()).map(|taken| taken.letter.message.sender().is_some());
        assert_eq!(from_peer.collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn an_announcement_has_room_when_the_queue_and_the_budget_have_none_and_keeps_its_position() {
        let site = Site::new(1000);
        let mailbox = site.mailbox(2, 1_000_000);
        let room = RoomName::new("hall").unwrap();
        site.put(&mailbox, 1).unwrap();
        mailbox.tell_joined(&room, &site.from.into());
        site.put(&mailbox, 1).unwrap();
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Full));
        mailbox.tell_left(&room, &Address::random());
        let from_peer = std::iter::from_fn(|| mailbox.take_left()).map(|taken| taken.letter.message.sender().is_some());
        assert_eq!(from_peer.collect::<Vec<_>>(), [true, false, true, false]);
    }

    #[test]
    fn a_peer_may_have_so_much_unacknowledged_and_successive_messages_to_one_count_once() {
        let site = Site { sender: Site::new(0).mailbox(2, 1000), ..Site::new(1_000_000) };
        let mailboxes = [(); 4].map(|()| site.mailbox(10, 100_000));
        for mailbox in &mailboxes {
            assert!(site.sender.may_owe());
            assert_eq!([site.put(mailbox, 1), site.put(mailbox, 1), site.put(mailbox, 1)], [Ok(()); 3]);
        }
        assert!(!site.sender.may_owe());
        let window: Vec<_> = std::iter::from_fn(|| mailboxes[0].take_now()).collect();
        assert!(!site.sender.may_owe(), "taken, and not acknowledged");
        for taken in window {
            acknowledge(&mailboxes[0], taken);
        }
        assert!(site.sender.may_owe());
        site.sender.tell_undelivered(Address::random());
        assert!(!site.sender.may_owe(), "an error that waits takes the room that was kept for it");
        acknowledge(&site.sender, site.sender.take_now().unwrap());
        assert!(site.sender.may_owe());
    }

    #[test]
    fn a_closed_mailbox_accepts_nothing_and_gives_what_it_had() {
        let site = Site::new(1_000_000);
        let mailbox = site.mailbox(10, 10_000);
        site.put(&mailbox, 1).unwrap();
        mailbox.close();
        assert_eq!(site.put(&mailbox, 1), Err(Refused::Closed));
        mailbox.tell_undelivered(Address::random());
        assert!(mailbox.take_left().is_some());
        assert!(mailbox.take_left().is_none());
    }

    #[test]
    fn what_was_accepted_is_in_the_queue_once_it_is_closed() {
        for _ in 0..200 {
            let site = Site::new(1_000_000);
            let mailbox = site.mailbox(1000, 1_000_000);
            let accepted = thread::scope(|scope| {
                let put_all = || (0..1000).filter(|_| site.put(&mailbox, 1).is_ok()).count();
                let sender = scope.spawn(put_all);
                while mailbox.usage() == 0.0 {
                    std::hint::spin_loop();
                }
                mailbox.close();
                let left = std::iter::from_fn(|| mailbox.take_left()).count();
                (sender.join().unwrap(), left)
            });
            assert_eq!(accepted.0, accepted.1);
        }
    }
}
