//! Where it is served, and to whom without TLS.

use std::net::SocketAddr;

use super::Config;
use crate::cli::Cli;
use crate::error::StartError;

/// Who gets HTTP without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// A proxy on this machine, or its user.
    ThisMachine,
    /// All that reach the address: the operator says that the way here is safe.
    AllAddresses,
}

impl PlainHttp {
    pub(super) fn from_cli(cli: &Cli) -> Option<Self> {
        let whom = if cli.proxy.insecure_plain_http_on_any_address { Self::AllAddresses } else { Self::ThisMachine };
        cli.proxy.plain_http.then_some(whom)
    }
}

impl Config {
    /// Whether this address, on which we listen, is one for what we serve.
    ///
    /// # Errors
    ///
    /// [`StartError::PlainHttp`] where others could read along.
    pub fn check_address(&self, listen: SocketAddr) -> Result<(), StartError> {
        match self.plain_http {
            Some(PlainHttp::ThisMachine) if !listen.ip().to_canonical().is_loopback() => {
                Err(StartError::PlainHttp { listen })
            }
            _ => Ok(()),
        }
    }
}

/// A pair is for TLS.
pub(super) fn check_pair(cli: &Cli) -> Result<(), StartError> {
    let given = [("cert", "--cert"), ("key", "--key")].into_iter().find(|(name, _)| cli.given.flags.contains(*name));
    match given {
        Some((_, flag)) if cli.proxy.plain_http => Err(StartError::PlainWithPair { flag }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::config;
    use crate::net::TlsEnd;

    #[test]
    fn plain_http_for_all_the_world_has_to_be_said_twice() {
        for listen in ["[::]:8443", "0.0.0.0:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let listen = listen.parse().unwrap();
            let once = config(&["--plain-http"]).unwrap();
            let error = once.check_address(listen).unwrap_err().to_string();
            assert!(error.contains("--insecure-plain-http-on-any-address"), "{error}");
            let twice = config(&["--plain-http", "--insecure-plain-http-on-any-address"]).unwrap();
            assert!(twice.check_address(listen).is_ok() && config(&[]).unwrap().check_address(listen).is_ok());
            assert_eq!((once.http.tls_end, twice.http.tls_end), (TlsEnd::Proxy, TlsEnd::Proxy));
        }
        for listen in ["127.0.0.1:8080", "127.0.0.2:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
            let config = config(&["--plain-http"]).unwrap();
            assert!(config.check_address(listen.parse().unwrap()).is_ok(), "{listen}");
        }
    }
}
