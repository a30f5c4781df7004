//! The operator's folder on its disk: what is in it, and nothing that a link leads to outside of it.
//!
//! A disk may hang, even when a file is closed. So each step is done in a thread for it, of which there are a bounded
//! number, and the request waits for a bounded time; a thread that hangs is left to it. No file stays open from one step
//! to the next, so that one that is replaced is seen, and a client that reads slowly holds no descriptor.

use std::fs;
use std::future::{Ready, ready};
use std::io::{self, ErrorKind, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_http::services::fs::{self as serve, Backend};
use tracing::warn;

/// Threads that wait for the disk at once. One step takes microseconds where the disk is well.
const THREADS: usize = 16;

/// What a step may take, the wait for a thread included.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder. Cheap to clone; all clones share the threads.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    root: Arc<Path>,
    threads: Threads,
}

impl Disk {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.into(), threads: Threads::new(THREADS, PATIENCE) }
    }

    /// A disk that has taken all threads.
    #[cfg(test)]
    pub(super) fn that_hangs(root: &Path) -> Self {
        Self { root: root.into(), threads: Threads::new(0, Duration::from_millis(50)) }
    }

    /// Does this with the folder and a path in it.
    fn with<T: Send + 'static>(
        &self,
        path: PathBuf,
        step: impl FnOnce(&Dir, &Path) -> io::Result<T> + Send + Sync + 'static,
    ) -> Step<T> {
        let root = Arc::clone(&self.root);
        self.threads.run(move || {
            // Each time anew: the operator may have put another folder in its place.
            let folder = Dir::open_ambient_dir(&root, ambient_authority())?;
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
            step(&folder, path).map_err(told_apart)
        })
    }
}

/// A step on its way.
type Step<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + Sync>>;

/// What is not there for a client is `NotFound`; all else is a disk, or permissions, that the operator has to look at.
fn told_apart(error: io::Error) -> io::Error {
    // A link that leads out has no number of the system's.
    let leads_out = error.kind() == ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    match error.kind() {
        ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::InvalidInput => ErrorKind::NotFound.into(),
        _ if leads_out => ErrorKind::NotFound.into(),
        _ => error,
    }
}

/// What is there: a folder, or a file that can be read to its end.
fn look(folder: &Dir, path: &Path) -> io::Result<Found> {
    let found = folder.metadata(path)?;
    if !found.is_dir() && !found.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let modified = found.modified().ok().map(cap_std::time::SystemTime::into_std);
    Ok(Found { is_dir: found.is_dir(), modified, bytes: found.len() })
}

/// Opens a file that can be read to its end.
fn open(folder: &Dir, path: &Path) -> io::Result<(fs::File, fs::Metadata)> {
    // Before it is opened: to open a device is to do something to it.
    if look(folder, path)?.is_dir {
        return Err(ErrorKind::NotFound.into());
    }
    // A pipe that has taken its place meanwhile does not hang.
    let file = folder.open_with(path, OpenOptions::new().read(true).nonblock(true))?.into_std();
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(ErrorKind::NotFound.into()) }
}

/// At most so many bytes from there on, of that very file.
fn read(folder: &Dir, path: &Path, identity: Identity, offset: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let (file, metadata) = open(folder, path)?;
    if Identity::of(&metadata) != identity {
        return Err(io::Error::other("another file has taken its place"));
    }
    let mut piece = vec![0; wanted];
    let count = file.read_at(&mut piece, offset)?;
    piece.truncate(count);
    Ok(piece)
}

/// Which file it is, whatever is written into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(metadata: &fs::Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Threads that may wait for the disk. Cheap to clone.
#[derive(Clone, Debug)]
struct Threads {
    permits: Arc<Semaphore>,
    patience: Duration,
    /// Whether the operator has been told of a disk that hangs: once.
    is_told: Arc<AtomicBool>,
}

impl Threads {
    fn new(count: usize, patience: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(count)), patience, is_told: Arc::default() }
    }

    /// Does this in a thread. The permit is the thread's: one that hangs keeps it.
    fn run<T: Send + 'static>(&self, step: impl FnOnce() -> io::Result<T> + Send + Sync + 'static) -> Step<T> {
        let this = self.clone();
        Box::pin(async move {
            let done = async {
                let permit = this.permits.acquire_owned().await.map_err(io::Error::other)?;
                let step = move || {
                    let done = step();
                    drop(permit);
                    done
                };
                tokio::task::spawn_blocking(step).await.map_err(io::Error::other)?
            };
            timeout(this.patience, done).await.unwrap_or_else(|_| {
                if !this.is_told.swap(true, Ordering::Relaxed) {
                    warn!("--page: reading its files hangs; requests for them are refused, and all else is served");
                }
                Err(ErrorKind::TimedOut.into())
            })
        })
    }
}

impl Backend for Disk {
    type File = File;
    type Metadata = Found;
    type OpenFuture = Pin<Box<dyn Future<Output = io::Result<File>> + Send>>;
    type MetadataFuture = Step<Found>;

    fn open(&self, path: PathBuf) -> Self::OpenFuture {
        let disk = self.clone();
        Box::pin(async move {
            let step = |folder: &Dir, path: &Path| {
                let (_, opened) = open(folder, path)?;
                let found = Found { is_dir: false, modified: opened.modified().ok(), bytes: opened.len() };
                Ok((found, Identity::of(&opened)))
            };
            let (found, identity) = disk.with(path.clone(), step).await?;
            Ok(File { disk, path, found, identity, offset: 0, reading: None })
        })
    }

    fn metadata(&self, path: PathBuf) -> Self::MetadataFuture {
        self.with(path, look)
    }
}

/// What is known of a file or a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    is_dir: bool,
    modified: Option<SystemTime>,
    bytes: u64,
}

impl serve::Metadata for Found {
    fn is_dir(&self) -> bool {
        self.is_dir
    }

    fn modified(&self) -> io::Result<SystemTime> {
        self.modified.ok_or_else(|| ErrorKind::Unsupported.into())
    }

    fn len(&self) -> u64 {
        self.bytes
    }
}

/// A file that is read piece by piece, each when its reader wants it, and is closed in between.
pub(super) struct File {
    disk: Disk,
    path: PathBuf,
    found: Found,
    identity: Identity,
    offset: u64,
    /// The piece on its way.
    reading: Option<Step<Vec<u8>>>,
}

impl serve::File for File {
    type Metadata = Found;
    type MetadataFuture<'a> = Ready<io::Result<Found>>;

    fn metadata(&self) -> Self::MetadataFuture<'_> {
        ready(Ok(self.found))
    }
}

impl AsyncRead for File {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let (disk, path) = (&this.disk, &this.path);
        let (identity, offset, wanted) = (this.identity, this.offset, buf.remaining());
        let reading = this.reading.get_or_insert_with(|| {
            disk.with(path.clone(), move |folder, path| read(folder, path, identity, offset, wanted))
        });
        let piece = ready!(reading.as_mut().poll(cx));
        this.reading = None;
        let piece = piece?;
        // A reader may come back with less room.
        let taken = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..taken]);
        this.offset += taken as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncSeek for File {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        let SeekFrom::Start(offset) = position else { return Err(ErrorKind::Unsupported.into()) };
        self.get_mut().offset = offset;
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_takes_a_bounded_number_of_threads_and_none_waits_for_ever() {
        let threads = Threads::new(2, Duration::from_millis(50));
        let (begun, begins) = mpsc::channel();
        let mut released = Vec::new();
        for _ in 0..2 {
            let (release, until) = mpsc::sync_channel::<()>(0);
            released.push(release);
            let until = std::sync::Mutex::new(until);
            let begun = begun.clone();
            let hanging = threads.run(move || {
                begun.send(()).map_err(io::Error::other)?;
                until.lock().map_err(|_| ErrorKind::Other)?.recv().map_err(io::Error::other)
            });
            assert_eq!(hanging.await.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        for _ in 0..20 {
            let begun = begun.clone();
            let third = threads.run(move || begun.send(()).map_err(io::Error::other));
            assert_eq!(third.await.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        assert_eq!(begins.try_iter().count(), 2, "no thread was taken for the others");
        drop(released);
        // The disk is well again.
        let patient = Threads { patience: Duration::from_secs(20), ..threads };
        assert!(patient.run(|| Ok(())).await.is_ok());
    }
}
