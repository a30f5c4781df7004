//! The folder of the operator's own page: that it can be served, and that no secret is in it.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::cli::Cli;
use crate::error::{PageProblem, StartError};

/// The folder, if there is to be one.
pub(super) fn folder(cli: &Cli) -> Result<Option<PathBuf>, StartError> {
    let Some(path) = &cli.listening.page else { return Ok(None) };
    check(path, cli).map_err(|problem| StartError::Page { path: path.clone(), problem })?;
    Ok(Some(path.clone()))
}

fn check(path: &Path, cli: &Cli) -> Result<(), PageProblem> {
    // To read its list, and to look at what is in it, are two permissions.
    fs::read_dir(path).and_then(|_| fs::metadata(path.join("."))).map_err(|error| match error.kind() {
        ErrorKind::NotFound => PageProblem::Missing,
        ErrorKind::NotADirectory => PageProblem::NotAFolder,
        _ => PageProblem::Unreadable(error),
    })?;
    let folder = resolved(path);
    match secrets(cli).into_iter().find(|(_, file)| is_served(&folder, &resolved(file))) {
        Some((flag, file)) => Err(PageProblem::HoldsSecret { flag, file: file.to_owned() }),
        None => Ok(()),
    }
}

/// Files that only we may read.
fn secrets(cli: &Cli) -> Vec<(&'static str, &Path)> {
    let key = (!cli.proxy.plain_http).then_some(("--key", &*cli.listening.key));
    let tokens = cli.auth.auth_jwt_secret_file.iter().map(|file| ("--auth-jwt-secret-file", &**file));
    let turn = cli.ice.turn_secret_file.iter().map(|file| ("--turn-secret-file", &**file));
    let password = cli.ice.ice_password_file.iter().map(|file| ("--ice-password-file", &**file));
    key.into_iter().chain(tokens).chain(turn).chain(password).collect()
}

/// The path without links. A file that is yet to be made has the name that it will have.
fn resolved(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let real = whole.ancestors().find_map(|part| Some((part, fs::canonicalize(part).ok()?)));
    match real {
        // `join` with nothing would add a slash, at which no file is.
        Some((part, real)) if part == whole => real,
        Some((part, real)) => real.join(whole.strip_prefix(part).unwrap_or(&whole)),
        None => whole,
    }
}

/// Whether it would be found by a request: names that begin with a dot are not.
fn is_served(folder: &Path, file: &Path) -> bool {
    let is_hidden = |part: Component| part.as_os_str().as_encoded_bytes().starts_with(b".");
    file.strip_prefix(folder)
        .is_ok_and(|inner| inner.as_os_str() != OsStr::new("") && !inner.components().any(is_hidden))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use clap::Parser as _;

    use super::*;

    fn folder(flags: &[String]) -> Result<Option<PathBuf>, String> {
        let flags = flags.iter().map(String::as_str);
        let cli = Cli::try_parse_from(["entremise"].into_iter().chain(flags)).unwrap();
        super::folder(&cli).map_err(|error| error.to_string())
    }

    #[test]
    fn a_folder_that_cannot_be_served_stops_the_start_and_is_named() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let missing = place.path().join("nothing");
        for (path, problem) in [(missing, "no such folder"), (file.clone(), "no folder"), (file.join("a"), "no folder")]
        {
            let error = folder(&[format!("--page={}", path.display())]).unwrap_err();
            assert!(error.starts_with(&format!("--page {}: ", path.display())) && error.contains(problem), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
        let path = place.path();
        assert_eq!(folder(&[format!("--page={}", path.display())]).unwrap().as_deref(), Some(path));
        assert_eq!(folder(&[]), Ok(None));
    }

    #[test]
    fn a_folder_in_which_a_secret_is_would_publish_it_and_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let page = place.path().join("page");
        fs::create_dir_all(page.join("certs")).unwrap();
        symlink(&page, place.path().join("link")).unwrap();
        let refused = |flag: &str, file: &str| {
            let file = place.path().join(file);
            let flags = [format!("--page={}", page.display()), format!("--{flag}={}", file.display())];
            let error = folder(&flags).err();
            assert!(
                error.iter().all(|error| error.contains(&format!("--{flag} ")) && error.contains("--page")),
                "{error:?}"
            );
            error.is_some()
        };
        for flag in ["key", "auth-jwt-secret-file", "turn-secret-file"] {
            // None of them is there yet.
            for file in ["page/key.pem", "page/certs/key.pem", "link/key.pem", "link/../page/a/b/key.pem"] {
                assert!(refused(flag, file), "{flag} {file}");
            }
            for file in ["key.pem", "page2/key.pem", "page/.certs/key.pem", "page/../key.pem"] {
                assert!(!refused(flag, file), "{flag} {file}");
            }
        }
        // What is there is a link to a file of the page.
        fs::write(page.join("secret"), "").unwrap();
        symlink(page.join("secret"), place.path().join("elsewhere")).unwrap();
        assert!(refused("turn-secret-file", "elsewhere"));
    }

    #[test]
    fn the_key_is_no_matter_where_a_proxy_ends_tls() {
        let place = tempfile::tempdir().unwrap();
        let flags = |more: &str| {
            let (page, key) = (place.path().display(), place.path().join("key.pem"));
            folder(&[format!("--page={page}"), format!("--key={}", key.display()), more.to_owned()])
        };
        assert!(flags("--plain-http").is_ok() && flags("--turn").is_err());
    }
}
