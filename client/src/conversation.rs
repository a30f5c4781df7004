//! What is said in one session, over as many connections as it takes: messages wait for their answers, what the server may not have is
//! said again, and what has come is acknowledged. The connections are the [`driver`](crate::driver)'s. Pure: time is an argument.

use std::time::{Duration, Instant};

use crate::Error;
use crate::event::Welcome;
use crate::protocol::{self, Greeting, Request, Secret};
use crate::requests::Requests;
use crate::session::{MOST_MESSAGES, Session};

/// The server is told what has come after this many frames, or after this silence.
const MOST_UNACKNOWLEDGED: u64 = 8;
const SILENCE: Duration = Duration::from_secs(1);

/// `W` is what waits for an answer.
#[derive(Debug)]
pub(crate) struct Conversation<W> {
    welcome: Welcome,
    token: Option<Secret>,
    session: Session,
    requests: Requests<W>,
    is_attached: bool,
    /// While frames are unacknowledged.
    acknowledge_at: Option<Instant>,
    /// While there is no connection: when the server has surely given the session up.
    expires_at: Option<Instant>,
    /// What is to be put on the connection now, in order.
    outgoing: Vec<String>,
}

/// What a connection offers, to go on with a session.
#[derive(Clone, Debug)]
pub(crate) struct Resumption {
    pub(crate) token: Secret,
    pub(crate) received: u64,
}

impl<W> Conversation<W> {
    pub(crate) fn new(greeting: &Greeting) -> Self {
        Self {
            welcome: greeting.told.clone(),
            token: None,
            session: Session::default(),
            requests: Requests::new(),
            is_attached: false,
            acknowledge_at: None,
            expires_at: None,
            outgoing: Vec::new(),
        }
    }

    pub(crate) fn welcome(&self) -> &Welcome {
        &self.welcome
    }

    /// Frames that have come.
    pub(crate) fn received(&self) -> u64 {
        self.session.received()
    }

    /// What the next connection offers. None: this session can't go on.
    pub(crate) fn resumption(&self) -> Option<Resumption> {
        let token = self.token.clone()?;
        Some(Resumption { token, received: self.session.received() })
    }

    /// Says it now, or as soon as there is a connection again. What waits is given back with the error.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        request: &Request,
        waiter: W,
        patience: Duration,
    ) -> Result<(), (W, Error)> {
        let reference = self.requests.next_reference();
        let text = request.text(reference);
        let (bytes, limit) = (text.len(), self.welcome.max_message_bytes);
        if bytes > limit {
            return Err((waiter, Error::MessageTooLarge { bytes, limit }));
        }
        // Two bounds: what waits for an answer, and what would be sent again.
        if self.requests.len() >= MOST_MESSAGES || self.session.keep(reference, text).is_err() {
            return Err((waiter, Error::TooManyRequests));
        }
        self.requests.ask(now, waiter, patience);
        self.send();
        Ok(())
    }

    /// A frame has come that is no `welcome`; it answers the message with this `ref`, if any. Returns what waited for it.
    pub(crate) fn hear(&mut self, now: Instant, reference: Option<u64>) -> Option<W> {
        self.session.count();
        if self.session.unacknowledged() >= MOST_UNACKNOWLEDGED {
            self.acknowledge();
        } else {
            self.acknowledge_at = Some(now + SILENCE);
        }
        let reference = reference?;
        self.session.settle(reference);
        self.requests.settle(reference)
    }

    /// There is a connection, and the server has said that the session begins on it, or goes on.
    pub(crate) fn attach(&mut self, now: Instant, greeting: Greeting) {
        if greeting.resumed {
            self.session.resume(greeting.accepted);
        }
        self.welcome = greeting.told;
        self.token = greeting.token;
        self.expires_at = None;
        self.is_attached = true;
        self.requests.run(now);
        self.send();
    }

    /// The connection is lost.
    pub(crate) fn detach(&mut self, now: Instant) {
        self.is_attached = false;
        self.acknowledge_at = None;
        self.outgoing.clear();
        self.requests.pause();
        let patience = self.patience();
        self.expires_at.get_or_insert(now + patience);
    }

    /// When something is due.
    pub(crate) fn wakes_at(&self) -> Option<Instant> {
        [self.acknowledge_at, self.expires_at, self.requests.deadline()].into_iter().flatten().min()
    }

    /// Says what is due. Returns what has waited for too long.
    pub(crate) fn wake(&mut self, now: Instant) -> Vec<W> {
        if self.acknowledge_at.is_some_and(|at| at <= now) {
            self.acknowledge();
        }
        let late = self.requests.expire(now).into_iter();
        let withdraw = |(reference, waiter)| {
            self.session.withdraw(reference);
            waiter
        };
        late.map(withdraw).collect()
    }

    /// Whether there has been no connection for so long that the server has surely given the session up.
    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// What is to be put on the connection now, in order.
    pub(crate) fn take_outgoing(&mut self) -> Vec<String> {
        std::mem::take(&mut self.outgoing)
    }

    /// The session is over: all that waits.
    pub(crate) fn end(self) -> impl Iterator<Item = W> {
        self.requests.abandon()
    }

    /// The server may need two heartbeats to notice that the connection is lost.
    fn patience(&self) -> Duration {
        self.welcome.resume_window.unwrap_or_default() + 2 * self.welcome.heartbeat
    }

    fn send(&mut self) {
        if self.is_attached {
            self.outgoing.extend(self.session.next());
        }
    }

    fn acknowledge(&mut self) {
        self.acknowledge_at = None;
        self.outgoing.push(protocol::received(self.session.acknowledge()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Frame;

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(10);

    fn greeting(rest: &str) -> Greeting {
        let text = format!(
            r#"{{"type":"welcome","id":"a","iceServers":[],"heartbeat":25,"maxMessageBytes":100,"resume":"t","resumeWindow":30,{rest}}}"#
        );
        match protocol::read(&text) {
            Some(Frame::Welcome(greeting)) => *greeting,
            other => panic!("{other:?}"),
        }
    }

    fn begun(now: Instant) -> Conversation<u32> {
        let greeting = greeting(r#""resumed":false"#);
        let mut conversation = Conversation::new(&greeting);
        conversation.attach(now, greeting);
        conversation
    }

    fn ping(conversation: &mut Conversation<u32>, now: Instant, waiter: u32) {
        conversation.ask(now, &Request::ping(), waiter, PATIENCE).expect("there is room");
    }

    fn pings(references: impl IntoIterator<Item = u64>) -> Vec<String> {
        references.into_iter().map(|reference| Request::ping().text(reference)).collect()
    }

    #[test]
    fn what_comes_is_acknowledged_after_eight_frames_or_a_second_of_silence() {
        let now = Instant::now();
        let mut conversation = begun(now);
        for _ in 0..7 {
            conversation.hear(now, None);
        }
        assert_eq!(conversation.wakes_at(), Some(now + SECOND));
        assert!(conversation.take_outgoing().is_empty());
        conversation.hear(now + SECOND / 2, None);
        assert_eq!(conversation.take_outgoing(), [protocol::received(8)]);
        assert_eq!(conversation.wakes_at(), None);
        conversation.hear(now + SECOND, None);
        assert!(conversation.wake(now + 2 * SECOND).is_empty());
        assert_eq!(conversation.take_outgoing(), [protocol::received(9)]);
    }

    #[test]
    fn what_is_said_between_two_connections_goes_out_behind_what_the_server_has_not_processed() {
        let now = Instant::now();
        let mut conversation = begun(now);
        (1..=3).for_each(|waiter| ping(&mut conversation, now, waiter));
        assert_eq!(conversation.take_outgoing(), pings(1..=3));
        conversation.hear(now, Some(1));
        conversation.detach(now);
        ping(&mut conversation, now, 4);
        assert!(conversation.take_outgoing().is_empty());
        assert_eq!(conversation.resumption().expect("a token").received, 1);
        conversation.attach(now, greeting(r#""resumed":true,"accepted":2"#));
        assert_eq!(conversation.take_outgoing(), pings([3, 4]));
        assert_eq!(conversation.hear(now, Some(2)), Some(2), "its answer comes on the new connection");
    }

    #[test]
    fn an_answer_can_be_late_only_on_a_connection_and_what_is_late_is_not_said_again() {
        let now = Instant::now();
        let mut conversation = begun(now);
        ping(&mut conversation, now, 1);
        conversation.detach(now + SECOND);
        assert!(conversation.wake(now + 60 * SECOND).is_empty());
        conversation.attach(now + 60 * SECOND, greeting(r#""resumed":true,"accepted":0"#));
        assert_eq!(conversation.wake(now + 70 * SECOND), [1]);
        conversation.detach(now + 71 * SECOND);
        conversation.take_outgoing();
        conversation.attach(now + 72 * SECOND, greeting(r#""resumed":true,"accepted":0"#));
        assert!(conversation.take_outgoing().is_empty());
        assert_eq!(conversation.hear(now, Some(1)), None);
    }

    #[test]
    fn a_session_expires_when_the_server_has_surely_given_it_up() {
        let now = Instant::now();
        let mut conversation = begun(now);
        ping(&mut conversation, now, 1);
        conversation.detach(now);
        conversation.detach(now + 40 * SECOND);
        assert_eq!(
            conversation.wakes_at(),
            Some(now + 80 * SECOND),
            "the window and two heartbeats, from the first loss"
        );
        assert!(!conversation.is_expired(now + 79 * SECOND) && conversation.is_expired(now + 80 * SECOND));
        assert_eq!(conversation.end().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn a_message_over_the_servers_limit_is_refused_and_costs_no_ref() {
        let now = Instant::now();
        let mut conversation = begun(now);
        let error = conversation.ask(now, &Request::join(&"x".repeat(100)), 1, PATIENCE).expect_err("too large");
        assert!(matches!(error, (1, Error::MessageTooLarge { bytes, limit: 100 }) if bytes > 100), "{error:?}");
        ping(&mut conversation, now, 2);
        assert_eq!(conversation.take_outgoing(), pings([1]));
    }

    #[test]
    fn one_message_too_many_is_refused_and_there_is_room_again_after_an_answer() {
        let now = Instant::now();
        let mut conversation = begun(now);
        (0..MOST_MESSAGES).for_each(|_| ping(&mut conversation, now, 1));
        let error = conversation.ask(now, &Request::ping(), 2, PATIENCE).expect_err("too many");
        assert!(matches!(error, (2, Error::TooManyRequests)), "{error:?}");
        conversation.hear(now, Some(1));
        ping(&mut conversation, now, 3);
    }
}
