//! `/gstreamer`.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::any;

use super::super::Shared;
use super::super::caller::Caller;
use super::super::refusal::Refusal;
use crate::connection::Entrance;
use crate::dialect::Dialect;
use crate::dialect::gstreamer::GStreamer;
use crate::hub::Lifetime;
use crate::protocol::Realm;

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/gstreamer", any(answer)).route("/gstreamer/", any(answer))
}

async fn answer(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    let (mut request, _) = request.into_parts();
    shared.answer_foreign(Realm::GStreamer, shared.accept_gstreamer(&caller, &mut request))
}

impl Shared {
    fn accept_gstreamer(&self, caller: &Caller, request: &mut Parts) -> Result<Response, Refusal> {
        let (handshake, grant) = self.admit_foreign(caller, request)?;
        if self.0.terms.hub.is_exchange_full() {
            return Err(Refusal::RoomFull);
        }
        let entrance = Entrance::Fresh { lifetime: Lifetime::Connection, resume: None, revive: None };
        self.serve_foreign(caller, handshake, grant, Dialect::GStreamer(GStreamer::default()), entrance)
    }
}
