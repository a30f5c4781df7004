//! `/y-webrtc` and `/trystero`: the WebSockets of clients that meet on topics.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};

use crate::connection::Entrance;
use crate::dialect::Dialect;
use crate::dialect::topics::Spelling;
use crate::http::caller::Caller;
use crate::http::{Shared, handshake};
use crate::hub::Lifetime;

/// The paths of y-webrtc's clients: its own, and the page's for those that are given no path.
pub(super) fn y_webrtc() -> Router<Shared> {
    Router::new()
        .route("/y-webrtc", any(answer_y_webrtc))
        .route("/y-webrtc/", any(answer_y_webrtc))
        .route("/", any(answer_root))
}

/// The path of Trystero's clients.
pub(super) fn trystero() -> Router<Shared> {
    Router::new().route("/trystero", get(answer_trystero)).route("/trystero/", get(answer_trystero))
}

async fn answer_y_webrtc(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    if handshake::is_handshake(request.headers()) {
        return shared.open_topics(&caller, request, Spelling::YWebrtc);
    }
    // By which the original's operators see that it is up.
    ([(CONTENT_TYPE, "text/plain")], "okay").into_response()
}

async fn answer_root(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    if handshake::is_handshake(request.headers()) {
        return shared.open_topics(&caller, request, Spelling::YWebrtc);
    }
    shared.page(request).await
}

async fn answer_trystero(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    shared.open_topics(&caller, request, Spelling::Trystero)
}

impl Shared {
    fn open_topics(&self, caller: &Caller, request: Request, spelling: Spelling) -> Response {
        let (mut request, _) = request.into_parts();
        let entrance = Entrance::Fresh { lifetime: Lifetime::Connection, resume: None, revive: None };
        let answer = self.accept_foreign(caller, &mut request, Dialect::Topics(spelling), entrance);
        self.answer_foreign(spelling.realm(), answer)
    }
}
