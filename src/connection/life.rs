//! A client's life, from the 101 to the end: its session is opened or taken up, talks, and waits for a newer connection
//! where this one was lost.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt as _;
use tokio::time::timeout;

use super::{Beginning, BinaryMessages, Connection, ConnectionLimits, Socket};
use crate::accept::Stream;
use crate::admission::{Overload, Permit};
use crate::auth::Grant;
use crate::dialect::Dialect;
use crate::hub::{Hub, Lifetime, ResumeRequest, Session};
use crate::ice::IceContext;
use crate::metrics::Metrics;
use crate::parking::Parking;
use crate::protocol::End;
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
}

/// How a client gets its session.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entrance {
    /// A new one, where there is no earlier one to go on with.
    Fresh { lifetime: Lifetime, resume: Option<ResumeRequest> },
}

impl Terms {
    /// Serves a client from the 101 to the end of its connection.
    ///
    /// There is one such future for each peer, so what it holds is kept small: what is needed only at the beginning is in
    /// a box, and no argument of something that waits is held twice.
    pub(crate) fn serve(self: &Arc<Self>, arrived: Box<(Stream, Client)>) -> impl Future<Output = End> + use<> {
        let (terms, address) = (Arc::clone(self), arrived.1.address);
        let dialect = arrived.1.dialect.realm().as_str();
        async move {
            let (mut connection, permit) = match terms.begin(*arrived) {
                Ok(begun) => begun,
                Err(mut refused) => {
                    let (socket, reason) = &mut *refused;
                    terms.metrics.ended(dialect, End::Full.as_str());
                    socket.close(*reason).await;
                    return End::Full;
                }
            };
            // A panic is a bug of ours; it ends this connection, and no other. What it may have left half done is
            // the session's, which ends too.
            let talk = AssertUnwindSafe(connection.talk());
            let end = talk.catch_unwind().await.unwrap_or(End::Bug);
            terms.metrics.ended(dialect, end.as_str());
            if end.parks() {
                terms.park(connection.session(), address);
            }
            connection.part(end).await;
            // Order: the session and the socket are gone before their permit is free.
            drop(connection);
            drop(permit);
            end
        }
    }

    /// The session is opened or resumed only here, where the upgrade is complete. Gives the socket back where what it
    /// came to resume has gone in the meantime, and there is no room for one more.
    fn begin(self: &Arc<Self>, (stream, client): (Stream, Client)) -> Result<(Connection, Permit), Box<Refused>> {
        let Client { dialect, entrance, grant, permit, ice, .. } = client;
        let binary = if dialect.takes_binary() { BinaryMessages::Accepted } else { BinaryMessages::Refused };
        let socket = Socket::new(stream, self.limits.max_message_bytes, binary, self.limits.write_timeout);
        let expires = grant.as_ref().and_then(|grant| deadline(grant.expires));
        match self.session(&dialect, entrance, grant, permit) {
            Ok((session, beginning, permit)) => {
                let terms = Arc::clone(self);
                Ok((Connection::new(socket, dialect, session, beginning, ice, terms, expires), permit))
            }
            Err(_) => Err(Box::new((socket, dialect.close(End::Full)))),
        }
    }

    fn session(
        &self,
        dialect: &Dialect,
        entrance: Entrance,
        grant: Option<Grant>,
        permit: Permit,
    ) -> Result<(Session, Beginning, Permit), Overload> {
        let Entrance::Fresh { lifetime, resume } = entrance;
        let resumed = resume.map(|request| self.hub.resume(&request, grant.as_ref()));
        if let Some(resumed) = &resumed {
            self.metrics.resumption(if resumed.is_some() { "resumed" } else { "refused" });
        }
        if let Some(session) = resumed.flatten() {
            return Ok((session, Beginning::Resumed, permit));
        }
        let permit = permit.into_regular(Instant::now())?;
        Ok((self.hub.open(dialect.realm(), lifetime, grant), Beginning::New, permit))
    }

    /// Keeps a session whose connection was lost until a newer one takes it over or its time is up. Where too many are
    /// kept already, it ends, or one of the address that has the most.
    fn park(&self, session: &Session, client: IpAddr) {
        let Some(window) = self.limits.resume_window else { return };
        let Ok(mut permit) = self.parked.enter(client) else { return };
        let Some(parked) = session.park() else { return };
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
}

/// A socket that gets no session, and with what it is closed.
type Refused = (Socket, Option<(u16, &'static str)>);

/// A time in seconds since 1970 by the clock that timers go by; `None` where that is farther than it goes.
pub(super) fn deadline(seconds: u64) -> Option<Instant> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Instant::now().checked_add(time.duration_since(SystemTime::now()).unwrap_or_default())
}
