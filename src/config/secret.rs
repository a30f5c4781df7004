//! Secrets come from files alone: a command line and an environment are for all to see.

use std::path::Path;

use crate::error::StartError;
use crate::file;

/// A secret's bytes, without the line's end that editors leave.
pub(super) fn secret(flag: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    let problem = |problem: String| StartError::SecretFile { flag, path: path.to_owned(), problem };
    let bytes = file::read(path).map_err(|error| problem(format!("cannot be read ({error}); check the path")))?;
    let bytes = bytes.trim_ascii_end();
    if bytes.is_empty() { Err(problem("the file is empty; put the secret there".into())) } else { Ok(bytes.to_vec()) }
}

/// A secret for TURN credentials: each of these is a sample by which a short one could be found out.
pub(super) fn turn_secret(path: &Path) -> Result<Vec<u8>, StartError> {
    /// 128 bits.
    const MIN_BYTES: usize = 16;
    let flag = "--turn-secret-file";
    let bytes = secret(flag, path)?;
    if bytes.len() >= MIN_BYTES {
        return Ok(bytes);
    }
    let problem = format!(
        "the secret has {} bytes, and each credential that is handed out helps to guess it; make one of {MIN_BYTES} or \
         more, such as by: openssl rand -hex 32",
        bytes.len()
    );
    Err(StartError::SecretFile { flag, path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_for_turn_that_could_be_guessed_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "north\n").unwrap();
        let error = turn_secret(file.path()).unwrap_err().to_string();
        assert!(error.starts_with("--turn-secret-file") && error.contains("5 bytes"), "{error}");
        assert!(!error.contains("north"));
        std::fs::write(file.path(), "sixteen bytes ..\n").unwrap();
        assert_eq!(turn_secret(file.path()).unwrap().len(), 16);
    }
}
