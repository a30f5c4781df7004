//! What a peer says to a name, be a peer there that has it or not yet: at once, in [`PATIENCE`](super::awaited::PATIENCE),
//! or never, and then the sender is told.
//!
//! What waits for a name and the peer that has it are looked at under one lock, the name's entry in `Hub::awaited`, here and
//! in [`Hub::claim`]: else a message could overtake what waits, or wait for a name that is there.

use std::sync::Arc;
use std::time::Instant;

use dashmap::Entry;

use super::Hub;
use super::awaited::{Full, Queue};
use super::elsewhere::{Elsewhere, Said, Unanswered};
use super::letter::Letter;
use super::mailbox::Refused;
use super::peer::{Peer, State};
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{Address, ErrorCode, Kind, PeerId, ServerMessage};

impl Session {
    /// Says something to a name, or has it wait there.
    pub(super) fn relay_to_name(
        &self,
        state: &mut State,
        (kind, to, payload): (Kind, &str, Option<&str>),
        reply: Reply<'_>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let Some(name) = Address::named(self.peer.realm, to) else {
            // No client can have it.
            return Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to)));
        };
        if !self.peer.mailbox.may_owe() {
            return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to)));
        }
        let message = ServerMessage::Relayed { from: self.peer.address.clone(), kind, payload: payload.map(Arc::from) };
        let letter = Letter::new(message, 1, &self.hub.budget);
        if !state.awaiting().may_await(&name) {
            // Order: here, because no code holds two entries.
            self.forget_claimed(state);
        }
        let entry = self.hub.awaited.entry(name.id());
        let has_more = matches!(&entry, Entry::Occupied(queue) if queue.get().has_sender(self.peer.id()));
        match self.hub.put(&name, &letter, &self.peer) {
            Ok(()) => reply.ack(false),
            // Order: behind what it has said already, which follows the name to its node (`forward_awaited`).
            Err(Refused::Closed) if !has_more && let Some(elsewhere) = self.hub.holder_elsewhere(&name) => {
                let said = Said { realm: self.peer.realm, kind, payload };
                elsewhere.relay(&name, said, Unanswered::about_peer(&self.peer, to, reply));
            }
            Err(Refused::Closed) if self.leave_for(state, entry, name, letter, now).is_ok() => reply.ack(false),
            Err(_) => return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to))),
        }
        Ok(())
    }

    /// Has a message wait for a name.
    fn leave_for(
        &self,
        state: &mut State,
        entry: Entry<'_, PeerId, Queue>,
        name: Address,
        letter: Arc<Letter>,
        now: Instant,
    ) -> Result<(), Full> {
        let awaiting = state.awaiting();
        if !awaiting.may_await(&name) {
            return Err(Full);
        }
        let (limits, budget) = (self.hub.limits.mailbox, &self.hub.budget);
        let by = (self.peer.id(), awaiting.account());
        let debt = self.peer.mailbox.debt();
        let until = match entry {
            Entry::Occupied(mut entry) => entry.get_mut().put(by, (letter, debt), limits, budget, now)?,
            Entry::Vacant(entry) => {
                let mut queue = Queue::new(name.clone());
                let until = queue.put(by, (letter, debt), limits, budget, now)?;
                entry.insert(queue);
                until
            }
        };
        awaiting.note(name, until);
        Ok(())
    }

    fn forget_claimed(&self, state: &mut State) {
        let id = self.peer.id();
        let waits = |name| self.hub.awaited.get(&name).is_some_and(|queue| queue.has_sender(id));
        state.awaiting().keep(waits);
    }

    /// When [`pulse`](Self::pulse) will next have something to do.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.held()?.awaits()?.due()
    }

    /// Gives up what has waited for too long, and tells the peer so, once for each name. Says for how many.
    #[must_use]
    pub fn pulse(&self, now: Instant) -> usize {
        let Some(mut state) = self.held() else { return 0 };
        let due = state.awaiting().take_due(now);
        let given_up = due.into_iter().filter(|name| self.hub.forget(name, |queue| queue.give_up(self.peer.id(), now)));
        given_up.map(|name| self.peer.mailbox.tell_undelivered(name)).count()
    }

    /// The session ends: what it said to absent names goes with it.
    pub(super) fn take_along(&self, state: &mut State) {
        for name in state.take_awaited() {
            self.hub.forget(&name, |queue| {
                queue.forget(self.peer.id());
                true
            });
        }
    }
}

impl Hub {
    /// Puts a message into the mailbox of the peer that has a name. [`Refused::Closed`] where no peer has it.
    fn put(&self, name: &Address, letter: &Arc<Letter>, sender: &Peer) -> Result<(), Refused> {
        let holder = self.peers.get(&name.id()).map(|peer| Arc::clone(&peer));
        holder.map_or(Err(Refused::Closed), |holder| holder.mailbox.put(letter, &sender.mailbox))
    }

    /// Gives a new peer all that waits for its name. `entry` has been locked since before the peer had it.
    pub(super) fn deliver_awaited(entry: Entry<'_, PeerId, Queue>, peer: &Peer) {
        if let Entry::Occupied(mut entry) = entry {
            peer.mailbox.receive(entry.get_mut().take());
            // Order: this unlocks it (`no_message_overtakes_another_while_its_addressee_comes_and_goes`).
            entry.remove();
        }
    }

    /// The other nodes, if one of them has a name.
    fn holder_elsewhere(&self, name: &Address) -> Option<&Arc<dyn Elsewhere>> {
        self.elsewhere.as_ref().filter(|elsewhere| elsewhere.is_away(name.id()))
    }

    /// Says what has waited for a name to the peer of another node that has it by now.
    pub fn forward_awaited(&self, id: PeerId) {
        let Entry::Occupied(mut entry) = self.awaited.entry(id) else { return };
        let name = entry.get().name().clone();
        let Some(elsewhere) = self.holder_elsewhere(&name) else { return };
        for waiting in entry.get_mut().take() {
            let ServerMessage::Relayed { from, kind, payload } = &waiting.letter.message else { continue };
            let Some(sender) = self.peers.get(&from.id()).map(|peer| Arc::clone(&peer)) else { continue };
            let said = Said { realm: sender.realm, kind: *kind, payload: payload.as_deref() };
            elsewhere.relay(&name, said, Unanswered::about_name(&sender, &name.to_string()));
        }
        // Order: as above.
        entry.remove();
    }

    /// Has something forgotten that waits for a name, and holds nothing of a name for which nothing waits.
    fn forget(&self, name: &Address, forget: impl FnOnce(&mut Queue) -> bool) -> bool {
        let Entry::Occupied(mut entry) = self.awaited.entry(name.id()) else { return false };
        let was_there = forget(entry.get_mut());
        if entry.get().is_empty() {
            entry.remove();
        }
        was_there
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::thread;

    use proptest::prelude::*;

    use super::super::awaited::{MAX_NAMES, PATIENCE};
    use super::super::{AllowanceLimits, Ask, Claim, HubLimits, MailboxLimits, TopicLimits, largest_weight};
    use super::*;
    use crate::protocol::{ClientMessage, Notice, Realm, Request, Secret};

    const LIMITS: HubLimits = HubLimits {
        allowance: AllowanceLimits::NONE,
        mailbox: MailboxLimits { messages: 16, bytes: 20_000 },
        queued_bytes: 1_000_000,
        rooms_per_peer: None,
        peers_per_room: None,
        topics: TopicLimits::NONE,
    };

    fn claim(hub: &Arc<Hub>, name: &str) -> Session {
        let address = Address::named(Realm::PeerJs, name).unwrap();
        let secret = Some(Secret(name.to_owned()));
        hub.claim(Claim { realm: Realm::PeerJs, address, secret }, None).unwrap()
    }

    fn say(session: &Session, to: &str, payload: &str, now: Instant) -> Option<ErrorCode> {
        let message = ClientMessage::Relay { kind: Kind::Candidate, to: to.into(), payload: Some(payload) };
        let request = Request { reference: None, message };
        let permit = session.answer_permit().unwrap();
        session.hear(Ask::Frame(Ok(request), permit), payload.len(), now, Vec::new).refused
    }

    /// What a client is told: messages with their senders, and errors with whom they are about.
    fn told(session: &Session) -> (Vec<(String, u64)>, Vec<String>) {
        let (mut messages, mut errors) = (Vec::new(), Vec::new());
        while let Some(frame) = session.try_next() {
            match frame.message() {
                ServerMessage::Relayed { from, payload: Some(payload), .. } => {
                    messages.push((from.to_string(), payload.parse().unwrap()));
                }
                ServerMessage::Notice(Notice::Error(error)) => errors.push(error.to.as_deref().unwrap().to_owned()),
                other => panic!("{other:?}"),
            }
        }
        session.written();
        (messages, errors)
    }

    #[test]
    fn what_waits_for_a_name_fits_its_mailbox() {
        let hub = Hub::new(LIMITS);
        let senders: Vec<Session> = (0..10).map(|number| claim(&hub, &number.to_string())).collect();
        let large = "1".repeat(2000);
        let mut taken = 0;
        for sender in &senders {
            while say(sender, "bob", &large, Instant::now()).is_none() {
                taken += 1;
            }
        }
        assert!((4..=16).contains(&taken), "{taken}");
        let bob = claim(&hub, "bob");
        assert!(bob.peer.mailbox.usage() <= 1.0);
        assert_eq!(std::iter::from_fn(|| bob.try_next()).count(), taken);
    }

    #[test]
    fn what_one_peer_has_waiting_takes_no_more_than_its_bound() {
        let (hub, now) = (Hub::new(LIMITS), Instant::now());
        for payload in ["1", &"1".repeat(1000), &"1".repeat(10_000)] {
            let alice = claim(&hub, "alice");
            for _ in 0..4 {
                for number in 0..2 * MAX_NAMES {
                    let _ = say(&alice, &format!("{number}{}", "x".repeat(120)), payload, now);
                    while alice.try_next().is_some() {}
                    alice.written();
                }
            }
            assert!(hub.awaited() > 0 && hub.queued_bytes() <= LIMITS.awaited_bytes(10_000));
        }
        assert_eq!((hub.awaited(), hub.queued_bytes()), (0, 0));
        assert!(LIMITS.awaited_bytes(100_000) > largest_weight(100_000));
    }

    #[test]
    fn a_name_that_was_claimed_makes_room_for_another() {
        let (hub, now) = (
            Hub::new(HubLimits { mailbox: MailboxLimits { messages: 1000, bytes: 1_000_000 }, ..LIMITS }),
            Instant::now(),
        );
        let alice = claim(&hub, "alice");
        for number in 0..MAX_NAMES {
            assert_eq!(say(&alice, &number.to_string(), "1", now), None);
        }
        assert_eq!(say(&alice, "another", "1", now), Some(ErrorCode::PeerBusy));
        let _seven = claim(&hub, "7");
        assert_eq!(say(&alice, "another", "1", now), None);
        assert_eq!(say(&alice, "7", "1", now), None, "it is there");
    }

    /// A name is claimed and left all the time while two peers speak to it.
    #[test]
    fn no_message_overtakes_another_while_its_addressee_comes_and_goes() {
        const COUNT: u64 = 20_000;

        let hub = Hub::new(HubLimits { mailbox: MailboxLimits { messages: 1000, bytes: 1_000_000 }, ..LIMITS });
        let speak = |name: &str| {
            let session = claim(&hub, name);
            for number in 0..COUNT {
                let _ = say(&session, "bob", &number.to_string(), Instant::now());
                if number % 64 == 0 {
                    drop(told(&session));
                    thread::yield_now();
                }
            }
            session
        };
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        let mut heard = 0;
        let mut hear = |session: &Session| {
            for (from, number) in told(session).0 {
                heard += 1;
                let before = last.insert(from, number);
                assert!(before.is_none_or(|before| before < number), "{before:?} {number}");
            }
        };
        thread::scope(|scope| {
            let speakers = [scope.spawn(|| speak("alice")), scope.spawn(|| speak("carol"))];
            while !speakers.iter().all(thread::ScopedJoinHandle::is_finished) {
                let mut bob = claim(&hub, "bob");
                hear(&bob);
                thread::yield_now();
                hear(&bob);
                // What is left over is told too, and its senders that it was not written.
                drop(bob.end());
            }
            let sessions = speakers.map(|speaker| speaker.join().unwrap());
            let bob = claim(&hub, "bob");
            hear(&bob);
            assert_eq!(hub.awaited(), 0, "nothing waits for a name that is there");
            drop((sessions, bob));
        });
        assert!(heard > 100, "{heard}");
        assert_eq!((hub.peers(), hub.awaited(), hub.queued_bytes()), (0, 0, 0));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Say { by: usize, to: usize },
        Hear(usize),
        Come(usize),
        Go(usize),
        Wait(u64),
        Pulse(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let who = 0..3_usize;
        prop_oneof![
            8 => (who.clone(), who.clone()).prop_map(|(by, to)| Step::Say { by, to }),
            2 => who.clone().prop_map(Step::Hear),
            3 => who.clone().prop_map(Step::Come),
            2 => who.clone().prop_map(Step::Go),
            3 => (1..4_u64).prop_map(Step::Wait),
            3 => who.prop_map(Step::Pulse),
        ]
    }

    const NAMES: [&str; 3] = ["alice", "bob", "carol"];

    /// What should have become of what was said.
    struct World {
        hub: Arc<Hub>,
        start: Instant,
        second: u64,
        here: [Option<Session>; 3],
        next: u64,
        /// For each addressee, what it is to hear when it is read or comes: sender and number.
        due: [Vec<(usize, u64)>; 3],
        /// Since when the sender waits for the addressee.
        since: BTreeMap<(usize, usize), u64>,
        /// Errors that each is to hear, by addressee.
        errors: [Vec<usize>; 3],
    }

    impl World {
        fn now(&self) -> Instant {
            self.start + std::time::Duration::from_secs(self.second)
        }

        fn say(&mut self, by: usize, to: usize) {
            let Some(session) = &self.here[by] else { return };
            self.next += 1;
            match say(session, NAMES[to], &self.next.to_string(), self.now()) {
                None => {
                    self.due[to].push((by, self.next));
                    if self.here[to].is_none() {
                        self.since.entry((by, to)).or_insert(self.second);
                    }
                }
                Some(code) => {
                    assert_eq!(code, ErrorCode::PeerBusy);
                    self.errors[by].push(to);
                }
            }
        }

        fn hear(&mut self, who: usize) {
            let Some(session) = &self.here[who] else { return };
            let (messages, errors) = told(session);
            let due = std::mem::take(&mut self.due[who]);
            let expected: Vec<_> = due.into_iter().map(|(by, number)| (NAMES[by].to_owned(), number)).collect();
            assert_eq!(messages, expected);
            let mut expected: Vec<_> = std::mem::take(&mut self.errors[who]).into_iter().map(|to| NAMES[to]).collect();
            let mut errors = errors;
            errors.sort_unstable();
            expected.sort_unstable();
            assert_eq!(errors, expected);
        }

        fn come(&mut self, who: usize) {
            if self.here[who].is_none() {
                self.here[who] = Some(claim(&self.hub, NAMES[who]));
                self.since.retain(|(_, to), _| *to != who);
                self.hear(who);
            }
        }

        fn go(&mut self, who: usize) {
            self.hear(who);
            if self.here[who].take().is_some() {
                for to in 0..3 {
                    // What a mailbox has stays there.
                    if self.here[to].is_none() {
                        self.due[to].retain(|(by, _)| *by != who);
                    }
                }
                self.since.retain(|(by, _), _| *by != who);
            }
        }

        fn pulse(&mut self, who: usize) {
            let Some(session) = &self.here[who] else { return };
            let (second, patience) = (self.second, PATIENCE.as_secs());
            let late: Vec<usize> = self
                .since
                .extract_if(.., |(by, _), since| *by == who && *since + patience <= second)
                .map(|((_, to), _)| to)
                .collect();
            assert_eq!(session.pulse(self.now()), late.len());
            for to in late {
                self.due[to].retain(|(by, _)| *by != who);
                self.errors[who].push(to);
            }
            let least = self.since.iter().filter(|((by, _), _)| *by == who).map(|(_, since)| since + patience).min();
            let due = session.due().map(|due| (due - self.start).as_secs());
            assert!(least.is_none_or(|least| due.is_some_and(|due| due <= least)), "{due:?} {least:?}");
            assert!(due.is_none_or(|due| due > second), "it does not wake for nothing");
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Say { by, to } => self.say(by, to),
                Step::Hear(who) => self.hear(who),
                Step::Come(who) => self.come(who),
                Step::Go(who) => self.go(who),
                Step::Wait(seconds) => self.second += seconds,
                Step::Pulse(who) => self.pulse(who),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_said_to_a_name_is_heard_in_order_or_its_sender_is_told(
            steps in proptest::collection::vec(step(), 0..100),
        ) {
            let mut world = World {
                hub: Hub::new(LIMITS),
                start: Instant::now(),
                second: 0,
                here: Default::default(),
                next: 0,
                due: Default::default(),
                since: BTreeMap::new(),
                errors: Default::default(),
            };
            for step in steps {
                world.take(step);
            }
            for who in 0..3 {
                world.go(who);
            }
            prop_assert_eq!((world.hub.peers(), world.hub.awaited(), world.hub.queued_bytes()), (0, 0, 0));
        }
    }
}
