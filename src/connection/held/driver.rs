//! The task of one held session: it tells the [`Engine`] what happens, and does what the engine says is to be done.

use std::future::{pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::super::socket::{self, What};
use super::{Application, BodyRead, Input, Registration, Sign, Socket, Waiting};
use crate::dialect::Sink as _;
use crate::dialect::socketio::engine::{self, Answer, Engine, Output, PostFailure, Transport};
use crate::dialect::socketio::packet::{Outgoing, Payload, Received};
use crate::protocol::End;

/// How long a stopping server waits for a client that does not read.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Packets of a post that are taken in until others have their turn.
const PACKETS_AT_ONCE: usize = 32;

/// What a post costs besides its body: about as many bytes as its head has.
const POST_BYTES: usize = 512;

/// What a session begins over.
pub(super) enum Way {
    /// A request that waits for the first answer.
    Polling(oneshot::Sender<Answer>),
    WebSocket(Box<Socket>),
}

impl Way {
    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Polling(_) => Transport::Polling,
            Self::WebSocket(_) => Transport::WebSocket,
        }
    }
}

/// A post that is not answered yet.
struct Post {
    answer: oneshot::Sender<Answer>,
    body: oneshot::Receiver<BodyRead>,
}

/// The last frame of a WebSocket.
#[derive(Clone, Copy)]
struct CloseFrame {
    code: Option<u16>,
}

/// What may happen next.
enum Event {
    /// The server stops.
    Stop,
    Input(Input),
    /// A frame of the session's WebSocket.
    Frame(Result<socket::Received, End>),
    /// A frame of the WebSocket that is tried.
    Probe(Result<socket::Received, End>),
    /// The client has gone away from its poll.
    PollAborted,
    /// … or from its post.
    PostAborted,
    Body(BodyRead),
    /// The application can take in packets of a post.
    Packets,
    /// The application has a packet.
    Packet(Outgoing),
    Alarm,
}

pub(super) struct Driver<A> {
    engine: Engine,
    application: A,
    inputs: mpsc::Receiver<Input>,
    has_websocket: Arc<AtomicBool>,
    // Invariant: there is one exactly while the engine has one that is not answered
    // (`two_polls_at_once_end_the_session_and_the_first_is_told`).
    poll: Option<oneshot::Sender<Answer>>,
    post: Option<Post>,
    /// What is left of the post before, which is answered: a client that changes to a WebSocket polls no more until it is, and
    /// the application may have to wait for a poll before it can take in the rest. The next post waits for that.
    packets: Option<Payload>,
    socket: Option<Box<Socket>>,
    probe: Option<Box<Socket>>,
    /// The last frame of its WebSocket, unless the client has ended that.
    close: Option<CloseFrame>,
    /// What was wrong with its WebSocket.
    broken_by: Option<End>,
    /// Why the session ends, where the engine does not know better.
    reason: Option<&'static str>,
    is_stopping: bool,
    has_ended: bool,
    registration: Registration,
}

impl<A: Application> Driver<A> {
    pub(super) fn new(
        engine: Engine,
        application: A,
        way: Way,
        inputs: mpsc::Receiver<Input>,
        has_websocket: Arc<AtomicBool>,
        registration: Registration,
    ) -> Self {
        let (poll, socket) = match way {
            Way::Polling(answer) => (Some(answer), None),
            Way::WebSocket(socket) => (None, Some(socket)),
        };
        Self {
            engine,
            application,
            inputs,
            has_websocket,
            poll,
            post: None,
            packets: None,
            socket,
            probe: None,
            close: None,
            broken_by: None,
            reason: None,
            is_stopping: false,
            has_ended: false,
            registration,
        }
    }

    /// To the session's end. In a box: a future that moved it would hold it twice.
    pub(super) async fn run(mut self: Box<Self>) {
        // A panic is a bug of ours; it ends this session, and no other.
        let talk = AssertUnwindSafe(self.talk());
        if talk.catch_unwind().await.is_err() {
            self.reason = Some(End::Bug.as_str());
        }
        self.end();
        let Self { application, socket, close, registration, .. } = *self;
        // Order: it can't be reached any more, and then its socket is closed.
        drop((registration, application));
        if let Some(mut socket) = socket {
            if let Some(CloseFrame { code }) = close {
                socket.put_close(code);
            }
            socket.close(None).await;
        }
    }

    async fn talk(&mut self) {
        let stop = self.registration.endpoint.tasks.stop().clone();
        let mut alarm = pin!(tokio::time::sleep_until(Instant::now().into()));
        loop {
            self.settle_or_stop(&stop).await;
            let Some(due) = self.engine.due() else { return };
            let due = self.application.expires().map_or(due, |expires| expires.min(due)).into();
            if alarm.deadline() != due {
                alarm.as_mut().reset(due);
            }
            let event = tokio::select! {
                biased;
                () = stop.cancelled(), if !self.is_stopping => Event::Stop,
                event = self.next_event(alarm.as_mut()) => event,
            };
            self.take(event);
            if let Some(socket) = &mut self.socket {
                socket.give_way().await;
            }
        }
    }

    /// Settles, unless the server stops meanwhile: a client that does not read holds up no drain.
    async fn settle_or_stop(&mut self, stop: &CancellationToken) {
        if !self.is_stopping {
            tokio::select! {
                // Cancel safe: what is carried out and has not left is in a socket's buffer.
                () = self.settle() => return,
                () = stop.cancelled() => {}
            }
            self.take(Event::Stop);
        }
        if timeout(STOP_TIMEOUT, self.settle()).await.is_err() {
            self.lose(End::TooSlow, Instant::now());
            self.settle().await;
        }
    }

    /// What happens next. Cancel safe, as each of its parts is.
    async fn next_event(&mut self, alarm: Pin<&mut Sleep>) -> Event {
        let Self { engine, application, inputs, poll, post, packets, socket, probe, .. } = self;
        // What a closed session's client posts has no effect, but its own close.
        let may_hear = !engine.is_open() || application.has_room();
        let may_speak = engine.is_writable();
        // Order: what the client says comes first, so that none is called silent that was not listened to.
        tokio::select! {
            biased;
            Some(input) = inputs.recv() => Event::Input(input),
            event = happens_to(post, packets.is_some(), may_hear) => event,
            () = aborted(poll) => Event::PollAborted,
            // Order: what was posted came before.
            received = receive(socket), if may_hear && packets.is_none() => Event::Frame(received),
            received = receive(probe) => Event::Probe(received),
            packet = poll_fn(|cx| application.poll_next(cx)), if may_speak => Event::Packet(packet),
            () = alarm => Event::Alarm,
        }
    }

    fn take(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Stop => {
                self.is_stopping = true;
                self.leave(self.registration.endpoint.farewell(), now);
            }
            Event::Input(input) => self.take_input(input, now),
            Event::Frame(Ok(received)) => self.take_frame(received, now),
            Event::Frame(Err(end)) => self.lose(end, now),
            Event::Probe(Ok(received)) => self.take_probe(&received, now),
            Event::Probe(Err(_)) => {
                self.probe = None;
                self.engine.probe_lost(now);
            }
            Event::PollAborted => {
                self.poll = None;
                self.engine.poll_aborted(now);
            }
            Event::PostAborted => self.fail_post(PostFailure::Aborted, now),
            Event::Body(Ok(body)) => {
                self.packets = Some(Payload::new(body));
                self.engine.post_done(now);
            }
            Event::Body(Err(failure)) => self.fail_post(failure, now),
            Event::Packets => self.take_packets(now),
            // There is room: otherwise the application was not asked.
            Event::Packet(packet) => {
                let _ = self.engine.send(packet);
            }
            Event::Alarm => {
                self.engine.tick(now);
                if self.application.expires().is_some_and(|expires| now >= expires) {
                    self.leave(End::Expired, now);
                }
            }
        }
    }

    fn take_input(&mut self, input: Input, now: Instant) {
        match input {
            Input::Poll(Waiting { answer, pending }) => match self.engine.poll(now) {
                Ok(()) => {
                    pending.release();
                    self.poll = Some(answer);
                }
                Err(refused) => drop(answer.send(refused)),
            },
            Input::Post { content, body, request: Waiting { answer, pending } } => match self.engine.post(content, now)
            {
                Ok(()) => {
                    pending.release();
                    self.post = Some(Post { answer, body });
                    self.notice(Sign::Control, POST_BYTES, now);
                }
                Err(refused) => drop(answer.send(refused)),
            },
            Input::Socket(socket) => match self.engine.probe(now) {
                Ok(()) => self.probe = Some(socket),
                Err(engine::NoProbe) => self.registration.endpoint.discard(socket),
            },
        }
    }

    fn take_frame(&mut self, received: socket::Received, now: Instant) {
        let bytes = received.bytes;
        match received.what {
            What::Text(text) => self.take_packet(Received::Text(&text), bytes, now),
            What::Binary(message) => self.take_packet(Received::Binary(&message), bytes, now),
            What::Control => self.notice(Sign::Control, bytes, now),
            What::Part => self.notice(Sign::Part, bytes, now),
        }
    }

    fn take_probe(&mut self, received: &socket::Received, now: Instant) {
        match &received.what {
            What::Text(text) => self.engine.probe_received(Received::Text(text), now),
            What::Binary(message) => self.engine.probe_received(Received::Binary(message), now),
            What::Control | What::Part => {}
        }
        self.notice(Sign::Control, received.bytes, now);
    }

    fn take_packets(&mut self, now: Instant) {
        let Some(mut payload) = self.packets.take() else { return };
        let mut packets = 0;
        while packets < PACKETS_AT_ONCE && (!self.engine.is_open() || self.application.has_room()) {
            let Some(packet) = payload.next_packet() else { return };
            let bytes = match packet {
                Received::Text(text) => text.len() + 1,
                Received::Binary(bytes) => bytes.len(),
            };
            self.take_packet(packet, bytes, now);
            packets += 1;
        }
        self.packets = Some(payload);
    }

    fn take_packet(&mut self, packet: Received<'_>, bytes: usize, now: Instant) {
        let Some(message) = self.engine.receive(packet, now) else {
            return self.notice(Sign::Control, bytes, now);
        };
        if let Err(end) = self.application.hear(message, bytes, now) {
            self.leave(end, now);
        }
        if self.application.is_connected() {
            self.engine.connected();
        }
    }

    fn notice(&mut self, sign: Sign, bytes: usize, now: Instant) {
        if self.engine.is_open()
            && let Err(end) = self.application.notice(sign, bytes, now)
        {
            self.leave(end, now);
        }
    }

    fn fail_post(&mut self, failure: PostFailure, now: Instant) {
        if failure == PostFailure::Aborted {
            self.post = None;
        }
        self.engine.post_failed(failure, now);
    }

    /// The server ends the session.
    fn leave(&mut self, end: End, now: Instant) {
        self.reason.get_or_insert(end.as_str());
        self.engine.close(
            match end {
                End::ProtocolError => engine::End::Malformed,
                end => engine::End::Server(end.close().map(|(code, _)| code)),
            },
            now,
        );
        if self.is_stopping && self.poll.is_none() && self.engine.transport() == Transport::Polling {
            // No other poll comes that could be told: there is no server any more that would take it.
            self.engine.close(engine::End::Lost, now);
        }
    }

    /// The session's WebSocket is over, for a reason of its own.
    fn lose(&mut self, end: End, now: Instant) {
        self.reason.get_or_insert(end.as_str());
        self.broken_by.get_or_insert(end);
        let end = if end == End::TooLarge { engine::End::TooLarge } else { engine::End::Lost };
        self.engine.close(end, now);
    }

    /// What waits leaves, and all is done that is to be done.
    async fn settle(&mut self) {
        loop {
            while self.engine.is_writable()
                && !self.is_turn_over()
                && let Some(packet) = self.application.try_next()
            {
                // There is room: it is writable.
                let _ = self.engine.send(packet);
            }
            let mut is_done = true;
            while let Some(output) = self.engine.next_output() {
                is_done = false;
                if let Err(end) = self.carry_out(output).await {
                    self.lose(end, Instant::now());
                }
            }
            if is_done || self.is_turn_over() {
                break;
            }
        }
        if let Some(socket) = self.socket.as_mut().filter(|_| self.broken_by.is_none())
            && let Err(end) = socket.flush().await
        {
            self.lose(end, Instant::now());
            while let Some(output) = self.engine.next_output() {
                let _ = self.carry_out(output).await;
            }
        }
        // What a socket or a poll did not take has not been told.
        if self.broken_by.is_none() {
            self.application.written();
        }
        if !self.engine.is_open() {
            self.end();
        }
        if self.packets.is_some() {
            yield_now().await;
        }
    }

    fn is_turn_over(&self) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.is_turn_over())
    }

    async fn carry_out(&mut self, output: Output) -> Result<(), End> {
        match output {
            Output::Poll(answer) => {
                let is_heard = self.poll.take().is_some_and(|poll| poll.send(answer).is_ok());
                if !is_heard {
                    self.lose(End::Lost, Instant::now());
                }
            }
            Output::Post(answer) => {
                if let Some(post) = self.post.take() {
                    let _ = post.answer.send(answer);
                }
            }
            Output::Frame(packet) => {
                if let Some(socket) = &mut self.socket {
                    socket.put(&packet);
                    return socket.relieve().await;
                }
            }
            Output::Close(code) => {
                self.close = match self.broken_by {
                    Some(end) => end.close().map(|(code, _)| CloseFrame { code: Some(code) }),
                    None => Some(CloseFrame { code }),
                };
            }
            Output::Probed => {
                if let Some(probe) = &mut self.probe {
                    probe.frame(|out| out.extend_from_slice(b"3probe"));
                    // If it is lost, it says so when it is read.
                    let _ = probe.flush().await;
                }
            }
            Output::Upgraded => {
                self.socket = self.probe.take();
                self.has_websocket.store(true, Ordering::Relaxed);
            }
            Output::CloseProbe => {
                if let Some(probe) = self.probe.take() {
                    self.registration.endpoint.discard(probe);
                }
            }
            Output::Over(end) => {
                self.reason.get_or_insert(end.as_str());
            }
        }
        Ok(())
    }

    fn end(&mut self) {
        if !self.has_ended {
            self.has_ended = true;
            // What the server closes has a reason, but for this one.
            let reason = self.reason.unwrap_or(engine::End::NotConnected.as_str());
            debug!(reason, "held session ended");
            self.application.end(reason);
        }
    }
}

async fn receive(socket: &mut Option<Box<Socket>>) -> Result<socket::Received, End> {
    match socket {
        Some(socket) => socket.receive().await,
        None => pending().await,
    }
}

async fn aborted(poll: &mut Option<oneshot::Sender<Answer>>) {
    match poll {
        Some(answer) => answer.closed().await,
        None => pending().await,
    }
}

/// What happens to a post, and to the packets of the one before, which may be taken in or not.
async fn happens_to(post: &mut Option<Post>, has_packets: bool, may_hear: bool) -> Event {
    match post {
        _ if has_packets && may_hear => Event::Packets,
        Some(Post { body, .. }) if !has_packets => Event::Body(body.await.unwrap_or(Err(PostFailure::Aborted))),
        Some(Post { answer, .. }) => {
            answer.closed().await;
            Event::PostAborted
        }
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};

    use super::super::super::Farewell;
    use super::super::Endpoint;
    use super::*;
    use crate::dialect::socketio::engine::Config;
    use crate::dialect::socketio::packet::Message;
    use crate::dialect::socketio::sid::Sid;
    use crate::tasks::Tasks;

    /// Has nothing to say.
    struct Silent;

    impl Application for Silent {
        fn has_room(&self) -> bool {
            true
        }

        fn hear(&mut self, _: Message<'_>, _: usize, _: Instant) -> Result<(), End> {
            Ok(())
        }

        fn notice(&mut self, _: Sign, _: usize, _: Instant) -> Result<(), End> {
            Ok(())
        }

        fn is_connected(&self) -> bool {
            true
        }

        fn try_next(&mut self) -> Option<Outgoing> {
            None
        }

        fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Outgoing> {
            Poll::Pending
        }

        fn written(&mut self) {}

        fn expires(&self) -> Option<Instant> {
            None
        }

        fn end(&mut self, _: &'static str) {}
    }

    /// There is one for each client.
    #[tokio::test]
    async fn a_session_s_task_is_small() {
        let endpoint =
            Endpoint::new(Config::default(), std::time::Duration::from_secs(1), Farewell::Restart, Tasks::new());
        let (_, inputs) = mpsc::channel(1);
        let engine = Engine::new(Arc::new(Config::default()), Sid::random(), Transport::Polling, Instant::now());
        let registration = Registration { endpoint, sid: Sid::random() };
        let way = Way::Polling(oneshot::channel().0);
        let driver = Box::new(Driver::new(engine, Silent, way, inputs, Arc::default(), registration));
        let bytes = size_of_val(&*driver) + size_of_val(&driver.run());
        assert!(bytes <= 1280, "{bytes} bytes");
    }
}
