//! `/gstreamer`.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::any;

use super::super::Shared;
use super::super::caller::Caller;
use super::super::refusal::Refusal;
use crate::dialect::Dialect;
use crate::dialect::gstreamer::GStreamer;
use crate::protocol::Realm;

/// All its clients meet in one.
const THE_EXCHANGE: &str = "";

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/gstreamer", any(answer)).route("/gstreamer/", any(answer))
}

async fn answer(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    let (mut request, _) = request.into_parts();
    shared.answer_foreign(Realm::GStreamer, shared.accept_gstreamer(&caller, &mut request).await)
}

impl Shared {
    async fn accept_gstreamer(&self, caller: &Caller, request: &mut Parts) -> Result<Response, Refusal> {
        let (handshake, grant) = self.admit_foreign(caller, request)?;
        let dialect = Dialect::GStreamer(GStreamer::default());
        self.serve_where_they_meet(caller, handshake, grant, dialect, THE_EXCHANGE).await
    }
}
