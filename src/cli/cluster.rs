//! Many machines as one service.

use std::path::PathBuf;

use clap::Args;

/// Many machines as one service.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterFlags {
    /// NATS server between nodes that are one service, such as nats://a:4222 or tls://a:4222 (repeatable); without it the server is alone
    #[arg(long, env = "ENTREMISE_CLUSTER", value_name = "URL", value_delimiter = ',', hide_env_values = true)]
    pub cluster: Vec<String>,

    /// File with a secret that all nodes have, by which they know each other; needed with --cluster
    #[arg(long, env = "ENTREMISE_CLUSTER_KEY_FILE", value_name = "FILE", hide_env_values = true)]
    pub cluster_key_file: Option<PathBuf>,

    /// File with credentials for NATS: a user's .creds, or the seed of its NKey
    #[arg(long, env = "ENTREMISE_CLUSTER_CREDENTIALS_FILE", value_name = "FILE", hide_env_values = true)]
    pub cluster_credentials_file: Option<PathBuf>,

    /// PEM file of the authority that has signed the certificates of the NATS servers; without it the system's count
    #[arg(long, env = "ENTREMISE_CLUSTER_CA_FILE", value_name = "FILE", hide_env_values = true)]
    pub cluster_ca_file: Option<PathBuf>,

    /// With which the subjects of this service begin: another one for each service on the same NATS
    #[arg(long, env = "ENTREMISE_CLUSTER_PREFIX", value_name = "WORD", default_value = "entremise")]
    #[arg(hide_env_values = true)]
    pub cluster_prefix: String,

    /// Name of this node in logs; without it the host's
    #[arg(long, env = "ENTREMISE_NODE_NAME", value_name = "NAME", hide_env_values = true)]
    pub node_name: Option<String>,
}
