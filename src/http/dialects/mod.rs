//! The paths of clients that other servers were made for. A path is served only where the operator asked for its dialect:
//! what is not used is not open.

mod gstreamer;
mod matchbox;
mod peerjs;
mod socket_io;
mod topics;

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::oneshot;
use tracing::debug;

use super::bearer::{requested, token};
use super::caller::Caller;
use super::refusal::Refusal;
use super::upgrade::Handshake;
use super::{Shared, cors, handshake};
use crate::admission::Permit;
use crate::auth::Grant;
use crate::connection::{Client, Entrance, Terms, guest};
use crate::dialect::Dialect;
use crate::hub::{Guest, Met};
use crate::protocol::{ErrorCode, Realm};
pub use peerjs::PeerJsSettings;

/// The dialects that are asked for.
pub type Dialects = HashSet<Realm>;

/// Each dialect with the folder of paths that is its own.
const FOLDERS: [(Realm, &str); 6] = [
    (Realm::SocketIo, "/socket.io"),
    (Realm::PeerJs, "/peerjs"),
    (Realm::YWebrtc, "/y-webrtc"),
    (Realm::Trystero, "/trystero"),
    (Realm::Matchbox, "/matchbox"),
    (Realm::GStreamer, "/gstreamer"),
];

/// The routes of the dialects that are asked for.
pub(super) fn routes(dialects: &Dialects, peerjs: &PeerJsSettings, terms: &Terms) -> Router<Shared> {
    dialects.iter().fold(Router::new(), |routes, realm| match realm {
        Realm::SocketIo => routes.merge(socket_io::routes(terms)),
        Realm::PeerJs => routes.merge(peerjs::routes(peerjs)),
        Realm::YWebrtc => routes.merge(topics::y_webrtc()),
        Realm::Trystero => routes.merge(topics::trystero()),
        Realm::Matchbox => routes.merge(matchbox::routes()),
        Realm::GStreamer => routes.merge(gstreamer::routes()),
        Realm::V1 => routes,
    })
}

/// What is said at a path of a dialect that is not asked for, where the page has no file either.
pub(super) fn hint(dialects: &Dialects, path: &str) -> Option<Response> {
    let is_its_own = |realm, rest: &str| match realm {
        // Its client is a file of the page, beside the one path of its sessions.
        Realm::SocketIo => matches!(rest, "" | "/"),
        _ => rest.is_empty() || rest.starts_with('/'),
    };
    let is_meant = |realm, folder| path.strip_prefix(folder).is_some_and(|rest| is_its_own(realm, rest));
    let (realm, _) =
        FOLDERS.into_iter().find(|(realm, folder)| !dialects.contains(realm) && is_meant(*realm, *folder))?;
    let name = realm.as_str();
    let text = format!("{name} is not spoken here: it is once the server has --dialect {name}.\n");
    Some((StatusCode::NOT_FOUND, text).into_response())
}

impl Shared {
    /// Lets a client in whose dialect has a WebSocket, by the checks that are everyone's.
    fn accept_foreign(
        &self,
        caller: &Caller,
        request: &mut Parts,
        dialect: Dialect,
        entrance: Entrance,
    ) -> Result<Response, Refusal> {
        let (handshake, grant) = self.admit_foreign(caller, request)?;
        self.serve_foreign(caller, handshake, grant, dialect, entrance)
    }

    /// The checks that are for all clients of other dialects. Takes nothing.
    fn admit_foreign(&self, caller: &Caller, request: &mut Parts) -> Result<(Handshake, Option<Grant>), Refusal> {
        if !handshake::is_handshake(&request.headers) {
            return Err(self.explain(caller, &request.headers));
        }
        let handshake = self.handshake(caller, request)?;
        let token = token(&request.headers, requested(&request.uri)?)?;
        let grant = self.admit(caller, &request.headers, token)?;
        Ok((handshake, grant))
    }

    /// Serves a client that has passed them, if there is room for it.
    fn serve_foreign(
        &self,
        caller: &Caller,
        Handshake { accept, upgrade }: Handshake,
        grant: Option<Grant>,
        dialect: Dialect,
        entrance: Entrance,
    ) -> Result<Response, Refusal> {
        let permit = self.permit(caller.address, None, grant.as_ref())?;
        let (address, ice) = (caller.address, self.ice_context(caller));
        self.serve(upgrade, Client { address, dialect, entrance, grant, permit, ice, place: None }, false);
        Ok(handshake::switching(accept, None))
    }

    /// The same for a client that meets others in a place of this name, on whichever node that is.
    async fn serve_where_they_meet(
        &self,
        caller: &Caller,
        Handshake { accept, upgrade }: Handshake,
        grant: Option<Grant>,
        dialect: Dialect,
        name: &str,
    ) -> Result<Response, Refusal> {
        if !self.0.terms.has_room_for(&dialect) {
            return Err(Refusal::RoomFull);
        }
        let permit = self.permit(caller.address, None, grant.as_ref())?;
        let (address, ice, realm) = (caller.address, self.ice_context(caller), dialect.realm());
        let (met, permit) = if self.0.terms.hub.node().is_none() {
            (Met::Here(None), permit)
        } else {
            self.meet(realm, name, guest::guest(&dialect, &ice, grant.as_ref()), permit).await?
        };
        match met {
            Met::Here(place) => {
                let (entrance, place) = (guest::entrance(realm), place.map(Box::new));
                self.serve(upgrade, Client { address, dialect, entrance, grant, permit, ice, place }, false);
            }
            Met::There(line) => self.carry(upgrade, line, permit),
        }
        Ok(handshake::switching(accept, None))
    }

    /// Finds out where a client is to be served. Goes on where it hangs up meanwhile, with its permit, so that what other nodes
    /// have agreed to is undone and not forgotten.
    async fn meet(&self, realm: Realm, name: &str, guest: Guest, permit: Permit) -> Result<(Met, Permit), ErrorCode> {
        let (done, met) = oneshot::channel();
        let (hub, name) = (Arc::clone(&self.0.terms.hub), name.to_owned());
        self.0.terms.tasks.spawn(async move {
            let met = hub.meet(realm, &name, &guest).await;
            let _ = done.send(met.map(|met| (met, permit)));
        });
        met.await.unwrap_or(Err(ErrorCode::ClusterUnavailable))
    }

    /// The answer to a client of this realm, or why it gets none.
    fn answer_foreign(&self, realm: Realm, answer: Result<Response, Refusal>) -> Response {
        answer.unwrap_or_else(|refusal| {
            debug!(?refusal, dialect = realm.as_str(), "no WebSocket");
            self.0.terms.metrics.refused(realm.as_str(), refusal.code());
            cors::open_to_all(refusal.into_response())
        })
    }
}
