//! One WebSocket, from its opening to its end. It knows no session and never comes back: the [`driver`](crate::driver) opens another.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use crate::Cause;

/// TCP, or TLS over it.
pub(crate) trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// Reads and writes at once: while a write waits for room, frames are read, and none of both sides waits for the other for ever.
pub(crate) struct Connection {
    /// Boxed: it is some hundred bytes, and the driver's enums hold connections.
    socket: Box<WebSocketStream<Box<dyn Bytes>>>,
    /// What is to be written. The session's account bounds it, but for a few `received` frames.
    unwritten: VecDeque<Message>,
}

/// What came.
pub(crate) enum Sign {
    /// A text frame.
    Text(Utf8Bytes),
    /// A ping or a pong, which says that the connection lives.
    Life,
}

impl Connection {
    pub(crate) fn new(socket: WebSocketStream<Box<dyn Bytes>>) -> Self {
        Self { socket: Box::new(socket), unwritten: VecDeque::new() }
    }

    /// Written as the connection has room for it: by [`Self::next`] and [`Self::write`].
    pub(crate) fn put(&mut self, text: String) {
        self.unwritten.push_back(Message::text(text));
    }

    /// What comes next, or why nothing comes any more. Cancel safe: all that is half done is in the connection itself.
    pub(crate) async fn next(&mut self) -> Result<Sign, Cause> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// Writes without reading; returns only with the reason why nothing can be written any more. Cancel safe.
    pub(crate) async fn write(&mut self) -> Cause {
        poll_fn(|context| match self.poll_write(context) {
            Poll::Ready(Err(_)) => Poll::Ready(Cause::lost()),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Says goodbye behind all that is unwritten, and waits until the server has done so too. The caller bounds the time.
    pub(crate) async fn close(mut self) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() };
        self.unwritten.push_back(Message::Close(Some(frame)));
        while self.next().await.is_ok() {}
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Sign, Cause>> {
        loop {
            // What can't be written is no reason not to read what has come before the end. And a ping's answer is written here.
            let _ = self.poll_write(context);
            match ready!(Pin::new(&mut *self.socket).poll_next(context)) {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Ok(Sign::Text(text))),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Poll::Ready(Ok(Sign::Life)),
                Some(Ok(Message::Close(frame))) => return Poll::Ready(Err(cause_of(frame))),
                // The protocol is text.
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Cause::lost())),
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), tungstenite::Error>> {
        let mut socket = Pin::new(&mut *self.socket);
        while !self.unwritten.is_empty() {
            ready!(socket.as_mut().poll_ready(context))?;
            if let Some(message) = self.unwritten.pop_front() {
                socket.as_mut().start_send(message)?;
            }
        }
        socket.poll_flush(context)
    }
}

fn cause_of(close: Option<CloseFrame>) -> Cause {
    close.map_or_else(Cause::lost, |frame| Cause::of_close(frame.code.into()))
}
