//! Signals: the first that asks for an end lets the server drain, the second ends the process, whatever hangs.
//!
//! While the server starts, the first one ends the process already: a file that hangs may be all that it waits for, and
//! as the first process of a container it would not be ended by a signal that it doesn't handle.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit code after a signal that ends the process at once.
const AT_ONCE: i32 = 1;

/// What has been heard of signals before the server serves.
#[derive(Debug)]
pub struct Signals {
    /// Whether the next signal ends the process. Set by the signals' handlers themselves.
    at_once: Arc<AtomicBool>,
    hangup: Signal,
}

/// The signals that ask for an end.
#[derive(Debug)]
pub struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

/// SIGHUP, which asks for files to be read again.
#[derive(Debug)]
pub struct Hangup(Signal);

impl Signals {
    /// From now on a signal ends the process at once.
    ///
    /// # Errors
    ///
    /// Where the system has no place for handlers.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn handle() -> io::Result<Self> {
        let at_once = Arc::new(AtomicBool::new(true));
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, AT_ONCE, Arc::clone(&at_once))?;
        }
        Ok(Self { at_once, hangup: signal(SignalKind::hangup())? })
    }

    /// From now on the first signal is for the server, and the second ends the process.
    ///
    /// # Errors
    ///
    /// Where the system has no place for handlers.
    pub fn serve(self) -> io::Result<(Stop, Hangup)> {
        let Self { at_once, hangup } = self;
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // Order: these are asked after the handlers above, so the signal that sets the flag does not end the process.
        for signal in [SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&at_once))?;
        }
        at_once.store(false, Ordering::SeqCst);
        Ok((Stop { interrupt, terminate }, Hangup(hangup)))
    }
}

impl Stop {
    /// Ready at the first signal.
    pub async fn asked(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

impl Hangup {
    /// Ready at each signal. Cancel safe: what came before is not forgotten.
    pub async fn asked(&mut self) {
        self.0.recv().await;
    }
}
