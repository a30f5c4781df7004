//! One Engine.IO session: its polls and posts, its WebSocket, the upgrade from one to the other, its time limits. It knows
//! no socket, no clock and no application.
//!
//! Who owns it tells it what happens, hands on the [`Message`]s that [`Engine::receive`] returns, and then carries out each
//! [`Output`] until there is none. What waits for the client should wait with that owner, who calls [`Engine::send`] only
//! while [`Engine::is_writable`]: so little waits here, and one answer to a poll has all that waited.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

pub use super::config::{Config, Transport};
pub use super::output::{Answer, End, Output};
use super::packet::{self, Message, Outgoing, Packet, Received};
use super::pulse::{Beat, Pulse};
use super::request::Refusal;
use super::sid::Sid;

/// What a post says that its body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Text, whatever it is called.
    Text,
    /// `application/octet-stream`.
    Binary,
}

/// Why a post that has begun has no packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostFailure {
    /// It has more than `max_payload` bytes.
    TooLarge,
    /// It is not UTF-8.
    NotText,
    /// Its client went away before its end.
    Aborted,
}

/// What is not sent: too much waits already, or the session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSent;

/// A WebSocket that the session does not try. It gets its 101 and is closed, as in the original: the protocol's own test
/// suite has no handler for a refusal here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoProbe;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// The server has closed it, and no poll could be told yet.
    Closing {
        until: Instant,
        end: End,
    },
    Over,
}

/// A WebSocket that may take the session over.
#[derive(Debug)]
struct Probe {
    until: Instant,
    /// It has been sent `3probe`: the client takes no further poll once its last is answered.
    is_answered: bool,
}

/// A session. See the [module](self).
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    stage: Stage,
    transport: Transport,
    // Invariant: each poll and each post has exactly one answer (`whatever_happens_the_rules_hold`).
    poll_is_open: bool,
    post_is_open: bool,
    probe: Option<Probe>,
    pulse: Pulse,
    /// A ping is due, and no poll was there that could take it.
    ping_waits: bool,
    connect_by: Option<Instant>,
    // Invariant: at most `max_pending_packets`, and less than `max_pending_bytes` without the last
    // (`what_waits_is_bounded`).
    pending: VecDeque<Outgoing>,
    pending_bytes: usize,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// A session that begins with this request: a GET that waits for its answer, or a WebSocket.
    #[must_use]
    pub fn new(config: Arc<Config>, sid: Sid, transport: Transport, now: Instant) -> Self {
        let open = packet::open(sid, transport, &config);
        let output = match transport {
            Transport::Polling => Output::Poll(Answer::Packets(packet::join([open]))),
            Transport::WebSocket => Output::Frame(open),
        };
        Self {
            stage: Stage::Open,
            transport,
            poll_is_open: false,
            post_is_open: false,
            probe: None,
            pulse: Pulse::new(config.ping_interval, config.ping_timeout, now),
            ping_waits: false,
            connect_by: config.connect_timeout.map(|timeout| now + timeout),
            pending: VecDeque::new(),
            pending_bytes: 0,
            outputs: VecDeque::from([output]),
            config,
        }
    }

    /// Whether neither side has ended it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// What it runs over now.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Whether [`send`](Self::send) accepts something, and the client gets it at once.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.has_room() && (self.poll_is_open || self.transport == Transport::WebSocket)
    }

    /// Whether [`send`](Self::send) accepts something.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.stage == Stage::Open
            && self.pending.len() < self.config.max_pending_packets
            && self.pending_bytes < self.config.max_pending_bytes
    }

    /// When [`tick`](Self::tick) is due. `None`: it is over.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let probe = self.probe.as_ref().map(|probe| probe.until);
        let stage = match self.stage {
            Stage::Open => [Some(self.pulse.due()), self.connect_by],
            Stage::Closing { until, .. } => [Some(until), None],
            Stage::Over => return None,
        };
        stage.into_iter().flatten().chain(probe).min()
    }

    /// What is due at this time. All other inputs do it first.
    pub fn tick(&mut self, now: Instant) {
        if self.probe.as_ref().is_some_and(|probe| now >= probe.until) {
            self.close_probe();
        }
        match self.stage {
            Stage::Open => self.keep_time(now),
            Stage::Closing { until, end } if now >= until => self.finish(end),
            Stage::Closing { .. } | Stage::Over => {}
        }
    }

    fn keep_time(&mut self, now: Instant) {
        match self.pulse.beat(now) {
            Beat::Wait => {}
            Beat::Ping => self.ping_waits = true,
            Beat::Silent => return self.finish(End::PingTimeout),
        }
        if self.connect_by.is_some_and(|by| now >= by) {
            self.close(End::NotConnected, now);
        }
    }

    /// The application knows the client: there is no more time limit for that.
    pub fn connected(&mut self) {
        self.connect_by = None;
    }

    /// A poll has come. `Ok`: it waits for [`Output::Poll`].
    ///
    /// # Errors
    ///
    /// This request's own answer.
    pub fn poll(&mut self, now: Instant) -> Result<(), Answer> {
        let is_second = self.poll_is_open;
        self.admit(now)?;
        if is_second {
            self.finish(End::Overlap);
            return Err(Answer::Misplaced);
        }
        self.poll_is_open = true;
        Ok(())
    }

    /// The client has gone away from its poll, and with that from its session.
    pub fn poll_aborted(&mut self, now: Instant) {
        // Order: first, because what is due may end the session, and that would answer it.
        let was_open = std::mem::take(&mut self.poll_is_open);
        self.tick(now);
        if was_open {
            self.finish(End::Lost);
        }
    }

    /// A post has begun. `Ok`: its packets go to [`receive`](Self::receive), and then it is [done](Self::post_done).
    ///
    /// # Errors
    ///
    /// This request's own answer.
    pub fn post(&mut self, content: Content, now: Instant) -> Result<(), Answer> {
        // Order: first, so that no answer to the one before it comes after this one has begun.
        let is_second = self.post_is_open;
        self.admit(now)?;
        if is_second {
            self.finish(End::Overlap);
            return Err(Answer::Misplaced);
        }
        if content == Content::Binary {
            self.finish(End::Malformed);
            return Err(Answer::Misplaced);
        }
        self.post_is_open = true;
        Ok(())
    }

    /// All packets of the post have been received.
    pub fn post_done(&mut self, now: Instant) {
        self.tick(now);
        self.answer_post(Answer::Accepted);
    }

    /// The post has no packets.
    pub fn post_failed(&mut self, failure: PostFailure, now: Instant) {
        if !self.post_is_open {
            return;
        }
        match failure {
            PostFailure::TooLarge => self.answer_post(Answer::TooLarge),
            PostFailure::NotText => self.finish(End::Malformed),
            PostFailure::Aborted => {
                self.post_is_open = false;
                self.finish(End::Lost);
            }
        }
        self.tick(now);
    }

    fn admit(&mut self, now: Instant) -> Result<(), Answer> {
        self.tick(now);
        match (self.stage, self.transport) {
            (Stage::Over, _) => Err(Answer::Refused(Refusal::UnknownSid)),
            (_, Transport::WebSocket) => Err(Answer::Refused(Refusal::BadRequest)),
            (_, Transport::Polling) => Ok(()),
        }
    }

    /// A packet of a post, or a frame of the session's WebSocket. Returns what it has for the application.
    pub fn receive<'a>(&mut self, received: Received<'a>, now: Instant) -> Option<Message<'a>> {
        self.tick(now);
        if self.stage == Stage::Over {
            return None;
        }
        let packet = Packet::decode(received);
        // Over a WebSocket it is the socket's own close that counts.
        if packet == Ok(Packet::Close) && self.transport == Transport::Polling {
            self.finish(End::Client);
        }
        if self.stage != Stage::Open {
            return None;
        }
        match packet {
            // A ping is the server's to send.
            Err(packet::Malformed) | Ok(Packet::Ping(_)) => self.finish(End::Malformed),
            Ok(Packet::Pong) => self.pulse.answered(now),
            Ok(Packet::Message(message)) => {
                self.pulse.heard(now);
                return Some(message);
            }
            Ok(Packet::Close | Packet::Upgrade | Packet::Ignored) => self.pulse.heard(now),
        }
        None
    }

    /// A WebSocket has come that wants to take the session over. `Ok`: its frames go to
    /// [`probe_received`](Self::probe_received), until [`Output::Upgraded`] or [`Output::CloseProbe`].
    ///
    /// # Errors
    ///
    /// [`NoProbe`]: one is tried already, or the session has one, or is closed.
    pub fn probe(&mut self, now: Instant) -> Result<(), NoProbe> {
        // Order: first, so that no `CloseProbe` for the one before it comes after this one has begun.
        let is_tried = self.probe.is_some();
        self.tick(now);
        if is_tried || self.stage != Stage::Open || self.transport == Transport::WebSocket {
            return Err(NoProbe);
        }
        self.probe = Some(Probe { until: now + self.config.upgrade_timeout, is_answered: false });
        Ok(())
    }

    /// A frame of the WebSocket that is tried.
    pub fn probe_received(&mut self, received: Received<'_>, now: Instant) {
        self.tick(now);
        let Some(probe) = &mut self.probe else { return };
        match Packet::decode(received) {
            Ok(Packet::Ping("probe")) => {
                probe.is_answered = true;
                self.outputs.push_back(Output::Probed);
            }
            Ok(Packet::Upgrade) => self.upgrade(now),
            _ => self.close_probe(),
        }
    }

    /// The WebSocket that was tried is closed or lost.
    pub fn probe_lost(&mut self, now: Instant) {
        self.probe = None;
        self.tick(now);
    }

    fn upgrade(&mut self, now: Instant) {
        self.probe = None;
        self.transport = Transport::WebSocket;
        self.pulse.heard(now);
        self.answer_poll(Answer::Packets(packet::join([Outgoing::noop()])));
        // Order: what waits goes over the WebSocket, so only once it is the session's.
        self.outputs.push_back(Output::Upgraded);
    }

    fn close_probe(&mut self) {
        if self.probe.take().is_some() {
            self.outputs.push_back(Output::CloseProbe);
        }
    }

    /// Something for the client.
    ///
    /// # Errors
    ///
    /// [`NotSent`] unless it [has room](Self::has_room).
    pub fn send(&mut self, packet: Outgoing) -> Result<(), NotSent> {
        if !self.has_room() {
            return Err(NotSent);
        }
        self.pending_bytes += packet.len();
        self.pending.push_back(packet);
        Ok(())
    }

    /// Ends the session: because the application wants it, or because its WebSocket is lost or had a frame that is too
    /// large.
    ///
    /// What the server closes is told to a client that has no poll at its next one.
    pub fn close(&mut self, end: End, now: Instant) {
        match self.stage {
            Stage::Open if end.waits_for_a_poll() => {
                self.stage = Stage::Closing { until: now + self.config.close_timeout, end };
                self.ping_waits = false;
                self.answer_post(Answer::Accepted);
            }
            Stage::Closing { .. } if end.waits_for_a_poll() => {}
            Stage::Open | Stage::Closing { .. } => self.finish(end),
            Stage::Over => {}
        }
    }

    /// What is to be done next.
    pub fn next_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.flush();
        }
        let output = self.outputs.pop_front();
        if output.is_none() {
            // An idle session has no buffers.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// The packets and bytes that wait for the client.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn pending(&self) -> (usize, usize) {
        (self.pending.len(), self.pending_bytes)
    }

    /// What waits leaves, if there is a way.
    fn flush(&mut self) {
        match self.transport {
            _ if self.stage == Stage::Over => return,
            Transport::Polling if !self.poll_is_open => return,
            Transport::Polling => {
                let packets = self.take_pending();
                if !packets.is_empty() {
                    self.answer_poll(Answer::Packets(packet::join(packets)));
                }
            }
            Transport::WebSocket => {
                let frames = self.take_pending().into_iter().map(Output::Frame);
                self.outputs.extend(frames);
            }
        }
        if let Stage::Closing { end, .. } = self.stage {
            self.finish(end);
        }
    }

    fn take_pending(&mut self) -> VecDeque<Outgoing> {
        let mut packets = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        if std::mem::take(&mut self.ping_waits) {
            packets.push_back(Outgoing::ping());
        }
        if self.transport == Transport::WebSocket {
            return packets;
        }
        if matches!(self.stage, Stage::Closing { .. }) {
            packets.push_back(Outgoing::close());
        } else if packets.is_empty() && self.probe.as_ref().is_some_and(|probe| probe.is_answered) {
            // The client says `5` only once it has no poll. Clients take an answer without a packet for an error.
            packets.push_back(Outgoing::noop());
        }
        packets
    }

    fn answer_poll(&mut self, answer: Answer) {
        if std::mem::take(&mut self.poll_is_open) {
            self.outputs.push_back(Output::Poll(answer));
        }
    }

    fn answer_post(&mut self, answer: Answer) {
        if std::mem::take(&mut self.post_is_open) {
            self.outputs.push_back(Output::Post(answer));
        }
    }

    /// All that is open is answered or closed, and nothing is kept.
    fn finish(&mut self, end: End) {
        if self.stage == Stage::Over {
            return;
        }
        self.stage = Stage::Over;
        (self.pending, self.pending_bytes) = (VecDeque::new(), 0);
        let last = if end == End::Client { Outgoing::noop() } else { Outgoing::close() };
        self.answer_poll(Answer::Packets(packet::join([last])));
        self.answer_post(Answer::Accepted);
        self.close_probe();
        if self.transport == Transport::WebSocket {
            self.outputs.push_back(Output::Close(end.close_code()));
        }
        self.outputs.push_back(Output::Over(end));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ONE: &str = "1";
    const NOOP: &str = "6";

    /// A session whose time the test tells.
    struct Talk {
        engine: Engine,
        now: Instant,
    }

    impl Talk {
        fn with(config: Config, transport: Transport) -> Self {
            let now = Instant::now();
            let sid = Sid::from([0; 15]);
            let mut talk = Self { engine: Engine::new(Arc::new(config), sid, transport, now), now };
            assert_eq!(talk.outputs().len(), 1, "the open packet");
            talk
        }

        fn polling() -> Self {
            Self::with(Config { connect_timeout: None, ..Config::default() }, Transport::Polling)
        }

        fn websocket() -> Self {
            Self::with(Config { connect_timeout: None, ..Config::default() }, Transport::WebSocket)
        }

        fn upgraded() -> Self {
            let mut talk = Self::polling();
            talk.probe();
            talk.probed("2probe");
            talk.probed("5");
            assert_eq!(talk.outputs(), [Output::Probed, Output::Upgraded]);
            talk
        }

        /// Carries out all that is to be done.
        fn outputs(&mut self) -> Vec<Output> {
            std::iter::from_fn(|| self.engine.next_output()).collect()
        }

        fn wait(&mut self, time: Duration) {
            self.now += time;
            self.engine.tick(self.now);
        }

        fn poll(&mut self) {
            assert_eq!(self.engine.poll(self.now), Ok(()));
        }

        fn post(&mut self) {
            assert_eq!(self.engine.post(Content::Text, self.now), Ok(()));
        }

        /// A whole post; says what it had for the application.
        fn posted(&mut self, packets: &[&str]) -> Vec<String> {
            self.post();
            let messages = packets.iter().filter_map(|packet| self.received(packet)).collect();
            self.engine.post_done(self.now);
            messages
        }

        fn received(&mut self, packet: &str) -> Option<String> {
            let message = self.engine.receive(Received::Text(packet), self.now)?;
            match message {
                Message::Text(text) => Some(text.to_owned()),
                Message::Binary(bytes) => Some(format!("{bytes:?}")),
            }
        }

        fn probe(&mut self) {
            assert_eq!(self.engine.probe(self.now), Ok(()));
        }

        fn probed(&mut self, packet: &str) {
            self.engine.probe_received(Received::Text(packet), self.now);
        }

        fn send(&mut self, text: &str) {
            assert_eq!(self.engine.send(Outgoing::message(text)), Ok(()));
        }

        fn close(&mut self, end: End) {
            self.engine.close(end, self.now);
        }

        /// Nothing is kept: the next poll is for a session that is not there.
        fn is_gone(&mut self) -> bool {
            self.engine.poll(self.now) == Err(Answer::Refused(Refusal::UnknownSid)) && self.engine.due().is_none()
        }
    }

    fn poll(body: &str) -> Output {
        Output::Poll(Answer::Packets(body.to_owned()))
    }

    fn frame(text: &str) -> Output {
        Output::Frame(Outgoing::Text(text.to_owned()))
    }

    const OK: Output = Output::Post(Answer::Accepted);

    // Opening

    #[test]
    fn the_first_request_is_answered_with_the_open_packet_alone() {
        let config = Arc::new(Config::default());
        let opened = |transport| {
            let mut engine = Engine::new(config.clone(), Sid::from([0; 15]), transport, Instant::now());
            engine.next_output().unwrap()
        };
        let Output::Poll(Answer::Packets(body)) = opened(Transport::Polling) else { panic!("no answer") };
        assert!(body.starts_with(r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":["websocket"],"#), "{body}");
        let Output::Frame(Outgoing::Text(text)) = opened(Transport::WebSocket) else { panic!("no frame") };
        assert!(text.starts_with(r#"0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"#), "{text}");
    }

    #[test]
    fn a_client_that_does_not_connect_in_time_is_closed() {
        let config = Config { ping_interval: 100 * SECOND, ..Config::default() };
        let mut talk = Talk::with(config.clone(), Transport::WebSocket);
        assert_eq!(talk.engine.due(), Some(talk.now + 45 * SECOND));
        talk.wait(45 * SECOND);
        assert_eq!(talk.outputs(), [Output::Close(None), Output::Over(End::NotConnected)]);
        let mut talk = Talk::with(config, Transport::Polling);
        talk.poll();
        talk.wait(45 * SECOND);
        assert_eq!(talk.outputs(), [poll(ONE), Output::Over(End::NotConnected)]);
    }

    #[test]
    fn a_client_that_is_connected_has_no_such_limit() {
        let mut talk = Talk::with(Config { ping_interval: 100 * SECOND, ..Config::default() }, Transport::WebSocket);
        talk.engine.connected();
        talk.wait(60 * SECOND);
        assert_eq!(talk.outputs(), []);
    }

    // Polls and posts

    #[test]
    fn a_poll_waits_until_there_is_something_and_has_all_that_waited() {
        let mut talk = Talk::polling();
        talk.poll();
        assert_eq!(talk.outputs(), []);
        talk.send("a");
        talk.engine.send(Outgoing::Binary(vec![1, 2, 3, 4])).unwrap();
        talk.send("b");
        assert_eq!(talk.outputs(), [poll("4a\u{1e}bAQIDBA==\u{1e}4b")]);
        talk.send("c");
        assert_eq!(talk.outputs(), [], "there is no poll");
        talk.poll();
        assert_eq!(talk.outputs(), [poll("4c")]);
    }

    #[test]
    fn a_post_is_answered_once_its_packets_are_received() {
        let mut talk = Talk::polling();
        talk.post();
        assert_eq!(talk.received("4test1").as_deref(), Some("test1"));
        assert_eq!(talk.received("bAQID").as_deref(), Some("[1, 2, 3]"));
        assert_eq!(talk.outputs(), []);
        talk.engine.post_done(talk.now);
        assert_eq!(talk.outputs(), [OK]);
        assert_eq!(talk.posted(&["4test2", "3", "0", "5", "6"]), ["test2"]);
        assert_eq!(talk.outputs(), [OK]);
    }

    #[test]
    fn a_second_poll_ends_the_session_and_the_first_is_told() {
        let mut talk = Talk::polling();
        talk.poll();
        assert_eq!(talk.engine.poll(talk.now), Err(Answer::Misplaced));
        assert_eq!(talk.outputs(), [poll(ONE), Output::Over(End::Overlap)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_second_post_ends_the_session() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.post();
        assert_eq!(talk.engine.post(Content::Text, talk.now), Err(Answer::Misplaced));
        assert_eq!(talk.outputs(), [poll(ONE), OK, Output::Over(End::Overlap)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_post_that_is_answered_only_now_is_not_taken_for_the_next() {
        let config = Config { connect_timeout: Some(SECOND), ..Config::default() };
        let mut talk = Talk::with(config, Transport::Polling);
        talk.post();
        talk.now += SECOND;
        assert_eq!(talk.engine.post(Content::Text, talk.now), Err(Answer::Misplaced));
        assert_eq!(talk.outputs(), [OK, Output::Over(End::Overlap)]);
    }

    #[test]
    fn a_poll_that_its_client_aborts_ends_the_session() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.engine.poll_aborted(talk.now);
        assert_eq!(talk.outputs(), [Output::Over(End::Lost)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_poll_that_is_answered_can_not_be_aborted() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.send("a");
        assert_eq!(talk.outputs(), [poll("4a")]);
        talk.engine.poll_aborted(talk.now);
        assert_eq!(talk.outputs(), []);
    }

    #[test]
    fn a_post_that_is_too_large_is_refused_and_the_session_lives() {
        let mut talk = Talk::polling();
        talk.post();
        talk.engine.post_failed(PostFailure::TooLarge, talk.now);
        assert_eq!(talk.outputs(), [Output::Post(Answer::TooLarge)]);
        assert_eq!(talk.posted(&["4a"]), ["a"]);
    }

    #[test]
    fn a_binary_post_is_refused_and_ends_the_session() {
        let mut talk = Talk::polling();
        talk.poll();
        assert_eq!(talk.engine.post(Content::Binary, talk.now), Err(Answer::Misplaced));
        assert_eq!(talk.outputs(), [poll(ONE), Output::Over(End::Malformed)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_post_that_is_malformed_is_accepted_and_ends_the_session() {
        for packet in ["abc", "", "7", "b!", "2", "2probe"] {
            let mut talk = Talk::polling();
            talk.poll();
            assert_eq!(talk.posted(&["4a", packet, "4b"]), ["a"], "{packet}");
            assert_eq!(talk.outputs(), [poll(ONE), OK, Output::Over(End::Malformed)]);
            assert!(talk.is_gone(), "nothing is kept for a poll");
        }
    }

    #[test]
    fn a_post_that_is_no_text_is_accepted_and_ends_the_session() {
        let mut talk = Talk::polling();
        talk.post();
        talk.engine.post_failed(PostFailure::NotText, talk.now);
        assert_eq!(talk.outputs(), [OK, Output::Over(End::Malformed)]);
    }

    #[test]
    fn a_post_that_its_client_aborts_ends_the_session() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.post();
        talk.engine.post_failed(PostFailure::Aborted, talk.now);
        assert_eq!(talk.outputs(), [poll(ONE), Output::Over(End::Lost)]);
    }

    #[test]
    fn a_post_that_is_not_there_can_not_fail() {
        let mut talk = Talk::polling();
        for failure in [PostFailure::TooLarge, PostFailure::NotText, PostFailure::Aborted] {
            talk.engine.post_failed(failure, talk.now);
        }
        talk.engine.post_done(talk.now);
        assert_eq!(talk.outputs(), []);
    }

    #[test]
    fn a_client_that_closes_gets_a_noop_for_its_poll() {
        let mut talk = Talk::polling();
        talk.poll();
        assert_eq!(talk.posted(&["1", "4a"]), [""; 0], "what follows it has no effect");
        assert_eq!(talk.outputs(), [poll(NOOP), OK, Output::Over(End::Client)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn what_waits_is_bounded() {
        let config = Config { max_pending_bytes: 10, max_pending_packets: 3, ..Config::default() };
        let mut talk = Talk::with(config, Transport::Polling);
        talk.send("");
        talk.send("");
        talk.send("");
        assert_eq!(talk.engine.send(Outgoing::message("")), Err(NotSent), "in packets");
        talk.poll();
        assert!(!talk.engine.is_writable());
        assert_eq!(talk.outputs(), [poll("4\u{1e}4\u{1e}4")]);
        talk.send(&"x".repeat(8));
        talk.send(&"x".repeat(100));
        assert_eq!(talk.engine.send(Outgoing::message("")), Err(NotSent), "in bytes");
        talk.poll();
        talk.outputs();
        talk.send("");
    }

    #[test]
    fn a_session_is_writable_with_a_poll_or_a_websocket() {
        let mut talk = Talk::polling();
        assert!(talk.engine.has_room() && !talk.engine.is_writable());
        talk.poll();
        assert!(talk.engine.is_writable());
        talk.send("a");
        assert!(talk.engine.is_writable(), "until the poll is answered");
        talk.outputs();
        assert!(!talk.engine.is_writable());
        assert!(Talk::websocket().engine.is_writable());
    }

    #[test]
    fn an_idle_session_has_no_buffers() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.send("a");
        talk.outputs();
        assert_eq!((talk.engine.pending.capacity(), talk.engine.outputs.capacity()), (0, 0));
    }

    // The WebSocket

    #[test]
    fn frames_are_packets() {
        let mut talk = Talk::websocket();
        assert_eq!(talk.received("4hello").as_deref(), Some("hello"));
        let message = talk.engine.receive(Received::Binary(&[1]), talk.now);
        assert_eq!(message, Some(Message::Binary([1].as_slice().into())));
        talk.send("hello");
        talk.engine.send(Outgoing::Binary(vec![1])).unwrap();
        assert_eq!(talk.outputs(), [frame("4hello"), Output::Frame(Outgoing::Binary(vec![1]))]);
    }

    #[test]
    fn a_websocket_ends_the_session_with_its_loss_and_not_with_a_packet() {
        let mut talk = Talk::websocket();
        for packet in ["1", "0", "3", "5", "6", "6x"] {
            assert_eq!(talk.received(packet), None);
            assert_eq!(talk.outputs(), [], "{packet}");
        }
        talk.close(End::Lost);
        assert_eq!(talk.outputs(), [Output::Close(None), Output::Over(End::Lost)]);
    }

    #[test]
    fn what_is_malformed_closes_a_websocket_without_a_code() {
        for packet in ["abc", "", "2", "2probe"] {
            let mut talk = Talk::websocket();
            assert_eq!(talk.received(packet), None);
            assert_eq!(talk.outputs(), [Output::Close(None), Output::Over(End::Malformed)], "{packet}");
        }
    }

    #[test]
    fn a_frame_that_is_too_large_closes_with_1009() {
        let mut talk = Talk::websocket();
        talk.close(End::TooLarge);
        assert_eq!(talk.outputs(), [Output::Close(Some(1009)), Output::Over(End::TooLarge)]);
    }

    #[test]
    fn a_session_with_a_websocket_takes_neither_polls_nor_posts_nor_another_websocket() {
        for mut talk in [Talk::websocket(), Talk::upgraded()] {
            let refused = Err(Answer::Refused(Refusal::BadRequest));
            assert_eq!(talk.engine.poll(talk.now), refused);
            assert_eq!(talk.engine.post(Content::Text, talk.now), refused);
            assert_eq!(talk.engine.probe(talk.now), Err(NoProbe));
            assert_eq!(talk.received("4hello").as_deref(), Some("hello"), "and goes on");
            assert_eq!(talk.outputs(), []);
        }
    }

    // The upgrade

    #[test]
    fn a_poll_is_released_once_the_probe_is_answered() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.probe();
        assert_eq!(talk.outputs(), []);
        talk.probed("2probe");
        assert_eq!(talk.outputs(), [Output::Probed, poll(NOOP)]);
        talk.poll();
        assert_eq!(talk.outputs(), [poll(NOOP)], "and so is the next");
        talk.probed("5");
        assert_eq!(talk.outputs(), [Output::Upgraded]);
        assert_eq!(talk.engine.transport(), Transport::WebSocket);
    }

    #[test]
    fn what_waits_while_probing_leaves_by_a_poll_if_one_is_open() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("2probe");
        talk.send("a");
        assert_eq!(talk.outputs(), [Output::Probed]);
        talk.poll();
        assert_eq!(talk.outputs(), [poll("4a")]);
    }

    #[test]
    fn what_waits_at_the_upgrade_goes_first_over_the_websocket() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("2probe");
        talk.send("a");
        talk.send("b");
        talk.outputs();
        talk.probed("5");
        talk.send("c");
        assert_eq!(talk.outputs(), [Output::Upgraded, frame("4a"), frame("4b"), frame("4c")]);
    }

    #[test]
    fn an_upgrade_without_a_probe_is_one() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("5");
        assert_eq!(talk.outputs(), [Output::Upgraded]);
    }

    #[test]
    fn a_poll_that_is_open_at_the_upgrade_is_released() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.poll();
        talk.probed("5");
        talk.send("a");
        assert_eq!(talk.outputs(), [poll(NOOP), Output::Upgraded, frame("4a")]);
    }

    #[test]
    fn a_post_that_is_open_at_the_upgrade_is_still_answered() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.post();
        talk.probed("5");
        assert_eq!(talk.received("4a").as_deref(), Some("a"));
        talk.engine.post_done(talk.now);
        assert_eq!(talk.outputs(), [Output::Upgraded, OK]);
    }

    #[test]
    fn any_other_packet_closes_the_probing_websocket_alone() {
        for packet in ["2", "2x", "3probe", "4a", "1", "0", "6", "x", ""] {
            let mut talk = Talk::polling();
            talk.probe();
            talk.probed(packet);
            talk.probed("5");
            talk.poll();
            assert_eq!(talk.outputs(), [Output::CloseProbe], "{packet}");
            assert_eq!(talk.posted(&["4a"]), ["a"], "polling goes on");
            assert_eq!(talk.outputs(), [OK]);
            talk.probe();
        }
        let mut talk = Talk::polling();
        talk.probe();
        talk.engine.probe_received(Received::Binary(&[1]), talk.now);
        assert_eq!(talk.outputs(), [Output::CloseProbe]);
    }

    #[test]
    fn an_upgrade_that_is_not_done_in_time_closes_the_websocket_alone() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("2probe");
        talk.outputs();
        assert_eq!(talk.engine.due(), Some(talk.now + 10 * SECOND));
        talk.wait(10 * SECOND);
        assert_eq!(talk.outputs(), [Output::CloseProbe]);
        talk.poll();
        assert_eq!(talk.outputs(), [], "polls wait again");
        talk.send("a");
        assert_eq!(talk.outputs(), [poll("4a")]);
    }

    #[test]
    fn a_probing_websocket_whose_time_is_over_is_not_taken_for_the_next() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.now += 10 * SECOND;
        assert_eq!(talk.engine.probe(talk.now), Err(NoProbe), "its close is still to be carried out");
        assert_eq!(talk.outputs(), [Output::CloseProbe]);
        talk.probe();
    }

    #[test]
    fn a_probing_websocket_that_is_lost_leaves_the_session_polling() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("2probe");
        talk.outputs();
        talk.engine.probe_lost(talk.now);
        talk.poll();
        assert_eq!(talk.outputs(), []);
        talk.probe();
    }

    #[test]
    fn a_second_probing_websocket_is_not_tried() {
        let mut talk = Talk::polling();
        talk.probe();
        assert_eq!(talk.engine.probe(talk.now), Err(NoProbe));
        talk.probed("2probe");
        assert_eq!(talk.outputs(), [Output::Probed], "the first is");
    }

    #[test]
    fn a_session_that_ends_closes_the_probing_websocket() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.poll();
        talk.posted(&["1"]);
        assert_eq!(talk.outputs(), [poll(NOOP), OK, Output::CloseProbe, Output::Over(End::Client)]);
    }

    // The heartbeat

    #[test]
    fn a_ping_goes_by_the_poll_and_its_pong_comes_by_a_post() {
        let mut talk = Talk::polling();
        for _ in 0..3 {
            talk.poll();
            talk.wait(25 * SECOND);
            assert_eq!(talk.outputs(), [poll("2")]);
            talk.wait(19 * SECOND);
            talk.posted(&["3"]);
            assert_eq!(talk.outputs(), [OK]);
        }
    }

    #[test]
    fn a_ping_waits_for_a_poll() {
        let mut talk = Talk::polling();
        talk.wait(25 * SECOND);
        assert_eq!(talk.outputs(), []);
        talk.poll();
        assert_eq!(talk.outputs(), [poll("2")]);
    }

    #[test]
    fn a_ping_goes_over_the_websocket_that_the_session_has() {
        for mut talk in [Talk::websocket(), Talk::upgraded()] {
            talk.wait(25 * SECOND);
            assert_eq!(talk.outputs(), [frame("2")]);
        }
    }

    #[test]
    fn a_ping_that_waited_goes_over_the_new_websocket() {
        let mut talk = Talk::polling();
        talk.wait(25 * SECOND);
        talk.probe();
        talk.probed("5");
        assert_eq!(talk.outputs(), [Output::Upgraded, frame("2")]);
        assert_eq!(talk.engine.due(), Some(talk.now + 20 * SECOND));
    }

    #[test]
    fn no_pong_in_time_closes_a_websocket_without_a_code() {
        let mut talk = Talk::websocket();
        talk.wait(25 * SECOND);
        talk.outputs();
        talk.wait(20 * SECOND);
        assert_eq!(talk.outputs(), [Output::Close(None), Output::Over(End::PingTimeout)]);
    }

    #[test]
    fn a_poll_at_the_very_end_of_the_time_out_finds_no_session() {
        let mut talk = Talk::polling();
        talk.wait(25 * SECOND);
        talk.now += 20 * SECOND;
        assert_eq!(talk.engine.poll(talk.now), Err(Answer::Refused(Refusal::UnknownSid)), "without a tick before");
        assert_eq!(talk.outputs(), [Output::Over(End::PingTimeout)]);
        assert!(talk.is_gone());
    }

    #[test]
    fn another_packet_extends_the_wait_for_a_pong_once() {
        let mut talk = Talk::websocket();
        talk.wait(25 * SECOND);
        talk.wait(10 * SECOND);
        talk.received("4a");
        talk.wait(10 * SECOND);
        talk.received("4a");
        assert_eq!(talk.outputs(), [frame("2")]);
        talk.wait(10 * SECOND);
        assert_eq!(talk.outputs(), [Output::Close(None), Output::Over(End::PingTimeout)]);
    }

    #[test]
    fn a_session_without_polls_ends_with_the_ping_time_out_alone() {
        let mut talk = Talk::polling();
        talk.wait(25 * SECOND);
        talk.wait(Duration::from_millis(19_999));
        assert_eq!(talk.outputs(), []);
        talk.wait(Duration::from_millis(1));
        assert_eq!(talk.outputs(), [Output::Over(End::PingTimeout)]);
    }

    // The end

    #[test]
    fn a_server_that_closes_answers_the_poll_and_is_over() {
        let mut talk = Talk::polling();
        talk.poll();
        talk.send("a");
        talk.close(End::Server(None));
        assert_eq!(talk.outputs(), [poll("4a\u{1e}1"), Output::Over(End::Server(None))]);
    }

    #[test]
    fn a_server_that_closes_sends_what_waits_over_the_websocket_and_closes_with_its_code() {
        let mut talk = Talk::websocket();
        talk.send("a");
        talk.close(End::Server(Some(1012)));
        let end = End::Server(Some(1012));
        assert_eq!(talk.outputs(), [frame("4a"), Output::Close(Some(1012)), Output::Over(end)]);
    }

    #[test]
    fn a_close_without_a_poll_is_kept_for_the_next() {
        let mut talk = Talk::polling();
        talk.send("a");
        talk.post();
        talk.close(End::Server(None));
        assert_eq!(talk.outputs(), [OK], "what is posted has no effect any more");
        assert_eq!(talk.engine.send(Outgoing::message("b")), Err(NotSent));
        assert_eq!(talk.posted(&["4a", "abc"]), [""; 0]);
        talk.wait(29 * SECOND);
        assert_eq!(talk.outputs(), [OK]);
        talk.poll();
        assert_eq!(talk.outputs(), [poll("4a\u{1e}1"), Output::Over(End::Server(None))]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_close_is_kept_for_30_seconds() {
        let mut talk = Talk::polling();
        talk.close(End::Server(None));
        assert_eq!(talk.engine.due(), Some(talk.now + 30 * SECOND));
        talk.wait(30 * SECOND);
        assert_eq!(talk.outputs(), [Output::Over(End::Server(None))]);
        assert!(talk.is_gone());
    }

    #[test]
    fn a_close_that_is_kept_ends_with_the_clients_own() {
        let mut talk = Talk::polling();
        talk.close(End::Server(None));
        talk.close(End::Server(Some(1012)));
        talk.posted(&["1"]);
        assert_eq!(talk.outputs(), [OK, Output::Over(End::Client)]);
    }

    #[test]
    fn a_close_in_the_middle_of_an_upgrade_is_told_over_the_new_websocket() {
        let mut talk = Talk::polling();
        talk.probe();
        talk.probed("2probe");
        talk.send("a");
        talk.close(End::Server(Some(1012)));
        assert_eq!(talk.outputs(), [Output::Probed]);
        assert_eq!(talk.engine.due(), Some(talk.now + 10 * SECOND));
        talk.probed("5");
        let end = End::Server(Some(1012));
        assert_eq!(talk.outputs(), [Output::Upgraded, frame("4a"), Output::Close(Some(1012)), Output::Over(end)]);
    }

    #[test]
    fn after_the_end_nothing_has_an_effect() {
        let mut talk = Talk::polling();
        talk.close(End::Lost);
        assert_eq!(talk.outputs(), [Output::Over(End::Lost)]);
        talk.close(End::Server(None));
        talk.wait(1000 * SECOND);
        assert_eq!(talk.engine.probe(talk.now), Err(NoProbe));
        assert_eq!(talk.received("4a"), None);
        assert_eq!(talk.engine.send(Outgoing::message("a")), Err(NotSent));
        assert_eq!(talk.engine.post(Content::Text, talk.now), Err(Answer::Refused(Refusal::UnknownSid)));
        assert_eq!(talk.outputs(), []);
    }
}
