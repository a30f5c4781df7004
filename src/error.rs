//! What stops the process from starting. Each message names the flag or the file, and what to do.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nodes have to know each other.
    #[error(
        "--cluster needs --cluster-key-file, a secret that all nodes have; make one such as by: openssl rand -hex 32"
    )]
    NoClusterKey,

    /// A setting of the cluster that can't be meant.
    #[error("{flag}: {problem}")]
    Cluster {
        /// The flag to change.
        flag: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },

    /// Two settings that can't both be meant.
    #[error("{flag} {value} is too small: {reason}")]
    TooSmall {
        /// The flag to change.
        flag: &'static str,
        /// Its value.
        value: usize,
        /// What it has to hold.
        reason: String,
    },

    /// A file of the TLS pair can't be used.
    #[error("{flag} {}: {problem}", path.display())]
    TlsFile {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: TlsProblem,
    },

    /// The folder of the operator's own page can't be served.
    #[error("--page {}: {problem}", path.display())]
    Page {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: PageProblem,
    },

    /// The address can't be listened on.
    #[error("--listen {address}: {}", listen_advice(source))]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },

    /// The socket that systemd passed can't be used.
    #[error("the socket passed by LISTEN_FDS cannot be used ({0}); pass one TCP socket that listens")]
    Inherited(io::Error),

    /// The address for metrics can't be listened on.
    #[error("--metrics-listen {address}: {}", listen_advice(source))]
    MetricsListen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },

    /// A file with a secret or a key can't be used.
    #[error("{flag} {}: {problem}", path.display())]
    SecretFile {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },

    /// More keys than rotation needs: each is one more to try for every token that is not genuine.
    #[error("{flag} {}: two keys count at a time, the one of before and the one after it; leave out the oldest", path.display())]
    TooManyKeys {
        /// The flag that names it.
        flag: &'static str,
        /// The first that is too many.
        path: PathBuf,
    },

    /// An address that can't be meant.
    #[error("{flag} {value}: {problem}")]
    Address {
        /// The flag.
        flag: &'static str,
        /// What was given.
        value: String,
        /// Why it can't work, and what to do.
        problem: &'static str,
    },

    /// A TURN server without credentials for it.
    #[error(
        "--ice-server {url}: a TURN server needs credentials; give --turn-secret-file, or --ice-username and --ice-password-file"
    )]
    NoAccess {
        /// The server.
        url: String,
    },

    /// A certificate where nothing is encrypted.
    #[error("{flag} does nothing with --plain-http, which serves without TLS: leave out one of the two")]
    PlainWithPair {
        /// The flag that was given.
        flag: &'static str,
    },

    /// What certificates come by can't be used.
    #[error("{what}: {problem}")]
    Acme {
        /// The flag to change, with its value.
        what: String,
        /// What is wrong and what to do.
        problem: String,
    },

    /// The authority has terms of its own.
    #[error(
        "--acme-domain: the authority issues certificates under its terms ({place}): read them, and give --acme-agree"
    )]
    Terms {
        /// Where they stand.
        place: String,
    },

    /// A setting of a dialect that is not spoken.
    #[error("{flag} does nothing without --dialect {dialect}: give that too, or leave it out")]
    WithoutDialect {
        /// The flag that was given.
        flag: &'static str,
        /// What it is a setting of.
        dialect: &'static str,
    },

    /// Everything in plain text, for all the world.
    #[error(
        "--plain-http on {listen}: all that is on the way could read and change everything; listen on 127.0.0.1, \
         beside the proxy that ends TLS, or give --insecure-plain-http-on-any-address where the way here is safe"
    )]
    PlainHttp {
        /// Where it would be served.
        listen: SocketAddr,
    },

    /// The log filter isn't one.
    #[error("--log {filter}: {problem}; try info, or entremise=debug")]
    LogFilter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What is wrong with the folder of a page.
#[derive(Debug, thiserror::Error)]
pub enum PageProblem {
    /// It isn't there.
    #[error("no such folder; give the one in which your index.html is")]
    Missing,
    /// It is a file, most likely.
    #[error("this is no folder; give the one in which your index.html is")]
    NotAFolder,
    /// It can't be read.
    #[error("cannot be read ({0}); check its permissions")]
    Unreadable(io::Error),
    /// All could read a secret.
    #[error("{flag} {} is in this folder, and would be served to all; give a folder with nothing but the page", file.display())]
    HoldsSecret {
        /// The flag that names the file.
        flag: &'static str,
        /// The file.
        file: PathBuf,
    },
}

/// What is wrong with a certificate or key file.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// It isn't there.
    #[error(
        "no such file; give the path of a PEM file, or leave out both --cert and --key to have a development pair made"
    )]
    Missing,
    /// It isn't there, and would not be trusted where it would be made.
    #[error(
        "no such file; give --cert and --key: a development pair is not made with --public-host or with credentials \
         (--auth-jwt-secret-file, --auth-jwt-public-key-file)"
    )]
    NotMade,
    /// Its other half is there, so it isn't made.
    #[error("no such file, although {} exists; restore it, or remove both to have a new development pair made", other.display())]
    Half {
        /// The half that is there.
        other: PathBuf,
    },
    /// It can't be read.
    #[error("cannot be read ({0}); check the path and its permissions")]
    Unreadable(io::Error),
    /// It can't be written, when a development pair is made.
    #[error("cannot be made ({0}); make the folder writable, or give --cert and --key")]
    Unwritable(io::Error),
    /// Nothing in it.
    #[error("the file is empty; put a PEM file there")]
    Empty,
    /// Something else in it.
    #[error("this is not PEM: no -----BEGIN …----- block in it; convert it to PEM")]
    NotPem,
    /// PEM, but no certificate.
    #[error("no certificate in it; is this the key? --cert takes the certificate chain")]
    NoCertificate,
    /// PEM, but no key.
    #[error(
        "no private key in it; is this the certificate? --key takes the key (PKCS#8, PKCS#1 or SEC1, not encrypted)"
    )]
    NoKey,
    /// A certificate that can't be parsed.
    #[error("the certificate in it is damaged ({0}); fetch it anew")]
    BadCertificate(String),
    /// A key that can't be used.
    #[error("the key in it cannot be used ({0}); use an ECDSA P-256 or RSA key")]
    BadKey(String),
    /// A key that belongs to another certificate, of one file.
    #[error("the key in it does not fit the certificate in it")]
    Misfit,
    /// A key that belongs to another certificate.
    #[error("the key does not fit the certificate in --cert {}; give the pair that was issued together", cert.display())]
    Mismatch {
        /// The certificate.
        cert: PathBuf,
    },
}

/// What to do about a port that can't be had.
pub(crate) fn listen_advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; stop the program that has it, or choose another port".into(),
        io::ErrorKind::PermissionDenied => {
            "not allowed; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE".into()
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has this address".into(),
        _ => error.to_string(),
    }
}
