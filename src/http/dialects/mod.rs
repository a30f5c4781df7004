//! The paths of clients that other servers were made for. A path is served only where the operator asked for its dialect:
//! what is not used is not open.

mod gstreamer;
mod matchbox;
mod peerjs;
mod socket_io;
mod topics;

use std::collections::HashSet;

use axum::Router;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use tracing::debug;

use super::bearer::{requested, token};
use super::caller::Caller;
use super::refusal::Refusal;
use super::upgrade::Handshake;
use super::{Shared, cors, handshake};
use crate::auth::Grant;
use crate::connection::{Client, Entrance, Terms};
use crate::dialect::Dialect;
use crate::protocol::Realm;
pub use peerjs::PeerJsSettings;

/// The dialects that are asked for.
pub type Dialects = HashSet<Realm>;

/// Each dialect with the paths that are its own.
const PATHS: [(Realm, &[&str]); 6] = [
    (Realm::SocketIo, &["/socket.io/"]),
    (Realm::PeerJs, &["/peerjs", "/peerjs/{*rest}"]),
    (Realm::YWebrtc, &["/y-webrtc"]),
    (Realm::Trystero, &["/trystero"]),
    (Realm::Matchbox, &["/matchbox", "/matchbox/", "/matchbox/{*rest}"]),
    (Realm::GStreamer, &["/gstreamer"]),
];

/// The routes of all dialects: of those that are not asked for, a hint, where nothing else has taken the path.
pub(super) fn routes(dialects: &Dialects, peerjs: &PeerJsSettings, terms: &Terms, taken: &[&str]) -> Router<Shared> {
    let routes = dialects.iter().fold(Router::new(), |routes, realm| match realm {
        Realm::SocketIo => routes.merge(socket_io::routes(terms)),
        Realm::PeerJs => routes.merge(peerjs::routes(peerjs)),
        Realm::YWebrtc => routes.merge(topics::y_webrtc()),
        Realm::Trystero => routes.merge(topics::trystero()),
        Realm::Matchbox => routes.merge(matchbox::routes()),
        Realm::GStreamer => routes.merge(gstreamer::routes()),
        Realm::V1 => routes,
    });
    let hints = PATHS.into_iter().filter(|(realm, _)| !dialects.contains(realm));
    let hints = hints.flat_map(|(realm, paths)| paths.iter().map(move |path| (realm, *path)));
    let free = hints.filter(|(_, path)| !taken.contains(path));
    free.fold(routes, |routes, (realm, path)| routes.route(path, any(move || async move { hint(realm) })))
}

fn hint(realm: Realm) -> Response {
    let name = realm.as_str();
    (StatusCode::NOT_FOUND, format!("{name} is not spoken here: it is once the server has --dialect {name}.\n"))
        .into_response()
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
        self.serve(upgrade, Client { address, dialect, entrance, grant, permit, ice }, false);
        Ok(handshake::switching(accept, None))
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
