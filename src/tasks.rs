//! The one spawner: what it starts, it can stop, and waits for.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// Two signals (notice, then stop) and a count of the tasks that still have to heed them. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Tasks {
    notice: CancellationToken,
    stop: CancellationToken,
    tracker: TaskTracker,
    // Not the current runtime's: a stream may be dropped where there is none.
    runtime: Handle,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All tasks ended in time.
    Clean,
    /// The deadline passed with this many still there.
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

    /// Starts a task that ends when its owner drops it; the owner is who the drain waits for.
    pub fn spawn_owned(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(self.tracker.spawn_on(task, &self.runtime))
    }

    /// Starts a task that the drain does not wait for, and that ends when its owner drops it.
    pub fn spawn_apart<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        AbortOnDropHandle::new(self.runtime.spawn(task))
    }

    /// Says that the time to stop will come soon.
    pub fn give_notice(&self) {
        self.notice.cancel();
    }

    /// Cancelled when it is known that the server will stop: no new work should come, and what comes is still served.
    #[must_use]
    pub fn notice(&self) -> &CancellationToken {
        &self.notice
    }

    /// Cancelled when it is time to stop.
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
