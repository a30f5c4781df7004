//! Places: what only one node has, because all who meet there have to be on it. A room of a realm whose rooms do not span
//! nodes is one. The node of the first who comes has it, until the last has left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::auth::Grant;
use crate::net::Line;
use crate::protocol::{ErrorCode, NodeId, PeerId, Realm};

/// For how long it is asked where a place is: a node that is gone is noticed in 3 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two times.
const PAUSE: Duration = Duration::from_millis(100);

/// What other nodes say of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// None has it: it is here from now on.
    Here,
    /// This one has it.
    There(NodeId),
    /// That is not known now. It is worth another try.
    NotNow,
    /// No other node can be asked.
    Unreachable,
}

/// What another node has to know of a client that it is to serve.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What nodes tell each other, and the hub does not read.
    pub about: Vec<u8>,
    /// What its credentials allow.
    pub grant: Option<Grant>,
}

/// Where a client is served.
#[derive(Debug)]
pub enum Met {
    /// Here. None: all who could meet it are here in any case.
    Here(Option<Place>),
    /// On another node, by this line.
    There(Box<dyn Line>),
}

/// The places that this node has.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<PeerId, Open>>);

#[derive(Debug)]
struct Open {
    guests: usize,
    over: CancellationToken,
}

/// A client's being at a place of this node, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    hub: Arc<Hub>,
    id: PeerId,
    /// That of all who are there.
    all_over: CancellationToken,
    over: CancellationToken,
}

impl Place {
    /// Cancelled when its client has to leave, and may come again: another node has the place, or the client's own node ends.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.over.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.hub.places.0.lock();
        // Another node may have had it since it was entered.
        let Some(open) = places.get_mut(&self.id).filter(|_| !self.all_over.is_cancelled()) else { return };
        open.guests -= 1;
        if open.guests == 0 {
            places.remove(&self.id);
            // Order: told with the places locked, so that who comes next tells later.
            if let Some(elsewhere) = &self.hub.elsewhere {
                elsewhere.ended(self.id);
            }
        }
    }
}

impl Hub {
    /// Finds out where the clients of a realm meet that enter the room of this name, and gets one there.
    ///
    /// # Errors
    ///
    /// Why it can't be served at this moment.
    pub async fn meet(self: &Arc<Self>, realm: Realm, room: &str, guest: &Guest) -> Result<Met, ErrorCode> {
        let Some(elsewhere) = &self.elsewhere else { return Ok(Met::Here(None)) };
        let (id, until) = (PeerId::named(realm, room), Instant::now() + PATIENCE);
        while !self.is_closing() && !self.is_emptied() {
            if let Some(place) = self.enter_place(id) {
                return Ok(Met::Here(Some(place)));
            }
            match elsewhere.meet(id).await.unwrap_or(Meeting::NotNow) {
                Meeting::Here => return Ok(Met::Here(Some(self.open_place(id)))),
                Meeting::There(node) => match timeout_at(until.into(), elsewhere.open_line(node, id, guest)).await {
                    Ok(Ok(Ok(line))) => return Ok(Met::There(line)),
                    Ok(Ok(Err(code))) if code != ErrorCode::PeerUnavailable => return Err(code),
                    // The last may just have left it, or the node.
                    _ => {}
                },
                Meeting::NotNow => {}
                Meeting::Unreachable => break,
            }
            if Instant::now() >= until {
                break;
            }
            sleep(PAUSE).await;
        }
        Err(ErrorCode::ClusterUnavailable)
    }

    /// One more at a place. None: this node does not have it.
    pub fn enter_place(self: &Arc<Self>, id: PeerId) -> Option<Place> {
        let mut places = self.places.0.lock();
        let open = places.get_mut(&id).filter(|_| !self.is_closing() && !self.is_emptied())?;
        open.guests += 1;
        Some(Place::of(self, id, &open.over))
    }

    /// … which has it from now on.
    fn open_place(self: &Arc<Self>, id: PeerId) -> Place {
        let mut places = self.places.0.lock();
        let open = places.entry(id).or_insert_with(|| {
            // Order: as in `Place::drop`.
            if let Some(elsewhere) = &self.elsewhere {
                elsewhere.claimed(id);
            }
            Open { guests: 0, over: CancellationToken::new() }
        });
        open.guests += 1;
        Place::of(self, id, &open.over)
    }

    /// Another node has it: of two that did not see each other, one keeps a place.
    pub(super) fn close_place(&self, id: PeerId) {
        if let Some(open) = self.places.0.lock().remove(&id) {
            open.over.cancel();
        }
    }
}

impl Place {
    fn of(hub: &Arc<Hub>, id: PeerId, all_over: &CancellationToken) -> Self {
        Self { hub: Arc::clone(hub), id, all_over: all_over.clone(), over: all_over.child_token() }
    }
}
