//! Certificates that come by themselves.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::value::{directory, email, listen_address, switch};
use crate::acme::{self, Name};

/// Certificates that come by themselves.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Certificates by themselves (ACME)")]
pub struct AcmeFlags {
    /// Name or IP address for which a trusted certificate is fetched and renewed, instead of --cert and --key (repeatable)
    #[arg(long, env = "ENTREMISE_ACME_DOMAIN", value_name = "NAME_OR_IP", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub acme_domain: Vec<Name>,

    /// Agree to the terms of the authority that issues it
    #[arg(long, env = "ENTREMISE_ACME_AGREE", value_parser = switch, hide_env_values = true)]
    pub acme_agree: bool,

    /// Address at which the authority may reach you
    #[arg(long, env = "ENTREMISE_ACME_EMAIL", value_name = "ADDRESS", value_parser = email, hide_env_values = true)]
    pub acme_email: Option<String>,

    /// Directory of the authority; the default is Let's Encrypt
    #[arg(long, env = "ENTREMISE_ACME_DIRECTORY", value_name = "URL", default_value = acme::LETS_ENCRYPT)]
    #[arg(value_parser = directory, hide_env_values = true)]
    pub acme_directory: String,

    /// PEM file of the roots by which the authority itself is trusted, if it is a private one; without it the system's count
    #[arg(long, env = "ENTREMISE_ACME_CA_FILE", value_name = "FILE", hide_env_values = true)]
    pub acme_ca_file: Option<PathBuf>,

    /// Id by which the authority knows you from elsewhere (external account binding)
    #[arg(long, env = "ENTREMISE_ACME_EAB_KID", value_name = "ID", requires = "acme_eab_key_file")]
    #[arg(hide_env_values = true)]
    pub acme_eab_kid: Option<String>,

    /// File with the key that belongs to it, as the authority writes it (base64url)
    #[arg(long, env = "ENTREMISE_ACME_EAB_KEY_FILE", value_name = "FILE", requires = "acme_eab_kid")]
    #[arg(hide_env_values = true)]
    pub acme_eab_key_file: Option<PathBuf>,

    /// Address and port, of which the authority sees port 80, to prove the names over HTTP; without it the page's port does
    #[arg(long, env = "ENTREMISE_ACME_HTTP_LISTEN", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    #[arg(hide_env_values = true)]
    pub acme_http_listen: Option<SocketAddr>,

    /// Folder for the account and the certificates; without it systemd's (STATE_DIRECTORY), or else certs
    #[arg(long, env = "ENTREMISE_STATE_DIR", value_name = "DIR", hide_env_values = true)]
    pub state_dir: Option<PathBuf>,
}
