//! The handle: what an application asks for.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::{mpsc, oneshot, watch};

use crate::driver::{Command, Status};
use crate::protocol::{Addressee, Answer, Request};
use crate::{Builder, Error, IceServer, PeerId, State};

/// A peer of the signaling server: one session at a time, over as many connections as it takes.
///
/// A handle, cheap to clone; the connection is owned by a task of its own. The session ends with [`close`](Self::close), or when the last
/// handle is dropped.
///
/// Each method says one message, and waits for the server's one answer to it. A message is said when its future is first polled, and
/// messages are processed in the order in which they were said. A future that is dropped then has said its message all the same. While the
/// connection is lost, what is said waits for the next one; up to 256 messages and 1 MiB may be unanswered.
#[derive(Clone, Debug)]
pub struct Client {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

/// The message is in the addressee's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ack {
    /// The addressee's connection is lost at the moment: it hears of it when it is back.
    pub parked: bool,
}

impl Client {
    /// Begins a client of the server at this URL: `wss://host/ws`. `ws:`, `https:` and `http:` are taken too.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(crate) fn new(commands: mpsc::Sender<Command>, status: watch::Receiver<Status>) -> Self {
        Self { commands, status }
    }

    /// This peer's address, while there is a session: also while its connection is lost and may be made good.
    #[must_use]
    pub fn id(&self) -> Option<PeerId> {
        self.status.borrow().id.clone()
    }

    /// Where the connection stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.status.borrow().state.clone()
    }

    /// Waits until there is a session, and gives this peer's address. Until then the client tries for ever; what keeps it from one
    /// is told by [`Event::State`](crate::Event::State).
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] if the client is closed.
    pub async fn ready(&self) -> Result<PeerId, Error> {
        let mut status = self.status.clone();
        let is_decided = |status: &Status| status.id.is_some() || status.state == State::Closed;
        let decided = status.wait_for(is_decided).await.map_err(|_| Error::Closed)?;
        decided.id.clone().ok_or(Error::Closed)
    }

    /// Says an SDP offer to a peer: by convention what `RTCPeerConnection.localDescription` serializes to.
    ///
    /// # Errors
    ///
    /// The server's refusal, such as `peer-unavailable`, or an error of the client's own; [`Error::code`] tells.
    pub async fn offer<T: Serialize + ?Sized>(&self, to: impl AsRef<str>, offer: &T) -> Result<Ack, Error> {
        self.relay("offer", peer(to), Some(json(offer)?)).await
    }

    /// Says an SDP answer to a peer.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn answer<T: Serialize + ?Sized>(&self, to: impl AsRef<str>, answer: &T) -> Result<Ack, Error> {
        self.relay("answer", peer(to), Some(json(answer)?)).await
    }

    /// Says an ICE candidate to a peer; `&None::<()>` and `&()` are `null`, by which candidates end.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn candidate<T: Serialize + ?Sized>(&self, to: impl AsRef<str>, candidate: &T) -> Result<Ack, Error> {
        self.relay("candidate", peer(to), Some(json(candidate)?)).await
    }

    /// Says to a peer that the call is over, by convention with `{"reason":"…"}`; with `None::<&()>` without anything.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn bye<T: Serialize + ?Sized>(&self, to: impl AsRef<str>, bye: Option<&T>) -> Result<Ack, Error> {
        self.relay("bye", peer(to), bye.map(json).transpose()?).await
    }

    /// Says the application's own words to a peer: any value that is JSON.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn message<T: Serialize + ?Sized>(&self, to: impl AsRef<str>, message: &T) -> Result<Ack, Error> {
        self.relay("message", peer(to), Some(json(message)?)).await
    }

    /// Says the application's own words to all other members of a room that this peer is in.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer). With `peer-busy`, [`Refusal::peers`](crate::Refusal::peers) did not get it, and the others did.
    pub async fn message_room<T: Serialize + ?Sized>(&self, room: impl AsRef<str>, message: &T) -> Result<Ack, Error> {
        let room = Addressee::Room(room.as_ref().to_owned());
        self.relay("message", room, Some(json(message)?)).await
    }

    /// Enters a room, and gives its other members, in no order. Which of two members makes the offer can be told by this: each is
    /// either in the other's list or told of it by [`Event::PeerJoined`](crate::Event::PeerJoined).
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer); of a name that has not 1 to 128 bytes, `bad-message`.
    pub async fn join(&self, room: impl AsRef<str>) -> Result<Vec<PeerId>, Error> {
        match self.ask(Request::join(room.as_ref())).await? {
            Answer::Joined { peers, .. } => Ok(peers),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// Leaves a room.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn leave(&self, room: impl AsRef<str>) -> Result<(), Error> {
        match self.ask(Request::leave(room.as_ref())).await? {
            Answer::Left { .. } => Ok(()),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// Asks for a sign of life. What the server sent before it answers is among the events by then, as far as they were read.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn ping(&self) -> Result<(), Error> {
        match self.ask(Request::ping()).await? {
            Answer::Ack { .. } => Ok(()),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// Asks for STUN and TURN servers with fresh credentials.
    ///
    /// # Errors
    ///
    /// As [`offer`](Self::offer).
    pub async fn ice_servers(&self) -> Result<Vec<IceServer>, Error> {
        match self.ask(Request::ice_servers()).await? {
            Answer::IceServers(servers) => Ok(servers),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    /// For when the network has changed: asks whether the connection still lives and replaces one that does not answer in 5 seconds;
    /// while the client waits for its next attempt to connect, makes it now. Returns at once. Without it a dead connection is found after
    /// two heartbeats.
    pub async fn check(&self) {
        self.commands.send(Command::Check).await.ok();
    }

    /// Ends the session, and waits until the server knows, for 2 seconds at most. What is said before it is sent; what is still unanswered
    /// fails with [`Error::Closed`], and so does all that follows. Final, for all handles; a second time it does nothing.
    pub async fn close(&self) {
        self.commands.send(Command::Close).await.ok();
        self.commands.closed().await;
        let mut status = self.status.clone();
        status.wait_for(|status| status.state == State::Closed).await.ok();
    }

    async fn relay(&self, kind: &'static str, to: Addressee, payload: Option<Box<RawValue>>) -> Result<Ack, Error> {
        match self.ask(Request::relay(kind, to, payload)).await? {
            Answer::Ack { parked } => Ok(Ack { parked }),
            _ => Err(Error::UnexpectedAnswer),
        }
    }

    async fn ask(&self, request: Request) -> Result<Answer, Error> {
        let (answer, answered) = oneshot::channel();
        self.commands.send(Command::Ask { request, answer }).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }
}

fn peer(id: impl AsRef<str>) -> Addressee {
    Addressee::Peer(id.as_ref().to_owned())
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, Error> {
    to_raw_value(value).map_err(Error::NotJson)
}
