//! `GET /ws`: every check before the 101, in the order that the protocol gives them.
//!
//! A browser hides a refused upgrade from its page, so a plain GET runs the same checks and says what came out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::debug;

use super::subprotocol::Offer;
use super::{Shared, host};
use crate::admission::{Overload, Slot};
use crate::connection::{self, Connection, Origin, Socket};
use crate::hub::{Lifetime, ResumeOffer, Session};
use crate::ice::IceOffer;
use crate::metrics::Metrics;
use crate::protocol::{IceServer, PeerId};

/// Why there is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    BadHandshake,
    WrongVersion,
    UpgradeRequired,
    Draining,
    OriginNotAllowed,
    TooManyConnections,
    ServerFull,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
}

/// Answers `GET /ws`.
pub(super) async fn answer(
    State(shared): State<Shared>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let answer = if is_handshake(&headers) {
        shared.accept(client.ip(), &headers, upgrade)
    } else {
        Err(shared
            .admissible(&headers)
            .and_then(|()| shared.has_room(client.ip()))
            .err()
            .unwrap_or(Refusal::UpgradeRequired))
    };
    answer.unwrap_or_else(|refusal| {
        debug!(?refusal, "no WebSocket");
        shared.0.terms.metrics.refused(refusal.explanation().code);
        refusal.into_response()
    })
}

impl Shared {
    fn accept(
        &self,
        client: IpAddr,
        headers: &HeaderMap,
        upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    ) -> Result<Response, Refusal> {
        let mut upgrade = upgrade.map_err(|rejection| Refusal::of_handshake(&rejection))?;
        if !has_valid_key(headers) {
            return Err(Refusal::BadHandshake);
        }
        let offer = Offer::read(headers).map_err(|_| Refusal::BadHandshake)?;
        self.admissible(headers)?;
        let slot = self.slot(client, offer.resume())?;
        if let Some(selected) = offer.selected() {
            upgrade.set_selected_protocol(selected);
        }
        Ok(self.serve(upgrade, Client { address: client, offer, slot, ice: self.ice_offer(headers) }))
    }

    /// A place among the connections. Who resumes takes its old connection's.
    fn slot(&self, client: IpAddr, resume: Option<&ResumeOffer>) -> Result<Slot, Refusal> {
        if resume.is_some_and(|offer| self.0.hub.can_resume(offer)) {
            return Ok(self.0.admission.enter_regardless(client));
        }
        self.0.admission.enter(client).map_err(Refusal::of_overload)
    }

    fn admissible(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if self.0.tasks.stop().is_cancelled() {
            return Err(Refusal::Draining);
        }
        let origin = headers.get(header::ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        if self.0.origins.admit(origin, host(headers).as_ref()) { Ok(()) } else { Err(Refusal::OriginNotAllowed) }
    }

    fn ice_offer(&self, headers: &HeaderMap) -> IceOffer {
        IceOffer { config: Arc::clone(&self.0.ice), reached: host(headers) }
    }

    fn has_room(&self, client: IpAddr) -> Result<(), Refusal> {
        self.0.admission.check(client).map_err(Refusal::of_overload)
    }

    /// Answers 101. What follows is spawned by axum, so the drain's token is taken here: from now on the connection
    /// is waited for. The session is opened or resumed only once the upgrade is complete
    /// (`an_abandoned_upgrade_leaves_no_trace`).
    fn serve(&self, upgrade: WebSocketUpgrade, client: Client) -> Response {
        let token = self.0.tasks.token();
        let shared = self.clone();
        let limits = self.0.terms.limits;
        connection::bounded(upgrade, limits.max_message_bytes).on_upgrade(move |websocket: WebSocket| async move {
            let Client { address, offer, slot, ice } = client;
            let socket = Socket::new(websocket, limits.write_timeout);
            let _bug = BugReport(&shared.0.terms.metrics);
            // What it came to resume has gone in the meantime, and there is no room for one more: as if it were lost.
            let Ok((session, origin, slot)) = shared.session(&offer, slot) else { return };
            let mut connection = Connection::new(socket, session, origin, ice, Arc::clone(&shared.0.terms));
            let end = connection.talk(shared.0.tasks.stop()).await;
            if end.parks() {
                shared.park(connection.session(), address);
            }
            connection.part(end).await;
            // Order: the session and the socket are gone before their place is free.
            drop(connection);
            drop((slot, token));
        })
    }

    fn session(&self, offer: &Offer, slot: Slot) -> Result<(Session, Origin, Slot), Overload> {
        let lifetime = match offer {
            Offer::V1 { .. } if self.0.terms.limits.resume_window.is_some() => Lifetime::Resumable,
            _ => Lifetime::Connection,
        };
        let metrics = &self.0.terms.metrics;
        let resumed = offer.resume().map(|offer| self.0.hub.resume(offer));
        if let Some(resumed) = &resumed {
            metrics.resumption(if resumed.is_some() { "resumed" } else { "refused" });
        }
        if let Some(session) = resumed.flatten() {
            return Ok((session, Origin::Resumed, slot));
        }
        let slot = slot.into_regular()?;
        Ok((self.0.hub.open(lifetime), Origin::New, slot))
    }

    /// Keeps a session whose connection was lost until a newer one takes it over or its time is up. Where too many are
    /// kept already, it ends.
    fn park(&self, session: &Session, client: IpAddr) {
        let Some(window) = self.0.terms.limits.resume_window else { return };
        let Ok(place) = self.0.parked.enter(client) else { return };
        let Some(parked) = session.park() else { return };
        let stop = self.0.tasks.stop().clone();
        self.0.tasks.spawn(async move {
            tokio::select! {
                _ = parked.unseated() => {}
                () = tokio::time::sleep(window) => {}
                () = stop.cancelled() => {}
            }
            drop((parked, place));
        });
    }
}

/// Counts a panic of the task that it is in: the connection ends, and nobody else's.
struct BugReport<'a>(&'a Metrics);

impl Drop for BugReport<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.panicked();
        }
    }
}

/// A client that is let in.
struct Client {
    address: IpAddr,
    offer: Offer,
    slot: Slot,
    ice: IceOffer,
}

/// Answers `GET /ice`: the ICE servers for applications that bring their own signaling, under the same checks.
pub(super) async fn answer_ice(
    State(shared): State<Shared>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = shared.admissible(&headers).and_then(|()| shared.has_room(client.ip())) {
        return refusal.into_response();
    }
    let ice_servers = shared.ice_offer(&headers).list(PeerId::random());
    let mut response = Json(IceAnswer { ice_servers }).into_response();
    let answer = response.headers_mut();
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer.insert(header::VARY, HeaderValue::from_static("origin"));
    // It has been admitted, so its page may read the answer.
    if let Some(origin) = headers.get(header::ORIGIN) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IceAnswer {
    ice_servers: Vec<IceServer>,
}

fn is_handshake(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// RFC 6455, 4.2.1: the key is 16 bytes in base64, which is 22 characters and the padding.
fn has_valid_key(headers: &HeaderMap) -> bool {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.and_then(|key| key.strip_suffix(b"==")).is_some_and(|key| key.len() == 22 && key.iter().all(is_base64))
}

impl Refusal {
    fn of_handshake(rejection: &WebSocketUpgradeRejection) -> Self {
        match rejection {
            WebSocketUpgradeRejection::InvalidWebSocketVersionHeader(_) => Self::WrongVersion,
            WebSocketUpgradeRejection::ConnectionNotUpgradable(_) => Self::UpgradeRequired,
            _ => Self::BadHandshake,
        }
    }

    fn of_overload(overload: Overload) -> Self {
        match overload {
            Overload::Address => Self::TooManyConnections,
            Overload::All => Self::ServerFull,
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadHandshake => StatusCode::BAD_REQUEST,
            Self::WrongVersion | Self::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Self::Draining | Self::ServerFull => StatusCode::SERVICE_UNAVAILABLE,
            Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn explanation(self) -> Explanation {
        let (code, message, retry_after) = match self {
            Self::BadHandshake => ("bad-handshake", "this is not a valid WebSocket handshake of the protocol", None),
            Self::WrongVersion => ("bad-version", "only WebSocket version 13 is spoken here", None),
            Self::UpgradeRequired => ("upgrade-required", "all is well: open a WebSocket here", None),
            // By then another process has the port.
            Self::Draining => ("draining", "the server restarts", Some(5)),
            Self::OriginNotAllowed => ("origin-not-allowed", "pages of this origin may not connect here", None),
            // Somebody has to leave first, which nobody can predict.
            Self::TooManyConnections => ("too-many-connections", "too many connections from your address", Some(10)),
            Self::ServerFull => ("server-full", "the server is full", Some(10)),
        };
        Explanation { code, message, retry_after }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let explanation = self.explanation();
        let retry_after = explanation.retry_after;
        let mut response = (self.status(), Json(explanation)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
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
