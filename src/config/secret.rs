//! Secrets come from files alone: a command line and an environment are for all to see.

use std::path::Path;

use crate::error::StartError;

/// A secret's bytes, without the line's end that editors leave.
pub(super) fn secret(flag: &'static str, path: &Path) -> Result<Vec<u8>, StartError> {
    let problem = |problem: String| StartError::SecretFile { flag, path: path.to_owned(), problem };
    let bytes = std::fs::read(path).map_err(|error| problem(format!("cannot be read ({error}); check the path")))?;
    let bytes = bytes.trim_ascii_end();
    if bytes.is_empty() { Err(problem("the file is empty; put the secret there".into())) } else { Ok(bytes.to_vec()) }
}
