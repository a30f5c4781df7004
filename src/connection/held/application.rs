//! What a held session is for: the application that talks with its client. Its packets are Engine.IO's messages.

use std::task::{Context, Poll};
use std::time::Instant;

use crate::dialect::socketio::packet::{Message, Outgoing};
use crate::protocol::End;

/// What came of a client without a message for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A packet or a request of the transport's own.
    Control,
    /// Bytes of a message that is not whole.
    Part,
}

/// One client's application. It waits for nothing: what it has to say, it is asked for.
pub trait Application: Send + 'static {
    /// Whether it takes in one more packet: a client is not read while its answers find no room.
    fn has_room(&self) -> bool;

    /// Takes in a message of the client, of so many bytes.
    ///
    /// # Errors
    ///
    /// Why the client is to be closed.
    fn hear(&mut self, message: Message<'_>, bytes: usize, now: Instant) -> Result<(), End>;

    /// Takes in what else has come from the client.
    ///
    /// # Errors
    ///
    /// Why the client is to be closed.
    fn notice(&mut self, sign: Sign, bytes: usize, now: Instant) -> Result<(), End>;

    /// Whether it knows its client: until then a time limit runs.
    fn is_connected(&self) -> bool;

    /// The next packet for the client, if there is one.
    fn try_next(&mut self) -> Option<Outgoing>;

    /// The next packet for the client, as soon as there is one.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing>;

    /// All that it gave is on its way to the client.
    fn written(&mut self);

    /// When its client has to go.
    fn expires(&self) -> Option<Instant>;

    /// The session is over, for this reason. It is asked for nothing more.
    fn end(&mut self, reason: &'static str);
}
