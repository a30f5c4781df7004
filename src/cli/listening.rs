//! Where it is served, and with which certificate.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::value::listen_address;
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

    /// Address and port of metrics, over plain HTTP, for monitors; without it there are none
    #[arg(long, env = "ENTREMISE_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = listen_address, hide_env_values = true)]
    pub metrics_listen: Option<SocketAddr>,

    /// Folder of your own page, whose files are served instead of ours: to all, except names that begin with a dot
    #[arg(long, env = "ENTREMISE_PAGE", value_name = "DIR", hide_env_values = true)]
    pub page: Option<PathBuf>,
}
