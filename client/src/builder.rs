//! How a client is made.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::driver::{Command, Driver, Status};
use crate::event::{Events, State};
use crate::opening::{AnyError, Credentials, Target};
use crate::outbox::Outbox;
use crate::server_url::ServerUrl;
use crate::session::MOST_MESSAGES;
use crate::{Client, SetupError, trust};

/// Events that wait for the application, unless it says otherwise.
const EVENT_CAPACITY: usize = 256;

/// What a client is made of. It connects to nothing before [`connect`](Self::connect).
#[must_use]
pub struct Builder {
    url: String,
    credentials: Option<Arc<Credentials>>,
    roots: Vec<u8>,
    event_capacity: usize,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), credentials: None, roots: Vec::new(), event_capacity: EVENT_CAPACITY }
    }

    /// Where the server asks for credentials: a function that gives a token that is good for now. It is asked before each connection,
    /// and has 15 seconds together with the connection. If it fails, the state is `Waiting` with the code `no-credentials`, and it is
    /// asked again.
    pub fn credentials<F, T, E>(mut self, credentials: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<AnyError>,
    {
        self.credentials = Some(Arc::new(move || {
            let token = credentials();
            Box::pin(async move { token.await.map_err(Into::into) })
        }));
        self
    }

    /// Trusts the certificates in this PEM besides the system's authorities: those of a private authority, or the server's own
    /// `certs/cert.pem` that is made for development. Can be called several times.
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.roots.extend_from_slice(pem.as_ref());
        self.roots.push(b'\n');
        self
    }

    /// How many events may wait for the application, 256 by default, 1 at least; see [`Events`].
    pub fn event_capacity(mut self, events: usize) -> Self {
        self.event_capacity = events.max(1);
        self
    }

    /// Makes the client, which begins to connect, and comes back after each loss until it is closed. It does not wait for the connection:
    /// [`Client::ready`] does. With `wss:` the system's authorities are read here, which takes a few milliseconds.
    ///
    /// # Errors
    ///
    /// If something is wrong with the settings, or there is no tokio runtime; never because of the network.
    pub fn connect(self) -> Result<(Client, Events), SetupError> {
        let url = ServerUrl::parse(&self.url)?;
        let roots = if self.roots.is_empty() { Vec::new() } else { trust::certificates(&self.roots)? };
        let trust = if url.is_tls { Some(trust::config(roots)?) } else { None };
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| SetupError::NoRuntime)?;
        let (commands, asked) = mpsc::channel::<Command>(MOST_MESSAGES);
        let (status, seen) = watch::channel(Status { state: State::Connecting, id: None });
        let (queue, events) = mpsc::channel(self.event_capacity);
        let target = Target { url, trust, credentials: self.credentials };
        // The client's one task. It ends with `close` or the last handle.
        runtime.spawn(Driver::new(target, asked, status, Outbox::new(queue)).run());
        Ok((Client::new(commands, seen), Events(events)))
    }
}
