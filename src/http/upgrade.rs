//! `GET /ws`, and all else that becomes a WebSocket: every check before the 101, in the order that the protocol gives them.
//!
//! A browser hides a refused upgrade from its page, so a plain GET runs the same checks and says what came out.

use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::io::AsyncWriteExt as _;
use tracing::{Span, debug, trace};

use super::bearer::token;
use super::caller::Caller;
use super::handshake::BadHandshake;
use super::refusal::Refusal;
use super::subprotocol::Subprotocol;
use super::{Shared, carried, cors, handshake};
use crate::accept::{HttpStream, Stream};
use crate::admission::Permit;
use crate::auth::Grant;
use crate::connection::{Client, Entrance};
use crate::dialect::Dialect;
use crate::hub::{Fetched, Lifetime, ResumeRequest};
use crate::net::Line;
use crate::protocol::{End, PeerId, Realm};

/// A browser whose list of subprotocols was taken away hangs up as soon as it sees that none was chosen.
const AT_ONCE: Duration = Duration::from_secs(2);

/// For other nodes to say where a session is.
const PATIENCE: Duration = Duration::from_secs(3);

/// Between two questions about it.
const AGAIN: Duration = Duration::from_millis(100);

/// A request for a WebSocket that can be answered with 101.
pub(super) struct Handshake {
    /// What proves to the client that its key was read.
    pub(super) accept: HeaderValue,
    /// The connection, once it is one.
    pub(super) upgrade: OnUpgrade,
}

/// Answers `GET /ws`.
pub(super) async fn answer(State(shared): State<Shared>, caller: Caller, request: Request) -> Response {
    trace!(client = %caller.address, "asks for a WebSocket");
    let (mut request, _) = request.into_parts();
    let answer = if handshake::is_handshake(&request.headers) {
        shared.accept(&caller, &mut request).await
    } else {
        Err(shared.explain(&caller, &request.headers))
    };
    answer.unwrap_or_else(|refusal| {
        debug!(?refusal, "no WebSocket");
        shared.0.terms.metrics.refused(Realm::V1.as_str(), refusal.code());
        cors::open_to_all(refusal.into_response())
    })
}

/// Answers `OPTIONS /ws`: a page may ask with credentials why it gets no WebSocket.
pub(super) async fn answer_preflight() -> Response {
    cors::open_to_all(cors::preflight())
}

impl Shared {
    async fn accept(&self, caller: &Caller, request: &mut Parts) -> Result<Response, Refusal> {
        let handshake = self.handshake(caller, request)?;
        let headers = &request.headers;
        let subprotocol = Subprotocol::read(headers)?;
        // Our own pages request something. A browser has no other way to hand over credentials either.
        let is_bare = matches!(subprotocol, Subprotocol::Plain) && headers.contains_key(header::ORIGIN);
        let grant = self.admit(caller, headers, token(headers, subprotocol.bearer())?).inspect_err(|refusal| {
            if is_bare && *refusal == Refusal::NoCredentials {
                self.0.removals.note(caller.address, Instant::now());
            }
        })?;
        let revive = self.bring(subprotocol.resume(), grant.as_ref()).await?;
        let permit = self.permit(caller.address, subprotocol.resume(), grant.as_ref())?;
        let lifetime = match subprotocol {
            Subprotocol::V1 { .. } if self.0.terms.limits.resume_window.is_some() => Lifetime::Resumable,
            _ => Lifetime::Connection,
        };
        let (address, ice) = (caller.address, self.ice_context(caller));
        let entrance = Entrance::Fresh { lifetime, resume: subprotocol.resume().copied(), revive };
        let client = Client { address, dialect: Dialect::V1, entrance, grant, permit, ice, place: None };
        let accept = handshake.accept;
        self.serve(handshake.upgrade, client, is_bare);
        Ok(handshake::switching(accept, subprotocol.selected()))
    }

    /// Has the session that a client wants back brought here, where another node has it. Gives its id where that node is gone
    /// and with it all the rest.
    async fn bring(&self, resume: Option<&ResumeRequest>, grant: Option<&Grant>) -> Result<Option<PeerId>, Refusal> {
        let Some(request) = resume else { return Ok(None) };
        let until = Instant::now() + PATIENCE;
        while let Some(fetching) = self.0.terms.hub.fetch(request, grant) {
            match fetching.await.unwrap_or(Fetched::NotNow) {
                Fetched::Here | Fetched::Unknown => return Ok(None),
                Fetched::Gone => return Ok(Some(request.token.id())),
                Fetched::NotNow if Instant::now() >= until => return Err(Refusal::ClusterUnavailable),
                Fetched::NotNow => tokio::time::sleep(AGAIN).await,
            }
        }
        Ok(None)
    }

    /// What every WebSocket begins with.
    pub(super) fn handshake(&self, caller: &Caller, request: &mut Parts) -> Result<Handshake, Refusal> {
        let accept = handshake::accept_key(request).inspect_err(|bad| {
            if *bad == BadHandshake::Removed {
                self.0.removals.note(caller.address, Instant::now());
                self.0.removals.tell();
            }
        })?;
        let upgrade = request.extensions.remove().ok_or(Refusal::UpgradeRequired)?;
        Ok(Handshake { accept, upgrade })
    }

    /// Serves a client once it may have the 101. Spawned before that is sent: from now on the connection is waited for.
    pub(super) fn serve(&self, upgrade: OnUpgrade, client: Client, is_bare: bool) {
        // Boxed: few are.
        let bare = is_bare.then(|| Box::new((client.address, Instant::now())));
        let (shared, client) = (self.clone(), Box::new(client));
        self.0.terms.tasks.spawn_within(Span::current(), async move {
            // Hung up in the meantime, and there is nothing to undo (`an_abandoned_upgrade_leaves_no_trace`).
            let Ok(upgraded) = upgrade.await else { return };
            // The 101 of our own clients leaves with their `welcome`. Others wait for a name, or are told nothing at first.
            let stream = if client.dialect.realm() == Realm::V1 { held(upgraded) } else { switched(upgraded).await };
            let end = shared.0.terms.serve(stream, client).await;
            if let Some((address, begun)) = bare.as_deref()
                && end == End::Lost
                && begun.elapsed() < AT_ONCE
            {
                shared.0.removals.note(*address, Instant::now());
            }
        });
    }

    /// Has a client served by another node, once it has read the 101.
    pub(super) fn carry(&self, upgrade: OnUpgrade, line: Box<dyn Line>, permit: Permit) {
        self.0.terms.tasks.spawn_within(Span::current(), async move {
            // Hung up in the meantime: the line is over before it has begun.
            let Ok(upgraded) = upgrade.await else { return };
            if let Err(error) = carried::carry(switched(upgraded).await, line).await {
                debug!(%error, "a client of another node's is gone");
            }
            drop(permit);
        });
    }

    /// What a page is told that asks why it gets no WebSocket.
    pub(super) fn explain(&self, caller: &Caller, headers: &HeaderMap) -> Refusal {
        match self.check(caller, headers) {
            Err(refusal) => refusal,
            Ok(()) if self.0.removals.are_recent(caller.address, Instant::now()) => {
                self.0.removals.tell();
                Refusal::UpgradeRemoved
            }
            Ok(()) => Refusal::UpgradeRequired,
        }
    }
}

/// The stream beneath an upgrade, over which the client has been answered.
pub(super) async fn switched(upgraded: Upgraded) -> Stream {
    let mut stream = held(upgraded);
    // Where it fails, the next write does.
    let _ = stream.flush().await;
    stream
}

/// The same, with what was read of it already. The 101 leaves with what is written first.
fn held(upgraded: Upgraded) -> Stream {
    let parts = downcast::<TokioIo<HttpStream>>(upgraded).expect("hyper serves what the acceptor has accepted");
    let mut stream = parts.io.into_inner().into_inner();
    stream.put_back(&parts.read_buf);
    stream
}
