//! Two clients that want one name: the one that has it keeps it as long as it gives a sign of life.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::timeout_at;

use super::peer::{Asked, Peer};
use super::probe::PATIENCE;
use super::{Claim, Hub, Session};
use crate::auth::Grant;

impl Hub {
    /// Has the holder of a name asked for a sign of life, where a [`claim`](Self::claim) would be refused for its sake. A
    /// holder that gives none in 3 s is gone then, and the name is free.
    pub async fn contest(self: &Arc<Self>, claim: &Claim, grant: Option<&Grant>) {
        let holder = self.peers.get(&claim.address.id()).map(|peer| Arc::clone(&peer));
        if let Some(holder) = holder
            && !holder.is_claimed_by(claim.secret.as_ref(), grant)
        {
            // Boxed: there is one such future for each client with a name, and few have to wait.
            Box::pin(self.outlive(holder)).await;
        }
    }

    async fn outlive(self: &Arc<Self>, holder: Arc<Peer>) {
        let now = Instant::now();
        let Asked::Waits(epoch) = holder.ask(now) else { return };
        if timeout_at((now + PATIENCE).into(), holder.settled(epoch)).await.is_err()
            && let Some(evicted) = holder.evict(epoch, Instant::now())
        {
            // Dropped, it ends.
            drop(Session::new(Arc::clone(self), holder, evicted));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::super::{AllowanceLimits, Ask, HubLimits, MailboxLimits, Next, Taken, TopicLimits};
    use super::*;
    use crate::protocol::{Address, ClientMessage, Kind, Realm, Request, Secret};

    fn hub() -> Arc<Hub> {
        Hub::new(HubLimits {
            allowance: AllowanceLimits::NONE,
            mailbox: MailboxLimits { messages: 8, bytes: 10_000 },
            queued_bytes: 100_000,
            rooms_per_peer: None,
            peers_per_room: None,
            topics: TopicLimits::NONE,
        })
    }

    fn claim(secret: &str) -> Claim {
        let address = Address::named(Realm::PeerJs, "alice").unwrap();
        Claim { realm: Realm::PeerJs, address, secret: Some(Secret(secret.to_owned())) }
    }

    fn is_asked(session: &Session) -> bool {
        let next = pin!(session.next()).poll(&mut Context::from_waker(Waker::noop()));
        matches!(next, Poll::Ready(Next::Probe))
    }

    #[tokio::test]
    async fn a_holder_that_gives_a_sign_of_life_keeps_its_name() {
        let hub = hub();
        let holder = hub.claim(claim("old"), None).unwrap();
        let contender = claim("new");
        let mut contest = pin!(hub.contest(&contender, None));
        assert!(contest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(is_asked(&holder) && !is_asked(&holder), "once");
        let _ = holder.hear(Ask::Control, 0, Instant::now(), Vec::new);
        contest.await;
        assert_eq!(hub.claim(contender.clone(), None).err(), Some(Taken));
        hub.contest(&contender, None).await;
        assert!(!is_asked(&holder), "it has just answered");
    }

    #[tokio::test]
    async fn a_holder_that_leaves_while_it_is_asked_leaves_its_name() {
        let hub = hub();
        let holder = hub.claim(claim("old"), None).unwrap();
        let contender = claim("new");
        let mut contest = pin!(hub.contest(&contender, None));
        assert!(contest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(holder);
        contest.await;
        assert!(hub.claim(contender.clone(), None).is_ok());
    }

    #[tokio::test]
    async fn a_holder_s_own_newer_connection_is_a_sign_of_life() {
        let hub = hub();
        let _older = hub.claim(claim("old"), None).unwrap();
        let contender = claim("new");
        let mut contest = pin!(hub.contest(&contender, None));
        assert!(contest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let _newer = hub.claim(claim("old"), None).unwrap();
        contest.await;
        assert_eq!(hub.claim(contender.clone(), None).err(), Some(Taken));
    }

    #[tokio::test]
    async fn who_has_the_secret_of_a_name_does_not_wait_for_its_holder() {
        let hub = hub();
        let holder = hub.claim(claim("secret"), None).unwrap();
        hub.contest(&claim("secret"), None).await;
        assert!(!is_asked(&holder));
    }

    #[tokio::test]
    async fn of_ten_that_want_the_name_of_a_silent_holder_one_gets_it() {
        let hub = hub();
        let holder = hub.claim(claim("old"), None).unwrap();
        let claims: Vec<Claim> = (0..10).map(|number| claim(&number.to_string())).collect();
        let contend = async |claim: &Claim| {
            hub.contest(claim, None).await;
            hub.claim(claim.clone(), None)
        };
        let begun = Instant::now();
        let claimed = futures_util::future::join_all(claims.iter().map(contend)).await;
        assert_eq!(claimed.iter().filter(|claimed| claimed.is_ok()).count(), 1);
        assert!(begun.elapsed() >= PATIENCE, "it had its time");
        assert_eq!(hub.peers(), 1);
        assert!(holder.held().is_none());
    }

    /// Others can make its line slow, but not take its name by that.
    #[tokio::test]
    async fn a_holder_to_which_something_could_not_be_written_is_not_taken_for_gone() {
        let hub = hub();
        let holder = hub.claim(claim("secret"), None).unwrap();
        let message = ClientMessage::Relay { kind: Kind::Offer, to: "alice".into(), payload: Some("1") };
        let ask = Ask::Frame(Ok(Request { reference: None, message }), holder.answer_permit().unwrap());
        assert_eq!(holder.hear(ask, 0, Instant::now(), Vec::new).refused, None);
        assert!(holder.try_next().is_some());
        hub.contest(&claim("other"), None).await;
        assert_eq!(hub.claim(claim("other"), None).err(), Some(Taken));
        holder.written();
        hub.contest(&claim("other"), None).await;
        assert!(hub.claim(claim("other"), None).is_ok());
    }

    #[tokio::test]
    async fn a_holder_to_which_much_is_on_its_way_is_not_taken_for_gone() {
        let hub = hub();
        let holder = hub.claim(claim("secret"), None).unwrap();
        let caller = hub.claim(Claim { address: Address::named(Realm::PeerJs, "caller").unwrap(), ..claim("x") }, None);
        let caller = caller.unwrap();
        for _ in 0..60 {
            let payload = Some("x".repeat(5000));
            let message = ClientMessage::Relay { kind: Kind::Offer, to: "alice".into(), payload: payload.as_deref() };
            let ask = Ask::Frame(Ok(Request { reference: None, message }), caller.answer_permit().unwrap());
            assert_eq!(caller.hear(ask, 0, Instant::now(), Vec::new).refused, None);
            assert!(holder.try_next().is_some());
            holder.written();
        }
        hub.contest(&claim("other"), None).await;
        assert_eq!(hub.claim(claim("other"), None).err(), Some(Taken));
    }
}
