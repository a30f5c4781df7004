//! The paths of PeerJS's clients, which put them together of a folder and a key: `{path}peerjs`, `{path}{key}/id` and
//! `{path}{key}/peers`. The folder is `/` or `/peerjs/` here, because both are in programs that exist.

use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use axum::{Json, Router};

use crate::connection::Entrance;
use crate::dialect::Dialect;
use crate::dialect::peerjs::PeerJs;
use crate::http::bearer::{requested, token};
use crate::http::caller::Caller;
use crate::http::refusal::Refusal;
use crate::http::request::single;
use crate::http::{NO_STORE, Shared, cors, handshake, query};
use crate::hub::Claim;
use crate::protocol::{Address, Denial, PeerId, Realm, Secret};

/// What is asked of PeerJS's clients, and what they may ask.
#[derive(Clone, Debug)]
pub struct PeerJsSettings {
    /// The key that they have to know.
    pub key: String,
    /// Whether they may ask for the ids of all.
    pub has_discovery: bool,
}

impl PeerJsSettings {
    /// The key that a client has without settings of its own.
    pub const DEFAULT_KEY: &str = "peerjs";
}

/// What the original says of itself.
const ABOUT: &str = r#"{"name":"PeerJS Server","description":"A server side element to broker connections between PeerJS clients.","website":"https://peerjs.com/"}"#;

/// The longest proof of a name that is kept.
const MAX_TOKEN_BYTES: usize = 128;

/// The routes. Of those without a folder only the ones of known keys: all others of `/` are the page's.
pub(super) fn routes(settings: &PeerJsSettings) -> Router<Shared> {
    let routes = Router::new()
        .route("/peerjs", readable(get(answer)))
        .route("/peerjs/peerjs", readable(get(answer)))
        .route("/peerjs/", readable(get(about)))
        .route("/peerjs/{key}/id", readable(get(id)))
        .route("/peerjs/{key}/peers", readable(get(peers)));
    let routes = without_folder(routes, PeerJsSettings::DEFAULT_KEY);
    if settings.key == PeerJsSettings::DEFAULT_KEY { routes } else { without_folder(routes, &settings.key) }
}

fn without_folder(routes: Router<Shared>, key: &str) -> Router<Shared> {
    let [for_id, for_peers] = [key, key].map(str::to_owned);
    let id = move |state, caller, headers| id(state, caller, Path(for_id), headers);
    let peers = move |state, caller, uri, headers| peers(state, caller, Path(for_peers), uri, headers);
    routes.route(&format!("/{key}/id"), readable(get(id))).route(&format!("/{key}/peers"), readable(get(peers)))
}

/// Pages of the origins that may connect read the answers.
fn readable(routes: MethodRouter<Shared>) -> MethodRouter<Shared> {
    routes.options(answer_preflight)
}

async fn answer_preflight(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
    shared.answer_page(&caller, &headers, async { Ok(cors::preflight()) }).await
}

/// The WebSocket.
async fn answer(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    let (mut request, _) = request.into_parts();
    let answer = if handshake::is_handshake(&request.headers) {
        let (dialect, entrance) = match claim(&request.uri, &shared.0.peerjs.key) {
            Ok(claim) => (PeerJs::new(claim.address.clone()), Entrance::Named(claim)),
            // It hears nothing that has a name in it.
            Err(denial) => (PeerJs::new(Address::random()), Entrance::Denied(denial)),
        };
        shared.accept_foreign(&caller, &mut request, Dialect::PeerJs(Box::new(dialect)), entrance)
    } else {
        Err(shared.explain(&caller, &request.headers))
    };
    shared.answer_foreign(Realm::PeerJs, answer)
}

/// What a client says of itself in its URL.
fn claim(uri: &Uri, expected: &str) -> Result<Claim, Denial> {
    let parameters = ["key", "id", "token"].map(|name| query::last(uri, name).filter(|value| !value.is_empty()));
    let [Some(key), Some(id), Some(token)] = parameters else { return Err(Denial::Incomplete) };
    if key != expected {
        return Err(Denial::WrongKey);
    }
    let address = Address::named(Realm::PeerJs, &id).filter(|_| token.len() <= MAX_TOKEN_BYTES);
    let address = address.ok_or(Denial::TooLong)?;
    Ok(Claim { realm: Realm::PeerJs, address, secret: Some(Secret(token)) })
}

/// What is here. No client opens a WebSocket at it: its path would have had a slash too many.
async fn about(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
    let answer = async {
        if handshake::is_handshake(&headers) {
            return Err(Refusal::BadHandshake);
        }
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        Ok(([(header::CONTENT_TYPE, json)], ABOUT).into_response())
    };
    shared.answer_page(&caller, &headers, answer).await
}

/// An id that no client has had, for one that chooses none. It gives a right to nothing, so no credentials are asked for.
async fn id(State(shared): State<Shared>, caller: Caller, Path(key): Path<String>, headers: HeaderMap) -> Response {
    let answer = async {
        if key != shared.0.peerjs.key {
            return Ok(wrong_key());
        }
        Ok(([(header::CACHE_CONTROL, NO_STORE)], Html(PeerId::random().to_string())).into_response())
    };
    shared.answer_page(&caller, &headers, answer).await
}

/// The ids of all clients, for the operator's `--peerjs-discovery` and those who may connect.
async fn peers(
    State(shared): State<Shared>,
    caller: Caller,
    Path(key): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let answer = async {
        if key != shared.0.peerjs.key {
            return Ok(wrong_key());
        }
        if !shared.0.peerjs.has_discovery {
            return Ok((StatusCode::UNAUTHORIZED, "Unauthorized").into_response());
        }
        shared.admit(&caller, &headers, token(&headers, requested(&uri)?)?)?;
        let names = shared.0.terms.hub.all_names(Realm::PeerJs).await;
        Ok(([(header::CACHE_CONTROL, NO_STORE)], Json(names)).into_response())
    };
    shared.answer_page(&caller, &headers, answer).await
}

fn wrong_key() -> Response {
    (StatusCode::UNAUTHORIZED, "Invalid key provided").into_response()
}

impl Shared {
    /// An answer for pages that may connect, which they may read.
    async fn answer_page(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        answer: impl Future<Output = Result<Response, Refusal>>,
    ) -> Response {
        let answered = match single(headers, &header::ORIGIN) {
            Ok(origin) if self.is_allowed(caller, origin) => answer.await,
            Ok(_) => Err(Refusal::OriginNotAllowed),
            Err(repeated) => Err(repeated.into()),
        };
        cors::open_to(answered.unwrap_or_else(Refusal::into_response), self.reader(caller, headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(query: &str) -> Result<(String, String), Denial> {
        let uri = format!("/peerjs{query}").parse().unwrap();
        claim(&uri, "peerjs").map(|claim| (claim.address.to_string(), claim.secret.unwrap().0))
    }

    #[test]
    fn a_client_says_key_id_and_token_and_of_several_the_last_counts() {
        let said = claimed("?key=x&id=a&token=b&version=1.5.5&key=peerjs&id=with%20a%20space&token=c");
        assert_eq!(said, Ok(("with a space".to_owned(), "c".to_owned())));
        assert_eq!(claimed("?key=peerjs&id=__proto__&token=t"), Ok(("__proto__".to_owned(), "t".to_owned())));
    }

    #[test]
    fn what_is_missing_or_wrong_or_too_long_is_denied() {
        for query in ["", "?key=peerjs&id=a", "?key=peerjs&token=t", "?id=a&token=t", "?key=peerjs&id=&token=t"] {
            assert_eq!(claimed(query), Err(Denial::Incomplete), "{query}");
        }
        assert_eq!(claimed("?key=other&id=a&token=t"), Err(Denial::WrongKey));
        let long = |length| "x".repeat(length);
        assert!(claimed(&format!("?key=peerjs&id={}&token={}", long(128), long(128))).is_ok());
        assert_eq!(claimed(&format!("?key=peerjs&id={}&token=t", long(129))), Err(Denial::TooLong));
        assert_eq!(claimed(&format!("?key=peerjs&id=a&token={}", long(129))), Err(Denial::TooLong));
    }
}
