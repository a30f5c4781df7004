//! Which pages may open our socket: browsers let any page try, and say which one it is (RFC 6455, 10.2). Pure.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Authority;

/// An origin that is let in besides our own: `https://example.org`, with a port if it isn't the default, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// Every page there is.
    Any,
    /// Pages of this origin, in its canonical spelling.
    One(String),
}

/// The text isn't an origin.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an origin: give scheme://host or scheme://host:port without a path, or * for all")]
pub struct NotAnOrigin;

impl FromStr for AllowedOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        if text == "*" { Ok(Self::Any) } else { canonical(text).map(Self::One).ok_or(NotAnOrigin) }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(origin) => f.write_str(origin),
        }
    }
}

/// The list of origins that may come in.
#[derive(Debug)]
pub(crate) struct Origins(Vec<AllowedOrigin>);

impl Origins {
    pub(crate) fn new(allowed: Vec<AllowedOrigin>) -> Self {
        Self(allowed)
    }

    /// Whether a page of this origin may open a socket on this host: its own pages may, and those allowed.
    /// Without an origin it is no browser, and may.
    pub(super) fn admit(&self, origin: Option<&str>, host: Option<&Authority>) -> bool {
        let Some(origin) = origin else { return true };
        if self.0.contains(&AllowedOrigin::Any) {
            return true;
        }
        let Some(origin) = canonical(origin) else { return false };
        let own = host.and_then(|host| canonical(&format!("https://{host}")));
        own.as_ref() == Some(&origin) || self.0.contains(&AllowedOrigin::One(origin))
    }
}

/// `scheme://host[:port]` in lower case and without a default port, or `None` if it is something else.
fn canonical(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
    let host = authority.host();
    if rest != authority.as_str() || host.is_empty() {
        return None;
    }
    let default = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    // Behind the host stands a port or nothing: `Authority` would let anything stand there, and before it a user.
    let port = match authority.as_str().strip_prefix(host)? {
        "" => default,
        port => Some(number(port.strip_prefix(':')?)?),
    };
    let host = host.to_ascii_lowercase();
    match port.filter(|_| port != default) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

fn number(port: &str) -> Option<u16> {
    if port.bytes().all(|byte| byte.is_ascii_digit()) { port.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(allowed: &[&str], origin: Option<&str>, host: &str) -> bool {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        Origins::new(allowed).admit(origin, host.parse().ok().as_ref())
    }

    #[test]
    fn pages_of_the_same_host_and_port_may_come_in() {
        assert!(admits(&[], Some("https://example.org:8443"), "example.org:8443"));
        assert!(admits(&[], Some("https://EXAMPLE.org"), "example.org:443"));
        assert!(admits(&[], Some("https://[::1]:8443"), "[::1]:8443"));
    }

    #[test]
    fn pages_of_others_may_not() {
        for origin in [
            "https://example.org",
            "http://example.org:8443",
            "https://evil.example:8443",
            "https://example.org:8443.evil.example",
            "https://example.org:8443x",
            "https://example.org:+8443",
            "https://example.org:73979",
            "https://example.org:8443@evil.example",
            "https://evil.example/https://example.org:8443",
            "null",
            "",
            "file://",
        ] {
            assert!(!admits(&[], Some(origin), "example.org:8443"), "{origin}");
        }
        assert!(!admits(&[], Some("https://example.org"), "not a host"));
        // What is no port is not the default one.
        for origin in ["https://[::1]evil", "https://[::1]:", "https://[::1]:x", "https://[::1]:65536"] {
            assert!(!admits(&[], Some(origin), "[::1]"), "{origin}");
        }
    }

    #[test]
    fn without_an_origin_it_is_no_browser() {
        assert!(admits(&[], None, "example.org"));
    }

    #[test]
    fn an_allowed_origin_may_come_in_and_a_star_lets_in_all() {
        assert!(admits(&["https://app.example"], Some("https://app.example"), "example.org"));
        assert!(admits(&["https://app.example:443"], Some("https://app.example"), "example.org"));
        assert!(!admits(&["https://app.example"], Some("https://app.example:444"), "example.org"));
        assert!(admits(&["*"], Some("null"), "example.org"));
    }

    #[test]
    fn what_is_no_origin_is_refused_at_start() {
        for text in ["", "example.org", "https://", "https://example.org/", "https://a@b", "https://example.org:", "**"]
        {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(NotAnOrigin), "{text}");
        }
    }
}
