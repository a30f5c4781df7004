//! What a client tells its application.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::sync::mpsc;

use crate::{Cause, IceServer, Payload, PeerId, Refusal};

/// What a client tells its application, in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// Where the connection stands. The state `Open` comes just before the [`Welcome`](Self::Welcome) or [`Resumed`](Self::Resumed).
    State(State),
    /// A session begins. This peer is in no room, but for those that are told as [`Rejoined`](Self::Rejoined).
    Welcome(Welcome),
    /// The session goes on, on a new connection. There is nothing to do: nothing was lost, nothing comes twice.
    Resumed,
    /// A new session of the same id, whose node of a cluster is gone, is in a room of the earlier one again.
    Rejoined {
        /// Which room.
        room: String,
        /// The others that are in it now: a member that is not among them has left.
        peers: Vec<PeerId>,
    },
    /// This peer is in a room no longer, without having left it: new credentials do not name it, or it could not be entered again.
    RoomLost {
        /// Which room.
        room: String,
        /// Why it could not be entered again, where the server said so.
        refusal: Option<Refusal>,
    },
    /// An SDP offer.
    Offer {
        /// Who says it; set by the server.
        from: PeerId,
        /// By convention what `RTCPeerConnection.localDescription` serializes to: `{"type":"offer","sdp":"…"}`.
        offer: Payload,
    },
    /// An SDP answer.
    Answer {
        /// Who says it; set by the server.
        from: PeerId,
        /// By convention `{"type":"answer","sdp":"…"}`.
        answer: Payload,
    },
    /// An ICE candidate, or `null` at their end.
    Candidate {
        /// Who says it; set by the server.
        from: PeerId,
        /// By convention what an `RTCIceCandidate` serializes to.
        candidate: Payload,
    },
    /// The application's own words.
    Message {
        /// Who says it; set by the server.
        from: PeerId,
        /// The room to whose members it was said. None: to this peer alone.
        room: Option<String>,
        /// What was said.
        message: Payload,
    },
    /// A call is over.
    Bye {
        /// Who says it; set by the server.
        from: PeerId,
        /// By convention `{"reason":"…"}`.
        bye: Option<Payload>,
    },
    /// Another peer is in a room now.
    PeerJoined {
        /// Which room.
        room: String,
        /// Which peer.
        peer: PeerId,
    },
    /// Another peer is in a room no longer.
    PeerLeft {
        /// Which room.
        room: String,
        /// Which peer.
        peer: PeerId,
    },
    /// An error of the server's that answers nothing which is still waited for: `undelivered`, or one that came after its time-out.
    Error(Refusal),
}

/// A session begins.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Welcome {
    /// This peer's address, for the session's life.
    pub id: PeerId,
    /// STUN and TURN servers. Their credentials expire; [`Client::ice_servers`](crate::Client::ice_servers) asks for fresh ones.
    pub ice_servers: Vec<IceServer>,
    /// How often the server pings.
    pub heartbeat: Duration,
    /// The largest frame that a client may send, in bytes.
    pub max_message_bytes: usize,
    /// How many messages this peer may send. None: as many as it likes.
    pub rate: Option<Rate>,
    /// How many bytes this peer may send per second for long, eight times that at once. None: as many as it likes.
    pub bytes_per_second: Option<f64>,
    /// How long the session outlives its connection. None: not at all.
    pub resume_window: Option<Duration>,
}

/// A token bucket of messages.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rate {
    /// Per second, for long.
    pub messages: f64,
    /// At once.
    pub burst: f64,
}

/// Where the connection stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum State {
    /// A connection is being opened.
    Connecting,
    /// There is a connection, and on it a session.
    Open,
    /// There is none; the next is tried after `retry_in`.
    Waiting {
        /// Why there is none.
        cause: Cause,
        /// From when this was told.
        retry_in: Duration,
    },
    /// The client was closed. Final.
    Closed,
}

/// The events of a client, in a queue that is bounded.
///
/// While the queue is full the client reads nothing from its connection: the server's own queue for this peer fills then, and those
/// that send to it are told `peer-busy`. So an application reads on, also while it waits for an answer of the server's: answers come in
/// the same sequence. One that does not want events drops this; then they are thrown away.
#[derive(Debug)]
pub struct Events(pub(crate) mpsc::Receiver<Event>);

impl Events {
    /// The next event, as soon as there is one. None: the client is closed, and all has been told. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}
