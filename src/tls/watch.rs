//! Notices that the files of the pair have changed, and that the certificate ends soon.
//!
//! What renews a certificate writes two files, or swaps symbolic links to them, and tells no program. So the watch asks
//! the system every few seconds what the paths lead to: a poll sees the swap of any link on the way, which a
//! notification for a file or a folder does not.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use x509_parser::prelude::Validity;

use super::concern::concerns;
use super::{Audience, Pair, PairPaths, ServedPair, development, load};
use crate::error::{StartError, TlsProblem};
use crate::file;

/// In seconds.
const DAY: i64 = 24 * 3600;

/// How long before its end a certificate is warned of: what renews it has failed for two weeks or more by then.
const NOTICE: i64 = 14 * DAY;

/// Keeps what is served up to date with the files.
#[derive(Debug)]
pub struct Watch {
    paths: PairPaths,
    served: Arc<ServedPair>,
    files: Changes<[Option<Stamp>; 2]>,
    /// When the operator was last told that the certificate is a concern.
    warned: Option<i64>,
}

/// Why the files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// It is time to.
    Poll,
    /// SIGHUP.
    Asked,
}

impl Watch {
    /// Reads the pair. One for developers is made first where that is asked for and there is none.
    ///
    /// # Errors
    ///
    /// [`StartError::TlsFile`], for all that can be wrong with the files.
    pub fn open(paths: PairPaths, audience: Audience) -> Result<Self, StartError> {
        if audience == Audience::Developers && paths.are_for_development() {
            development::ensure(&paths)?;
        }
        // Order: looked at before they are read, so that a change in between is still to be seen.
        let files = Changes::new(stamps(&paths));
        let would_be_made = audience == Audience::Rehearsal && paths.are_for_development() && paths.are_missing();
        let pair = if would_be_made {
            Pair::provisional(&["localhost".to_owned()])
        } else {
            load(&paths).map_err(|error| not_made(error, &paths, audience))?
        };
        warn_of_concerns(&paths.cert, &pair);
        let served = Arc::new(ServedPair::new(pair));
        let mut watch = Self { paths, served, files, warned: None };
        watch.warn_if_due(now());
        Ok(watch)
    }

    /// What is served.
    #[must_use]
    pub fn served(&self) -> &Arc<ServedPair> {
        &self.served
    }

    /// Looks at the files this often, and whenever it is asked to, until it is told to stop.
    pub(crate) async fn run(mut self, every: Duration, stop: CancellationToken) {
        let mut polls = tokio::time::interval(every);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let look = tokio::select! {
                () = stop.cancelled() => return,
                () = self.served.asked() => Look::Asked,
                _ = polls.tick() => Look::Poll,
            };
            let what = format!("--cert {} and --key", self.paths.cert.display());
            let looking = file::read_apart(&what, move || {
                self.look(look, now());
                self
            });
            let Some(watch) = stop.run_until_cancelled(looking).await.flatten() else { return };
            self = watch;
        }
    }

    fn look(&mut self, look: Look, now: i64) {
        let stamps = stamps(&self.paths);
        if look == Look::Asked || self.files.are_due(stamps) {
            self.files = Changes::new(stamps);
            self.reload();
        }
        self.warn_if_due(now);
    }

    /// Serves what is in the files now, if it can be served.
    fn reload(&mut self) {
        let cert = self.paths.cert.display();
        match load(&self.paths) {
            Ok(pair) => {
                warn_of_concerns(&self.paths.cert, &pair);
                self.served.replace(pair);
                self.warned = None;
                info!("--cert {cert}: serving what is there now, valid to {}", self.served.validity().not_after);
            }
            Err(error) => {
                let not_after = self.served.validity().not_after;
                warn!("{error}; the certificate of before is still served, valid to {not_after}");
                self.served.has_trouble(error.to_string());
            }
        }
    }

    fn warn_if_due(&mut self, now: i64) {
        let validity = self.served.validity();
        let Some(concern) = concern(&validity, now).filter(|_| is_due(self.warned, now)) else { return };
        self.warned = Some(now);
        let (cert, Validity { not_before, not_after }) = (self.paths.cert.display(), validity);
        match concern {
            // It is served: browsers say what is wrong better than a server that is down.
            Concern::NotValid => warn!(
                "--cert {cert}: the certificate is valid from {not_before} to {not_after} and NOT NOW; browsers will \
                 refuse it until it is renewed"
            ),
            Concern::Ending { days } => {
                warn!("--cert {cert}: the certificate expires in {days} days, on {not_after}; renew it");
            }
        }
    }
}

/// Of a pair that was not asked for by its path, and is missing: why it was not made.
fn not_made(error: StartError, paths: &PairPaths, audience: Audience) -> StartError {
    match error {
        StartError::TlsFile { flag, path, problem: TlsProblem::Missing }
            if audience == Audience::Public && paths.are_for_development() =>
        {
            StartError::TlsFile { flag, path, problem: TlsProblem::NotMade }
        }
        other => other,
    }
}

fn warn_of_concerns(cert: &Path, pair: &Pair) {
    for concern in concerns(pair) {
        warn!("--cert {}: {concern}", cert.display());
    }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// What the operator should know of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concern {
    /// It has expired, or begins later.
    NotValid,
    /// It expires soon.
    Ending { days: i64 },
}

fn concern(validity: &Validity, now: i64) -> Option<Concern> {
    let (first, last) = (validity.not_before.timestamp(), validity.not_after.timestamp());
    if !(first..=last).contains(&now) {
        Some(Concern::NotValid)
    } else if last - now <= NOTICE {
        Some(Concern::Ending { days: (last - now) / DAY })
    } else {
        None
    }
}

/// Once a day, by a clock that may be set in either direction.
fn is_due(warned: Option<i64>, now: i64) -> bool {
    warned.is_none_or(|warned| warned.abs_diff(now) >= DAY.unsigned_abs())
}

/// When files are to be read again, by what the system says of them.
#[derive(Debug)]
struct Changes<S> {
    /// At the last look.
    seen: S,
    /// Just before they were read last, with whatever success: what was broken then is no news until it changes.
    read: S,
}

impl<S: Copy + Eq> Changes<S> {
    /// Of files that are read right after they looked like this.
    fn new(now: S) -> Self {
        Self { seen: now, read: now }
    }

    /// Whether to read them: they are not what was read last, and have not changed since the last look. Two files are
    /// not written at once, and the moment in between is not worth a warning.
    fn are_due(&mut self, now: S) -> bool {
        let is_settled = self.seen == now;
        self.seen = now;
        is_settled && self.read != now
    }
}

/// A file as the system knows it. No new content has all of these in common with the old one: what keeps the time of
/// modification (`cp -p`, `rsync`) can't keep that of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

fn stamps(paths: &PairPaths) -> [Option<Stamp>; 2] {
    [&paths.cert, &paths.key].map(|path| stamp(path))
}

/// Of what the path leads to, over all links. `None`: nowhere.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        bytes: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use x509_parser::time::ASN1Time;

    use super::*;

    #[test]
    fn a_change_is_due_after_it_has_stood_still_for_a_look() {
        let mut files = Changes::new(1);
        assert!(!files.are_due(1));
        assert!(!files.are_due(2), "the other file may come");
        assert!(!files.are_due(3), "and here it is");
        assert!(files.are_due(3));
    }

    #[test]
    fn what_was_read_is_not_due_again_until_it_changes() {
        let mut files = Changes::new(2);
        assert!(!files.are_due(2) && !files.are_due(2));
        assert!(!files.are_due(1) && files.are_due(1), "what was there before is a change too");
    }

    fn validity(first: i64, last: i64) -> Validity {
        let time = |seconds| ASN1Time::from_timestamp(seconds).unwrap();
        Validity { not_before: time(first), not_after: time(last) }
    }

    #[test]
    fn a_certificate_is_a_concern_from_14_days_before_its_end_and_before_its_beginning() {
        let validity = validity(0, 90 * DAY);
        assert_eq!(concern(&validity, -1), Some(Concern::NotValid));
        assert_eq!(concern(&validity, 0), None);
        assert_eq!(concern(&validity, 76 * DAY - 1), None);
        assert_eq!(concern(&validity, 76 * DAY), Some(Concern::Ending { days: 14 }));
        assert_eq!(concern(&validity, 90 * DAY - 1), Some(Concern::Ending { days: 0 }));
        assert_eq!(concern(&validity, 90 * DAY + 1), Some(Concern::NotValid));
    }

    #[test]
    fn a_concern_is_told_once_a_day() {
        assert!(is_due(None, 100 * DAY));
        assert!(!is_due(Some(100 * DAY), 101 * DAY - 1));
        assert!(is_due(Some(100 * DAY), 101 * DAY));
        assert!(is_due(Some(100 * DAY), 50 * DAY), "the clock was set back");
    }

    #[test]
    fn a_file_is_another_one_when_it_is_written_replaced_or_a_link_on_the_way_to_it_is_swapped() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("cert.pem"), "same length").unwrap();
        }
        symlink("one", at("live")).unwrap();
        let path = at("live/cert.pem");
        let first = stamp(&path);
        assert!(first.is_some() && first == stamp(&path));

        fs::remove_file(at("live")).unwrap();
        assert_eq!(stamp(&path), None);
        symlink("two", at("live")).unwrap();
        let second = stamp(&path);
        assert!(second.is_some() && second != first, "a link to a folder was swapped");

        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, "another text").unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_ne!(stamp(&path), second, "its time of modification was kept");
    }
}
