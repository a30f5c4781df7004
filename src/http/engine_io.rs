//! Engine.IO over HTTP: which request is for which session, and how its answer looks. What sessions are for is not known here.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use futures_util::StreamExt as _;
use tokio::time::timeout;
use tracing::{Span, debug};

use super::caller::Caller;
use super::refusal::Refusal;
use super::request::single;
use super::upgrade::{Handshake, switched};
use super::{NO_STORE, Shared, cors, handshake};
use crate::accept::{Arrival, Pending};
use crate::admission::Permit;
use crate::connection::Terms;
use crate::connection::held::{Application, Endpoint, GONE};
use crate::dialect::socketio::engine::{Answer, Config, Content, PostFailure, Transport};
use crate::dialect::socketio::request::{self, Form, Purpose, judge};
use crate::dialect::socketio::sid::Sid;
use crate::protocol::Realm;

/// A path where another application than signaling is served.
pub struct Mount {
    path: String,
    routes: Box<MakeRoutes>,
}

type MakeRoutes = dyn FnOnce(&Terms) -> Router<Shared> + Send;

impl Mount {
    /// An application over Engine.IO, at this path with its slash, one for each session.
    pub fn engine_io<A: Application>(
        path: &str,
        config: Config,
        open: impl Fn() -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let routes = {
            let path = path.to_owned();
            move |terms: &Terms| {
                let limits = &terms.limits;
                let endpoint = Endpoint::new(config, limits.write_timeout, limits.farewell, terms.tasks.clone());
                routes(&path, endpoint, move |_: &Shared, _: &Parts| Ok(open()))
            }
        };
        Self { path: path.to_owned(), routes: Box::new(routes) }
    }

    pub(super) fn routes(self, terms: &Terms) -> Router<Shared> {
        (self.routes)(terms)
    }
}

impl fmt::Debug for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mount").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Makes an application for the session that begins with a request.
pub(super) trait Open<A>: Fn(&Shared, &Parts) -> Result<A, Refusal> + Clone + Send + Sync + 'static {}

impl<A, F: Fn(&Shared, &Parts) -> Result<A, Refusal> + Clone + Send + Sync + 'static> Open<A> for F {}

pub(super) fn routes<A: Application>(path: &str, endpoint: Arc<Endpoint>, open: impl Open<A>) -> Router<Shared> {
    let handler = move |State(shared): State<Shared>, caller: Caller, request: Request| {
        let (endpoint, open) = (Arc::clone(&endpoint), open.clone());
        async move { answer(&shared, &caller, &endpoint, open, request).await }
    };
    Router::new().route(path, any(handler))
}

/// Why a request gets no answer of a session.
enum Refused {
    /// For a reason of the protocol's.
    Engine(request::Refusal),
    /// For one that all clients share.
    Ours(Refusal),
}

impl From<request::Refusal> for Refused {
    fn from(refusal: request::Refusal) -> Self {
        Self::Engine(refusal)
    }
}

impl<R: Into<Refusal>> From<R> for Refused {
    fn from(refusal: R) -> Self {
        Self::Ours(refusal.into())
    }
}

async fn answer<A: Application>(
    shared: &Shared,
    caller: &Caller,
    endpoint: &Arc<Endpoint>,
    open: impl Open<A>,
    request: Request,
) -> Response {
    let (mut parts, body) = request.into_parts();
    let form = if handshake::is_handshake(&parts.headers) { Form::Upgrade } else { Form::Plain };
    let reader = shared.reader(caller, &parts.headers).cloned();
    let answered = match purpose(shared, caller, endpoint, form, &parts) {
        Ok(Some(purpose)) => serve(shared, caller, endpoint, open, purpose, &mut parts, body).await,
        Ok(None) => Ok(cors::polling_preflight(parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS))),
        Err(refused) => Err(refused),
    };
    let response = answered.unwrap_or_else(|refused| {
        let reason = match &refused {
            Refused::Engine(refusal) => refusal.as_str(),
            Refused::Ours(refusal) => refusal.code(),
        };
        debug!(reason, "no session");
        shared.0.terms.metrics.refused(Realm::SocketIo.as_str(), reason);
        match refused {
            Refused::Engine(refusal) => response(form, Answer::Refused(refusal)),
            Refused::Ours(refusal) => refusal.into_response(),
        }
    });
    cors::shared_with(response, reader.as_ref())
}

/// What a request is about. `None`: a page asks whether it may.
fn purpose(
    shared: &Shared,
    caller: &Caller,
    endpoint: &Endpoint,
    form: Form,
    parts: &Parts,
) -> Result<Option<Purpose>, Refused> {
    // Before a session is made: a page that can't read the answer tries again, and each time would leave one behind.
    if !shared.is_allowed(caller, single(&parts.headers, &header::ORIGIN).map_err(Refusal::from)?) {
        return Err(request::Refusal::Forbidden.into());
    }
    let method = match parts.method {
        Method::OPTIONS => return Ok(None),
        Method::GET => request::Method::Get,
        Method::POST => request::Method::Post,
        _ => request::Method::Other,
    };
    let query = parts.uri.query().unwrap_or_default();
    Ok(Some(judge(method, form, query, |sid| endpoint.transport(sid))?))
}

async fn serve<A: Application>(
    shared: &Shared,
    caller: &Caller,
    endpoint: &Arc<Endpoint>,
    open: impl Open<A>,
    purpose: Purpose,
    parts: &mut Parts,
    body: Body,
) -> Result<Response, Refused> {
    let pending = parts.extensions.get::<Arrival>().map(|arrival| arrival.pending.clone()).unwrap_or_default();
    let answer = match purpose {
        Purpose::Open(Transport::Polling) => {
            let permit = shared.enter(caller)?;
            endpoint.open(open(shared, parts)?, permit).await
        }
        Purpose::Open(Transport::WebSocket) => {
            let Handshake { accept, upgrade } = shared.handshake(caller, parts)?;
            let permit = shared.enter(caller)?;
            let (application, endpoint) = (open(shared, parts)?, Arc::clone(endpoint));
            shared.0.terms.tasks.spawn_within(Span::current(), async move {
                // Hung up in the meantime, and there is nothing to undo.
                let Ok(upgraded) = upgrade.await else { return };
                endpoint.serve(application, permit, switched(upgraded).await).await;
            });
            return Ok(handshake::switching(accept, None));
        }
        Purpose::Probe(sid) => {
            let Handshake { accept, upgrade } = shared.handshake(caller, parts)?;
            let endpoint = Arc::clone(endpoint);
            shared.0.terms.tasks.spawn_within(Span::current(), async move {
                if let Ok(upgraded) = upgrade.await {
                    endpoint.probe(sid, switched(upgraded).await);
                }
            });
            return Ok(handshake::switching(accept, None));
        }
        Purpose::Poll(sid) => endpoint.poll(sid, pending).await,
        Purpose::Post(sid) => match post(endpoint, sid, parts, body, pending).await {
            Ok(answer) => answer,
            Err(TooSlow) => return Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
        },
    };
    Ok(response(Form::Plain, answer))
}

impl Shared {
    /// A permit for a session, unless the server stops.
    fn enter(&self, caller: &Caller) -> Result<Permit, Refusal> {
        if self.0.terms.tasks.stop().is_cancelled() {
            return Err(Refusal::Draining);
        }
        Ok(self.permit(caller.address, None, None)?)
    }
}

/// A post's body has not come in time.
struct TooSlow;

/// Hands a post to its session while its body is read.
async fn post(endpoint: &Endpoint, sid: Sid, parts: &Parts, body: Body, pending: Pending) -> Result<Answer, TooSlow> {
    let content = match parts.headers.get(header::CONTENT_TYPE) {
        Some(content) if content.as_bytes().starts_with(b"application/octet-stream") => Content::Binary,
        _ => Content::Text,
    };
    let mut post = match endpoint.post(sid, content, pending) {
        Ok(post) => post,
        Err(refused) => return Ok(refused),
    };
    let read = tokio::select! {
        biased;
        answer = &mut post.answer => return Ok(answer.unwrap_or(GONE)),
        read = timeout(endpoint.post_timeout(), read(body, endpoint.max_payload())) => read,
    };
    // Dropped unsent, what reads the body says that there will be none.
    let read = read.map_err(|_| TooSlow)?;
    let _ = post.body.send(read);
    Ok(post.answer.await.unwrap_or(GONE))
}

/// A body of so many bytes at most. One that says that it has more is not read.
async fn read(body: Body, most: usize) -> Result<String, PostFailure> {
    if body.size_hint().lower() > most as u64 {
        return Err(PostFailure::TooLarge);
    }
    let (mut chunks, mut read) = (body.into_data_stream(), Vec::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| PostFailure::Aborted)?;
        if read.len() + chunk.len() > most {
            return Err(PostFailure::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    String::from_utf8(read).map_err(|_| PostFailure::NotText)
}

/// An answer as HTTP has it.
fn response(form: Form, answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status()).expect("the protocol's statuses are HTTP's");
    let is_bad_method = answer == Answer::Refused(request::Refusal::BadMethod);
    let content = match answer {
        Answer::Refused(refusal) if form == Form::Upgrade => Some(("text/html", refusal.text().to_owned())),
        answer => answer.into_body(),
    };
    let mut response = match content {
        Some((kind, body)) => ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response(),
        None => ().into_response(),
    };
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    if is_bad_method {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}
