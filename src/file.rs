//! Reads the operator's files: certificates, keys, secrets. All are small.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_end_is_refused() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
