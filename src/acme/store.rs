//! What outlives the process, in the state directory: the account, the certificate with its key, and what was asked.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::schedule::Ledger;
use crate::file;

/// A folder for one authority. Nothing in it is for other users.
#[derive(Clone, Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// The folder of this authority, which need not be there yet.
    pub(super) fn of(state: &Path, directory: &str) -> Self {
        Self { folder: state.join("acme").join(folder_name(directory)) }
    }

    /// Makes it if it is missing.
    ///
    /// # Errors
    ///
    /// Where it can't be made, or nothing can be written there.
    pub(super) fn open(&self) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let probe = self.folder.join("probe");
        file::write_whole(&probe, b"", 0o600)?;
        fs::remove_file(probe)
    }

    /// Looks whether it could be made: who tries a start may be another user than the one whose folder it has to be.
    ///
    /// # Errors
    ///
    /// Where something that is no folder stands in its place.
    pub(super) fn look(&self) -> io::Result<()> {
        let there = self.folder.ancestors().find(|path| path.exists());
        if there.is_some_and(|path| !path.is_dir()) { Err(io::ErrorKind::NotADirectory.into()) } else { Ok(()) }
    }

    /// The account at the authority, if there is one that can be read.
    pub(super) fn account(&self) -> Option<AccountCredentials> {
        self.json("account.json")
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> io::Result<()> {
        self.keep_json("account.json", account)
    }

    /// The authority does not know it any more.
    pub(super) fn forget_account(&self) -> io::Result<()> {
        fs::remove_file(self.folder.join("account.json"))
    }

    /// The private key and the chain, in PEM: one file, so that there is never one without the other.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        file::read(&self.folder.join("certificate.pem")).ok()
    }

    pub(super) fn keep_certificate(&self, pem: &str) -> io::Result<()> {
        file::write_whole(&self.folder.join("certificate.pem"), pem.as_bytes(), 0o600)
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.json("ledger.json").unwrap_or_default()
    }

    pub(super) fn keep_ledger(&self, ledger: &Ledger) -> io::Result<()> {
        self.keep_json("ledger.json", ledger)
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&file::read(&self.folder.join(name)).ok()?).ok()
    }

    fn keep_json(&self, name: &str, value: &impl Serialize) -> io::Result<()> {
        file::write_whole(&self.folder.join(name), &serde_json::to_vec_pretty(value)?, 0o600)
    }
}

/// An authority's address as a folder's name.
fn folder_name(directory: &str) -> String {
    let rest = directory.strip_prefix("https://").unwrap_or(directory);
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
    let name: String = rest.chars().map(plain).take(200).collect();
    name.trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn each_authority_has_its_own_folder_and_files_are_for_no_other_user() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = ("https://ca.example/directory", "https://staging.ca.example/directory");
        let store = Store::of(state.path(), one);
        store.open().unwrap();
        store.keep_certificate("pem").unwrap();
        assert_eq!(Store::of(state.path(), one).certificate().as_deref(), Some(&b"pem"[..]));
        assert_eq!(Store::of(state.path(), other).certificate(), None);
        let mut ledger = Ledger::default();
        ledger.order(1_800_000_000);
        store.keep_ledger(&ledger).unwrap();
        assert_eq!(store.ledger(), ledger);
        for name in ["certificate.pem", "ledger.json"] {
            let mode = fs::metadata(store.folder.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::metadata(&store.folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&store.folder).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn damaged_files_are_as_good_as_none() {
        let state = tempfile::tempdir().unwrap();
        let store = Store::of(state.path(), "https://ca.example/");
        store.open().unwrap();
        fs::write(store.folder.join("ledger.json"), "{").unwrap();
        fs::write(store.folder.join("account.json"), "[]").unwrap();
        assert_eq!(store.ledger(), Ledger::default());
        assert!(store.account().is_none());
    }

    #[test]
    fn a_state_directory_that_can_t_be_written_is_an_error() {
        let state = tempfile::NamedTempFile::new().unwrap();
        let store = Store::of(state.path(), "https://ca.example/");
        assert!(store.open().is_err() && store.look().is_err());
    }

    #[test]
    fn no_address_leads_out_of_the_state_directory() {
        for address in ["https://../../etc", "https://a/../../b", "..", "https://[::1]:14000/dir"] {
            let name = folder_name(address);
            assert!(!name.contains('/') && !name.starts_with('.'), "{name}");
        }
    }
}
