//! Who produces and who consumes, and the sessions between them. Pure: what a member is, and how it is told, is the session's
//! business.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

use parking_lot::Mutex;

use super::budget::Reservation;
use crate::protocol::{ErrorCode, ExchangeNotice, Listed, PeerId, Role, Roles, SessionId, Word};

/// What a peer in a list takes besides its meta, in bytes.
const LISTED_BYTES: usize = 80;

/// Sessions of the same two members: with one of them alone, none may use up the sessions of the other.
const SESSIONS_OF_A_PAIR: usize = 8;

/// How many there may be. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExchangeLimits {
    pub(super) members: Option<usize>,
    /// Sessions of one member.
    pub(super) sessions: Option<NonZeroUsize>,
    /// A list's metas together, in bytes.
    pub(super) list_bytes: usize,
}

/// What a member says of itself.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) roles: Roles,
    pub(super) meta: Option<Arc<str>>,
    /// What the meta takes of the budget of all.
    _reservation: Option<Reservation>,
}

impl Status {
    pub(super) fn new(roles: Roles, meta: Option<&str>, reservation: Option<Reservation>) -> Self {
        Self { roles, meta: meta.map(Arc::from), _reservation: reservation }
    }
}

/// A member's status at this moment. All that announce it share it, so that what is said is what is true when it is said.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) peer: PeerId,
    status: Mutex<Status>,
}

impl Standing {
    pub(super) fn new(peer: PeerId) -> Self {
        Self { peer, status: Mutex::default() }
    }

    /// How it is said now.
    pub(super) fn notice(&self) -> ExchangeNotice {
        let Status { roles, meta, .. } = &*self.status.lock();
        ExchangeNotice::Status { peer: self.peer, roles: *roles, meta: meta.clone() }
    }

    fn roles(&self) -> Roles {
        self.status.lock().roles
    }

    fn meta(&self) -> Option<Arc<str>> {
        self.status.lock().meta.clone()
    }
}

/// The members, and the sessions between two of them.
// Invariant: each session is in the set of both its ends, and each id in a set is a session's:
// `sessions_are_those_of_their_ends_and_listeners_hear_what_is`.
#[derive(Debug)]
pub(super) struct Exchange<M> {
    members: HashMap<PeerId, Member<M>>,
    sessions: HashMap<SessionId, Ends>,
    listeners: HashSet<PeerId>,
    limits: ExchangeLimits,
    /// How many ever got a status.
    made: u64,
}

#[derive(Debug)]
struct Member<M> {
    handle: M,
    standing: Arc<Standing>,
    /// In the order in which they got their status.
    since: u64,
    sessions: HashSet<SessionId>,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    producer: PeerId,
    consumer: PeerId,
}

impl Ends {
    /// The other one. None: it is no end of it.
    fn other(self, peer: PeerId) -> Option<PeerId> {
        match self {
            Self { producer, consumer } if producer == peer => Some(consumer),
            Self { producer, consumer } if consumer == peer => Some(producer),
            Self { .. } => None,
        }
    }
}

/// What others have to be told, in this order.
#[derive(Debug)]
pub(super) struct Change<M> {
    /// Sessions that have ended, each with the other end.
    pub(super) ended: Vec<(M, SessionId)>,
    /// Who has a new status, and who listens. None: there is no news.
    pub(super) status: Option<StatusChange<M>>,
}

/// A status that is new.
#[derive(Debug)]
pub(super) struct StatusChange<M> {
    pub(super) standing: Arc<Standing>,
    pub(super) news: News,
    pub(super) listeners: Vec<M>,
}

/// What a new status means to those that listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The peer had no role, and has one.
    Came,
    /// It has another status.
    Changed,
    /// It has no role any more.
    Went,
}

/// A session that has started.
#[derive(Debug)]
pub(super) struct Started<M> {
    pub(super) session: SessionId,
    pub(super) other: M,
    pub(super) other_id: PeerId,
    /// What the one that asked is in it.
    pub(super) asker: Role,
}

impl<M: Clone> Exchange<M> {
    pub(super) fn new(limits: ExchangeLimits) -> Self {
        let (members, sessions, listeners) = Default::default();
        Self { members, sessions, listeners, limits, made: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.limits.members.is_some_and(|limit| self.members.len() >= limit)
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    /// One more member, without a role.
    pub(super) fn enter(&mut self, id: PeerId, handle: M) -> Result<(), ErrorCode> {
        if self.is_full() || self.members.contains_key(&id) {
            return Err(ErrorCode::RoomFull);
        }
        let standing = Arc::new(Standing::new(id));
        self.members.insert(id, Member { handle, standing, since: 0, sessions: HashSet::new() });
        Ok(())
    }

    /// A member has another status. `is_own` is whether it says that the status is its own: what it has already is no news
    /// then.
    pub(super) fn set_status(&mut self, id: PeerId, status: Status, is_own: bool) -> Result<Change<M>, ErrorCode> {
        let nothing = Change { ended: Vec::new(), status: None };
        if status.roles.has(Role::Producer) && status.roles.has(Role::Consumer) {
            return Err(ErrorCode::RoleConflict);
        }
        let Some(member) = self.members.get_mut(&id) else { return Ok(nothing) };
        let is_first = member.since == 0;
        let before = member.standing.roles();
        let is_same = before == status.roles && member.standing.meta() == status.meta;
        if is_same && (is_own || is_first) {
            return Ok(nothing);
        }
        if !before.has(Role::Producer) || is_first {
            self.made += 1;
            member.since = self.made;
        }
        let roles = status.roles;
        let standing = Arc::clone(&member.standing);
        *standing.status.lock() = status;
        if roles.has(Role::Listener) {
            self.listeners.insert(id)
        } else {
            self.listeners.remove(&id)
        };
        let ended = self.stop(id, before, roles);
        let news = match (before.is_empty(), roles.is_empty()) {
            (true, false) => News::Came,
            (false, true) => News::Went,
            (false, false) => News::Changed,
            // A peer without a role is nothing that others know of.
            (true, true) => return Ok(Change { ended, status: None }),
        };
        Ok(Change { ended, status: Some(self.status_change(standing, news)) })
    }

    /// A member is gone.
    pub(super) fn leave(&mut self, id: PeerId) -> Change<M> {
        let Some(member) = self.members.get(&id) else { return Change { ended: Vec::new(), status: None } };
        let standing = Arc::clone(&member.standing);
        let ended = self.end_all(id, |_| true);
        self.members.remove(&id);
        self.listeners.remove(&id);
        // The meta goes with it, however late a listener hears of that.
        let before = std::mem::take(&mut *standing.status.lock()).roles;
        let status = (!before.is_empty()).then(|| self.status_change(standing, News::Went));
        Change { ended, status }
    }

    /// Ends the sessions of a role that a member has no more.
    fn stop(&mut self, id: PeerId, before: Roles, after: Roles) -> Vec<(M, SessionId)> {
        let lost = |role| before.has(role) && !after.has(role);
        if lost(Role::Producer) {
            self.end_all(id, |ends| ends.producer == id)
        } else if lost(Role::Consumer) {
            self.end_all(id, |ends| ends.consumer == id)
        } else {
            Vec::new()
        }
    }

    fn end_all(&mut self, id: PeerId, which: impl Fn(&Ends) -> bool) -> Vec<(M, SessionId)> {
        let Some(member) = self.members.get(&id) else { return Vec::new() };
        let sessions = member.sessions.iter().filter(|session| self.sessions.get(session).is_some_and(&which));
        let sessions: Vec<SessionId> = sessions.copied().collect();
        sessions.into_iter().filter_map(|session| Some((self.end(session, id)?, session))).collect()
    }

    fn status_change(&self, standing: Arc<Standing>, news: News) -> StatusChange<M> {
        let listeners = self.listeners.iter().filter_map(|id| self.members.get(id));
        StatusChange { standing, news, listeners: listeners.map(|member| member.handle.clone()).collect() }
    }

    /// Who has a role, the oldest first. Each has as much room in the list as the others, so that a long meta takes the
    /// place of none: one that is longer is left out.
    pub(super) fn list(&self, role: Role) -> Vec<Listed> {
        let mut with_role: Vec<&Member<M>> = self.with(role).collect();
        with_role.sort_unstable_by_key(|member| member.since);
        let share = (self.limits.list_bytes / with_role.len().max(1)).saturating_sub(LISTED_BYTES);
        let listed = |member: &Member<M>| Listed {
            id: member.standing.peer,
            meta: member.standing.meta().filter(|meta| meta.len() <= share),
        };
        with_role.into_iter().map(listed).collect()
    }

    /// The bytes of a list, about.
    pub(super) fn list_bytes(&self, role: Role) -> usize {
        let bytes = |member: &Member<M>| LISTED_BYTES + member.standing.meta().map_or(0, |meta| meta.len());
        let all: usize = self.with(role).map(bytes).sum();
        all.min(self.limits.list_bytes.max(self.members.len() * LISTED_BYTES))
    }

    fn with(&self, role: Role) -> impl Iterator<Item = &Member<M>> {
        self.members.values().filter(move |member| member.standing.roles().has(role))
    }

    /// A session between a member and another, which produces, or consumes and waits for a producer.
    pub(super) fn start(&mut self, asker: PeerId, with: PeerId) -> Result<Started<M>, ErrorCode> {
        let other = self.members.get(&with).ok_or(ErrorCode::PeerUnavailable)?;
        let (handle, roles) = (other.handle.clone(), other.standing.roles());
        let (ends, role) = if roles.has(Role::Producer) {
            (Ends { producer: with, consumer: asker }, Role::Consumer)
        } else if roles.has(Role::Consumer) {
            (Ends { producer: asker, consumer: with }, Role::Producer)
        } else {
            return Err(ErrorCode::NoProducer);
        };
        if [asker, with].iter().any(|id| self.has_enough(*id)) || self.are_enough(asker, with) {
            return Err(ErrorCode::TooManySessions);
        }
        let session = SessionId::random();
        self.sessions.insert(session, ends);
        for id in [asker, with] {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.insert(session);
            }
        }
        Ok(Started { session, other: handle, other_id: with, asker: role })
    }

    fn has_enough(&self, id: PeerId) -> bool {
        let sessions = self.members.get(&id).map_or(0, |member| member.sessions.len());
        self.limits.sessions.is_some_and(|limit| sessions >= limit.get())
    }

    fn are_enough(&self, asker: PeerId, with: PeerId) -> bool {
        let Some(member) = self.members.get(&asker) else { return false };
        let ends = member.sessions.iter().filter_map(|session| self.sessions.get(session));
        ends.filter(|ends| ends.other(asker) == Some(with)).count() >= SESSIONS_OF_A_PAIR
    }

    /// To whom a member says something in a session. None: it is no session of its own.
    pub(super) fn other_end(&self, session: SessionId, from: PeerId, word: Word) -> Result<Option<&M>, ErrorCode> {
        let Some(ends) = self.sessions.get(&session) else { return Ok(None) };
        if word == Word::Offer && ends.consumer == from && ends.producer != from {
            return Err(ErrorCode::NotTheProducer);
        }
        let other = ends.other(from).and_then(|other| self.members.get(&other));
        Ok(other.map(|member| &member.handle))
    }

    /// A member ends a session. Gives back the other end. None: it is no session of its own.
    pub(super) fn end(&mut self, session: SessionId, by: PeerId) -> Option<M> {
        let ends = *self.sessions.get(&session)?;
        let other = ends.other(by)?;
        self.sessions.remove(&session);
        for id in [by, other] {
            if let Some(member) = self.members.get_mut(&id) {
                member.sessions.remove(&session);
            }
        }
        self.members.get(&other).map(|member| member.handle.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: ExchangeLimits =
        ExchangeLimits { members: Some(5), sessions: NonZeroUsize::new(3), list_bytes: 1000 };

    fn status(roles: &[Role], meta: Option<&str>) -> Status {
        Status::new(roles.iter().copied().collect(), meta, None)
    }

    /// An exchange of members with these roles. A member's handle is its index.
    fn exchange<const N: usize>(roles: [&[Role]; N]) -> (Exchange<usize>, [PeerId; N]) {
        let (mut exchange, ids) = (Exchange::new(LIMITS), [(); N].map(|()| PeerId::random()));
        for (index, id) in ids.iter().enumerate() {
            exchange.enter(*id, index).unwrap();
            exchange.set_status(*id, status(roles[index], None), false).unwrap();
        }
        (exchange, ids)
    }

    #[test]
    fn a_session_with_a_producer_is_consumed_and_one_with_a_consumer_is_produced() {
        let (mut exchange, [producer, consumer, guest]) = exchange([&[Role::Producer], &[Role::Consumer], &[]]);
        let first = exchange.start(guest, producer).unwrap();
        assert_eq!((first.asker, first.other, first.other_id), (Role::Consumer, 0, producer));
        let second = exchange.start(guest, consumer).unwrap();
        assert_eq!((second.asker, second.other), (Role::Producer, 1));
        assert_eq!(exchange.start(producer, guest).err(), Some(ErrorCode::NoProducer));
        assert_eq!(exchange.start(guest, PeerId::random()).err(), Some(ErrorCode::PeerUnavailable));
    }

    #[test]
    fn an_offer_is_the_producers_and_what_no_end_says_goes_nowhere() {
        let (mut exchange, [producer, consumer, stranger]) = exchange([&[Role::Producer], &[], &[]]);
        let session = exchange.start(consumer, producer).unwrap().session;
        let other = |from, word| exchange.other_end(session, from, word).map(Option::<&usize>::copied);
        assert_eq!(other(producer, Word::Offer), Ok(Some(1)));
        assert_eq!(other(consumer, Word::Offer), Err(ErrorCode::NotTheProducer));
        assert_eq!(other(consumer, Word::Answer), Ok(Some(0)));
        assert_eq!(other(stranger, Word::Candidate), Ok(None));
        assert_eq!(exchange.other_end(SessionId::random(), producer, Word::Offer), Ok(None));
        assert_eq!(exchange.end(session, stranger), None, "it ends no session of others");
        assert_eq!(exchange.end(session, consumer), Some(0));
        assert_eq!(exchange.end(session, producer), None, "the echo after an end");
    }

    #[test]
    fn who_stops_to_produce_ends_what_it_produces_and_nothing_else() {
        let (mut exchange, [producer, other, guest]) = exchange([&[Role::Producer], &[Role::Producer], &[]]);
        let own = exchange.start(guest, producer).unwrap().session;
        let of_other = exchange.start(producer, other).unwrap().session;
        let change = exchange.set_status(producer, status(&[Role::Listener], None), false).unwrap();
        assert_eq!(change.ended, [(2, own)]);
        assert!(exchange.other_end(of_other, producer, Word::Answer).unwrap().is_some());
        let left = exchange.leave(producer);
        assert_eq!(left.ended, [(1, of_other)]);
        assert_eq!(left.status.unwrap().news, News::Went);
        assert!(exchange.leave(guest).status.is_none(), "it never had a role");
    }

    #[test]
    fn what_a_member_has_already_is_no_news_where_it_says_whose_it_is() {
        let (mut exchange, [peer]) = exchange([&[Role::Listener]]);
        let mut step = |roles: &[Role], meta, is_own| {
            exchange.set_status(peer, status(roles, meta), is_own).unwrap().status.map(|change| change.news)
        };
        assert_eq!(step(&[Role::Listener], None, true), None);
        assert_eq!(step(&[Role::Listener], None, false), Some(News::Changed));
        assert_eq!(step(&[Role::Listener], Some("{}"), true), Some(News::Changed));
        assert_eq!(step(&[], None, true), Some(News::Went));
        assert_eq!(step(&[Role::Producer], None, true), Some(News::Came));
        let both = status(&[Role::Consumer, Role::Producer], None);
        assert_eq!(exchange.set_status(peer, both, false).err(), Some(ErrorCode::RoleConflict));
    }

    #[test]
    fn members_and_sessions_are_bounded() {
        let (mut exchange, [producer, guest, ..]) = exchange([&[Role::Producer], &[], &[], &[], &[]]);
        assert!(exchange.is_full());
        assert_eq!(exchange.enter(PeerId::random(), 9), Err(ErrorCode::RoomFull));
        for _ in 0..3 {
            exchange.start(guest, producer).unwrap();
        }
        assert_eq!(exchange.start(guest, producer).err(), Some(ErrorCode::TooManySessions));
        exchange.leave(guest);
        assert!(!exchange.is_full() && exchange.sessions.is_empty());
    }

    #[test]
    fn one_member_does_not_use_up_the_sessions_of_another() {
        let limits = ExchangeLimits { sessions: NonZeroUsize::new(10), ..LIMITS };
        let mut exchange = Exchange { limits, ..exchange([]).0 };
        let [producer, greedy, other] = [(); 3].map(|()| PeerId::random());
        for (index, id) in [producer, greedy, other].into_iter().enumerate() {
            exchange.enter(id, index).unwrap();
        }
        exchange.set_status(producer, status(&[Role::Producer], None), false).unwrap();
        let started = (0..20).filter(|_| exchange.start(greedy, producer).is_ok()).count();
        assert_eq!(started, SESSIONS_OF_A_PAIR);
        assert!(exchange.start(other, producer).is_ok());
    }

    #[test]
    fn a_list_begins_with_the_oldest_and_a_long_meta_takes_the_room_of_none() {
        let (mut exchange, [first, second]) = exchange([&[], &[]]);
        let set = |exchange: &mut Exchange<usize>, id, length: usize| {
            let meta = format!("\"{}\"", "x".repeat(length));
            exchange.set_status(id, status(&[Role::Producer], Some(&meta)), false).unwrap();
        };
        set(&mut exchange, second, 100);
        set(&mut exchange, first, 800);
        let list = exchange.list(Role::Producer);
        let listed: Vec<_> = list.iter().map(|listed| (listed.id, listed.meta.is_some())).collect();
        assert_eq!(listed, [(second, true), (first, false)]);
        assert!(exchange.list_bytes(Role::Producer) <= LIMITS.list_bytes);
        set(&mut exchange, second, 1);
        assert_eq!(exchange.list(Role::Producer)[0].id, second, "it has produced all the time");
        assert!(exchange.list(Role::Consumer).is_empty());
    }

    #[derive(Clone, Debug)]
    enum Move {
        Enter(usize),
        Leave(usize),
        Set(usize, Vec<Role>),
        Start(usize, usize),
        End(usize, usize),
    }

    fn any_move() -> impl Strategy<Value = Move> {
        let who = 0..4_usize;
        let role = prop_oneof![Just(Role::Producer), Just(Role::Listener), Just(Role::Consumer)];
        prop_oneof![
            2 => who.clone().prop_map(Move::Enter),
            1 => who.clone().prop_map(Move::Leave),
            4 => (who.clone(), proptest::collection::vec(role, 0..3)).prop_map(|(by, roles)| Move::Set(by, roles)),
            6 => (who.clone(), who.clone()).prop_map(|(by, with)| Move::Start(by, with)),
            2 => (who, 0..100_usize).prop_map(|(by, which)| Move::End(by, which)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn sessions_are_those_of_their_ends_and_listeners_hear_what_is(
            moves in proptest::collection::vec(any_move(), 0..80),
        ) {
            let ids = [(); 4].map(|()| PeerId::random());
            let mut exchange = Exchange::new(LIMITS);
            // Each session with its ends, told by what was given back.
            let mut open: HashMap<SessionId, [usize; 2]> = HashMap::new();
            for step in moves {
                let ended = match step {
                    Move::Enter(by) => {
                        let _ = exchange.enter(ids[by], by);
                        Vec::new()
                    }
                    Move::Leave(by) => exchange.leave(ids[by]).ended,
                    Move::Set(by, roles) => {
                        let change = exchange.set_status(ids[by], status(&roles, None), false);
                        change.map(|change| change.ended).unwrap_or_default()
                    }
                    Move::Start(by, with) if exchange.members.contains_key(&ids[by]) => {
                        if let Ok(started) = exchange.start(ids[by], ids[with]) {
                            prop_assert_eq!(started.other, with);
                            open.insert(started.session, [by, with]);
                        }
                        Vec::new()
                    }
                    Move::Start(..) => Vec::new(),
                    Move::End(by, which) => {
                        let session = open.keys().nth(which % open.len().max(1)).copied();
                        let ended = session.and_then(|session| Some((exchange.end(session, ids[by])?, session)));
                        prop_assert_eq!(ended.is_some(), session.is_some_and(|session| open[&session].contains(&by)));
                        ended.into_iter().collect()
                    }
                };
                for (told, session) in ended {
                    prop_assert!(open.remove(&session).is_some_and(|ends| ends.contains(&told)));
                }
                prop_assert_eq!(exchange.sessions.len(), open.len());
                for (index, id) in ids.iter().enumerate() {
                    let Some(member) = exchange.members.get(id) else { continue };
                    let own = open.iter().filter(|(_, ends)| ends.contains(&index)).count();
                    prop_assert_eq!(member.sessions.len(), own);
                    prop_assert!(own <= 3);
                    prop_assert_eq!(exchange.listeners.contains(id), member.standing.roles().has(Role::Listener));
                }
                prop_assert!(exchange.listeners.iter().all(|id| exchange.members.contains_key(id)));
            }
            for id in ids {
                exchange.leave(id);
            }
            prop_assert!(exchange.sessions.is_empty() && exchange.members.is_empty() && exchange.listeners.is_empty());
        }
    }
}
