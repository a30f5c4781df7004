//! What waits for a name that no peer has. Pure: time is an argument.
//!
//! Clients that choose their names call each other before the other page is open. So what is said to an absent name waits
//! for a moment, and the peer that claims the name in time is told.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::budget::{Budget, Gauge, Reservation};
use super::debt::Debt;
use super::letter::{Letter, Waiting};
use super::mailbox::MailboxLimits;
use super::window::shrink;
use crate::protocol::{Address, PeerId};

/// How long what a peer says waits, from the first message to a name on: as long as PeerJS's own server has it wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Absent names that one peer may speak to at a time.
pub(super) const MAX_NAMES: usize = 64;

/// What one peer says to absent names is at most this part of a mailbox, so that four have to conspire to fill a name's queue.
pub(super) const PART: usize = 4;

/// The memory of one name that one peer waits for, in bytes, besides the messages: the entries in two hash tables, which may
/// just have grown, and in the peer's list, and the name.
pub(super) const NAME_BYTES: usize = 1024;

/// What one peer has said to names that no peer has.
#[derive(Debug, Default)]
pub(super) struct Account {
    messages: Gauge,
    bytes: Gauge,
}

impl Account {
    /// Whether there is room for a message of this weight: for one there always is.
    fn has_room(&self, weight: usize, limits: MailboxLimits) -> bool {
        let (messages, bytes) = (self.messages.used(), self.bytes.used());
        messages == 0 || (messages < limits.messages / PART && bytes + weight <= limits.bytes / PART)
    }
}

/// What one message takes of its sender's account, given back when this is dropped.
#[derive(Debug)]
struct Share {
    account: Arc<Account>,
    bytes: usize,
}

impl Share {
    fn new(account: &Arc<Account>, bytes: usize) -> Self {
        account.messages.add(1);
        account.bytes.add(bytes);
        Self { account: Arc::clone(account), bytes }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.account.messages.subtract(1);
        self.account.bytes.subtract(self.bytes);
    }
}

/// One message.
#[derive(Debug)]
struct Awaited {
    letter: Arc<Letter>,
    debt: Debt,
    _share: Share,
}

/// When what one sender said to a name is given up.
#[derive(Debug)]
struct Deadline {
    at: Instant,
    _reservation: Reservation,
}

/// All that waits for one name, in the order in which it was said.
#[derive(Debug)]
pub(super) struct Queue {
    name: Address,
    letters: VecDeque<Awaited>,
    /// What they weigh.
    bytes: usize,
    /// Invariant: exactly the senders of the letters (`what_waits_is_delivered_in_order_or_given_up_once`).
    senders: HashMap<PeerId, Deadline>,
}

/// No room: for the name, for the sender, or for all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    pub(super) fn new(name: Address) -> Self {
        Self { name, letters: VecDeque::new(), bytes: 0, senders: HashMap::new() }
    }

    pub(super) fn name(&self) -> &Address {
        &self.name
    }

    /// Puts in what a peer says, and gives back when all that it said to the name is given up.
    // Invariant: what waits fits into an empty mailbox (`what_waits_for_a_name_fits_its_mailbox`).
    pub(super) fn put(
        &mut self,
        (sender, account): (PeerId, &Arc<Account>),
        (letter, debt): (Arc<Letter>, Debt),
        limits: MailboxLimits,
        budget: &Arc<Budget>,
        now: Instant,
    ) -> Result<Instant, Full> {
        let weight = letter.weight();
        let has_room = self.letters.len() < limits.messages && self.bytes + weight <= limits.bytes;
        if !has_room || !account.has_room(weight, limits) || budget.is_exceeded() {
            return Err(Full);
        }
        self.bytes += weight;
        self.letters.push_back(Awaited { letter, debt, _share: Share::new(account, weight) });
        let reserve = || Deadline { at: now + PATIENCE, _reservation: Reservation::new(budget, NAME_BYTES) };
        Ok(self.senders.entry(sender).or_insert_with(reserve).at)
    }

    /// Forgets what this peer said, if its time is up. Says whether it was.
    pub(super) fn give_up(&mut self, sender: PeerId, now: Instant) -> bool {
        let is_due = self.senders.get(&sender).is_some_and(|deadline| deadline.at <= now);
        if is_due {
            self.forget(sender);
        }
        is_due
    }

    /// Forgets what this peer said: it is gone.
    pub(super) fn forget(&mut self, sender: PeerId) {
        let bytes = &mut self.bytes;
        self.senders.remove(&sender);
        self.letters.retain(|Awaited { letter, .. }| {
            let is_others = letter.message.sender().map(Address::id) != Some(sender);
            *bytes -= if is_others { 0 } else { letter.weight() };
            is_others
        });
        shrink(&mut self.letters);
    }

    /// Whether something waits that this peer said.
    pub(super) fn has_sender(&self, sender: PeerId) -> bool {
        self.senders.contains_key(&sender)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Takes all of it, for the peer that has the name from now on.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Waiting> + use<> {
        self.senders.clear();
        self.bytes = 0;
        std::mem::take(&mut self.letters)
            .into_iter()
            .map(|Awaited { letter, debt, .. }| Waiting::new(letter, Some(debt)))
    }
}

/// For which names a peer waits: a name stays here until its time is up, whether it was claimed in the meantime or not.
#[derive(Debug, Default)]
pub(super) struct Awaiting {
    account: Arc<Account>,
    /// At most [`MAX_NAMES`], each once.
    names: Vec<(Address, Instant)>,
}

impl Awaiting {
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Whether there is room for this name.
    pub(super) fn may_await(&self, name: &Address) -> bool {
        self.names.len() < MAX_NAMES || self.names.iter().any(|(other, _)| other == name)
    }

    /// Forgets the names for which nothing waits any more.
    pub(super) fn keep(&mut self, waits: impl Fn(PeerId) -> bool) {
        self.names.retain(|(name, _)| waits(name.id()));
    }

    /// What was said to the name is given up at this time.
    pub(super) fn note(&mut self, name: Address, until: Instant) {
        match self.names.iter_mut().find(|(other, _)| *other == name) {
            Some(known) => known.1 = until,
            None => self.names.push((name, until)),
        }
    }

    /// When the first name's time is up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.names.iter().map(|(_, until)| *until).min()
    }

    /// Takes the names whose time is up.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Address> {
        self.names.extract_if(.., |(_, until)| *until <= now).map(|(name, _)| name).collect()
    }

    /// Takes all names.
    pub(super) fn take_all(&mut self) -> Vec<Address> {
        std::mem::take(&mut self.names).into_iter().map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::debt::Owed;
    use super::*;
    use crate::protocol::{Kind, Realm, ServerMessage};

    const LIMITS: MailboxLimits = MailboxLimits { messages: 16, bytes: 100_000 };

    struct Site {
        budget: Arc<Budget>,
        owed: Arc<Owed>,
        senders: [(PeerId, Arc<Account>); 3],
        start: Instant,
    }

    impl Site {
        fn new(budget: usize) -> Self {
            let senders = [(); 3].map(|()| (PeerId::random(), Arc::default()));
            Self { budget: Arc::new(Budget::new(budget)), owed: Arc::default(), senders, start: Instant::now() }
        }

        fn put(&self, queue: &mut Queue, by: usize, text: &str, second: u64) -> Result<Instant, Full> {
            let (sender, account) = &self.senders[by];
            let from = (*sender).into();
            let message = ServerMessage::Relayed { from, kind: Kind::Offer, payload: Some(text.into()) };
            let letter = Letter::new(message, 1, &self.budget);
            queue.put((*sender, account), (letter, Debt::new(&self.owed)), LIMITS, &self.budget, self.at(second))
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn assert_nothing_is_held(&self) {
            assert_eq!((self.budget.used(), self.owed.used()), (0, 0));
            for (_, account) in &self.senders {
                assert_eq!((account.messages.used(), account.bytes.used()), (0, 0));
            }
        }
    }

    fn queue() -> Queue {
        Queue::new(Address::named(Realm::PeerJs, "bob").unwrap())
    }

    fn texts(queue: &mut Queue) -> Vec<String> {
        let text = |waiting: Waiting| match &waiting.letter.message {
            ServerMessage::Relayed { payload: Some(payload), .. } => payload.to_string(),
            other => panic!("{other:?}"),
        };
        queue.take().map(text).collect()
    }

    #[test]
    fn a_sender_s_time_begins_with_its_first_message_and_is_its_own() {
        let (site, mut queue) = (Site::new(100_000), queue());
        assert_eq!(site.put(&mut queue, 0, "1", 0), Ok(site.at(5)));
        assert_eq!(site.put(&mut queue, 1, "2", 3), Ok(site.at(8)));
        assert_eq!(site.put(&mut queue, 0, "3", 4), Ok(site.at(5)));
        assert!(!queue.give_up(site.senders[0].0, site.at(4)));
        assert!(queue.give_up(site.senders[0].0, site.at(5)) && !queue.give_up(site.senders[0].0, site.at(9)));
        assert_eq!(site.put(&mut queue, 0, "4", 6), Ok(site.at(11)), "a new first message");
        assert_eq!(texts(&mut queue), ["2", "4"]);
        site.assert_nothing_is_held();
    }

    #[test]
    fn a_sender_has_a_quarter_of_a_name_s_queue_and_always_one_message() {
        let (site, mut queue) = (Site::new(1_000_000), queue());
        for number in 0..4 {
            assert!(site.put(&mut queue, 0, "x", number).is_ok());
        }
        assert_eq!(site.put(&mut queue, 0, "x", 4), Err(Full));
        let large = "x".repeat(60_000);
        assert!(site.put(&mut queue, 1, &large, 0).is_ok(), "its only one");
        assert_eq!(site.put(&mut queue, 1, "x", 0), Err(Full));
        assert_eq!(site.put(&mut queue, 2, &large, 0), Err(Full), "the name's queue is full");
    }

    #[test]
    fn what_waits_for_absent_names_counts_in_the_budget_of_all() {
        let (site, mut queue) = (Site::new(2000), queue());
        assert!(site.put(&mut queue, 0, &"x".repeat(1000), 0).is_ok());
        assert_eq!(site.put(&mut queue, 1, "x", 0), Err(Full));
        queue.forget(site.senders[0].0);
        assert!(site.put(&mut queue, 1, "x", 0).is_ok());
        drop(queue);
        site.assert_nothing_is_held();
    }

    #[test]
    fn a_peer_waits_for_64_names_and_no_more() {
        let (mut awaiting, now) = (Awaiting::default(), Instant::now());
        let name = |number: usize| Address::named(Realm::PeerJs, &number.to_string()).unwrap();
        for number in 0..MAX_NAMES {
            assert!(awaiting.may_await(&name(number)));
            awaiting.note(name(number), now + Duration::from_secs(number as u64));
        }
        assert!(awaiting.may_await(&name(7)) && !awaiting.may_await(&name(64)));
        assert_eq!(awaiting.due(), Some(now));
        assert_eq!(awaiting.take_due(now + Duration::from_secs(1)), [name(0), name(1)]);
        awaiting.keep(|id| id == name(9).id());
        assert_eq!(awaiting.take_all(), [name(9)]);
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Put(usize),
        GiveUp(usize),
        Forget(usize),
        Wait,
        Claim,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..3_usize).prop_map(Step::Put),
            2 => (0..3_usize).prop_map(Step::GiveUp),
            1 => (0..3_usize).prop_map(Step::Forget),
            4 => Just(Step::Wait),
            1 => Just(Step::Claim),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_waits_is_delivered_in_order_or_given_up_once(steps in proptest::collection::vec(step(), 0..80)) {
            let (site, mut queue) = (Site::new(20_000), queue());
            // What should wait, and since when each sender does.
            let (mut expected, mut since) = (Vec::<(usize, String)>::new(), [None; 3]);
            let (mut second, mut next) = (0, 0);
            for step in steps {
                match step {
                    Step::Wait => second += 1,
                    Step::Put(by) => {
                        next += 1;
                        if let Ok(until) = site.put(&mut queue, by, &next.to_string(), second) {
                            let first = *since[by].get_or_insert(second);
                            prop_assert_eq!(until, site.at(first + 5));
                            expected.push((by, next.to_string()));
                        }
                    }
                    Step::GiveUp(by) => {
                        let is_due = since[by].is_some_and(|first| second >= first + 5);
                        prop_assert_eq!(queue.give_up(site.senders[by].0, site.at(second)), is_due);
                        if is_due {
                            since[by] = None;
                            expected.retain(|(other, _)| *other != by);
                        }
                    }
                    Step::Forget(by) => {
                        queue.forget(site.senders[by].0);
                        since[by] = None;
                        expected.retain(|(other, _)| *other != by);
                    }
                    Step::Claim => {
                        let said: Vec<String> = std::mem::take(&mut expected).into_iter().map(|(_, text)| text).collect();
                        prop_assert_eq!(texts(&mut queue), said);
                        since = [None; 3];
                        site.assert_nothing_is_held();
                    }
                }
                for (by, first) in since.iter().enumerate() {
                    prop_assert_eq!(queue.has_sender(site.senders[by].0), first.is_some());
                }
                prop_assert_eq!(queue.is_empty(), expected.is_empty());
            }
        }
    }
}
