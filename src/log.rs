//! The log: lines for standard error, written by a thread of their own.
//!
//! A pipe that is not read, or a disk that hangs, blocks each thread that writes to it. So the threads that serve put
//! their lines into a bounded queue and go on; what finds no room in it is lost, and counted. tracing-appender does the
//! same, but says at its end on standard output what it could not write, and waits for that.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::{error, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::cli::LogFormat;
use crate::error::StartError;

/// Lines that may wait to be written.
const MAX_LINES: usize = 4096;

/// Bytes of lines that may wait to be written.
const MAX_BYTES: usize = 1 << 20;

/// Targets whose lines are never written, whatever the operator's filter says. The codecs warn about each malformed
/// datagram, so strangers would write the log. The client of NATS tells of each attempt to connect, twice a second; what is
/// to be known of them, `cluster::nats` says once.
const SILENCED: [&str; 3] = ["stun_types", "turn_types", "async_nats"];

/// Lines that were lost since the start of the process, which has one log.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines were lost because those before them could not be written in time.
pub(crate) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Where lines are put. Cheap to clone; writing to it never waits and never fails.
#[derive(Clone, Debug)]
pub struct Log {
    queue: SyncSender<Entry>,
    /// Invariant: at most [`MAX_BYTES`] (`what_waits_is_bounded_and_what_is_lost_is_counted`).
    waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// All that was put into the queue before has been written.
    Settled(SyncSender<()>),
}

impl Log {
    /// Lines that are written to this, by a thread which ends with the process.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        let (queue, entries) = sync_channel(MAX_LINES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let this = Self { queue, waiting: Arc::clone(&waiting) };
        thread::spawn(move || write_all(&entries, &waiting, out));
        this
    }

    /// Has all lines of the process written here that pass the filter, panics included.
    ///
    /// # Errors
    ///
    /// [`StartError::LogFilter`]
    pub fn start(&self, text: &str, format: LogFormat) -> Result<(), StartError> {
        let problem = |problem| StartError::LogFilter { filter: text.to_owned(), problem };
        let filter = filter(text).map_err(problem)?;
        let writer = self.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).log_internal_errors(false);
        let lines = match format {
            LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        let is_silenced = |target: &str| SILENCED.iter().any(|silenced| target.starts_with(silenced));
        let spoken = filter_fn(move |line| !is_silenced(line.target()));
        tracing_subscriber::registry().with(lines.with_filter(spoken).with_filter(filter)).init();
        // The hook of the standard library writes to standard error itself, and waits.
        std::panic::set_hook(Box::new(report_panic));
        Ok(())
    }

    /// Waits until what was put in before has been written, but no longer than this.
    pub fn settle(&self, deadline: Duration) {
        let (settled, wait) = sync_channel(1);
        if self.queue.try_send(Entry::Settled(settled)).is_ok() {
            // Past the deadline, or the writer is gone: either way there is nothing more to wait for.
            let _ = wait.recv_timeout(deadline);
        }
    }

    fn put(&self, line: &[u8]) -> bool {
        let reserved = self.waiting.fetch_add(line.len(), Ordering::Relaxed) + line.len() <= MAX_BYTES;
        let is_put = reserved && self.queue.try_send(Entry::Line(line.to_vec())).is_ok();
        if !is_put {
            self.waiting.fetch_sub(line.len(), Ordering::Relaxed);
        }
        is_put
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if !self.put(line) {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_all(entries: &Receiver<Entry>, waiting: &AtomicUsize, mut out: impl Write) {
    let mut told = 0;
    for entry in entries {
        match entry {
            Entry::Line(line) => {
                // A line that can't be written (the disk is full, the reader is gone) is lost: there is no place to say so.
                let _ = out.write_all(&line);
                waiting.fetch_sub(line.len(), Ordering::Relaxed);
            }
            Entry::Settled(settled) => drop(settled.try_send(())),
        }
        let lost = lost_lines();
        if lost > told {
            warn!(lines = lost - told, "lines of the log were lost: what reads standard error is too slow");
            told = lost;
        }
    }
}

fn report_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string);
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    error!(message, location, trace, "panicked: a bug in entremise");
}

/// The filter that this text means: a level for all, and levels for single targets.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    // The crate takes a word alone for a target, and what no directive names is silent.
    if let Some(word) = directives.iter().find(|word| !word.contains(['=', '[']) && !is_level(word)) {
        return Err(format!("{word:?} is no level; give error, warn, info, debug, trace or off"));
    }
    let is_heard = |word: &str| is_level(word) || word.contains('[') || word.starts_with("entremise");
    if !directives.iter().copied().any(is_heard) {
        return Err("nothing of entremise itself would be logged; begin with a level, such as info,".to_owned() + text);
    }
    EnvFilter::try_new(directives.join(",")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_level_is_an_error() {
        for text in ["inof", "info,debg", "", "info,", "entremise=loudly", "WARNING"] {
            assert!(filter(text).is_err(), "{text}");
        }
        assert_eq!(filter("inof").unwrap_err(), r#""inof" is no level; give error, warn, info, debug, trace or off"#);
    }

    #[test]
    fn a_filter_that_silences_entremise_itself_is_an_error() {
        assert!(filter("hyper=debug").unwrap_err().ends_with("such as info,hyper=debug"));
        assert!(filter("entremse=debug").is_err());
    }

    #[test]
    fn levels_targets_and_spans_are_filters() {
        for text in
            ["info", "DEBUG", "off", "entremise=debug", "info,hyper=trace", "warn, entremise::hub=trace", "[x]=info"]
        {
            assert!(filter(text).is_ok(), "{text}");
        }
    }

    /// Writes nothing until the other end of the channel is dropped.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_bounded_and_what_is_lost_is_counted() {
        let (go_on, wait) = sync_channel::<()>(0);
        let mut log = Log::to(Stuck(wait));
        let (before, line) = (lost_lines(), vec![b'x'; MAX_BYTES / 10]);
        for _ in 0..100 {
            log.write_all(&line).unwrap();
        }
        assert_eq!(lost_lines() - before, 90, "ten fit");
        assert!(log.waiting.load(Ordering::Relaxed) <= MAX_BYTES);
        log.settle(Duration::from_millis(1));
        drop(go_on);
        log.settle(Duration::from_secs(20));
        assert_eq!(log.waiting.load(Ordering::Relaxed), 0);
        log.write_all(b"again").unwrap();
        assert_eq!(lost_lines() - before, 90);
    }
}
