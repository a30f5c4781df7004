//! The one task of a client: it owns the connection and the session, and decides by what the pure files say.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep_until, timeout};

use crate::backoff::reconnect_delay;
use crate::connection::{Connection, Sign};
use crate::conversation::Conversation;
use crate::event::{Event, State};
use crate::opening::{Opened, Opening, Target};
use crate::outbox::Outbox;
use crate::protocol::{self, Answer, Frame, Request};
use crate::{Cause, Error, PeerId};

/// An answer takes one round trip.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// A connection on which nothing comes for so long after a question is taken for dead.
const CHECK_DEADLINE: Duration = Duration::from_secs(5);
/// How long the server may take to say goodbye too.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What a handle asks of the task.
pub(crate) enum Command {
    Ask { request: Request, answer: oneshot::Sender<Result<Answer, Error>> },
    Check,
    Close,
}

/// What handles can look at at any time.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// While there is a session.
    pub(crate) id: Option<PeerId>,
}

/// What waits for an answer.
enum Waiter {
    Caller(oneshot::Sender<Result<Answer, Error>>),
    /// A room that a revived session enters again.
    Rejoin(String),
    /// Whether the connection lives: how many frames had come when it was asked.
    Check {
        received: u64,
    },
}

enum Link {
    Waiting { until: Instant },
    Opening(Opening),
    Open { connection: Connection, heard: Instant },
}

/// What happens to the connection.
enum Turn {
    Opened(Result<Opened, Cause>),
    Came(Result<Sign, Cause>),
}

pub(crate) struct Driver {
    target: Target,
    commands: mpsc::Receiver<Command>,
    status: watch::Sender<Status>,
    outbox: Outbox,
    link: Link,
    /// The session, on a connection or between two.
    conversation: Option<Conversation<Waiter>>,
    /// Those that it has entered, and not left.
    rooms: BTreeSet<String>,
    /// Connections tried since the last welcome.
    attempt: u32,
}

impl Driver {
    pub(crate) fn new(
        target: Target,
        commands: mpsc::Receiver<Command>,
        status: watch::Sender<Status>,
        outbox: Outbox,
    ) -> Self {
        let link = Link::Waiting { until: Instant::now() };
        Self { target, commands, status, outbox, link, conversation: None, rooms: BTreeSet::new(), attempt: 0 }
    }

    /// Until it is told to close, or the last handle is dropped.
    pub(crate) async fn run(mut self) {
        self.open();
        while self.step().await {}
        self.end(|| Error::Closed);
        if let Link::Open { connection, .. } = self.link {
            timeout(CLOSE_DEADLINE, connection.close()).await.ok();
        }
        self.status.send_replace(Status { state: State::Closed, id: None });
        self.outbox.tell_last(Event::State(State::Closed));
    }

    /// Waits for the next thing that happens, and does what follows from it. False: it was the last.
    async fn step(&mut self) -> bool {
        let wakes_at = self.wakes_at();
        // Cancel safe: each of these leaves what is half done where it was.
        tokio::select! {
            command = self.commands.recv() => match command {
                None | Some(Command::Close) => return false,
                Some(Command::Ask { request, answer }) => self.ask(&request, Waiter::Caller(answer), ANSWER_DEADLINE),
                Some(Command::Check) => self.check(),
            },
            turn = self.link.turn(self.outbox.is_empty()) => self.follow(turn),
            () = self.outbox.deliver() => self.breathe(),
            () = sleep(wakes_at) => self.wake(),
        }
        self.flush();
        true
    }

    fn follow(&mut self, turn: Turn) {
        match turn {
            Turn::Opened(Ok(opened)) => self.welcome(opened),
            Turn::Came(Ok(sign)) => self.hear(&sign),
            Turn::Opened(Err(cause)) | Turn::Came(Err(cause)) => self.lose(cause),
        }
    }

    fn ask(&mut self, request: &Request, waiter: Waiter, patience: Duration) {
        let refused = match &mut self.conversation {
            Some(conversation) => conversation.ask(Instant::now(), request, waiter, patience).err(),
            None => Some((waiter, Error::NotConnected)),
        };
        if let Some((waiter, error)) = refused {
            self.fail(waiter, error);
        }
    }

    /// After a change of network a connection may be dead without a sign, and an attempt that waits could be made now.
    fn check(&mut self) {
        match (&mut self.link, &self.conversation) {
            (Link::Waiting { until }, _) => *until = Instant::now(),
            (Link::Open { .. }, Some(conversation)) => {
                let received = conversation.received();
                self.ask(&Request::ping(), Waiter::Check { received }, CHECK_DEADLINE);
            }
            _ => {}
        }
    }

    /// The next connection.
    fn open(&mut self) {
        let resumption = self.conversation.as_ref().and_then(Conversation::resumption);
        self.link = Link::Opening(self.target.open(resumption));
        self.enter(State::Connecting);
    }

    fn welcome(&mut self, Opened { connection, greeting }: Opened) {
        let now = Instant::now();
        let before = self.conversation.as_ref().map(|conversation| conversation.welcome().id.clone());
        let goes_on = greeting.resumed && before.is_some();
        let is_revived = !goes_on && before.as_ref() == Some(&greeting.told.id);
        if !goes_on {
            self.end(|| Error::ConnectionLost("it could not be taken up again".to_owned()));
            self.conversation = Some(Conversation::new(&greeting));
        }
        let told = greeting.told.clone();
        if let Some(conversation) = &mut self.conversation {
            conversation.attach(now, *greeting);
        }
        self.link = Link::Open { connection, heard: now };
        self.attempt = 0;
        self.enter(State::Open);
        self.outbox.tell(if goes_on { Event::Resumed } else { Event::Welcome(told) });
        if is_revived {
            self.rejoin();
        } else if !goes_on {
            self.rooms.clear();
        }
    }

    fn rejoin(&mut self) {
        for room in self.rooms.clone() {
            let request = Request::join(&room);
            self.ask(&request, Waiter::Rejoin(room), ANSWER_DEADLINE);
        }
    }

    fn hear(&mut self, sign: &Sign) {
        let now = Instant::now();
        if let Link::Open { heard, .. } = &mut self.link {
            *heard = now;
        }
        let (Sign::Text(text), Some(conversation)) = (sign, &mut self.conversation) else { return };
        match protocol::read(text) {
            // It is no frame of the session.
            Some(Frame::Welcome(_)) => {}
            Some(Frame::Answer { reference, answer }) => {
                let waiter = conversation.hear(now, reference);
                self.settle(reference, waiter, answer);
            }
            Some(Frame::Event(event)) => {
                conversation.hear(now, None);
                self.outbox.tell(event);
            }
            None => drop(conversation.hear(now, None)),
        }
    }

    /// An answer has come, and perhaps something waits for it.
    fn settle(&mut self, reference: Option<u64>, waiter: Option<Waiter>, answer: Answer) {
        let is_asked = reference.is_some();
        match &answer {
            Answer::Joined { room, .. } => drop(self.rooms.insert(room.clone())),
            Answer::Left { room } if self.rooms.remove(room) && !is_asked => {
                self.outbox.tell(Event::RoomLost { room: room.clone(), refusal: None });
            }
            _ => {}
        }
        match (waiter, answer) {
            // A caller that is gone wants no answer.
            (Some(Waiter::Caller(caller)), Answer::Refused(refusal)) => {
                drop(caller.send(Err(Error::Refused(Box::new(refusal)))));
            }
            (Some(Waiter::Caller(caller)), answer) => drop(caller.send(Ok(answer))),
            (Some(Waiter::Rejoin(_)), Answer::Joined { room, peers }) => {
                self.outbox.tell(Event::Rejoined { room, peers });
            }
            (Some(Waiter::Rejoin(room)), Answer::Refused(refusal)) => {
                self.rooms.remove(&room);
                self.outbox.tell(Event::RoomLost { room, refusal: Some(refusal) });
            }
            (None, Answer::Refused(refusal)) => self.outbox.tell(Event::Error(refusal)),
            _ => {}
        }
    }

    /// The connection is lost, or there was none; the session may go on.
    fn lose(&mut self, cause: Cause) {
        let now = Instant::now();
        match &mut self.conversation {
            Some(conversation) if !cause.ends_session && conversation.resumption().is_some() => {
                conversation.detach(now);
            }
            _ => self.end(|| Error::ConnectionLost(cause.message.to_string())),
        }
        let retry_in = reconnect_delay(self.attempt, &cause, rand::random());
        self.attempt = self.attempt.saturating_add(1);
        self.link = Link::Waiting { until: now + retry_in };
        self.enter(State::Waiting { cause, retry_in });
    }

    /// The connection shows no sign of life: the next one takes its place at once.
    fn replace(&mut self) {
        self.lose(Cause::lost());
        self.link = Link::Waiting { until: Instant::now() };
    }

    /// Does what is due.
    fn wake(&mut self) {
        let now = Instant::now();
        let late = self.conversation.as_mut().map(|conversation| conversation.wake(now)).unwrap_or_default();
        for waiter in late {
            self.fail(waiter, Error::Timeout);
        }
        if self.conversation.as_ref().is_some_and(|conversation| conversation.is_expired(now)) {
            self.expire();
        }
        match &self.link {
            Link::Waiting { until } if *until <= now && !self.outbox.is_long() => self.open(),
            Link::Open { heard, .. } if self.outbox.is_empty() && *heard + self.silence() <= now => self.replace(),
            _ => {}
        }
    }

    /// The server has given the session up. A connection that is being opened has offered to go on with it: the next one does not.
    fn expire(&mut self) {
        self.end(|| Error::ConnectionLost("the connection was lost for too long".to_owned()));
        if matches!(self.link, Link::Opening(_)) {
            self.open();
        }
    }

    /// The application reads again: for how long nothing was read says nothing of the server.
    fn breathe(&mut self) {
        if let (Link::Open { heard, .. }, true) = (&mut self.link, self.outbox.is_empty()) {
            *heard = Instant::now();
        }
    }

    /// It is over for what has waited.
    fn fail(&mut self, waiter: Waiter, error: Error) {
        match waiter {
            Waiter::Caller(caller) => drop(caller.send(Err(error))),
            Waiter::Rejoin(room) => {
                self.rooms.remove(&room);
                self.outbox.tell(Event::RoomLost { room, refusal: None });
            }
            // All that comes is a sign of life, not only the answer.
            Waiter::Check { received } if matches!(error, Error::Timeout) => {
                let has_come =
                    self.conversation.as_ref().is_some_and(|conversation| conversation.received() != received);
                if !has_come && matches!(self.link, Link::Open { .. }) {
                    self.replace();
                }
            }
            Waiter::Check { .. } => {}
        }
    }

    /// The session is over.
    fn end(&mut self, error: impl Fn() -> Error) {
        let waiters: Vec<Waiter> = self.conversation.take().map(|over| over.end().collect()).unwrap_or_default();
        for waiter in waiters {
            // A room that was being entered again stays one to enter: the next session may have the same id.
            if let Waiter::Caller(caller) = waiter {
                drop(caller.send(Err(error())));
            }
        }
    }

    fn enter(&mut self, state: State) {
        let id = self.conversation.as_ref().map(|conversation| conversation.welcome().id.clone());
        self.status.send_replace(Status { state: state.clone(), id });
        self.outbox.tell(Event::State(state));
    }

    /// Puts what is said on the connection.
    fn flush(&mut self) {
        if let (Link::Open { connection, .. }, Some(conversation)) = (&mut self.link, &mut self.conversation) {
            for text in conversation.take_outgoing() {
                connection.put(text);
            }
        }
    }

    /// When something is due, whatever happens.
    fn wakes_at(&self) -> Option<Instant> {
        let link = match &self.link {
            Link::Waiting { until } if !self.outbox.is_long() => Some(*until),
            Link::Open { heard, .. } if self.outbox.is_empty() => Some(*heard + self.silence()),
            _ => None,
        };
        let conversation = self.conversation.as_ref().and_then(Conversation::wakes_at);
        [link, conversation].into_iter().flatten().min()
    }

    /// A connection on which nothing comes for two heartbeats, and a moment, is dead: the server pings each heartbeat.
    fn silence(&self) -> Duration {
        let heartbeat = self.conversation.as_ref().map(|conversation| conversation.welcome().heartbeat);
        2 * heartbeat.unwrap_or_default() + CHECK_DEADLINE
    }
}

impl Link {
    /// What happens next. `reads`: whether the application has room for what comes. Cancel safe.
    async fn turn(&mut self, reads: bool) -> Turn {
        match self {
            Self::Waiting { .. } => std::future::pending().await,
            Self::Opening(opening) => Turn::Opened(opening.await),
            Self::Open { connection, .. } if reads => Turn::Came(connection.next().await),
            Self::Open { connection, .. } => Turn::Came(Err(connection.write().await)),
        }
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}
