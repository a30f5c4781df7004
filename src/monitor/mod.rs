//! A listener of its own for monitors and operators: metrics in their format ([`Exposition`]), and a page that shows the last
//! hour of them ([`status`]).

mod exposition;
mod history;
mod status;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

pub(crate) use exposition::{Exposition, Sources};
pub(crate) use status::Facts;

use crate::error::StartError;
use crate::http;
use crate::net::{TlsEnd, answer_all, listen};
use crate::tasks::Tasks;
use history::History;
use status::Status;

/// Where monitors look.
pub(crate) struct Monitor {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
    exposition: Exposition,
    facts: Facts,
}

impl Monitor {
    pub(crate) fn bind(address: SocketAddr, exposition: Exposition, facts: Facts) -> Result<Self, StartError> {
        let listener = listen(address).map_err(|source| StartError::MetricsListen { address, source })?;
        let address = listener.local_addr().expect("a socket that listens has an address");
        info!("metrics: http://{address}/metrics, and for people http://{address}/status");
        if !address.ip().is_loopback() {
            warn!("--metrics-listen {address}: all that can reach this address can read the metrics");
        }
        Ok(Self { listener, address, exposition, facts })
    }

    /// Answers until what is given back is dropped.
    pub(crate) fn serve(self, tasks: &Tasks) -> io::Result<AbortOnDropHandle<()>> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let exposition = Arc::new(self.exposition);
        let history = History::default();
        let health = http::status::routes(tasks.notice().clone(), Arc::clone(&self.facts.hub));
        let status = Status::new(self.facts, history.clone(), tasks.notice().clone());
        let figures = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&exposition));
        let router = http::well_formed(figures.merge(health).merge(status.routes()), TlsEnd::Proxy);
        Ok(tasks.spawn_apart(async move {
            tokio::join!(answer_all(listener, router), history.remember(&exposition));
        }))
    }
}

async fn metrics(State(exposition): State<Arc<Exposition>>) -> Response {
    let content_type = HeaderValue::from_static(Exposition::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, content_type)], exposition.text()).into_response()
}
