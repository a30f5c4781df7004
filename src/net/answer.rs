//! HTTP for few: one request a connection, this many at a time, within one deadline for all of it.

use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// For a connection, from its first byte to the answer's last.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Connections at a time.
const MAX_CONNECTIONS: usize = 64;

/// For the head of a request: as little as hyper allows.
const MAX_HEAD_BYTES: usize = 8192;

/// How long accepting rests after an error.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers each connection in a task of its own, this many at a time: the others wait where the system keeps them. Ends
/// all of them when it is dropped.
pub(crate) async fn answer_all(listener: TcpListener, router: Router) {
    let mut answers = JoinSet::new();
    loop {
        tokio::select! {
            // Cancel safe: a connection that was accepted is handed over in the same poll.
            accepted = listener.accept(), if answers.len() < MAX_CONNECTIONS => match accepted {
                Ok((tcp, _)) => drop(answers.spawn(answer(tcp, router.clone()))),
                // Out of descriptors, most likely: a connection has to end first.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = answers.join_next() => {}
        }
    }
}

/// Answers one request, of HTTP/1.1 alone, within one deadline for all of it.
async fn answer(tcp: TcpStream, router: Router) {
    let mut http = http1::Builder::new();
    http.keep_alive(false).max_buf_size(MAX_HEAD_BYTES).timer(TokioTimer::new()).header_read_timeout(TIMEOUT);
    let connection = http.serve_connection(TokioIo::new(tcp), TowerToHyperService::new(router));
    // Whatever went wrong concerns that connection alone.
    let _ = tokio::time::timeout(TIMEOUT, connection).await;
}
