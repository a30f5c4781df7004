//! What stands between clients and us.

use clap::Args;

use super::value::switch;
use crate::http::BasePath;
use crate::net::Cidr;

/// What stands between clients and us.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Behind a proxy")]
pub struct BehindProxy {
    /// Address block of proxies whose X-Forwarded-For and X-Forwarded-Host are believed (repeatable)
    #[arg(long, env = "ENTREMISE_TRUSTED_PROXY", value_name = "CIDR", value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub trusted_proxy: Vec<Cidr>,

    /// Each connection from a trusted proxy, on every TCP port but --metrics-listen, begins with the PROXY protocol (version 1 or 2)
    #[arg(long, env = "ENTREMISE_PROXY_PROTOCOL", value_parser = switch, requires = "trusted_proxy")]
    #[arg(hide_env_values = true)]
    pub proxy_protocol: bool,

    /// Folder of the public host that is ours: page, /ws, /ice and the paths of other clients are in it
    #[arg(long, env = "ENTREMISE_BASE_PATH", value_name = "PATH", default_value = "/")]
    #[arg(hide_env_values = true)]
    pub base_path: BasePath,

    /// Serve HTTP without TLS and without a certificate, for a proxy on this machine that ends TLS
    #[arg(long, env = "ENTREMISE_PLAIN_HTTP", value_parser = switch, conflicts_with = "turn_tls_port")]
    #[arg(hide_env_values = true)]
    pub plain_http: bool,

    /// With --plain-http, serve other machines too: all that is on the way reads and changes everything
    #[arg(long, env = "ENTREMISE_INSECURE_PLAIN_HTTP_ON_ANY_ADDRESS", value_parser = switch, requires = "plain_http")]
    #[arg(hide_env_values = true)]
    pub insecure_plain_http_on_any_address: bool,
}
