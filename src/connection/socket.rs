//! What a connection does with a WebSocket: the only file that names axum's.
//!
//! Text in, text out, close codes instead of errors. A leaner WebSocket can take this one's place.

use std::error::Error as _;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use futures_util::SinkExt as _;
use tokio::time::timeout;
use tungstenite::Error as WsError;
use tungstenite::error::ProtocolError;

use crate::protocol::End;

/// The read buffer of an idle connection. tungstenite's own default (128 KiB) is ten times what all the rest of an
/// idle peer takes, and at every read it is filled with zeros; most signaling messages fit in 4 KiB.
const READ_BUFFER_BYTES: usize = 4 * 1024;

/// What is written in one go: one TLS record's worth.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;

/// How long the other side may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The client is through (RFC 6455, 7.4.1). A browser says 1001 when the page goes away, and a page that wants to come
/// back says a code of its own, which is all that it may choose besides this.
const NORMAL_CLOSURE: u16 = 1000;

/// An open WebSocket. Every write has a deadline.
#[derive(Debug)]
pub(crate) struct Socket {
    inner: WebSocket,
    write_timeout: Duration,
}

/// A sign of life from the client.
#[derive(Debug)]
pub(super) enum Received {
    /// A frame of the protocol.
    Text(Utf8Bytes),
    /// A WebSocket ping, which has been answered, or a pong.
    Control,
}

/// Sets the bounds before the handshake is answered.
pub(crate) fn bounded(upgrade: WebSocketUpgrade, max_message_bytes: usize) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(max_message_bytes)
        .max_frame_size(max_message_bytes)
}

impl Socket {
    pub(crate) fn new(inner: WebSocket, write_timeout: Duration) -> Self {
        Self { inner, write_timeout }
    }

    /// The client's next frame. Cancel safe: a partial frame stays in the WebSocket's own buffer.
    pub(super) async fn receive(&mut self) -> Result<Received, End> {
        match self.inner.recv().await {
            Some(Ok(Message::Text(text))) => Ok(Received::Text(text)),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(Received::Control),
            Some(Ok(Message::Binary(_))) => Err(End::Binary),
            Some(Ok(Message::Close(Some(frame)))) if frame.code != NORMAL_CLOSURE => Err(End::ClientAway),
            Some(Ok(Message::Close(_))) => Err(End::ClientClosed),
            Some(Err(error)) => Err(broken(&error)),
            None => Err(End::Lost),
        }
    }

    /// Puts a text into the write buffer; only [`flush`](Self::flush) is sure to send it.
    pub(super) async fn feed(&mut self, text: String) -> Result<(), End> {
        in_time(self.write_timeout, self.inner.feed(Message::Text(text.into()))).await
    }

    /// Sends what was fed.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        in_time(self.write_timeout, self.inner.flush()).await
    }

    /// Asks for a sign of life, with the next [`flush`](Self::flush).
    pub(super) async fn feed_ping(&mut self) -> Result<(), End> {
        in_time(self.write_timeout, self.inner.feed(Message::Ping(Bytes::new()))).await
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        self.feed_ping().await?;
        self.flush().await
    }

    /// The closing handshake: says why, if it is ours to say, and waits a moment for the other side's answer.
    pub(crate) async fn close(&mut self, end: End) {
        let handshake = async {
            if let Some((code, reason)) = end.close() {
                let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
                self.inner.send(Message::Close(Some(frame))).await?;
            }
            while let Some(received) = self.inner.recv().await {
                received?;
            }
            Ok::<(), axum::Error>(())
        };
        // Late or broken, it is over either way.
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }
}

async fn in_time(deadline: Duration, write: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    let written = timeout(deadline, write).await.map_err(|_| End::TooSlow)?;
    written.map_err(|_| End::Lost)
}

/// axum hides which of RFC 6455's rules was broken; the error within still knows.
fn broken(error: &axum::Error) -> End {
    match error.source().and_then(|source| source.downcast_ref::<WsError>()) {
        Some(WsError::Capacity(_)) => End::TooLarge,
        Some(WsError::Utf8(_)) => End::NotUtf8,
        Some(WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => End::Lost,
        Some(WsError::Protocol(_)) => End::ProtocolError,
        _ => End::Lost,
    }
}
