//! What clients have to show.

use std::path::PathBuf;

use clap::Args;

/// What clients have to show.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Credentials")]
pub struct Credentials {
    /// File with the secret by which clients' tokens are signed (JWT, HS256), which all need then; a second one counts too
    #[arg(
        long,
        env = "ENTREMISE_AUTH_JWT_SECRET_FILE",
        value_name = "FILE",
        group = "auth_key",
        value_delimiter = ','
    )]
    #[arg(hide_env_values = true)]
    pub auth_jwt_secret_file: Vec<PathBuf>,

    /// PEM file of the public key that verifies them instead: RSA (RS256), P-256 (ES256), Ed25519 (EdDSA); or two of them
    #[arg(long, env = "ENTREMISE_AUTH_JWT_PUBLIC_KEY_FILE", value_name = "FILE", group = "auth_key")]
    #[arg(value_delimiter = ',')]
    #[arg(hide_env_values = true)]
    pub auth_jwt_public_key_file: Vec<PathBuf>,

    /// Our name, which tokens must have as their audience
    #[arg(long, env = "ENTREMISE_AUTH_AUDIENCE", value_name = "NAME", requires = "auth_key")]
    #[arg(hide_env_values = true)]
    pub auth_audience: Option<String>,

    /// Issuer that tokens must have
    #[arg(long, env = "ENTREMISE_AUTH_ISSUER", value_name = "NAME", requires = "auth_key")]
    #[arg(hide_env_values = true)]
    pub auth_issuer: Option<String>,
}
