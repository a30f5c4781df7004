//! Where it is served, and with which certificate.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::value::{listen_address, seconds_or_none};
use crate::tls::PairPaths;

/// Where it is served, and with which certificate.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Listening")]
pub struct Listening {
    /// Address and port to serve HTTPS on, or a port for all addresses; the default serves IPv6 and IPv4
    #[arg(long, env = "ENTREMISE_LISTEN", value_name = "ADDRESS:PORT", default_value = "[::]:8443")]
    #[arg(value_parser = listen_address, hide_env_values = true)]
    pub listen: SocketAddr,

    /// PEM file of the certificate chain; this default is made for development if both files are absent
    #[arg(long, env = "ENTREMISE_CERT", value_name = "FILE", default_value = PairPaths::DEVELOPMENT_CERT)]
    #[arg(hide_env_values = true)]
    pub cert: PathBuf,

    /// PEM file of its private key
    #[arg(long, env = "ENTREMISE_KEY", value_name = "FILE", default_value = PairPaths::DEVELOPMENT_KEY)]
    #[arg(hide_env_values = true)]
    pub key: PathBuf,

    /// How long browsers come back over HTTPS alone once they have, where others vouch for the certificate; 0: not told
    #[arg(long, env = "ENTREMISE_HSTS", value_name = "SECONDS", default_value = "2592000")]
    #[arg(value_parser = seconds_or_none, hide_env_values = true)]
    pub hsts: Duration,

    /// Address and port of metrics, over plain HTTP, for monitors; without it there are none
    #[arg(long, env = "ENTREMISE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = listen_address, hide_env_values = true)]
    pub metrics_listen: Option<SocketAddr>,

    /// Folder of your own page, whose files are served instead of ours: to all, except names that begin with a dot
    #[arg(long, env = "ENTREMISE_PAGE", value_name = "DIR", hide_env_values = true)]
    pub page: Option<PathBuf>,
}
