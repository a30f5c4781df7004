//! Which nodes are one service, and how they reach each other.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use gethostname::gethostname;

use super::secret;
use crate::cli::Cli;
use crate::cluster::ClusterSettings;
use crate::cluster::nats::{NatsProblem, NatsSettings};
use crate::error::StartError;
use crate::tls;

/// 256 bits: it signs what clients show.
const MIN_KEY_BYTES: usize = 32;

/// The longest name of a node, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// What makes this server a node.
#[derive(Debug)]
pub struct ClusterConfig {
    /// What nodes know of each other.
    pub settings: ClusterSettings,
    /// What is between them.
    pub nats: NatsSettings,
}

impl ClusterConfig {
    /// None: the server is alone.
    pub(super) fn from_cli(cli: &Cli) -> Result<Option<Self>, StartError> {
        let flags = &cli.cluster;
        if flags.cluster.is_empty() {
            return Ok(None);
        }
        let Some(key_file) = &flags.cluster_key_file else { return Err(StartError::NoClusterKey) };
        let name = name(flags.node_name.as_deref())?;
        let prefix = prefix(&flags.cluster_prefix)?;
        let address = |problem: NatsProblem| StartError::Cluster { flag: "--cluster", problem: problem.to_string() };
        let most = cli.messages.max_message_bytes.get();
        let mut nats = NatsSettings::new(&flags.cluster, prefix, &name, most).map_err(address)?;
        if let Some(path) = &flags.cluster_credentials_file {
            nats = credentials(nats, path)?;
        }
        if let Some(path) = &flags.cluster_ca_file {
            nats = nats.authorities(authorities(path)?);
        }
        let settings = ClusterSettings {
            name,
            key: key(key_file)?,
            peers_per_room: NonZeroUsize::new(cli.rooms.peers_per_room),
            resume_window: cli.resume.resume_window,
        };
        Ok(Some(Self { settings, nats }))
    }
}

fn key(path: &Path) -> Result<Vec<u8>, StartError> {
    let flag = "--cluster-key-file";
    let bytes = secret(flag, path)?;
    if bytes.len() >= MIN_KEY_BYTES {
        return Ok(bytes);
    }
    let problem = format!(
        "the secret has {} bytes, which is too few; make one of {MIN_KEY_BYTES} or more, the same for all nodes, such as by: \
         openssl rand -hex 32",
        bytes.len()
    );
    Err(StartError::SecretFile { flag, path: path.to_owned(), problem })
}

fn name(wish: Option<&str>) -> Result<String, StartError> {
    let name = wish.map_or_else(|| gethostname().to_string_lossy().into_owned(), str::to_owned);
    let is_short = (1..=MAX_NAME_BYTES).contains(&name.len());
    if is_short && !name.chars().any(char::is_control) {
        return Ok(name);
    }
    let problem = format!("give 1 to {MAX_NAME_BYTES} bytes of text");
    Err(StartError::Cluster { flag: "--node-name", problem })
}

/// A token of a subject of NATS, which a dot may part in several.
fn prefix(wish: &str) -> Result<&str, StartError> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let is_token = |token: &str| !token.is_empty() && token.chars().all(is_letter);
    if wish.len() <= MAX_NAME_BYTES && wish.split('.').all(is_token) {
        return Ok(wish);
    }
    let problem = format!("give 1 to {MAX_NAME_BYTES} letters, digits, - and _; a dot parts words");
    Err(StartError::Cluster { flag: "--cluster-prefix", problem })
}

fn credentials(nats: NatsSettings, path: &Path) -> Result<NatsSettings, StartError> {
    let flag = "--cluster-credentials-file";
    let bytes = secret(flag, path)?;
    let problem =
        |problem: NatsProblem| StartError::SecretFile { flag, path: path.to_owned(), problem: problem.to_string() };
    let text = String::from_utf8(bytes).map_err(|_| problem(NatsProblem::Credentials))?;
    nats.credentials(&text).map_err(problem)
}

fn authorities(path: &Path) -> Result<PathBuf, StartError> {
    let flag = "--cluster-ca-file";
    tls::authorities(path).map(drop).map_err(|problem| StartError::TlsFile { flag, path: path.to_owned(), problem })?;
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;

    fn error(flags: &[&str]) -> String {
        config(flags).expect_err("an error")
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn a_node_is_not_made_without_a_key() {
        let error = error(&["--cluster=nats://127.0.0.1"]);
        assert!(error.contains("--cluster-key-file"), "{error}");
    }

    #[test]
    fn each_thing_that_is_wrong_is_one_error_that_names_its_flag() {
        let (key, short, seed) = (file(&"k".repeat(32)), file("short"), file("no seed"));
        let [key, short, seed] = [&key, &short, &seed].map(|file| file.path().display().to_string());
        let wrong = [
            (format!("--cluster-key-file={short}"), "--cluster-key-file"),
            ("--cluster-key-file=/no/such/file".to_owned(), "--cluster-key-file"),
            ("--cluster=http://a".to_owned(), "--cluster"),
            ("--node-name=".to_owned(), "--node-name"),
            ("--node-name=a\nb".to_owned(), "--node-name"),
            ("--cluster-prefix=a b".to_owned(), "--cluster-prefix"),
            ("--cluster-prefix=a..b".to_owned(), "--cluster-prefix"),
            (format!("--cluster-credentials-file={seed}"), "--cluster-credentials-file"),
            (format!("--cluster-ca-file={seed}"), "--cluster-ca-file"),
        ];
        let key = format!("--cluster-key-file={key}");
        assert!(config(&["--cluster=nats://127.0.0.1", &key]).unwrap().cluster.is_some());
        for (flag, named) in wrong {
            let flags = match named {
                "--cluster-key-file" => vec!["--cluster=nats://127.0.0.1", &flag],
                _ => vec!["--cluster=nats://127.0.0.1", &key, &flag],
            };
            let error = error(&flags);
            assert!(error.starts_with(named), "{flag}: {error}");
            assert!(!error.contains("short\n") && !error.contains("no seed"), "{error}");
        }
    }

    #[test]
    fn a_server_is_alone_if_it_is_not_told_otherwise() {
        assert!(config(&[]).unwrap().cluster.is_none());
    }
}
