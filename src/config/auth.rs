//! The keys by which clients' tokens are verified, and the token that `entremise token` prints.

use std::path::{Path, PathBuf};

use super::secret;
use crate::auth::{Audience, Claims, Key, KeyProblem, KeyRing, Secret, Source, Verifier};
use crate::cli::{Cli, TokenOrder};
use crate::error::StartError;

/// Keys that count at the same time: the one of before, and the one that comes after it.
const MAX_KEYS: usize = 2;

const SHARED_KEY: &str = "--auth-jwt-secret-file";
const PUBLIC_KEY: &str = "--auth-jwt-public-key-file";

/// Reads one key.
type Read = fn(&Path) -> Result<Key, StartError>;

pub(super) fn verifier(cli: &Cli) -> Result<Option<Verifier>, StartError> {
    let (secrets, public_keys) = (cli.auth.auth_jwt_secret_file.clone(), cli.auth.auth_jwt_public_key_file.clone());
    let keys: Source = match (&*secrets, &*public_keys) {
        ([], []) => return Ok(None),
        ([], _) => source(PUBLIC_KEY, public_keys, public_key)?,
        _ => source(SHARED_KEY, secrets, shared_key)?,
    };
    Ok(Some(Verifier::new(KeyRing::open(keys)?, cli.auth.auth_audience.clone(), cli.auth.auth_issuer.clone())))
}

/// Reads a key from each of these files.
fn source(flag: &'static str, files: Vec<PathBuf>, read: Read) -> Result<Source, StartError> {
    let Some(third) = files.get(MAX_KEYS) else {
        return Ok(Box::new(move || files.iter().map(|file| read(file)).collect()));
    };
    Err(StartError::TooManyKeys { flag, path: third.clone() })
}

fn shared_key(file: &Path) -> Result<Key, StartError> {
    auth_secret(SHARED_KEY, file).map(|secret| Key::shared(&secret))
}

fn public_key(file: &Path) -> Result<Key, StartError> {
    Key::public(&secret(PUBLIC_KEY, file)?).map_err(|problem| key_error(PUBLIC_KEY, file, problem))
}

/// The token that is ordered, made at this time (seconds since 1970).
///
/// # Errors
///
/// Where the secret's file can't be used.
pub fn token(order: &TokenOrder, now: u64) -> Result<String, StartError> {
    let secret = auth_secret("--secret-file", &order.secret_file)?;
    let claims = Claims {
        rooms: order.rooms.clone(),
        audience: order.audience.as_deref().map(Audience::from),
        issuer: order.issuer.clone(),
        ..Claims::new(&order.subject, now.saturating_add(order.ttl))
    };
    Ok(claims.mint(&secret))
}

/// A token for the program itself, for a minute, where there is a secret to sign it with.
///
/// # Errors
///
/// Where the secret's file can't be used.
pub fn own_token(cli: &Cli, now: u64) -> Result<Option<String>, StartError> {
    let Some(file) = cli.auth.auth_jwt_secret_file.first() else { return Ok(None) };
    let order = TokenOrder {
        secret_file: file.clone(),
        subject: "entremise ice".into(),
        rooms: Some(Vec::new()),
        ttl: 60,
        audience: cli.auth.auth_audience.clone(),
        issuer: cli.auth.auth_issuer.clone(),
    };
    token(&order, now).map(Some)
}

fn auth_secret(flag: &'static str, path: &Path) -> Result<Secret, StartError> {
    Secret::new(&secret(flag, path)?).map_err(|problem| key_error(flag, path, problem))
}

fn key_error(flag: &'static str, path: &Path, problem: KeyProblem) -> StartError {
    StartError::SecretFile { flag, path: path.to_owned(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Config;
    use super::*;

    fn config(flags: &[&str]) -> Result<Config, String> {
        let cli = Cli::try_parse_from(["entremise"].iter().chain(flags)).unwrap();
        Config::from_cli(&cli).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_that_cannot_be_used_stops_the_start_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let flags = ["--auth-jwt-secret-file", "--auth-jwt-public-key-file"];
        for (text, problems) in [
            ("", ["empty", "empty"]),
            ("a secret of thirty-one bytes ..\n\n", ["has 31 bytes, and HS256 needs 32", "no public key"]),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ["PEM", "private key"]),
        ] {
            std::fs::write(&file, text).unwrap();
            for (flag, problem) in flags.into_iter().zip(problems) {
                let error = config(&[&format!("{flag}={}", file.display())]).unwrap_err();
                assert!(error.starts_with(flag) && error.contains(problem), "{error}");
                assert!(text.is_empty() || !error.contains(text.trim()), "{error}");
            }
        }
        for flag in flags {
            let error = config(&[&format!("{flag}={}/nothing", folder.path().display())]).unwrap_err();
            assert!(error.starts_with(flag) && error.contains("cannot be read"), "{error}");
        }
    }

    #[test]
    fn two_keys_count_at_a_time_and_no_third() {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["one", "two", "three"].map(|name| {
            let file = folder.path().join(name);
            std::fs::write(&file, format!("a secret of thirty-two bytes: {name}")).unwrap();
            format!("--auth-jwt-secret-file={}", file.display())
        });
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert!(config(&flags[..1]).is_ok() && config(&flags[..2]).is_ok());
        let error = config(&flags).unwrap_err();
        assert!(error.starts_with("--auth-jwt-secret-file "), "{error}");
        assert!(error.contains("three: two keys count at a time"), "{error}");
    }
}
