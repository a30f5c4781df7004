//! Sessions that live between requests: Engine.IO's, over long polling, over a WebSocket, and on the way from one to the
//! other.
//!
//! Each session is one task (`driver`), which owns all of it. The handlers of requests reach it by its secret `sid` through
//! a short queue, and wait for what it answers. What the session is for is an [`Application`].

mod application;
mod driver;
mod signaling;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::Span;

pub use application::{Application, Sign};
pub(crate) use signaling::{Credentials, Signaling};

use super::{BinaryMessages, Farewell, Socket};
use crate::accept::{Pending, Stream};
use crate::admission::Permit;
use crate::dialect::socketio::engine::{Answer, Config, Content, Engine, PostFailure, Transport};
use crate::dialect::socketio::request::Refusal;
use crate::dialect::socketio::sid::Sid;
use crate::protocol::End;
use crate::tasks::Tasks;
use driver::{Driver, Way};

/// Requests that may wait for their session at once: a client has a poll, a post and a WebSocket, and one of them may be
/// late.
const WAITING_REQUESTS: usize = 4;

/// WebSockets that no session wants and that have not been closed yet. Beyond that they are cut.
const UNWANTED_SOCKETS: usize = 256;

/// A post's body, as soon as it has come.
type BodyRead = Result<String, PostFailure>;

/// A session's part of a request.
enum Input {
    Poll(Waiting),
    Post { content: Content, body: oneshot::Receiver<BodyRead>, request: Waiting },
    Socket(Box<Socket>),
}

/// A request that waits for its answer.
struct Waiting {
    answer: oneshot::Sender<Answer>,
    /// Its connection among those without an answer.
    pending: Pending,
}

/// How a request reaches its session.
#[derive(Clone)]
struct Handle {
    inputs: mpsc::Sender<Input>,
    /// Written by the session at its upgrade.
    has_websocket: Arc<AtomicBool>,
}

/// One path where sessions begin, and the sessions that have begun there.
pub(crate) struct Endpoint {
    config: Arc<Config>,
    write_timeout: Duration,
    /// What clients are told when the server stops.
    farewell: Farewell,
    tasks: Tasks,
    // Invariant: each session is here from its beginning to its end, and holds what its application holds of the limits
    // (`ten_thousand_abandoned_polls_end_and_leave_nothing`).
    sessions: DashMap<Sid, Handle>,
    unwanted: Arc<Semaphore>,
}

/// A session's entry among those of its endpoint, until it is dropped.
struct Registration {
    endpoint: Arc<Endpoint>,
    sid: Sid,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.endpoint.sessions.remove(&self.sid);
    }
}

/// A post whose body is still to be read.
pub(crate) struct Post {
    /// Where the body goes. Dropped: the client has gone away.
    pub(crate) body: oneshot::Sender<BodyRead>,
    /// The answer, which may come before the body.
    pub(crate) answer: oneshot::Receiver<Answer>,
}

/// The answer where there is no session any more.
pub(crate) const GONE: Answer = Answer::Refused(Refusal::UnknownSid);

impl Endpoint {
    pub(crate) fn new(config: Config, write_timeout: Duration, farewell: Farewell, tasks: Tasks) -> Arc<Self> {
        let (sessions, unwanted) = (DashMap::new(), Arc::new(Semaphore::new(UNWANTED_SOCKETS)));
        Arc::new(Self { config: Arc::new(config), write_timeout, farewell, tasks, sessions, unwanted })
    }

    /// The most bytes of a post.
    pub(crate) fn max_payload(&self) -> usize {
        self.config.max_payload
    }

    /// The time that a post's body may take.
    pub(crate) fn post_timeout(&self) -> Duration {
        self.write_timeout
    }

    /// What a session runs over. `None`: it is not there.
    pub(crate) fn transport(&self, sid: Sid) -> Option<Transport> {
        let session = self.sessions.get(&sid)?;
        let has_websocket = session.has_websocket.load(Ordering::Relaxed);
        Some(if has_websocket { Transport::WebSocket } else { Transport::Polling })
    }

    /// Begins a session over polling; its first answer.
    pub(crate) async fn open(self: &Arc<Self>, application: impl Application, permit: Permit) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.tasks.spawn_within(Span::current(), self.session(application, permit, Way::Polling(answer)));
        answered.await.unwrap_or(GONE)
    }

    /// Serves a session that begins over a WebSocket, to its end.
    pub(crate) fn serve<A: Application>(
        self: &Arc<Self>,
        application: A,
        permit: Permit,
        stream: Stream,
    ) -> impl Future<Output = ()> + Send + use<A> {
        self.session(application, permit, Way::WebSocket(Box::new(self.socket(stream))))
    }

    fn session<A: Application>(
        self: &Arc<Self>,
        application: A,
        permit: Permit,
        way: Way,
    ) -> impl Future<Output = ()> + Send + use<A> {
        let (sid, transport) = (Sid::random(), way.transport());
        let (inputs, received) = mpsc::channel(WAITING_REQUESTS);
        let has_websocket = Arc::new(AtomicBool::new(transport == Transport::WebSocket));
        let handle = Handle { inputs, has_websocket: Arc::clone(&has_websocket) };
        self.sessions.insert(sid, handle);
        let registration = Registration { endpoint: Arc::clone(self), sid };
        let engine = Engine::new(Arc::clone(&self.config), sid, transport, std::time::Instant::now());
        let driver = Box::new(Driver::new(engine, application, way, received, has_websocket, registration));
        async move {
            driver.run().await;
            // Order: the session and its socket are gone before their permit is free.
            drop(permit);
        }
    }

    /// A poll of this session, and its answer.
    pub(crate) async fn poll(&self, sid: Sid, pending: Pending) -> Answer {
        let (answer, answered) = oneshot::channel();
        match self.tell(sid, Input::Poll(Waiting { answer, pending })) {
            Ok(()) => answered.await.unwrap_or(GONE),
            Err(refused) => refused,
        }
    }

    /// A post to this session.
    ///
    /// # Errors
    ///
    /// Its answer, where the session does not hear of it.
    pub(crate) fn post(&self, sid: Sid, content: Content, pending: Pending) -> Result<Post, Answer> {
        let (answer, answered) = oneshot::channel();
        let (read, body) = oneshot::channel();
        self.tell(sid, Input::Post { content, body, request: Waiting { answer, pending } })?;
        Ok(Post { body: read, answer: answered })
    }

    /// A WebSocket that may take this session over.
    pub(crate) fn probe(&self, sid: Sid, stream: Stream) {
        let input = Input::Socket(Box::new(self.socket(stream)));
        let inputs = self.sessions.get(&sid).map(|session| session.inputs.clone());
        let unwanted = match inputs {
            Some(inputs) => inputs.try_send(input).err().map(mpsc::error::TrySendError::into_inner),
            None => Some(input),
        };
        if let Some(Input::Socket(socket)) = unwanted {
            self.discard(socket);
        }
    }

    fn tell(&self, sid: Sid, input: Input) -> Result<(), Answer> {
        let inputs = self.sessions.get(&sid).map(|session| session.inputs.clone()).ok_or(GONE)?;
        inputs.try_send(input).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Answer::Misplaced,
            mpsc::error::TrySendError::Closed(_) => GONE,
        })
    }

    fn socket(&self, stream: Stream) -> Socket {
        Socket::new(stream, self.config.max_payload, BinaryMessages::Accepted, self.write_timeout)
    }

    /// Closes a WebSocket that is no session's, without having its client's session wait for that.
    fn discard(&self, mut socket: Box<Socket>) {
        let Ok(permit) = Arc::clone(&self.unwanted).try_acquire_owned() else { return };
        self.tasks.spawn(async move {
            socket.put_close(None);
            socket.close(None).await;
            drop(permit);
        });
    }

    /// What clients are told when the server stops.
    fn farewell(&self) -> End {
        match self.farewell {
            Farewell::Restart => End::Restarting,
            Farewell::Final => End::ShuttingDown,
        }
    }
}
