//! The paths of clients that other servers were made for. A path is served only where the operator asked for its dialect:
//! what is not used is not open.

mod socket_io;

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
use crate::connection::{Client, Entrance, Terms};
use crate::dialect::Dialect;
use crate::protocol::Realm;

/// The dialects that are asked for.
pub type Dialects = HashSet<Realm>;

/// Each dialect with the paths that are its own.
const PATHS: [(Realm, &[&str]); 6] = [
    (Realm::SocketIo, &["/socket.io/"]),
    (Realm::PeerJs, &["/peerjs", "/peerjs/{*rest}"]),
    (Realm::YWebrtc, &["/y-webrtc"]),
    (Realm::Trystero, &["/trystero"]),
    (Realm::Matchbox, &["/matchbox", "/matchbox/{*rest}"]),
    (Realm::GStreamer, &["/gstreamer"]),
];

/// The routes of all dialects: of those that are not asked for, a hint, where nothing else has taken the path.
pub(super) fn routes(dialects: &Dialects, terms: &Terms, taken: &[&str]) -> Router<Shared> {
    let hints = PATHS.into_iter().filter(|(realm, _)| !dialects.contains(realm));
    let hints = hints.flat_map(|(realm, paths)| paths.iter().map(move |path| (realm, *path)));
    let free = hints.filter(|(_, path)| !taken.contains(path));
    let routes =
        free.fold(Router::new(), |routes, (realm, path)| routes.route(path, any(move || async move { hint(realm) })));
    if dialects.contains(&Realm::SocketIo) { routes.merge(socket_io::routes(terms)) } else { routes }
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
        let Handshake { accept, upgrade } = self.handshake(caller, request)?;
        let token = token(&request.headers, requested(&request.uri)?)?;
        let grant = self.admit(caller, &request.headers, token)?;
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
