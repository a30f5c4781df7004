//! The folder of the operator's own page: that it can be served, and that no secret is in it.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::acme;
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
        Some((flag, file)) => Err(PageProblem::HoldsSecret { flag, file }),
        None => Ok(()),
    }
}

/// Files that only we may read.
fn secrets(cli: &Cli) -> Vec<(&'static str, PathBuf)> {
    let of = |flag: &'static str, files: &[PathBuf]| files.iter().map(|file| (flag, file.clone())).collect::<Vec<_>>();
    let one = |flag: &'static str, file: &Option<PathBuf>| file.iter().map(|file| (flag, file.clone())).collect();
    let is_fetched = !cli.acme.acme_domain.is_empty();
    let key = (!cli.proxy.plain_http && !is_fetched).then(|| ("--key", cli.listening.key.clone()));
    let state = is_fetched.then(|| ("--state-dir", acme::state_of(cli).join("acme")));
    let mut all: Vec<_> = key.into_iter().chain(state).collect();
    all.extend(of("--auth-jwt-secret-file", &cli.auth.auth_jwt_secret_file));
    all.extend(of("--turn-secret-file", &cli.ice.turn_secret_file));
    all.extend::<Vec<_>>(one("--ice-password-file", &cli.ice.ice_password_file));
    all.extend::<Vec<_>>(one("--acme-eab-key-file", &cli.acme.acme_eab_key_file));
    #[cfg(feature = "cluster")]
    for (flag, file) in [
        ("--cluster-key-file", &cli.cluster.cluster_key_file),
        ("--cluster-credentials-file", &cli.cluster.cluster_credentials_file),
    ] {
        all.extend::<Vec<_>>(one(flag, file));
    }
    all
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

    use clap::{CommandFactory as _, Parser as _};

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
            // Without which some of them are no settings.
            let with: &[&str] = match flag {
                "ice-password-file" => &["--ice-username=a"],
                "acme-eab-key-file" => &["--acme-domain=a.example", "--acme-eab-kid=a"],
                "state-dir" => &["--acme-domain=a.example"],
                _ => &[],
            };
            let flags: Vec<String> = flags.into_iter().chain(with.iter().map(ToString::to_string)).collect();
            let error = folder(&flags).err();
            assert!(
                error.iter().all(|error| error.contains(&format!("--{flag} ")) && error.contains("--page")),
                "{error:?}"
            );
            error.is_some()
        };
        // All whose names say that they are files, but those that are for all to see.
        let public = ["auth-jwt-public-key-file", "acme-ca-file", "cluster-ca-file"];
        let command = Cli::command();
        let files = command.get_arguments().filter_map(clap::Arg::get_long).filter(|flag| flag.ends_with("-file"));
        for flag in files.filter(|flag| !public.contains(flag)).chain(["key", "state-dir"]) {
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
