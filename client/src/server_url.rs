//! Where the server is. Pure.

use tokio_tungstenite::tungstenite::http::Uri;

use crate::SetupError;

/// Where the server is: host, port, and whether TLS is spoken there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// Of `wss:` or `ws:`.
    pub(crate) href: String,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

impl ServerUrl {
    pub(crate) fn parse(url: &str) -> Result<Self, SetupError> {
        if url.contains('#') {
            return Err(SetupError::Url("no “#” can stand in it"));
        }
        let uri: Uri = url.parse().map_err(|_| SetupError::Url("it is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("wss" | "https") => true,
            Some("ws" | "http") => false,
            _ => return Err(SetupError::Url("it has to begin with wss:// (or ws://, https://, http://)")),
        };
        let authority = uri.authority().ok_or(SetupError::Url("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(SetupError::Url("no user and no password can stand in it: see `Builder::credentials`"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(SetupError::Url("it names no host"));
        }
        let scheme = if is_tls { "wss" } else { "ws" };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { href: format!("{scheme}://{authority}{path}"), host, port, is_tls })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_server_is() {
        let parsed = |url: &str| {
            let ServerUrl { href, host, port, is_tls } = ServerUrl::parse(url).unwrap();
            (href, host, port, is_tls)
        };
        assert_eq!(
            parsed("wss://localhost:8443/ws"),
            ("wss://localhost:8443/ws".into(), "localhost".into(), 8443, true)
        );
        assert_eq!(parsed("https://host/a/ws?b=c"), ("wss://host/a/ws?b=c".into(), "host".into(), 443, true));
        assert_eq!(parsed("http://host"), ("ws://host/".into(), "host".into(), 80, false));
        assert_eq!(parsed("ws://[::1]:81/ws"), ("ws://[::1]:81/ws".into(), "::1".into(), 81, false));
    }

    #[test]
    fn a_wrong_url_is_an_error_at_once_and_is_not_repeated() {
        for url in [
            "",
            "localhost:8443",
            "/ws",
            "ftp://host/ws",
            "wss://user:secret@host/ws",
            "wss://host/ws#secret",
            "wss:///ws",
        ] {
            let error = ServerUrl::parse(url).expect_err(url).to_string();
            assert!(error.contains("wss://localhost:8443/ws") && !error.contains("secret"), "{url}: {error}");
        }
    }
}
