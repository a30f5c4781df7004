//! `/socket.io/`: clients of socket.io 4, with the events of its tutorials.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::http::request::Parts;

use super::super::bearer::{Token, requested, token};
use super::super::refusal::Refusal;
use super::super::{Shared, engine_io};
use crate::connection::Terms;
use crate::connection::held::{Credentials, Endpoint, Signaling};
use crate::dialect::socketio::engine::Config;

/// The one path, with its slash.
const PATH: &str = "/socket.io/";

/// Of the time between two pings, the part that a pong may take: 20 s of 25, as in the original.
const PONG_PART: f64 = 0.8;

pub(super) fn routes(terms: &Terms) -> Router<Shared> {
    let limits = &terms.limits;
    let endpoint = Endpoint::new(config(terms), limits.write_timeout, limits.farewell, terms.tasks.clone());
    engine_io::routes(PATH, endpoint, Shared::signaling)
}

/// With the heartbeat of all connections. A client has as long to connect as it has for its first pong.
fn config(terms: &Terms) -> Config {
    let heartbeat = terms.limits.heartbeat;
    let ping_timeout = heartbeat.mul_f64(PONG_PART);
    Config {
        ping_interval: heartbeat,
        ping_timeout,
        connect_timeout: Some(heartbeat + ping_timeout),
        max_payload: terms.limits.max_message_bytes,
        ..Config::default()
    }
}

impl Shared {
    /// A client whose first request this is. Whether its credentials are good, it is told when it connects.
    fn signaling(&self, request: &Parts) -> Result<Signaling, Refusal> {
        let token = token(&request.headers, requested(&request.uri)?)?;
        let sent = self.0.verifier.as_ref().zip(token).map(|(verifier, Token(token))| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            verifier.verify(token, now)
        });
        let credentials = Credentials { verifier: self.0.verifier.clone(), sent };
        Ok(Signaling::new(&self.0.terms, credentials, Instant::now()))
    }
}
