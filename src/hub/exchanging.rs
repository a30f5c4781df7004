//! What a member of the exchange asks for, and what others are told of it.
//!
//! One lock guards the exchange, and it is held until all that follows from a request is in the mailboxes: what one end of a
//! session answers can't overtake what the other end is told.

use std::sync::Arc;

use super::budget::Reservation;
use super::exchange::{Change, Exchange, Started, Status, StatusChange};
use super::letter::Letter;
use super::mailbox::{MODEST_BYTES, Refused};
use super::peer::Peer;
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{
    ErrorCode, ExchangeNotice, ExchangeRequest, InSession, Notice, Role, Roles, ServerMessage, SessionId, Word,
    footprint,
};

/// The bytes of a list that cost as much as a member that is told something: a message's worth of them is a kilobyte.
const LIST_UNIT_BYTES: usize = 64;

impl Session {
    /// What a request costs besides a message.
    pub(super) fn exchange_units(&self, request: &ExchangeRequest<'_>) -> usize {
        match request {
            ExchangeRequest::SetStatus { .. } => self.hub.exchange.lock().listeners(),
            ExchangeRequest::List(role) => self.hub.exchange.lock().list_bytes(*role) / LIST_UNIT_BYTES,
            _ => 0,
        }
    }

    pub(super) fn exchange(&self, request: ExchangeRequest<'_>, reply: Reply<'_>) -> Result<(), ErrorCode> {
        match request {
            ExchangeRequest::Enter => {
                let entered = self.hub.exchange.lock().enter(self.peer.id(), Arc::clone(&self.peer));
                answered(entered, reply)
            }
            ExchangeRequest::SetStatus { roles, meta, of } => {
                let is_own = of.is_some_and(|of| self.peer.realm.key(&of) == Some(self.peer.id()));
                answered(self.set_status(roles, meta, is_own), reply)
            }
            ExchangeRequest::List(role) => {
                let peers = self.hub.exchange.lock().list(role);
                reply.say(|_| notice(ExchangeNotice::List { role, peers }));
                Ok(())
            }
            ExchangeRequest::StartSession { with, offer } => self.start_session(&with, offer.map(Arc::from), reply),
            ExchangeRequest::Say { session, word, payload } => {
                let Some(session) = session else { return Ok(()) };
                self.say_in_session(session, word, payload.into(), reply)
            }
            ExchangeRequest::EndSession { session, error } => {
                if let Some(session) = session {
                    self.end_session(session, error);
                }
                Ok(())
            }
        }
    }

    fn set_status(&self, roles: Roles, meta: Option<&str>, is_own: bool) -> Result<(), ErrorCode> {
        let bytes = meta.map_or(0, |meta| footprint::shared(meta.len()));
        if bytes > MODEST_BYTES && self.hub.budget.is_exceeded() {
            return Err(ErrorCode::RoomFull);
        }
        let status = Status::new(roles, meta, Some(Reservation::new(&self.hub.budget, bytes)));
        let mut exchange = self.hub.exchange.lock();
        let change = exchange.set_status(self.peer.id(), status, is_own)?;
        if !roles.has(Role::Listener) {
            self.peer.mailbox.forget_statuses();
        }
        self.tell(&change);
        Ok(())
    }

    /// Leaves the exchange, which ends its sessions.
    pub(super) fn leave_exchange(&self) {
        let mut exchange = self.hub.exchange.lock();
        let change = exchange.leave(self.peer.id());
        self.tell(&change);
    }

    fn tell(&self, Change { ended, status }: &Change<Arc<Peer>>) {
        if self.hub.is_closing() {
            return;
        }
        for (other, session) in ended {
            other.mailbox.tell_session_ended(*session);
        }
        if let Some(StatusChange { standing, news, listeners }) = status {
            for listener in listeners {
                listener.mailbox.tell_status(standing, *news);
            }
        }
    }

    fn start_session(&self, with: &str, offer: Option<Arc<str>>, reply: Reply<'_>) -> Result<(), ErrorCode> {
        let mut exchange = self.hub.exchange.lock();
        let id = self.peer.id();
        let other = self.peer.realm.key(with).ok_or(ErrorCode::PeerUnavailable);
        let started = match other.and_then(|other| exchange.start(id, other)) {
            Ok(started) => started,
            Err(code) => return Err(reply.refuse(code, |error| error.to(with))),
        };
        let Started { session, other, other_id, asker } = started;
        let (told, answer) = match asker {
            Role::Producer => (InSession::Started, ExchangeNotice::Start { peer: other_id, session, offer }),
            _ => (InSession::Start(offer), ExchangeNotice::Started { peer: other_id, session }),
        };
        if let Err(code) = self.put_in_session(&other, session, told) {
            exchange.end(session, id);
            return Err(reply.refuse(code, |error| error.to(with)));
        }
        reply.say(|_| notice(answer));
        Ok(())
    }

    /// Where the other end's queue is full the session ends for both: without what is said here it would come to nothing.
    fn say_in_session(
        &self,
        session: SessionId,
        word: Word,
        payload: Arc<str>,
        reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        let mut exchange = self.hub.exchange.lock();
        let other = match exchange.other_end(session, self.peer.id(), word) {
            Ok(Some(other)) => Arc::clone(other),
            // As a client that has not heard of the end yet does.
            Ok(None) => return Ok(()),
            Err(code) => return Err(reply.refuse(code, |error| error)),
        };
        let put = self.put_in_session(&other, session, InSession::Said(word, payload));
        if put == Err(ErrorCode::PeerBusy) {
            self.break_off(&mut exchange, session);
        }
        put
    }

    fn break_off(&self, exchange: &mut Exchange<Arc<Peer>>, session: SessionId) {
        if let Some(other) = exchange.end(session, self.peer.id()) {
            for end in [&self.peer, &other] {
                end.mailbox.tell_session_ended(session);
            }
        }
    }

    fn end_session(&self, session: SessionId, error: Option<&str>) {
        let mut exchange = self.hub.exchange.lock();
        let Some(other) = exchange.end(session, self.peer.id()) else { return };
        let put = |error: &str| self.put_in_session(&other, session, InSession::Ended(error.into())).is_ok();
        if !error.is_some_and(put) {
            other.mailbox.tell_session_ended(session);
        }
    }

    fn put_in_session(&self, other: &Peer, session: SessionId, said: InSession) -> Result<(), ErrorCode> {
        if !self.peer.mailbox.may_owe() {
            return Err(ErrorCode::PeerBusy);
        }
        let message = ServerMessage::InSession { from: self.peer.address.clone(), session, said };
        let letter = Letter::new(message, 1, &self.hub.budget);
        other.mailbox.put(&letter, &self.peer.mailbox).map_err(|refused| match refused {
            Refused::Closed => ErrorCode::PeerUnavailable,
            Refused::Full => ErrorCode::PeerBusy,
        })
    }
}

fn answered(done: Result<(), ErrorCode>, reply: Reply<'_>) -> Result<(), ErrorCode> {
    match done {
        Ok(()) => {
            reply.ack(false);
            Ok(())
        }
        Err(code) => Err(reply.refuse(code, |error| error)),
    }
}

fn notice(notice: ExchangeNotice) -> Notice {
    Notice::Exchange(Box::new(notice))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Instant;

    use super::super::{AllowanceLimits, Ask, Hub, HubLimits, Lifetime, MailboxLimits, TopicLimits};
    use super::*;
    use crate::protocol::{ClientMessage, Rate, Realm, Request};

    const LIMITS: HubLimits = HubLimits {
        allowance: AllowanceLimits::NONE,
        mailbox: MailboxLimits { messages: 8, bytes: 100_000 },
        queued_bytes: 50_000,
        rooms_per_peer: NonZeroUsize::new(16),
        peers_per_room: NonZeroUsize::new(100),
        topics: TopicLimits::NONE,
    };

    fn ask(session: &Session, request: ExchangeRequest<'_>) -> Option<ErrorCode> {
        let request = Request { reference: None, message: ClientMessage::Exchange(request) };
        let ask = Ask::Frame(Ok(request), session.answer_permit().unwrap());
        session.hear(ask, 0, Instant::now(), Vec::new).refused
    }

    fn member(hub: &Arc<Hub>) -> Session {
        let session = hub.open(Realm::GStreamer, Lifetime::Connection, None);
        assert_eq!(ask(&session, ExchangeRequest::Enter), None);
        session
    }

    fn set(session: &Session, role: Role, meta: Option<&str>) -> Option<ErrorCode> {
        ask(session, ExchangeRequest::SetStatus { roles: [role].into_iter().collect(), meta, of: None })
    }

    #[test]
    fn a_long_meta_is_refused_where_the_budget_is_used_up() {
        let hub = Hub::new(LIMITS);
        let members = [(); 4].map(|()| member(&hub));
        let meta = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
        assert_eq!(set(&members[0], Role::Producer, Some(&meta(30_000))), None);
        assert_eq!(set(&members[1], Role::Producer, Some(&meta(30_000))), None, "it was not used up before");
        assert_eq!(set(&members[2], Role::Producer, Some(&meta(30_000))), Some(ErrorCode::RoomFull));
        assert_eq!(set(&members[2], Role::Producer, Some(&meta(1000))), None, "a short one is no burden");
        let [first, ..] = members;
        drop(first);
        assert!(hub.queued_bytes() < LIMITS.queued_bytes);
    }

    #[test]
    fn a_meta_is_not_held_for_a_listener_that_has_not_heard_that_its_member_left() {
        let hub = Hub::new(LIMITS);
        let [listener, producer] = [(); 2].map(|()| member(&hub));
        assert_eq!(set(&listener, Role::Listener, None), None);
        assert_eq!(set(&producer, Role::Producer, Some(&format!("\"{}\"", "x".repeat(30_000)))), None);
        while listener.try_next().is_some() {
            listener.written();
        }
        drop(producer);
        assert!(hub.queued_bytes() < 30_000, "{}", hub.queued_bytes());
        let left = listener.try_next().map(|frame| format!("{:?}", frame.message()));
        assert!(left.is_some_and(|left| left.contains("meta: None")));
    }

    #[test]
    fn a_status_costs_1_and_a_sixteenth_for_each_listener() {
        let rate = Some(Rate { messages: 0.0, burst: 8 });
        let hub = Hub::new(HubLimits { allowance: AllowanceLimits { rate, ..AllowanceLimits::NONE }, ..LIMITS });
        let listeners: Vec<Session> = (0..32).map(|_| member(&hub)).collect();
        for listener in &listeners {
            assert_eq!(set(listener, Role::Listener, None), None);
        }
        let producer = member(&hub);
        // To enter costs one of eight; each of these three.
        let asked = [(); 4].map(|()| set(&producer, Role::Producer, None));
        assert_eq!(asked, [None, None, Some(ErrorCode::RateLimited), Some(ErrorCode::RateLimited)]);
    }

    #[test]
    fn where_a_queue_is_full_a_session_ends_for_both() {
        let hub = Hub::new(HubLimits { queued_bytes: 1_000_000, ..LIMITS });
        let [producer, consumer] = [(); 2].map(|()| member(&hub));
        assert_eq!(set(&producer, Role::Producer, None), None);
        let with = producer.id().to_string().into();
        assert_eq!(ask(&consumer, ExchangeRequest::StartSession { with, offer: None }), None);
        let Some(ServerMessage::Notice(Notice::Exchange(started))) =
            consumer.try_next().map(|frame| frame.message().clone())
        else {
            panic!("it has started");
        };
        let ExchangeNotice::Started { session, .. } = *started else { panic!("{started:?}") };
        let say = || ExchangeRequest::Say { session: Some(session), word: Word::Candidate, payload: "{}".into() };
        while ask(&consumer, say()).is_none() {}
        assert_eq!(ask(&consumer, say()), None, "it has ended: silence");
        for end in [producer, consumer] {
            let next = || {
                end.written();
                end.try_next()
            };
            let last = std::iter::from_fn(next).last().map(|frame| format!("{:?}", frame.message()));
            assert!(last.is_some_and(|last| last.contains("Ended")));
        }
    }
}
