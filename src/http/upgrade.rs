//! `GET /ws`: every check before the 101, in the order that the protocol gives them.
//!
//! A browser hides a refused upgrade from its page, so a plain GET runs the same checks and says what came out. What
//! `GET /ice` hands out is under these checks too.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use serde::Serialize;
use tokio::time::timeout;
use tracing::{debug, trace};

use super::bearer::{Contradiction, Token, token};
use super::caller::Caller;
use super::handshake::BadHandshake;
use super::request::{Repeated, single};
use super::subprotocol::{BadSubprotocol, Subprotocol};
use super::{Shared, cors, handshake};
use crate::accept::{HttpStream, Stream};
use crate::admission::{Overload, Permit};
use crate::auth::{Denied, Grant};
use crate::connection::{Beginning, Connection, Socket};
use crate::dialect::Dialect;
use crate::hub::{Lifetime, ResumeRequest, Session};
use crate::ice::IceContext;
use crate::protocol::{End, IceServer, PeerId, Realm};

/// Why there is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    BadHandshake,
    WrongVersion,
    UpgradeRequired,
    UpgradeRemoved,
    Draining,
    OriginNotAllowed,
    NoCredentials,
    Denied(Denied),
    TooManyConnections,
    ConnectingTooFast(Duration),
    ServerFull,
}

/// An hour: a client takes more than that for never.
const MAX_RETRY_AFTER: u64 = 3600;

/// A browser whose list of subprotocols was taken away hangs up as soon as it sees that none was chosen.
const AT_ONCE: Duration = Duration::from_secs(2);

/// An answer is for one moment and one client.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// Answers `GET /ws`.
pub(super) async fn answer(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    trace!(client = %caller.address, "asks for a WebSocket");
    let (mut request, _) = request.into_parts();
    let answer = if handshake::is_handshake(&request.headers) {
        shared.accept(&caller, &mut request)
    } else {
        Err(shared.explain(&caller, &request.headers))
    };
    answer.unwrap_or_else(|refusal| {
        debug!(?refusal, "no WebSocket");
        shared.0.terms.metrics.refused(refusal.explanation().code);
        cors::open_to_all(refusal.into_response())
    })
}

/// Answers `OPTIONS /ws`: a page may ask with credentials why it gets no WebSocket.
pub(super) async fn answer_preflight() -> Response {
    cors::open_to_all(cors::preflight())
}

impl Shared {
    fn accept(&self, caller: &Caller, request: &mut Parts) -> Result<Response, Refusal> {
        let accept = handshake::accept_key(request).inspect_err(|bad| {
            if *bad == BadHandshake::Removed {
                self.0.removals.note(caller.address, Instant::now());
                self.0.removals.tell();
            }
        })?;
        let upgrade = request.extensions.remove().ok_or(Refusal::UpgradeRequired)?;
        let headers = &request.headers;
        let subprotocol = Subprotocol::read(headers)?;
        // Our own pages request something. A browser has no other way to hand over credentials either.
        let is_bare = matches!(subprotocol, Subprotocol::Plain) && headers.contains_key(header::ORIGIN);
        let grant = self.admit(caller, headers, token(headers, subprotocol.bearer())?).inspect_err(|refusal| {
            if is_bare && *refusal == Refusal::NoCredentials {
                self.0.removals.note(caller.address, Instant::now());
            }
        })?;
        let permit = self.permit(caller.address, subprotocol.resume(), grant.as_ref())?;
        let lifetime = match subprotocol {
            Subprotocol::V1 { .. } if self.0.terms.limits.resume_window.is_some() => Lifetime::Resumable,
            _ => Lifetime::Connection,
        };
        let (address, resume, ice) = (caller.address, subprotocol.resume().copied(), self.ice_context(caller));
        self.serve(upgrade, Client { address, lifetime, resume, grant, permit, ice, is_bare });
        Ok(handshake::switching(accept, subprotocol.selected()))
    }

    /// A permit for a connection. A client that resumes has its old connection's.
    fn permit(
        &self,
        client: IpAddr,
        resume: Option<&ResumeRequest>,
        grant: Option<&Grant>,
    ) -> Result<Permit, Overload> {
        if resume.is_some_and(|offer| self.0.hub.can_resume(offer, grant)) {
            return Ok(self.0.admission.enter_regardless(client));
        }
        self.0.admission.enter(client, Instant::now())
    }

    /// What a page is told that asks why it gets no WebSocket.
    fn explain(&self, caller: &Caller, headers: &HeaderMap) -> Refusal {
        match self.check(caller, headers) {
            Err(refusal) => refusal,
            Ok(()) if self.0.removals.are_recent(caller.address, Instant::now()) => {
                self.0.removals.tell();
                Refusal::UpgradeRemoved
            }
            Ok(()) => Refusal::UpgradeRequired,
        }
    }

    /// All that a WebSocket has to pass once it is one. Takes nothing.
    fn check(&self, caller: &Caller, headers: &HeaderMap) -> Result<(), Refusal> {
        self.admit(caller, headers, token(headers, None)?)?;
        Ok(self.0.admission.check(caller.address, Instant::now())?)
    }

    /// Who is let in, whatever the limits say. Order: the protocol's.
    fn admit(&self, caller: &Caller, headers: &HeaderMap, token: Option<Token<'_>>) -> Result<Option<Grant>, Refusal> {
        let origin = single(headers, &header::ORIGIN)?;
        if self.0.tasks.stop().is_cancelled() {
            return Err(Refusal::Draining);
        }
        if !self.is_allowed(caller, origin) {
            return Err(Refusal::OriginNotAllowed);
        }
        let Some(verifier) = &self.0.verifier else { return Ok(None) };
        let Token(token) = token.ok_or(Refusal::NoCredentials)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        verifier.verify(token, now).map(Some).map_err(Refusal::Denied)
    }

    fn is_allowed(&self, caller: &Caller, origin: Option<&HeaderValue>) -> bool {
        let page = origin.map(|origin| origin.to_str().unwrap_or_default());
        self.0.origins.admit(page, caller.host.as_ref(), caller.transport)
    }

    /// The origin that may read what is not for all.
    fn reader<'a>(&self, caller: &Caller, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        single(headers, &header::ORIGIN).ok()?.filter(|origin| self.is_allowed(caller, Some(origin)))
    }

    fn ice_context(&self, caller: &Caller) -> IceContext {
        let (client, tls_end) = (caller.address, caller.tls_end);
        IceContext { config: Arc::clone(&self.0.ice), host: caller.host.clone(), client, tls_end }
    }

    /// Serves a client once it has read the 101. Spawned before that is sent: from now on the connection is waited for.
    ///
    /// There is one such task for each peer, so what it holds is kept small: nothing is an argument of something that
    /// waits, which would hold it twice, and what is needed only at the beginning is in a box.
    fn serve(&self, upgrade: OnUpgrade, client: Client) {
        let (shared, client) = (self.clone(), Box::new(client));
        self.0.tasks.spawn(async move {
            // Hung up in the meantime, and there is nothing to undo (`an_abandoned_upgrade_leaves_no_trace`).
            let Ok(upgraded) = upgrade.await else { return };
            let (address, is_bare, begun) = (client.address, client.is_bare, Instant::now());
            let (mut connection, permit) = match shared.connection(stream(upgraded), *client) {
                Ok(begun) => begun,
                Err(mut socket) => {
                    shared.0.terms.metrics.ended(End::Full.as_str());
                    return socket.close(End::Full.close()).await;
                }
            };
            // A panic is a bug of ours; it ends this connection, and no other. What it may have left half done is
            // the session's, which ends too.
            let talk = AssertUnwindSafe(connection.talk());
            let end = talk.catch_unwind().await.unwrap_or(End::Bug);
            shared.0.terms.metrics.ended(end.as_str());
            if is_bare && end == End::Lost && begun.elapsed() < AT_ONCE {
                shared.0.removals.note(address, Instant::now());
            }
            if end.parks() {
                shared.park(connection.session(), address);
            }
            connection.part(end).await;
            // Order: the session and the socket are gone before their permit is free.
            drop(connection);
            drop(permit);
        });
    }

    /// The session is opened or resumed only here, where the upgrade is complete. Gives the socket back where what it
    /// came to resume has gone in the meantime, and there is no room for one more.
    fn connection(&self, stream: Stream, client: Client) -> Result<(Connection, Permit), Box<Socket>> {
        let Client { lifetime, resume, grant, permit, ice, .. } = client;
        let limits = self.0.terms.limits;
        let socket = Socket::new(stream, limits.max_message_bytes, limits.write_timeout);
        let expires = grant.as_ref().and_then(|grant| deadline(grant.expires));
        match self.session(lifetime, resume, grant, permit) {
            Ok((session, beginning, permit)) => {
                let terms = Arc::clone(&self.0.terms);
                Ok((Connection::new(socket, Dialect::V1, session, beginning, ice, terms, expires), permit))
            }
            Err(_) => Err(Box::new(socket)),
        }
    }

    fn session(
        &self,
        lifetime: Lifetime,
        resume: Option<ResumeRequest>,
        grant: Option<Grant>,
        permit: Permit,
    ) -> Result<(Session, Beginning, Permit), Overload> {
        let metrics = &self.0.terms.metrics;
        let resumed = resume.map(|offer| self.0.hub.resume(&offer, grant.as_ref()));
        if let Some(resumed) = &resumed {
            metrics.resumption(if resumed.is_some() { "resumed" } else { "refused" });
        }
        if let Some(session) = resumed.flatten() {
            return Ok((session, Beginning::Resumed, permit));
        }
        let permit = permit.into_regular(Instant::now())?;
        Ok((self.0.hub.open(Realm::V1, lifetime, grant), Beginning::New, permit))
    }

    /// Keeps a session whose connection was lost until a newer one takes it over or its time is up. Where too many are
    /// kept already, it ends, or one of the address that has the most.
    fn park(&self, session: &Session, client: IpAddr) {
        let Some(window) = self.0.terms.limits.resume_window else { return };
        let Ok(mut permit) = self.0.parked.enter(client) else { return };
        let Some(parked) = session.park() else { return };
        self.0.tasks.spawn(async move {
            let waiting = async {
                tokio::select! {
                    _ = parked.revoked() => {}
                    () = permit.revoked() => {}
                }
            };
            // Taken over, closed, too late or one too many, it is over either way.
            let _ = timeout(window, waiting).await;
            drop((parked, permit));
        });
    }
}

/// A client that is let in.
struct Client {
    address: IpAddr,
    lifetime: Lifetime,
    resume: Option<ResumeRequest>,
    grant: Option<Grant>,
    permit: Permit,
    ice: IceContext,
    /// Whether it is a page that has requested no subprotocol, or has lost what it requested.
    is_bare: bool,
}

/// A time in seconds since 1970 by the clock that timers go by; `None` where that is farther than it goes.
fn deadline(seconds: u64) -> Option<Instant> {
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Instant::now().checked_add(time.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Answers `GET /ice`: the ICE servers for applications that bring their own signaling, under the same checks.
pub(super) async fn answer_ice(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
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
pub(super) async fn answer_ice_preflight(State(shared): State<Shared>, caller: Caller, headers: HeaderMap) -> Response {
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

/// The stream beneath an upgrade, with what was read of it already.
fn stream(upgraded: Upgraded) -> Stream {
    let parts = downcast::<TokioIo<HttpStream>>(upgraded).expect("hyper serves what the acceptor has accepted");
    let mut stream = parts.io.into_inner().into_inner();
    stream.put_back(&parts.read_buf);
    stream
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::BadHandshake => StatusCode::BAD_REQUEST,
            Self::WrongVersion | Self::UpgradeRequired | Self::UpgradeRemoved => StatusCode::UPGRADE_REQUIRED,
            Self::Draining | Self::ServerFull => StatusCode::SERVICE_UNAVAILABLE,
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NoCredentials | Self::Denied(_) => StatusCode::UNAUTHORIZED,
            Self::TooManyConnections | Self::ConnectingTooFast(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn explanation(self) -> Explanation {
        let (code, message, retry_after) = match self {
            Self::BadHandshake => ("bad-handshake", "this is not a valid WebSocket handshake of the protocol", None),
            Self::WrongVersion => ("bad-version", "only WebSocket version 13 is spoken here", None),
            Self::UpgradeRequired => ("upgrade-required", "all is well: open a WebSocket here", None),
            Self::UpgradeRemoved => (
                "upgrade-removed",
                "a proxy between you and the server takes away what a WebSocket needs: \
                 it has to pass on Upgrade, Connection and Sec-WebSocket-Protocol",
                None,
            ),
            // By then another process has the port.
            Self::Draining => ("draining", "the server restarts", Some(5)),
            Self::OriginNotAllowed => ("origin-not-allowed", "pages of this origin may not connect here", None),
            Self::NoCredentials => ("unauthorized", "this needs credentials: a bearer token", None),
            Self::Denied(Denied::Expired) => ("unauthorized", "the credentials have expired", None),
            Self::Denied(_) => ("unauthorized", "the credentials are not valid here and now", None),
            Self::ConnectingTooFast(wait) => {
                // Never told to come back too early, nor never.
                let seconds = wait.as_secs().saturating_add(1).min(MAX_RETRY_AFTER);
                ("too-many-connections", "too many new connections from your address", Some(seconds))
            }
            // A connection has to end first, which can't be predicted.
            Self::TooManyConnections => ("too-many-connections", "too many connections from your address", Some(10)),
            Self::ServerFull => ("server-full", "the server is full", Some(10)),
        };
        Explanation { code, message, retry_after }
    }
}

impl From<BadHandshake> for Refusal {
    fn from(bad: BadHandshake) -> Self {
        match bad {
            BadHandshake::Malformed => Self::BadHandshake,
            BadHandshake::Version => Self::WrongVersion,
            BadHandshake::Removed => Self::UpgradeRemoved,
        }
    }
}

impl From<Repeated> for Refusal {
    fn from(Repeated: Repeated) -> Self {
        Self::BadHandshake
    }
}

impl From<BadSubprotocol> for Refusal {
    fn from(BadSubprotocol: BadSubprotocol) -> Self {
        Self::BadHandshake
    }
}

impl From<Contradiction> for Refusal {
    fn from(Contradiction: Contradiction) -> Self {
        Self::BadHandshake
    }
}

impl From<Overload> for Refusal {
    fn from(overload: Overload) -> Self {
        match overload {
            Overload::Address => Self::TooManyConnections,
            Overload::Rate(wait) => Self::ConnectingTooFast(wait),
            Overload::All => Self::ServerFull,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let explanation = self.explanation();
        let retry_after = explanation.retry_after;
        let mut response = (self.status(), Json(explanation)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, 15.5.22, and RFC 6455, 4.4.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}
