//! A client's life, from the 101 to the end: its session is opened or taken up, talks, and waits for a newer connection
//! where this one was lost.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::Span;
use tracing::field::display;

use super::{Beginning, BinaryMessages, Bounds, Connection, ConnectionLimits, Socket};
use crate::accept::Stream;
use crate::admission::{Overload, Permit};
use crate::auth::Grant;
use crate::dialect::Dialect;
use crate::hub::{Claim, Claimed, Hub, Lifetime, Place, ResumeRequest, Session, Taken};
use crate::ice::IceContext;
use crate::metrics::Metrics;
use crate::parking::{Parking, ParkingPermit};
use crate::protocol::{Denial, End, PeerId, Realm};
use crate::tasks::Tasks;

/// What holds for all connections.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) limits: ConnectionLimits,
    pub(crate) metrics: Metrics,
    /// Who is here.
    pub(crate) hub: Arc<Hub>,
    /// The sessions that wait for their client to come back.
    pub(crate) parked: Parking,
    /// Tells when the server drains, and is told of every connection.
    pub(crate) tasks: Tasks,
}

/// A client that is let in.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    pub(crate) dialect: Dialect,
    pub(crate) entrance: Entrance,
    pub(crate) grant: Option<Grant>,
    pub(crate) permit: Permit,
    pub(crate) ice: IceContext,
    /// Where it meets others, if that is a place.
    pub(crate) place: Option<Box<Place>>,
}

/// How a client gets its session.
#[derive(Debug)]
pub(crate) enum Entrance {
    /// A new one, where there is no earlier one to go on with: with this id, where its node is gone.
    Fresh { lifetime: Lifetime, resume: Option<ResumeRequest>, revive: Option<PeerId> },
    /// One under this name, which its client may have already.
    Named(Claim),
    /// Not at all: it is told why.
    Denied(Denial),
    /// Not at this time: it is worth another try.
    NotNow,
}

/// Why a client gets no session although it has a WebSocket.
enum Refused {
    /// There is no room.
    Full,
    /// Something that clients of its kind expect to be told in a frame. It counts as a connection until it is closed.
    Denied(Denial, Permit),
}

impl From<Overload> for Refused {
    fn from(_: Overload) -> Self {
        Self::Full
    }
}

impl Terms {
    /// Serves a client from the 101 to the end of its connection.
    ///
    /// There is one such future for each peer, so what it holds is kept small: what is needed only at the beginning is in
    /// a box, and no argument of something that waits is held twice.
    pub(crate) fn serve(self: &Arc<Self>, stream: Stream, client: Box<Client>) -> impl Future<Output = End> + use<> {
        let terms = Arc::clone(self);
        let mut arrived = Box::new((stream, *client));
        async move {
            if let Entrance::Named(claim) = &arrived.1.entrance {
                match terms.hub.contest(claim, arrived.1.grant.as_ref()).await {
                    Claimed::Granted => {}
                    Claimed::Taken => arrived.1.entrance = Entrance::Denied(Denial::Taken),
                    Claimed::Free | Claimed::NotNow => arrived.1.entrance = Entrance::NotNow,
                }
            }
            let (mut connection, permit) = match terms.begin(arrived) {
                Ok(begun) => begun,
                Err(turned_away) => {
                    let end = turned_away.end();
                    terms.metrics.ended(turned_away.dialect.realm().as_str(), end.as_str());
                    // By a task of its own: waited for here, it would be room in that of each peer.
                    terms.tasks.spawn(turned_away.close());
                    return end;
                }
            };
            // A panic is a bug of ours; it ends this connection, and no other. What it may have left half done is
            // the session's, which ends too.
            let talk = AssertUnwindSafe(connection.talk());
            let end = talk.catch_unwind().await.unwrap_or(End::Bug);
            terms.metrics.ended(connection.realm().as_str(), end.as_str());
            if let Some(window) = terms.afterlife(connection.realm(), end) {
                terms.park(connection.session(), connection.client(), window);
            }
            if end.parks() {
                terms.keep_topics(connection.session(), connection.client());
            }
            connection.part(end).await;
            // Order: the session and the socket are gone before their permit is free.
            drop(connection);
            drop(permit);
            end
        }
    }

    /// The session is opened, claimed or resumed only here, where the upgrade is complete. Gives the socket back where there is
    /// none to be had.
    fn begin(self: &Arc<Self>, arrived: Box<(Stream, Client)>) -> Result<(Connection, Permit), Box<TurnedAway>> {
        // Frees the box, which the task would keep to its end.
        let (stream, client) = *arrived;
        let Client { dialect, entrance, grant, permit, ice, place, .. } = client;
        let binary = if dialect.takes_binary() { BinaryMessages::Accepted } else { BinaryMessages::Refused };
        let socket = Socket::new(stream, self.limits.max_message_bytes, binary, self.limits.write_timeout);
        let expires = grant.as_ref().and_then(|grant| deadline(grant.expires));
        match self.session(&dialect, entrance, grant, permit) {
            Ok((session, beginning, permit)) => {
                Span::current().record("peer", display(session.id()));
                let terms = Arc::clone(self);
                let bounds = (expires.is_some() || place.is_some()).then(|| Box::new(Bounds { expires, place }));
                Ok((Connection::new(socket, dialect, session, beginning, ice, terms, bounds), permit))
            }
            Err(why) => Err(Box::new(TurnedAway { socket, dialect, why })),
        }
    }

    fn session(
        &self,
        dialect: &Dialect,
        entrance: Entrance,
        grant: Option<Grant>,
        permit: Permit,
    ) -> Result<(Session, Beginning, Permit), Refused> {
        let (lifetime, resume, revive) = match entrance {
            Entrance::Fresh { lifetime, resume, revive } => (lifetime, resume, revive),
            Entrance::Named(claim) => {
                return match self.hub.claim(claim, grant) {
                    Ok(session) => Ok((session, Beginning::New, permit)),
                    Err(Taken) => Err(Refused::Denied(Denial::Taken, permit)),
                };
            }
            Entrance::Denied(denial) => return Err(Refused::Denied(denial, permit)),
            Entrance::NotNow => return Err(Refused::Full),
        };
        let resumed = resume.map(|request| self.hub.resume(&request, grant.as_ref()));
        if let Some(resumed) = &resumed {
            self.metrics.resumption(if resumed.is_some() { "resumed" } else { "refused" });
        }
        if let Some(session) = resumed.flatten() {
            return Ok((session, Beginning::Resumed, permit));
        }
        let permit = permit.into_regular(Instant::now())?;
        if resume.is_some() && self.hub.is_emptied() {
            // It is on another node by now, or will be.
            return Err(Refused::Full);
        }
        let revived = revive.and_then(|id| self.hub.revive(id, grant.clone()));
        let session = revived.unwrap_or_else(|| self.hub.open(dialect.realm(), lifetime, grant));
        Ok((session, Beginning::New, permit))
    }

    /// For how long a session may outlive its connection.
    fn afterlife(&self, realm: Realm, end: End) -> Option<Duration> {
        match realm {
            // The data channels of a client whose connection broke may live: as for one that is only silent, the others are
            // told once the heartbeat would have decided.
            Realm::Matchbox => (end == End::Lost).then(|| self.limits.heartbeat.saturating_mul(2)),
            // A client that others have flooded is there still, and others must not get its name by that.
            Realm::PeerJs => (end == End::TooSlow).then(|| self.limits.heartbeat.saturating_mul(2)),
            _ => self.limits.resume_window.filter(|_| end.parks()),
        }
    }

    /// Keeps a session whose connection was lost until a newer one takes it over or its time is up. Where too many are
    /// kept already, it ends, or one of the address that has the most.
    fn park(&self, session: &Session, client: IpAddr, window: Duration) {
        // Order: a permit may cost another session its own, so it is for what can be parked alone.
        if !session.may_be_parked() {
            return;
        }
        let Ok(permit) = self.parked.enter(client) else { return };
        if let Some(parked) = session.park() {
            self.wait(parked, permit, window);
        }
    }

    /// Keeps a session that comes from another node until its client does, which is a stranger here: each counts as one of an
    /// address of its own.
    #[cfg(feature = "cluster")]
    pub(crate) fn keep(&self, session: Session) {
        let address = IpAddr::from(*session.id().as_bytes());
        if let (Some(window), Ok(permit)) = (self.limits.resume_window, self.parked.enter(address)) {
            self.wait(session, permit, window);
        }
    }

    fn wait(&self, parked: Session, mut permit: ParkingPermit, window: Duration) {
        self.tasks.spawn(async move {
            let waiting = async {
                tokio::select! {
                    _ = parked.revoked() => {}
                    () = permit.revoked() => {}
                }
            };
            // Taken over, closed, too late or one too many, it is over either way.
            let _ = timeout(window, waiting).await;
            drop((parked, permit));
        });
    }

    /// Keeps the topics of a client that is gone and won't subscribe again. They count among the sessions that are parked.
    fn keep_topics(&self, session: &Session, client: IpAddr) {
        let Some(kept) = session.keep_topics() else { return };
        let Ok(mut permit) = self.parked.enter(client) else { return };
        let (window, stop) = (self.limits.topic_window, self.tasks.stop().clone());
        self.tasks.spawn(async move {
            let waiting = async {
                tokio::select! {
                    () = permit.revoked() => {}
                    () = stop.cancelled() => {}
                }
            };
            let _ = timeout(window, waiting).await;
            drop((kept, permit));
        });
    }
}

/// A client that gets no session.
struct TurnedAway {
    socket: Socket,
    dialect: Dialect,
    why: Refused,
}

impl TurnedAway {
    fn end(&self) -> End {
        match self.why {
            Refused::Full => End::Full,
            Refused::Denied(..) => End::Denied,
        }
    }

    /// Says why, and closes.
    async fn close(self) {
        let Self { mut socket, dialect, why } = self;
        match why {
            Refused::Full => socket.close(dialect.close(End::Full)).await,
            Refused::Denied(denial, _permit) => {
                dialect.deny(denial, &mut socket);
                socket.close_without_code().await;
            }
        }
    }
}

/// A time in seconds since 1970 by the clock that timers go by; `None` where that is farther than it goes.
pub(super) fn deadline(seconds: u64) -> Option<Instant> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Instant::now().checked_add(time.duration_since(SystemTime::now()).unwrap_or_default())
}
