//! From which authority certificates come, and for whom.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::secret;
use crate::acme::{QUESTION, Settings, state_directory};
use crate::cli::{AcmeFlags, Cli};
use crate::error::StartError;
use crate::tls;

/// None: the certificate is in files.
pub(super) fn settings(cli: &Cli) -> Result<Option<Settings>, StartError> {
    let flags = &cli.acme;
    if flags.acme_domain.is_empty() {
        return Ok(None);
    }
    let given = [("cert", "--cert"), ("key", "--key")].into_iter().find(|(name, _)| cli.given.flags.contains(*name));
    let other = given.map(|(_, flag)| flag).or(cli.proxy.plain_http.then_some("--plain-http"));
    if let Some(other) = other {
        let problem = format!("a certificate is not fetched with {other}: leave out one of the two");
        return Err(StartError::Acme { what: "--acme-domain".into(), problem });
    }
    let roots = flags.acme_ca_file.as_deref().map(tls::authorities).transpose();
    let roots = roots.map_err(|problem| StartError::Acme {
        what: format!("--acme-ca-file {}", flags.acme_ca_file.as_deref().unwrap_or(Path::new("")).display()),
        problem: problem.to_string(),
    })?;
    let mut names = flags.acme_domain.clone();
    names.sort_unstable();
    names.dedup();
    Ok(Some(Settings {
        names,
        is_agreed: flags.acme_agree,
        directory: flags.acme_directory.clone(),
        contact: flags.acme_email.as_ref().map(|address| format!("mailto:{address}")),
        roots,
        external: external(flags)?,
        state: state_of(cli),
        http_listen: flags.acme_http_listen,
        question: QUESTION,
    }))
}

/// Where certificates are kept.
pub(super) fn state_of(cli: &Cli) -> PathBuf {
    cli.acme.state_dir.clone().unwrap_or_else(state_directory)
}

fn external(flags: &AcmeFlags) -> Result<Option<(String, Vec<u8>)>, StartError> {
    let (Some(id), Some(path)) = (&flags.acme_eab_kid, &flags.acme_eab_key_file) else { return Ok(None) };
    let flag = "--acme-eab-key-file";
    let text = secret(flag, path)?;
    // Some authorities write it with the padding that base64url leaves out.
    let digits = text.trim_ascii().split(|byte| *byte == b'=').next().unwrap_or_default();
    let key = URL_SAFE_NO_PAD.decode(digits);
    let problem = "this is not base64url; put the key there as the authority has written it".to_owned();
    let key = key.map_err(|_| StartError::SecretFile { flag, path: path.clone(), problem })?;
    Ok(Some((id.clone(), key)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::given;
    use super::*;

    fn told(flags: &[&str]) -> String {
        settings(&given(flags)).unwrap_err().to_string()
    }

    #[test]
    fn a_certificate_comes_from_one_place() {
        for other in ["--cert=a.pem", "--key=a.pem", "--plain-http"] {
            let told = told(&["--acme-domain=example.org", other]);
            assert!(told.starts_with("--acme-domain: ") && told.contains(other.split('=').next().unwrap()), "{told}");
        }
    }

    #[test]
    fn files_that_can_t_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("key"), "no/base64+url").unwrap();
        fs::write(at("ca.pem"), "no certificate").unwrap();
        let [key, ca, missing] = [at("key"), at("ca.pem"), at("missing")];
        for (flag, path) in [("acme-ca-file", &ca), ("acme-ca-file", &missing), ("acme-eab-key-file", &key)] {
            let flag = format!("--{flag}={path}");
            // Of an account that is known elsewhere both are needed.
            let id = flag.starts_with("--acme-eab").then_some("--acme-eab-kid=me");
            let told = told(&["--acme-domain=example.org", &flag].into_iter().chain(id).collect::<Vec<_>>());
            assert!(told.contains(path.as_str()), "{flag}: {told}");
        }
    }

    #[test]
    fn names_are_sorted_and_asked_for_once() {
        let cli = given(&["--acme-domain=b.example,a.example,B.example"]);
        let names: Vec<_> = settings(&cli).unwrap().unwrap().names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a.example", "b.example"]);
    }
}
