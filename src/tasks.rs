//! The only spawner of tasks: it can stop those that it has spawned, and waits for them.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{Instrument as _, Span};

/// Two signals (notice, then stop) and the tasks that have not ended yet. Cheap to clone: all clones share both.
#[derive(Clone, Debug)]
pub struct Tasks {
    notice: CancellationToken,
    stop: CancellationToken,
    tracker: TaskTracker,
    // A handle of its own, because a stream may be dropped outside a runtime.
    runtime: Handle,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All tasks ended before the deadline.
    Clean,
    /// The deadline passed, and this many tasks had not ended.
    Left(usize),
}

impl Tasks {
    /// No tasks yet.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new() -> Self {
        let (notice, stop) = (CancellationToken::new(), CancellationToken::new());
        Self { notice, stop, tracker: TaskTracker::new(), runtime: Handle::current() }
    }

    /// Starts a task that the drain waits for.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn_on(task, &self.runtime);
    }

    /// The same within a span, which its lines carry. One that no log asks for is room in no task.
    pub fn spawn_within(&self, span: Span, task: impl Future<Output = ()> + Send + 'static) {
        if span.is_disabled() { self.spawn(task) } else { self.spawn(task.instrument(span)) }
    }

    /// Starts a task that ends when its owner drops the handle. The drain waits for it, and so for the owner's drop.
    pub fn spawn_owned(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(self.tracker.spawn_on(task, &self.runtime))
    }

    /// Starts a task that ends when its owner drops the handle. The drain does not wait for it.
    pub fn spawn_apart<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.runtime.spawn(task))
    }

    /// Gives notice that the server will stop soon.
    pub fn give_notice(&self) {
        self.notice.cancel();
    }

    /// Cancelled when it is known that the server will stop: clients should go elsewhere, and new work is still served.
    #[must_use]
    pub fn notice(&self) -> &CancellationToken {
        &self.notice
    }

    /// Cancelled when the tasks have to stop.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells all tasks to stop, and waits for them until the deadline.
    pub async fn drain(&self, deadline: Duration) -> Drained {
        self.notice.cancel();
        self.stop.cancel();
        self.tracker.close();
        match tokio::time::timeout(deadline, self.tracker.wait()).await {
            Ok(()) => Drained::Clean,
            Err(_) => Drained::Left(self.tracker.len()),
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}
