//! Reads the operator's files: certificates, keys, secrets. All are small. And writes those of our own.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use tracing::warn;

/// More than any chain of certificates has; a path such as /dev/zero has no end.
const MAX_BYTES: u64 = 1 << 20;

/// What is in a file. Waits as long as the file lets it: the caller sees to it that only it waits.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 1 MiB"));
    }
    Ok(bytes)
}

/// Writes a file whole or not at all: what was there stays until the new one is complete.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let partial = path.with_added_extension("partial");
    // A partial file that a crash left may have any mode: it is never written through.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// How long reading may take before it is warned of.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads files in a thread of its own: a disk may be slow or gone, and a pipe may have no writer. `None` where reading
/// panicked.
pub(crate) async fn read_apart<T: Send + 'static>(what: &str, read: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let mut reading = tokio::task::spawn_blocking(read);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut reading).await {
        return done.ok();
    }
    warn!("{what}: reading the files hangs; what was read before still counts");
    reading.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
