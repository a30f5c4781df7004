//! The keys by which tokens are verified at the moment: replaced as a whole, when the operator asks for it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Key;
use crate::error::StartError;
use crate::file;

/// Reads the keys from where the operator has them.
pub type Source = Box<dyn Fn() -> Result<Vec<Key>, StartError> + Send + Sync>;

/// Keys, each of which is enough. Those who are connected stay when it changes.
pub struct KeyRing {
    current: ArcSwap<Vec<Key>>,
    /// None: the keys do not change.
    source: Option<Source>,
    asked: Notify,
}

impl From<Key> for KeyRing {
    fn from(key: Key) -> Self {
        Self { current: ArcSwap::from_pointee(vec![key]), source: None, asked: Notify::new() }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.current.load().iter()).finish()
    }
}

impl KeyRing {
    /// The keys that are there now.
    ///
    /// # Errors
    ///
    /// Where they can't be used.
    pub fn open(source: Source) -> Result<Self, StartError> {
        let current = ArcSwap::from_pointee(source()?);
        Ok(Self { current, source: Some(source), asked: Notify::new() })
    }

    /// Has them read again, as soon as the server runs: what SIGHUP asks for.
    pub fn reload(&self) {
        self.asked.notify_one();
    }

    pub(super) fn current(&self) -> Arc<Vec<Key>> {
        self.current.load_full()
    }

    /// Reads them again whenever it is asked to, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let reading = async {
                self.asked.notified().await;
                let this = Arc::clone(&self);
                file::read_apart("the keys of credentials", move || this.read_again()).await
            };
            if stop.run_until_cancelled(reading).await.flatten().is_none() {
                return;
            }
        }
    }

    fn read_again(&self) {
        let Some(source) = &self.source else { return };
        match source() {
            Ok(keys) => {
                info!(keys = keys.len(), "credentials: the keys that are there now count");
                self.current.store(Arc::new(keys));
            }
            Err(error) => warn!("{error}; the keys of before still count"),
        }
    }
}
