//! One client's connection: one task, which owns the socket and holds the session.
//!
//! Sessions that have no connection of their own, but requests, are in [`held`].
//!
//! The loop below is the whole of it: what comes from the session is written, what comes from the client is done, and
//! time passes. What a message means is the [`Session`]'s business, what a frame looks like the protocol's.

pub(crate) mod framing;
pub(crate) mod guest;
mod heartbeat;
pub mod held;
mod life;
mod socket;

use std::future::pending;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::OptionFuture;
use tokio::time::{Sleep, timeout};
use tracing::{debug, trace};

use crate::dialect::{Dialect, Heard};
use crate::hub::{AllowanceLimits, AnswerPermit, Ask, Frame, Next, Place, Revoked, Session, Verdict};
use crate::ice::IceContext;
use crate::protocol::{Doubt, End, ErrorCode, Realm, Request, Resume, Secret, Welcome};
pub(crate) use framing::BinaryMessages;
use heartbeat::{Beat, Heartbeat, Pings};
pub(crate) use life::{Client, Entrance, Terms};
pub(crate) use socket::Socket;
use socket::{Received, What};

/// The silence after which a client that waits to be matched is asked whether it is there: two KeepAlives of matchbox.
const DOUBT: Duration = Duration::from_secs(20);

/// How long it has for the answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often a client is asked again that waits for others to answer.
const AGAIN: Duration = Duration::from_millis(500);

/// What a connection allows and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// The largest message that a client may send, in bytes.
    pub max_message_bytes: usize,
    /// What clients are told of what they may say. The session counts it.
    pub allowance: AllowanceLimits,
    /// The time between two pings; two of them without a sign of life end the connection.
    pub heartbeat: Duration,
    /// The time that one write may take, and that a client has to acknowledge what fills its window.
    pub write_timeout: Duration,
    /// The time that a session outlives its connection. None: it doesn't.
    pub resume_window: Option<Duration>,
    /// The time for which topics are kept for a client that is gone and won't subscribe again.
    pub topic_window: Duration,
    /// What clients are told when the server stops.
    pub farewell: Farewell,
}

/// What a stopping server says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Connect again.
    Restart,
    /// Don't.
    Final,
}

/// Where a connection's session comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// It begins with this connection.
    New,
    /// An earlier connection began it.
    Resumed,
}

/// A client that is not let in yet, because one that it would be matched with may be gone.
#[derive(Debug)]
struct Door {
    /// When it is asked again.
    again: Instant,
    /// From when on it is let in all the same.
    until: Instant,
}

/// A socket and the session that speaks through it.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    dialect: Dialect,
    session: Session,
    beginning: Beginning,
    ice: IceContext,
    terms: Arc<Terms>,
    heartbeat: Heartbeat,
    /// Where its client waits to be let in.
    door: Option<Box<Door>>,
    /// When a client whose window is full is given up.
    overdue: Option<Instant>,
    /// Until when nothing is read.
    paused: Option<Instant>,
    /// None: of most.
    bounds: Option<Box<Bounds>>,
}

/// What ends a connection, whatever it says.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    /// When the client's credentials expire.
    expires: Option<Instant>,
    /// Where it meets others, if that is a place.
    place: Option<Box<Place>>,
}

impl Connection {
    pub(crate) fn new(
        socket: Socket,
        dialect: Dialect,
        session: Session,
        beginning: Beginning,
        ice: IceContext,
        terms: Arc<Terms>,
        bounds: Option<Box<Bounds>>,
    ) -> Self {
        let (now, limits) = (Instant::now(), terms.limits);
        let pings = if dialect.realm() == Realm::V1 { Pings::Always } else { Pings::WhenSilent };
        let interval = if dialect.is_matched() { limits.heartbeat.min(DOUBT) } else { limits.heartbeat };
        Self {
            socket,
            dialect,
            session,
            beginning,
            ice,
            terms,
            heartbeat: Heartbeat::new(interval, pings, now),
            door: None,
            overdue: None,
            paused: None,
            bounds,
        }
    }

    /// The client's address.
    pub(crate) fn client(&self) -> IpAddr {
        self.ice.client
    }

    /// Where its client's addresses mean something.
    pub(crate) fn realm(&self) -> Realm {
        self.dialect.realm()
    }

    /// The session that speaks through it.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Talks until one side has had enough. Borrows itself: a future that moved it would be three times as large, and
    /// there is one for each peer.
    pub(crate) async fn talk(&mut self) -> End {
        // Order: the first frame is always `welcome`, be the session a newer connection's by now.
        self.greet();
        if let Err(end) = self.enter(Instant::now()) {
            debug!(peer = %self.session.id(), ?end, "could not enter");
            return end;
        }
        let revoked = self.session.revoked();
        let over = self.bounds.as_ref().map(|bounds| Box::pin(bounds.over()));
        let end = tokio::select! {
            // Order: a connection that is over reads no further.
            biased;
            // Cancels a write that is stuck: what was not written goes down with the session, or again over the next.
            revoked = revoked => match revoked {
                Revoked::TakenOver => End::TakenOver,
                Revoked::Closing => self.farewell(),
            },
            // Not a beat: a client that is never silent must not outstay its time.
            Some(end) = OptionFuture::from(over) => end,
            end = self.converse() => end,
        };
        debug!(peer = %self.session.id(), ?end, "connection ended");
        end
    }

    async fn converse(&mut self) -> End {
        if let Err(end) = self.socket.flush().await {
            return end;
        }
        let mut permit = None;
        // One for all rounds: to make it anew would cost a part of each message.
        let mut alarm = pin!(tokio::time::sleep_until(self.due().into()));
        loop {
            // Invariant: a frame is read only while the queue has a permit for its answer
            // (`a_client_that_does_not_read_is_not_read`).
            permit = permit.or_else(|| self.session.answer_permit());
            let is_paused = self.is_paused();
            self.wind(alarm.as_mut());
            // Order: a client is not called silent while there is something unread. Reading ahead of writing starves neither:
            // what is read fills the queue, and a full queue stops the reading.
            let done = tokio::select! {
                biased;
                received = self.socket.receive(), if permit.is_some() && !is_paused => self.hear(received, &mut permit),
                next = self.session.next() => match next {
                    Next::Write(frame) => {
                        self.put_turn(frame);
                        self.send().await
                    }
                    Next::Probe => self.socket.ping().await,
                },
                () = &mut alarm => self.beat().await,
            };
            if let Err(end) = done {
                return end;
            }
            self.socket.give_way().await;
        }
    }

    /// Sets the alarm for the next beat.
    fn wind(&mut self, alarm: Pin<&mut Sleep>) {
        let due = self.due().into();
        if alarm.deadline() != due {
            alarm.reset(due);
        }
    }

    fn farewell(&self) -> End {
        match self.terms.limits.farewell {
            Farewell::Restart => End::Restarting,
            Farewell::Final => End::ShuttingDown,
        }
    }

    /// What leaves first.
    fn greet(&mut self) {
        let Self { socket, dialect, session, beginning, ice, terms, .. } = self;
        let (limits, is_resumed, mut is_resumable) = (terms.limits, *beginning == Beginning::Resumed, false);
        let welcome = || {
            let (token, accepted) = session.issue_token().unzip();
            let resume_window = limits.resume_window.unwrap_or_default();
            is_resumable = token.is_some();
            Welcome {
                id: session.address().clone(),
                resumed: is_resumed,
                resume: token
                    .map(|token| Resume { token: Secret(token.to_string()), window: resume_window.as_secs_f64() }),
                accepted: accepted.filter(|_| is_resumed),
                ice_servers: ice.list(session.id()),
                heartbeat: limits.heartbeat.as_secs_f64(),
                max_message_bytes: limits.max_message_bytes,
                rate: limits.allowance.rate,
                bytes_per_second: limits.allowance.bytes_per_second,
            }
        };
        dialect.greet(welcome, socket);
        if is_resumable {
            // What comes back shows that the token has arrived.
            socket.put_ping();
        }
    }

    /// Asks for what the client's dialect says that it wants before it says anything. Where it can't have it, it is not served:
    /// that was looked at before the 101, and has changed since. Where it would be matched with a client that may be gone,
    /// it is asked again, until that is known.
    fn enter(&mut self, now: Instant) -> Result<(), End> {
        let until = self.door.take().map_or(now + 2 * PATIENCE, |door| door.until);
        let doubt = if now < until { Doubt::Heeded } else { Doubt::Ignored };
        let Some(message) = self.dialect.enters(doubt) else { return Ok(()) };
        let heard = Heard::Request(Ok(Request { reference: None, message }));
        let mut permit = Some(self.session.answer_permit().ok_or(End::TooSlow)?);
        match self.obey(heard, 0, &mut permit, now)?.refused {
            None => Ok(()),
            // To ask again counts as what the client says.
            Some(ErrorCode::PeerBusy | ErrorCode::RateLimited) => {
                self.door = Some(Box::new(Door { again: now + AGAIN, until }));
                Ok(())
            }
            Some(_) => Err(End::Full),
        }
    }

    /// Puts a message behind what is to be sent, and what is queued behind it, as far as a turn goes: many small frames leave in
    /// one record.
    // Not async: in a future, all that it holds would be room in each peer.
    fn put_turn(&mut self, first: Frame) {
        let (now, mut next) = (Instant::now(), Some(first));
        while let Some(frame) = next {
            self.put(&frame, now);
            next = if self.socket.is_turn_over() { None } else { self.session.try_next() };
        }
    }

    async fn send(&mut self) -> Result<(), End> {
        self.socket.flush().await?;
        self.session.written();
        Ok(())
    }

    /// Puts a message behind what is to be sent.
    fn put(&mut self, frame: &Frame, now: Instant) {
        trace!(peer = %self.session.id(), number = frame.number, "frame leaves");
        if let Some(waited) = frame.waited(now) {
            self.terms.metrics.relayed_after(waited.as_secs_f64());
        }
        self.dialect.write(frame.message(), &mut self.socket);
    }

    /// Takes in what came from the client. `permit` is left empty when an answer was put into it.
    fn hear(&mut self, received: Result<Received, End>, permit: &mut Option<AnswerPermit>) -> Result<(), End> {
        let now = Instant::now();
        let Received { what, bytes } = received?;
        if !matches!(what, What::Part) {
            self.heartbeat.heard(now);
        }
        let verdict = match what {
            What::Control => self.ask(Ask::Control, bytes, now),
            What::Part => self.ask(Ask::Part, bytes, now),
            What::Text(text) => {
                let heard = self.dialect.read(&text);
                self.obey(heard, bytes, permit, now)?
            }
            What::Binary(message) => {
                let heard = self.dialect.read_binary(&message);
                self.obey(heard, bytes, permit, now)?
            }
        };
        if !verdict.pause.is_zero() {
            self.paused = Some(now + verdict.pause);
        }
        if verdict.is_over { Err(End::Abuse) } else { Ok(()) }
    }

    /// Whether the client is read no further for now, because it has said more than its rate allows.
    fn is_paused(&mut self) -> bool {
        self.paused = self.paused.filter(|until| Instant::now() < *until);
        self.paused.is_some()
    }

    fn obey(
        &self,
        heard: Heard<'_>,
        bytes: usize,
        permit: &mut Option<AnswerPermit>,
        now: Instant,
    ) -> Result<Verdict, End> {
        let decoded = match heard {
            Heard::Request(decoded) => decoded,
            Heard::Nothing => return Ok(self.ask(Ask::Control, bytes, now)),
            Heard::Over(end) => return Err(end),
        };
        let permit = permit.take().expect("a frame is read only while its answer has a permit");
        let kind = decoded.as_ref().map_or("unreadable", |request| request.message.kind());
        let verdict = self.ask(Ask::Frame(decoded, permit), bytes, now);
        self.terms.metrics.message(
            self.dialect.realm().as_str(),
            kind,
            verdict.refused.map_or("ok", ErrorCode::as_str),
        );
        Ok(verdict)
    }

    fn ask(&self, ask: Ask<'_>, bytes: usize, now: Instant) -> Verdict {
        let id = self.session.id();
        self.session.hear(ask, bytes, now, || self.ice.list(id))
    }

    /// When the next beat is due. A client that does not acknowledge has as long as one that does not read.
    fn due(&mut self) -> Instant {
        let door = self.door.as_ref().map(|door| door.again);
        let others = self.pulse_due().into_iter().chain(self.paused).chain(door);
        let beat = others.fold(self.heartbeat.due(), Instant::min);
        if !self.session.is_window_full() {
            self.overdue = None;
            return beat;
        }
        let overdue = *self.overdue.get_or_insert_with(|| Instant::now() + self.terms.limits.write_timeout);
        overdue.min(beat)
    }

    /// When something is to be given up that waits for an absent peer.
    fn pulse_due(&self) -> Option<Instant> {
        if self.dialect.realm().awaits() { self.session.due() } else { None }
    }

    async fn beat(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.pulse_due().is_some_and(|due| now >= due) {
            for _ in 0..self.session.pulse(now) {
                self.terms.metrics.message(self.dialect.realm().as_str(), "awaited", ErrorCode::Undelivered.as_str());
            }
        }
        if self.overdue.is_some_and(|overdue| now >= overdue) {
            return Err(End::TooSlow);
        }
        if self.paused.is_some() {
            // What shows that it lives is not read. Where its process is gone, its system says so to what is written.
            self.heartbeat.heard(now);
            return if self.heartbeat.is_ping_due(now) { self.socket.ping().await } else { Ok(()) };
        }
        if self.door.as_ref().is_some_and(|door| now >= door.again) {
            self.enter(now)?;
        }
        let limit = self.terms.limits.heartbeat;
        let is_awaited = self.dialect.is_matched() && self.session.is_waiting();
        match self.heartbeat.beat(now, if is_awaited { limit.min(PATIENCE) } else { limit }) {
            Beat::Wait => Ok(()),
            Beat::Ping => {
                self.session.doubt();
                self.socket.ping().await
            }
            Beat::Silent => Err(End::Silent),
        }
    }

    /// Ends the session, unless a newer connection has it by now; hands over what it was told before, then closes.
    pub(crate) async fn part(&mut self, end: End) {
        let rest = self.session.end();
        let can_write = !matches!(end, End::ClientClosed | End::ClientAway | End::Lost | End::TooSlow | End::Silent);
        // Without anything to write, what is stuck from before would get a whole write's time: a connection that was
        // taken over counts beside the one that replaces it, so it has no more than the close's.
        if can_write && !rest.is_empty() {
            // One deadline for all of it: who trickles must not keep its permit for longer than who stalls.
            let written = timeout(self.terms.limits.write_timeout, self.write_all(rest)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
        self.socket.close(self.dialect.close(end)).await;
    }

    async fn write_all(&mut self, frames: Vec<Frame>) -> Result<(), End> {
        let now = Instant::now();
        for frame in frames {
            self.put(&frame, now);
            self.socket.relieve().await?;
        }
        self.socket.flush().await
    }
}

impl Bounds {
    /// Waits until one of them is reached. Borrows nothing.
    fn over(&self) -> impl Future<Output = End> + use<> {
        let expired = OptionFuture::from(self.expires.map(|expires| tokio::time::sleep_until(expires.into())));
        let moved = OptionFuture::from(self.place.as_ref().map(|place| place.token().cancelled_owned()));
        async move {
            tokio::select! {
                Some(()) = expired => End::Expired,
                Some(()) = moved => End::Restarting,
                else => pending().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_tungstenite::WebSocketStream;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;
    use crate::accept::Stream;
    use crate::admission::AdmissionLimits;
    use crate::dialect::Dialect;
    use crate::hub::{Hub, HubLimits, Lifetime, MailboxLimits, TopicLimits};
    use crate::ice::{Access, IceConfig};
    use crate::metrics::Metrics;
    use crate::net::TlsEnd;
    use crate::parking::Parking;
    use crate::protocol::{ClientMessage, Kind, Realm};
    use crate::tasks::Tasks;

    type Client = WebSocketStream<TcpStream>;

    const LIMITS: ConnectionLimits = ConnectionLimits {
        max_message_bytes: 65536,
        allowance: AllowanceLimits::NONE,
        heartbeat: Duration::from_secs(25),
        write_timeout: Duration::from_secs(10),
        resume_window: None,
        topic_window: Duration::from_mins(2),
        farewell: Farewell::Restart,
    };

    /// Frames in one turn, at most.
    const AT_ONCE: u32 = 30;

    async fn connection(tasks: &Tasks) -> (Connection, Client, Arc<Hub>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (client, server) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
        let socket = Socket::new(
            Stream::plain(server.unwrap().0, tasks.clone()),
            LIMITS.max_message_bytes,
            BinaryMessages::Refused,
            LIMITS.write_timeout,
        );
        let hub = Hub::new(HubLimits {
            allowance: LIMITS.allowance,
            mailbox: MailboxLimits { messages: 512, bytes: 1 << 20 },
            queued_bytes: 1 << 20,
            rooms_per_peer: None,
            peers_per_room: None,
            topics: TopicLimits::NONE,
        });
        let config = IceConfig {
            servers: Vec::new(),
            access: Access::None,
            embedded: Arc::default(),
            ttl: 1,
            public_host: None,
        };
        let local = [127, 0, 0, 1].into();
        let ice = IceContext { config: Arc::new(config), host: None, client: local, tls_end: TlsEnd::Proxy };
        let parked = Parking::new(AdmissionLimits { all: None, per_address: None, newcomers: None });
        let tasks = tasks.clone();
        let terms = Arc::new(Terms { limits: LIMITS, metrics: Metrics::new(), hub: Arc::clone(&hub), parked, tasks });
        let session = hub.open(Realm::V1, Lifetime::Connection, None);
        let connection = Connection::new(socket, Dialect::V1, session, Beginning::New, ice, terms, None);
        (connection, WebSocketStream::from_raw_socket(client.unwrap(), Role::Client, None).await, hub)
    }

    /// How many turns a connection takes until its client has heard the welcome and so many frames, and hangs up.
    async fn turns(mut connection: Connection, mut client: Client, frames: u32, tasks: &Tasks) -> u32 {
        tasks.spawn(async move {
            for _ in 0..=frames {
                assert!(client.next().await.unwrap().unwrap().is_text());
            }
        });
        let (mut talk, mut turns) = (pin!(connection.talk()), 0);
        let talked = poll_fn(|cx| {
            turns += 1;
            talk.as_mut().poll(cx)
        });
        assert_eq!(timeout(Duration::from_mins(1), talked).await, Ok(End::Lost), "the client hangs up");
        turns
    }

    /// It is read, answered and written to: none of that alone may be all that it is given a turn for.
    #[tokio::test]
    async fn who_floods_and_reads_its_answers_gives_way_to_others() {
        const FRAMES: u32 = 1000;

        let tasks = Tasks::new();
        let (connection, mut client, _) = connection(&tasks).await;
        for _ in 0..FRAMES {
            client.feed(Message::text(r#"{"type":"bye","to":"no id"}"#)).await.unwrap();
        }
        client.flush().await.unwrap();
        // From now on it is all there.
        let turns = turns(connection, client, FRAMES, &tasks).await;
        assert!(turns >= FRAMES / AT_ONCE, "{FRAMES} frames in {turns} turns");
    }

    #[tokio::test]
    async fn who_is_told_much_gives_way_to_others() {
        const FRAMES: u32 = 500;

        let tasks = Tasks::new();
        let (connection, client, hub) = connection(&tasks).await;
        let sender = hub.open(Realm::V1, Lifetime::Connection, None);
        let payload = format!("\"{}\"", "x".repeat(300));
        for _ in 0..FRAMES {
            let to = connection.session().id().to_string().into();
            let message = ClientMessage::Relay { kind: Kind::Message, to, payload: Some(&payload) };
            let ask = Ask::Frame(Ok(Request { reference: None, message }), sender.answer_permit().unwrap());
            assert_eq!(sender.hear(ask, 0, Instant::now(), Vec::new).refused, None);
        }
        let turns = turns(connection, client, FRAMES, &tasks).await;
        assert!(turns >= FRAMES / AT_ONCE, "{FRAMES} frames in {turns} turns");
    }
}
