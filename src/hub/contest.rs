//! Two clients that want one name: the one that has it keeps it as long as it gives a sign of life.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout_at};

use super::elsewhere::{Claimed, Elsewhere};
use super::peer::{Asked, Epoch, Peer};
use super::probe::PATIENCE;
use super::{Claim, Hub, Session};
use crate::auth::Grant;
use crate::protocol::{PeerId, Secret};

/// For how long other nodes are asked: a holder there has its 3 s, and a node that is gone is noticed in 3 s.
const PATIENCE_ELSEWHERE: Duration = Duration::from_secs(8);

/// Between two times.
const PAUSE: Duration = Duration::from_millis(100);

impl Hub {
    /// Has the holder of a name asked for a sign of life, where a [`claim`](Self::claim) would be refused for its sake. A
    /// holder that gives none in 3 s is gone then, and the name is free.
    ///
    /// What other nodes say is asked where none of this one has the name.
    pub async fn contest(self: &Arc<Self>, claim: &Claim, grant: Option<&Grant>) -> Claimed {
        let holder = self.peers.get(&claim.address.id()).map(|peer| Arc::clone(&peer));
        // Boxed: there is one such future for each client with a name, and few have to wait.
        match (holder, &self.elsewhere) {
            (Some(holder), _) if !holder.is_claimed_by(claim.secret.as_ref(), subject(grant)) => {
                Box::pin(self.outlive(holder)).await;
                Claimed::Granted
            }
            (None, Some(elsewhere)) if claim.realm.has_claims() => {
                Box::pin(claim_elsewhere(elsewhere, claim, subject(grant))).await
            }
            _ => Claimed::Granted,
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

/// Asks other nodes until they know.
async fn claim_elsewhere(elsewhere: &Arc<dyn Elsewhere>, claim: &Claim, subject: Option<&str>) -> Claimed {
    let until = Instant::now() + PATIENCE_ELSEWHERE;
    loop {
        let claimed = elsewhere.claim(claim, subject).await.unwrap_or(Claimed::NotNow);
        match claimed {
            Claimed::Granted | Claimed::Taken => return claimed,
            _ if Instant::now() >= until => return Claimed::NotNow,
            Claimed::Free => {}
            Claimed::NotNow => sleep(PAUSE).await,
        }
    }
}

fn subject(grant: Option<&Grant>) -> Option<&str> {
    grant.map(|grant| &*grant.subject)
}

/// A holder that was asked for a sign of life because a client of another node wants its name.
#[derive(Debug)]
pub struct Holder {
    peer: Arc<Peer>,
    epoch: Epoch,
    until: Instant,
}

/// What is to be said to a client of another node that wants a name of this one.
#[derive(Debug)]
pub enum Contested {
    /// The name is free.
    Free,
    /// Its holder is there.
    Kept,
    /// That will be known in 3 s: [`Hub::judge`].
    Asked(Holder),
}

impl Hub {
    /// The same for a client of another node.
    #[must_use]
    pub fn contest_for(
        self: &Arc<Self>,
        id: PeerId,
        secret: Option<&Secret>,
        subject: Option<&str>,
        now: Instant,
    ) -> Contested {
        let Some(peer) = self.peers.get(&id).map(|peer| Arc::clone(&peer)) else { return Contested::Free };
        if peer.is_claimed_by(secret, subject) {
            self.evict(id);
            return Contested::Free;
        }
        match peer.ask(now) {
            Asked::Gone => Contested::Free,
            Asked::Alive => Contested::Kept,
            Asked::Waits(epoch) => Contested::Asked(Holder { peer, epoch, until: now + PATIENCE }),
        }
    }

    /// Whether the name of a holder that was asked is free by now. None: it is not known yet.
    #[must_use]
    pub fn judge(self: &Arc<Self>, holder: &Holder, now: Instant) -> Option<bool> {
        let Holder { peer, epoch, until } = holder;
        if peer.is_settled(*epoch) {
            return Some(!self.is_here(peer.id()));
        }
        if now < *until {
            return None;
        }
        let evicted = peer.evict(*epoch, now);
        // Dropped, it ends.
        Some(evicted.map(|evicted| drop(Session::new(Arc::clone(self), Arc::clone(peer), evicted))).is_some())
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
