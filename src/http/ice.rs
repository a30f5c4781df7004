//! `GET /ice`: the ICE servers for applications that bring their own signaling.

use axum::Json;
use axum::extract::State;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::caller::Caller;
use super::refusal::Refusal;
use super::request::single;
use super::{NO_STORE, Shared, cors};
use crate::protocol::{IceServer, PeerId};

/// Answers `GET /ice`, under the same checks as a WebSocket.
pub(super) async fn answer(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
    let response = match shared.check(&caller, &headers) {
        Ok(()) => {
            let ice_servers = shared.ice_context(&caller).list(PeerId::random());
            ([(header::CACHE_CONTROL, NO_STORE)], Json(IceAnswer { ice_servers })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    };
    cors::open_to(response, shared.reader(&caller, &headers))
}

/// Answers `OPTIONS /ice`: the pages that may connect may ask with credentials.
pub(super) async fn answer_preflight(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
    let response = match single(&headers, &header::ORIGIN) {
        Ok(origin) if shared.is_allowed(&caller, origin) => cors::preflight(),
        Ok(_) => Refusal::OriginNotAllowed.into_response(),
        Err(repeated) => Refusal::from(repeated).into_response(),
    };
    cors::open_to(response, shared.reader(&caller, &headers))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IceAnswer {
    ice_servers: Vec<IceServer>,
}
