//! An open WebSocket: the only file that knows both its frames ([`framing`]) and the stream beneath.
//!
//! Text in, text out, close codes instead of errors. While nothing is said it holds no buffer: what is read is taken
//! straight from the stream's record, what is written goes through a buffer that the thread lends.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncBufRead as _, AsyncWrite as _};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::framing::{self, BinaryMessages, Broken, Decoder, Event};
use crate::accept::Stream;
use crate::dialect::Sink;
use crate::dialect::socketio::packet::Outgoing as Packet;
use crate::protocol::End;

/// What is written in one go: one TLS record's worth.
const WRITE_BYTES: usize = 16 * 1024;

/// The largest buffer that a thread keeps to lend.
const LENT_BYTES: usize = 64 * 1024;

/// What is read and written before others have their turn: tokio counts polls, and not what one of them brings.
const TURN_BYTES: usize = 16 * 1024;

/// What a frame costs besides its bytes, as so many of them: to be read and obeyed.
const HEARD_BYTES: usize = 1024;

/// … and to be written.
const WRITTEN_BYTES: usize = 256;

/// What the framing of one message may have besides the message: one that comes in fragments of a kilobyte has less.
const FRAMING_BYTES: usize = 16 * 1024;

/// How long the other side may take to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The client is through (RFC 6455, 7.4.1). A browser says 1001 when the page goes away, and a page that wants to come
/// back says a code of its own, which is all that it may choose besides this.
const NORMAL_CLOSURE: u16 = 1000;

thread_local! {
    /// What sockets of this thread write through, while none does.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An open WebSocket. Every write has a deadline.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    decoder: Decoder,
    outgoing: Outgoing,
    write_timeout: Duration,
    /// What was done since others had their turn, in bytes.
    turn: usize,
    /// What was read and has not been given to the connection, in bytes: of a message that is not whole.
    unpaid: usize,
    /// Whether the client has said its last, or something that can't be understood.
    is_over: bool,
}

/// What came from the client.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) what: What,
    /// All that was read for it.
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) enum What {
    /// A message.
    Text(String),
    /// A message that is no text.
    Binary(Vec<u8>),
    /// A WebSocket ping, whose answer leaves with the next look at the socket, or a pong.
    Control,
    /// More bytes than a message has, and still no whole message: no sign of life.
    Part,
}

/// Frames that have not left.
#[derive(Debug, Default)]
struct Outgoing {
    /// Without memory of its own while there is nothing.
    bytes: Vec<u8>,
    /// How many of them have.
    written: usize,
}

impl Socket {
    pub(crate) fn new(
        stream: Stream,
        max_message_bytes: usize,
        binary: BinaryMessages,
        write_timeout: Duration,
    ) -> Self {
        let decoder = Decoder::new(max_message_bytes, binary);
        Self { stream, decoder, outgoing: Outgoing::default(), write_timeout, turn: 0, unpaid: 0, is_over: false }
    }

    /// The client's next frame. Cancel safe: what has come of a frame is the decoder's, and what was read of the
    /// stream is taken from it in the same step.
    pub(super) async fn receive(&mut self) -> Result<Received, End> {
        let event = self.event().await?;
        self.turn += HEARD_BYTES;
        let what = self.understand(event)?;
        Ok(Received { what, bytes: std::mem::take(&mut self.unpaid) })
    }

    fn understand(&mut self, event: Option<Event>) -> Result<What, End> {
        match event {
            None => Ok(What::Part),
            Some(Event::Text(text)) => Ok(What::Text(text)),
            Some(Event::Binary(bytes)) => Ok(What::Binary(bytes)),
            Some(Event::Ping(payload)) => {
                framing::put_pong(self.outgoing.buffer(), &payload);
                Ok(What::Control)
            }
            Some(Event::Pong) => Ok(What::Control),
            Some(Event::Close(code)) => {
                self.is_over = true;
                framing::put_close(self.outgoing.buffer(), code, "");
                let is_through = code.is_none_or(|code| code == NORMAL_CLOSURE);
                Err(if is_through { End::ClientClosed } else { End::ClientAway })
            }
        }
    }

    /// Sends what is to be sent, if it is a record's worth; only [`flush`](Self::flush) is sure to send it.
    pub(super) async fn relieve(&mut self) -> Result<(), End> {
        if self.outgoing.bytes.len() < WRITE_BYTES { Ok(()) } else { self.flush().await }
    }

    /// Sends what is to be sent. Cancel safe: the next goes on where this one was.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        if let Poll::Ready(left) = poll_fn(|cx| Poll::Ready(self.poll_leave(cx))).await {
            return left;
        }
        // Boxed, and only now: most leaves at once, and a deadline is a look at the clock, and room in each peer's task.
        let deadline = self.write_timeout;
        Box::pin(timeout(deadline, poll_fn(|cx| self.poll_leave(cx)))).await.map_err(|_| End::TooSlow)?
    }

    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        self.outgoing.poll_leave(&mut self.stream, cx)
    }

    /// Whether it has read and written as much as it may at once.
    pub(super) fn is_turn_over(&self) -> bool {
        self.turn >= TURN_BYTES
    }

    /// Lets others have their turn where this one is over. Cancel safe: then the next does.
    pub(super) async fn give_way(&mut self) {
        if self.is_turn_over() {
            yield_now().await;
            self.turn = 0;
        }
    }

    /// A packet of Engine.IO, with the next [`flush`](Self::flush).
    pub(super) fn put(&mut self, packet: &Packet) {
        match packet {
            Packet::Text(text) => self.frame(|out| out.extend_from_slice(text.as_bytes())),
            Packet::Binary(message) => {
                framing::put_binary(self.outgoing.buffer(), message);
                self.turn += WRITTEN_BYTES + message.len();
            }
        }
    }

    /// The last frame, with a code or without one. It leaves with [`close`](Self::close).
    pub(super) fn put_close(&mut self, code: Option<u16>) {
        framing::put_close(self.outgoing.buffer(), code, "");
    }

    /// Asks for a sign of life, with the next [`flush`](Self::flush).
    pub(super) fn put_ping(&mut self) {
        framing::put_ping(self.outgoing.buffer());
    }

    /// Asks for a sign of life.
    pub(super) async fn ping(&mut self) -> Result<(), End> {
        self.put_ping();
        self.flush().await
    }

    /// The closing handshake: says why, if it is ours to say, and waits a moment for the other side's answer.
    pub(crate) async fn close(&mut self, reason: Option<(u16, &str)>) {
        if let Some((code, reason)) = reason {
            framing::put_close(self.outgoing.buffer(), Some(code), reason);
        }
        self.part().await;
    }

    /// The same without a word of why: what came before has said it.
    pub(crate) async fn close_without_code(&mut self) {
        framing::put_close(self.outgoing.buffer(), None, "");
        self.part().await;
    }

    async fn part(&mut self) {
        let handshake = async {
            poll_fn(|cx| self.poll_leave(cx)).await?;
            while !self.is_over {
                self.is_over = matches!(self.event().await?, Some(Event::Close(_)));
            }
            Ok::<(), End>(())
        };
        // Late or broken, it is over either way.
        let _ = timeout(CLOSE_TIMEOUT, handshake).await;
    }

    /// What the client says next; `None` where more has come than a message has, and nothing is whole. Where answers to
    /// pings can't leave, nothing is read that would ask for more.
    async fn event(&mut self) -> Result<Option<Event>, End> {
        loop {
            self.give_way().await;
            let event = poll_fn(|cx| self.poll_event(cx)).await?;
            if event.is_some() || self.unpaid > self.decoder.max_message_bytes().saturating_add(FRAMING_BYTES) {
                return Ok(event);
            }
        }
    }

    /// Takes what the stream has; `None` where that makes nothing whole.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event>, End>> {
        ready!(self.outgoing.poll_leave(&mut self.stream, cx))?;
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_fill_buf(cx) else {
            // Others have their turn anyway, once the rest is written.
            self.turn = 0;
            return Poll::Pending;
        };
        let read = read.map_err(|_| End::Lost)?;
        if read.is_empty() {
            return Poll::Ready(Err(End::Lost));
        }
        let mut rest = read;
        let decoded = self.decoder.decode(&mut rest);
        let taken = read.len() - rest.len();
        Pin::new(&mut self.stream).consume(taken);
        self.turn += taken;
        self.unpaid += taken;
        self.is_over |= decoded.is_err();
        Poll::Ready(decoded.map_err(End::from))
    }
}

/// Puts texts behind what is to be sent. Sends nothing.
impl Sink for Socket {
    fn frame(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.outgoing.buffer();
        let before = out.len();
        framing::put_text(out, write);
        self.turn += WRITTEN_BYTES + out.len() - before;
    }
}

impl Outgoing {
    /// Where frames are put.
    fn buffer(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        &mut self.bytes
    }

    /// Ready once all of it has left; the buffer is the thread's again.
    fn poll_leave(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        if self.bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.bytes.len() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, &self.bytes[self.written..]));
            self.written += written.ok().filter(|&bytes| bytes > 0).ok_or(End::Lost)?;
        }
        ready!(Pin::new(stream).poll_flush(cx)).map_err(|_| End::Lost)?;
        let Self { mut bytes, .. } = std::mem::take(self);
        if bytes.capacity() <= LENT_BYTES {
            bytes.clear();
            SPARE.set(bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl From<Broken> for End {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Rule => Self::ProtocolError,
            Broken::Binary => Self::Binary,
            Broken::NotUtf8 => Self::NotUtf8,
            Broken::TooLarge => Self::TooLarge,
        }
    }
}
