//! Clients that are served on another node than theirs, because all whom they may meet are there: what that node has to know
//! of them, and how they are served there.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Entrance, Terms};
use crate::auth::Grant;
use crate::dialect::Dialect;
use crate::hub::Lifetime;
use crate::ice::IceContext;
use crate::protocol::{Realm, RoomKey};

/// A client as its node tells it another one.
#[derive(Debug, Serialize, Deserialize)]
struct Guest {
    address: IpAddr,
    /// The name by which it reached its node.
    host: Option<String>,
    speaks: Speaks,
    grant: Option<Allowed>,
}

/// A dialect whose clients meet in places.
#[derive(Debug, Serialize, Deserialize)]
enum Speaks {
    Matchbox { room: String, next: Option<NonZeroUsize> },
    GStreamer,
}

/// What its credentials allow.
#[derive(Debug, Serialize, Deserialize)]
struct Allowed {
    subject: String,
    rooms: Option<Vec<String>>,
    expires: u64,
}

impl From<&Grant> for Allowed {
    fn from(Grant { subject, rooms, expires }: &Grant) -> Self {
        let rooms = rooms.as_ref().map(|rooms| rooms.iter().map(ToString::to_string).collect());
        Self { subject: subject.to_string(), rooms, expires: *expires }
    }
}

/// What another node has to know of a client to serve it: [`Hosting`](hosting::Hosting) reads it.
///
/// # Panics
///
/// Of a dialect whose clients meet nowhere in particular.
pub(crate) fn describe(dialect: &Dialect, ice: &IceContext, grant: Option<&Grant>) -> Vec<u8> {
    let speaks = match dialect {
        Dialect::Matchbox(client) => Speaks::Matchbox { room: client.room().to_string(), next: client.next() },
        Dialect::GStreamer(_) => Speaks::GStreamer,
        Dialect::V1 | Dialect::PeerJs(_) | Dialect::Topics(_) => unreachable!("its clients meet in no place"),
    };
    let (address, host) = (ice.client, ice.host.as_ref().map(ToString::to_string));
    let guest = Guest { address, host, speaks, grant: grant.map(Allowed::from) };
    serde_json::to_vec(&guest).expect("numbers and text")
}

/// How a client of a dialect begins whose clients meet in places.
pub(crate) fn entrance(realm: Realm) -> Entrance {
    let lifetime = if realm == Realm::Matchbox { Lifetime::Lingering } else { Lifetime::Connection };
    Entrance::Fresh { lifetime, resume: None, revive: None }
}

impl Terms {
    /// Whether a client could enter at this moment where it would. One that is accepted and then closed comes back at once, and
    /// for ever; one that is refused does not.
    pub(crate) fn has_room_for(&self, dialect: &Dialect) -> bool {
        match dialect {
            Dialect::Matchbox(client) if client.next().is_none() => {
                !self.hub.is_full(&RoomKey { realm: Realm::Matchbox, name: client.room().clone() })
            }
            Dialect::GStreamer(_) => !self.hub.is_exchange_full(),
            _ => true,
        }
    }
}

#[cfg(feature = "cluster")]
pub(crate) mod hosting {
    use std::sync::Arc;
    use std::time::Instant;

    use tokio_util::sync::CancellationToken;

    use super::super::Client;
    use super::{Allowed, Dialect, Grant, Guest, IceContext, Speaks, Terms, entrance};
    use crate::accept::Stream;
    use crate::admission::Admission;
    use crate::cluster::Start;
    use crate::dialect::gstreamer::GStreamer;
    use crate::dialect::matchbox::Matchbox;
    use crate::ice::IceConfig;
    use crate::net::{Line, TlsEnd};
    use crate::protocol::{ErrorCode, PeerId, RoomName};

    impl From<Allowed> for Grant {
        fn from(Allowed { subject, rooms, expires }: Allowed) -> Self {
            let rooms = rooms.map(|rooms| Arc::new(rooms.iter().filter_map(|name| RoomName::new(name)).collect()));
            Self { subject: subject.into(), rooms, expires }
        }
    }

    impl Speaks {
        /// None: there is no such room.
        pub(super) fn dialect(self) -> Option<Dialect> {
            Some(match self {
                Self::Matchbox { room, next } => Dialect::Matchbox(Matchbox::new(RoomName::new(&room)?, next)),
                Self::GStreamer => Dialect::GStreamer(GStreamer::default()),
            })
        }
    }

    /// What clients of other nodes are served by.
    #[derive(Clone, Debug)]
    pub(crate) struct Hosting {
        pub(crate) terms: Arc<Terms>,
        /// They count as connections of this node, too.
        pub(crate) admission: Admission,
        pub(crate) ice: Arc<IceConfig>,
        pub(crate) tls_end: TlsEnd,
    }

    impl Hosting {
        /// Lets a client of another node in, which its node has let in. Gives what is to be done with its line, and what ends its
        /// stay.
        ///
        /// # Errors
        ///
        /// `peer-unavailable`: the place is not here. `room-full`, `peer-busy`: it is, and there is no room for the client there,
        /// or on this node.
        pub(crate) fn serve(&self, place: PeerId, guest: &[u8]) -> Result<(Start, CancellationToken), ErrorCode> {
            let place = self.terms.hub.enter_place(place).ok_or(ErrorCode::PeerUnavailable)?;
            let guest = serde_json::from_slice(guest).ok();
            let Guest { address, host, speaks, grant } = guest.ok_or(ErrorCode::ClusterUnavailable)?;
            let dialect = speaks.dialect().ok_or(ErrorCode::ClusterUnavailable)?;
            if !self.terms.has_room_for(&dialect) {
                return Err(ErrorCode::RoomFull);
            }
            let permit = self.admission.enter(address, Instant::now()).map_err(|_| ErrorCode::PeerBusy)?;
            let (host, token) = (host.and_then(|host| host.parse().ok()), place.token());
            let ice = IceContext { config: Arc::clone(&self.ice), host, client: address, tls_end: self.tls_end };
            let (entrance, grant, terms) = (entrance(dialect.realm()), grant.map(Grant::from), Arc::clone(&self.terms));
            let client =
                Box::new(Client { address, dialect, entrance, grant, permit, ice, place: Some(Box::new(place)) });
            let start = move |line: Box<dyn Line>| {
                // The WebSocket's own write deadline comes first, so that its client can still be told.
                let stream = Stream::carried(line, terms.tasks.clone(), 2 * terms.limits.write_timeout);
                let serving = terms.serve(stream, client);
                terms.tasks.spawn(async move {
                    serving.await;
                });
            };
            Ok((Box::new(start), token))
        }
    }
}

#[cfg(all(test, feature = "cluster"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::matchbox::Matchbox;
    use crate::protocol::RoomName;

    #[test]
    fn what_is_told_of_a_guest_is_what_it_is() {
        let room = |name: &str| RoomName::new(name).unwrap();
        let rooms = Some(Arc::new([room("hall"), room("héron")].into_iter().collect()));
        let grant = Grant { subject: "alice".into(), rooms, expires: 7 };
        assert_eq!(Grant::from(Allowed::from(&grant)), grant);
        let client = Matchbox::new(room("hall"), NonZeroUsize::new(3));
        let speaks = Speaks::Matchbox { room: client.room().to_string(), next: client.next() };
        let Some(Dialect::Matchbox(told)) = speaks.dialect() else { panic!("it speaks matchbox") };
        assert_eq!((told.room(), told.next()), (client.room(), client.next()));
    }
}
