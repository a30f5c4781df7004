//! Clients that are served on another node than theirs, because all whom they may meet are there: what that node has to know
//! of them, and how they are served there.

use std::net::IpAddr;
use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use super::{Entrance, Terms};
use crate::auth::Grant;
use crate::dialect::Dialect;
use crate::hub::{Guest, Lifetime};
use crate::ice::IceContext;
use crate::protocol::{Realm, RoomKey};

/// What nodes tell each other of a client.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    address: IpAddr,
    /// The name by which it reached its node.
    host: Option<String>,
    speaks: Speaks,
}

/// A dialect whose clients meet in places.
#[derive(Debug, Serialize, Deserialize)]
enum Speaks {
    Matchbox { room: String, next: Option<NonZeroUsize> },
    GStreamer,
}

/// A client, for another node to serve it: [`Hosting`](hosting::Hosting) does.
///
/// # Panics
///
/// Of a dialect whose clients meet nowhere in particular.
pub(crate) fn guest(dialect: &Dialect, ice: &IceContext, grant: Option<&Grant>) -> Guest {
    let speaks = match dialect {
        Dialect::Matchbox(client) => Speaks::Matchbox { room: client.room().to_string(), next: client.next() },
        Dialect::GStreamer(_) => Speaks::GStreamer,
        Dialect::V1 | Dialect::PeerJs(_) | Dialect::Topics(_) => unreachable!("its clients meet in no place"),
    };
    let about = About { address: ice.client, host: ice.host.as_ref().map(ToString::to_string), speaks };
    Guest { about: serde_json::to_vec(&about).expect("numbers and text"), grant: grant.cloned() }
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
    use std::sync::{Arc, Weak};
    use std::time::Instant;

    use tokio_util::sync::CancellationToken;

    use super::super::Client;
    use super::{About, Dialect, Guest, IceContext, Speaks, Terms, entrance};
    use crate::accept::Stream;
    use crate::admission::Admission;
    use crate::cluster::Start;
    use crate::dialect::gstreamer::GStreamer;
    use crate::dialect::matchbox::Matchbox;
    use crate::ice::IceConfig;
    use crate::net::{Line, TlsEnd};
    use crate::protocol::{ErrorCode, PeerId, RoomName};

    impl Speaks {
        /// None: there is no such room.
        pub(super) fn dialect(self) -> Option<Dialect> {
            Some(match self {
                Self::Matchbox { room, next } => {
                    Dialect::Matchbox(Box::new(Matchbox::new(RoomName::new(&room)?, next)))
                }
                Self::GStreamer => Dialect::GStreamer(GStreamer::default()),
            })
        }
    }

    /// What clients of other nodes are served by.
    #[derive(Clone, Debug)]
    pub(crate) struct Hosting {
        /// Weak: it is of what they have.
        pub(crate) terms: Weak<Terms>,
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
        pub(crate) fn serve(&self, place: PeerId, guest: Guest) -> Result<(Start, CancellationToken), ErrorCode> {
            let Guest { about, grant } = guest;
            // A node that has all but ended has no place any more.
            let terms = self.terms.upgrade().ok_or(ErrorCode::PeerUnavailable)?;
            let place = terms.hub.enter_place(place).ok_or(ErrorCode::PeerUnavailable)?;
            let about = serde_json::from_slice(&about).ok();
            let About { address, host, speaks } = about.ok_or(ErrorCode::ClusterUnavailable)?;
            let dialect = speaks.dialect().ok_or(ErrorCode::ClusterUnavailable)?;
            if !terms.has_room_for(&dialect) {
                return Err(ErrorCode::RoomFull);
            }
            let permit = self.admission.enter(address, Instant::now()).map_err(|_| ErrorCode::PeerBusy)?;
            let (host, token) = (host.and_then(|host| host.parse().ok()), place.token());
            let ice = IceContext { config: Arc::clone(&self.ice), host, client: address, tls_end: self.tls_end };
            let entrance = entrance(dialect.realm());
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
