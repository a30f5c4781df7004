//! One client's connection: one task, which owns the socket and holds the session.
//!
//! The loop below is the whole of it: what comes from the session is written, what comes from the client is done, and
//! time passes. What a message means is the [`Session`]'s business, what a frame looks like the protocol's.

mod heartbeat;
mod rate;
mod socket;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{debug, trace};

use crate::hub::{Frame, Place, Session};
use crate::ice::IceOffer;
use crate::protocol::{End, ErrorCode, ErrorNotice, Rate, Welcome, decode};
use heartbeat::{Beat, Heartbeat};
use rate::{Patience, TokenBucket};
use socket::Received;
pub(crate) use socket::{Socket, bounded};

/// Frames written before the loop looks at the other side again, however fast the queue refills.
const BATCH_FRAMES: usize = 64;

/// What a connection allows and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The largest message that a client may send, in bytes.
    pub max_message_bytes: usize,
    /// How much a client may send. None: as much as it likes.
    pub rate: Option<Rate>,
    /// Refused messages within ten seconds that end the connection. None: none do.
    pub refused_messages: Option<NonZeroU32>,
    /// The time between two pings; two of them without a sign of life end the connection.
    pub heartbeat: Duration,
    /// The time that one write may take.
    pub write_timeout: Duration,
}

/// A socket and the session that speaks through it.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    session: Session,
    ice: IceOffer,
    limits: ConnectionLimits,
    heartbeat: Heartbeat,
    rate: Option<TokenBucket>,
    patience: Option<Patience>,
}

impl Connection {
    pub(crate) fn new(socket: Socket, session: Session, ice: IceOffer, limits: ConnectionLimits) -> Self {
        let now = Instant::now();
        Self {
            socket,
            session,
            ice,
            limits,
            heartbeat: Heartbeat::new(limits.heartbeat, now),
            rate: limits.rate.map(|rate| TokenBucket::new(rate, now)),
            patience: limits.refused_messages.map(|limit| Patience::new(limit.get(), now)),
        }
    }

    /// Talks until one side has had enough, then says goodbye. Borrows itself: a future that moved it would be three
    /// times as large, and there is one for each peer.
    pub(crate) async fn run(&mut self, stop: &CancellationToken) {
        let evicted = self.session.evicted();
        let end = tokio::select! {
            // Cancels a write that is stuck: what was not written goes down with the session.
            () = evicted => End::TooSlow,
            end = self.converse(stop) => end,
        };
        debug!(peer = %self.session.id(), ?end, "connection ended");
        self.part(end).await;
    }

    async fn converse(&mut self, stop: &CancellationToken) -> End {
        if let Err(end) = self.welcome().await {
            return end;
        }
        let mut place = None;
        loop {
            // Invariant: a frame is read only while the queue has a place for its answer
            // (`a_client_that_does_not_read_is_not_read`).
            place = place.or_else(|| self.session.place());
            // Order: nobody is called silent while there is something unread. Reading ahead of writing starves neither:
            // what is read fills the queue, and a full queue stops the reading.
            let done = tokio::select! {
                biased;
                () = stop.cancelled() => Err(End::Restarting),
                received = self.socket.receive(), if place.is_some() => self.hear(received, &mut place),
                Some(frame) = self.session.next() => self.write(frame).await,
                () = tokio::time::sleep_until(self.heartbeat.due().into()) => self.beat().await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn welcome(&mut self) -> Result<(), End> {
        let welcome = Welcome {
            id: self.session.id(),
            resumed: false,
            ice_servers: self.ice.list(self.session.id()),
            heartbeat: self.limits.heartbeat.as_secs_f64(),
            max_message_bytes: self.limits.max_message_bytes,
            rate: self.limits.rate,
        };
        self.socket.feed(welcome.encode()).await?;
        self.socket.flush().await
    }

    /// Writes a message and what is queued behind it: many small frames leave in one record.
    async fn write(&mut self, first: Frame) -> Result<(), End> {
        self.feed(first).await?;
        for _ in 1..BATCH_FRAMES {
            let Some(frame) = self.session.try_next() else { break };
            self.feed(frame).await?;
        }
        self.socket.flush().await
    }

    async fn feed(&mut self, frame: Frame) -> Result<(), End> {
        trace!(peer = %self.session.id(), number = frame.number, "frame leaves");
        self.socket.feed(frame.message.encode()).await
    }

    /// Takes in what came from the client. `place` is left empty when an answer was put into it.
    fn hear(&mut self, received: Result<Received, End>, place: &mut Option<Place>) -> Result<(), End> {
        let now = Instant::now();
        self.heartbeat.heard(now);
        let refused = match received? {
            Received::Control => !self.afford(TokenBucket::MESSAGE_UNITS, now),
            Received::Text(text) => {
                let place = place.take().expect("a frame is read only while its answer has a place");
                self.obey(&text, place, now).is_err_and(ErrorCode::is_abuse)
            }
        };
        let lost = refused && self.patience.as_mut().is_some_and(|patience| patience.is_lost(now));
        if lost { Err(End::Abuse) } else { Ok(()) }
    }

    fn obey(&mut self, text: &str, place: Place, now: Instant) -> Result<(), ErrorCode> {
        let (cost, request) = match decode(text) {
            Ok(request) => (self.session.cost(&request.message), Ok(request)),
            Err(refusal) => (TokenBucket::MESSAGE_UNITS, Err(refusal)),
        };
        let affordable = self.afford(cost, now);
        match request {
            Ok(request) if affordable => {
                let id = self.session.id();
                self.session.obey(request, place, || self.ice.list(id))
            }
            Ok(request) => Err(self.session.refuse(place, ErrorNotice::about(ErrorCode::RateLimited, request))),
            Err(refusal) => Err(self.session.refuse(place, ErrorNotice::new(ErrorCode::BadMessage, refusal.reference))),
        }
    }

    fn afford(&mut self, cost: usize, now: Instant) -> bool {
        self.rate.as_mut().is_none_or(|rate| rate.spend(cost, now))
    }

    async fn beat(&mut self) -> Result<(), End> {
        match self.heartbeat.beat(Instant::now()) {
            Beat::Wait => Ok(()),
            Beat::Ping => self.socket.ping().await,
            Beat::Silent => Err(End::Silent),
        }
    }

    /// Ends the session first, so that nothing more is accepted; then hands over what was, then closes.
    async fn part(&mut self, end: End) {
        self.session.end();
        let can_write = !matches!(end, End::ClientClosed | End::Lost | End::TooSlow | End::Silent);
        while can_write && let Some(frame) = self.session.try_next() {
            if self.write(frame).await.is_err() {
                break;
            }
        }
        self.socket.close(end).await;
    }
}
