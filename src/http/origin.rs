//! Which pages may open our socket: browsers let any page try, and say which one it is (RFC 6455, 10.2). Pure.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::Authority;

use crate::accept::Transport;

/// An origin that is let in besides our own: `https://example.org`, with a port if it isn't the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedOrigin {
    /// `*`: every page there is.
    Any,
    /// Pages of this origin, in its canonical spelling.
    One(String),
    /// `https://*.example.org`: pages of one label before this host.
    Subdomains {
        /// With `://`.
        scheme: String,
        /// With the dot before it, and the port if it isn't the default.
        host: String,
    },
    /// `null`: pages that have none, such as those in sandboxed frames.
    Null,
    /// `file://`: what some WebViews say of the files that an app brings.
    File,
}

/// What keeps a text from being an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnOrigin {
    /// Anything.
    #[error(
        "not an origin: give scheme://host or scheme://host:port without a path and without a slash at the end, or * for all"
    )]
    Text,
    /// A `*` that is no label of its own, or that stands for more than one site's hosts.
    #[error("a * stands for one label, the first of three or more, such as https://*.example.org")]
    Wildcard,
    /// A name that no browser sends like this.
    #[error("browsers send the host's name in its ASCII form (xn--…, punycode): give that")]
    NotAscii,
}

impl FromStr for AllowedOrigin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        match text {
            "*" => Ok(Self::Any),
            "null" => Ok(Self::Null),
            "file://" => Ok(Self::File),
            _ if !text.is_ascii() => Err(NotAnOrigin::NotAscii),
            _ if text.contains('*') => subdomains(text).ok_or(NotAnOrigin::Wildcard),
            _ => canonical(text).map(Self::One).ok_or(NotAnOrigin::Text),
        }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(origin) => f.write_str(origin),
            Self::Subdomains { scheme, host } => write!(f, "{scheme}*{host}"),
            Self::Null => f.write_str("null"),
            Self::File => f.write_str("file://"),
        }
    }
}

/// `scheme://*.host`, where the host has two labels or more: one alone is a registry's, and a number an address's.
fn subdomains(text: &str) -> Option<AllowedOrigin> {
    let (scheme, host) = text.split_once("://*.")?;
    let origin = canonical(&format!("{scheme}://{host}"))?;
    let (scheme, host) = origin.split_at(origin.find("://")? + 3);
    let (_, last) = host.split(':').next()?.rsplit_once('.')?;
    let is_name = last.bytes().any(|byte| byte.is_ascii_alphabetic()) && !host.contains('*');
    is_name.then(|| AllowedOrigin::Subdomains { scheme: scheme.to_owned(), host: format!(".{host}") })
}

impl AllowedOrigin {
    /// Whether this page, whose origin is spelled canonically, is let in.
    fn admits(&self, page: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(origin) => origin == page,
            Self::Subdomains { scheme, host } => {
                let label = page.strip_prefix(&**scheme).and_then(|page| page.strip_suffix(&**host));
                label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
            }
            Self::Null | Self::File => false,
        }
    }
}

/// The list of origins that may come in.
#[derive(Debug)]
pub(super) struct Origins(Vec<AllowedOrigin>);

impl Origins {
    /// Those that are allowed, and the pages of our public host.
    pub(super) fn new(mut allowed: Vec<AllowedOrigin>, public_host: Option<&Authority>) -> Self {
        allowed.extend(public_host.and_then(|host| origin("https", host)).map(AllowedOrigin::One));
        Self(allowed)
    }

    /// Whether a page of this origin may ask this of the host that its request names: the host's own pages may, and
    /// those allowed. Without an origin it is no browser, and may.
    pub(super) fn admit(&self, page: Option<&str>, host: Option<&Authority>, transport: Transport) -> bool {
        let Some(page) = page else { return true };
        let by_name = match page {
            "null" => &AllowedOrigin::Null,
            "file://" => &AllowedOrigin::File,
            _ => &AllowedOrigin::Any,
        };
        if self.0.contains(&AllowedOrigin::Any) || self.0.contains(by_name) {
            return true;
        }
        let Some(page) = canonical(page) else { return false };
        let is_own = |scheme: &&str| host.and_then(|host| origin(scheme, host)).as_ref() == Some(&page);
        schemes(transport).iter().any(is_own) || self.0.iter().any(|allowed| allowed.admits(&page))
    }
}

/// What our own pages begin with. Behind a proxy that ends TLS, or on a developer's own machine, a request in plain text may
/// be from a page of either scheme.
fn schemes(transport: Transport) -> &'static [&'static str] {
    match transport {
        Transport::Tls => &["https"],
        Transport::Plain => &["https", "http"],
    }
}

fn origin(scheme: &str, host: &Authority) -> Option<String> {
    canonical(&format!("{scheme}://{host}"))
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
        Origins::new(allowed, None).admit(origin, host.parse().ok().as_ref(), Transport::Tls)
    }

    #[test]
    fn the_public_host_is_our_own_whatever_name_a_request_has() {
        let public = "calls.example".parse().unwrap();
        let origins = Origins::new(Vec::new(), Some(&public));
        let admits = |origin| origins.admit(Some(origin), Some(&"10.0.0.1:8443".parse().unwrap()), Transport::Tls);
        assert!(admits("https://calls.example") && admits("https://10.0.0.1:8443"));
        assert!(!admits("http://calls.example") && !admits("https://calls.example:8443"));
    }

    #[test]
    fn in_plain_text_our_own_pages_have_either_scheme() {
        let host = "localhost:8080".parse().unwrap();
        let admits = |origin, transport| Origins::new(Vec::new(), None).admit(Some(origin), Some(&host), transport);
        assert!(
            admits("http://localhost:8080", Transport::Plain) && admits("https://localhost:8080", Transport::Plain)
        );
        assert!(!admits("http://localhost:8080", Transport::Tls));
        assert!(!admits("http://localhost", Transport::Plain));
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
    fn a_star_before_a_host_is_one_label_of_it_and_nothing_else() {
        let admits = |origin| admits(&["https://*.example.com"], Some(origin), "other.example");
        assert!(admits("https://app.example.com") && admits("https://APP.example.com:443"));
        for origin in [
            "https://example.com",
            "https://a.b.example.com",
            "https://.example.com",
            "https://app-example.com",
            "https://evilexample.com",
            "https://app.example.com.evil.example",
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://evil.example/.example.com",
            "null",
        ] {
            assert!(!admits(origin), "{origin}");
        }
        let allowed = &["https://*.example.com:8443", "capacitor://*.local.app"];
        assert!(self::admits(allowed, Some("https://app.example.com:8443"), "other.example"));
        assert!(self::admits(allowed, Some("capacitor://one.local.app"), "other.example"));
    }

    #[test]
    fn origins_of_web_views_are_allowed_by_name() {
        for (name, other) in [("null", "file://"), ("file://", "null")] {
            assert!(admits(&[name], Some(name), "example.org") && !admits(&[name], Some(other), "example.org"));
            assert!(!admits(&["https://app.example"], Some(name), "example.org"), "{name}");
            assert!(!admits(&[name], Some("https://evil.example"), "example.org"), "{name}");
        }
        for app in ["capacitor://localhost", "tauri://localhost", "chrome-extension://abcdefghijklmnop"] {
            assert!(admits(&[app], Some(app), "example.org"), "{app}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_at_start() {
        for text in
            ["", "example.org", "https://", "https://example.org/", "https://a@b", "https://example.org:", "file:///"]
        {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(NotAnOrigin::Text), "{text}");
        }
        for text in [
            "**",
            "https://*",
            "https://*.com",
            "https://a.*.example.org",
            "https://*a.example.org",
            "https://*.*.example.org",
            "*.example.org",
            "https://*.192.0.2.1",
            "https://*.example.org/",
            "https://*.example.org:*",
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(NotAnOrigin::Wildcard), "{text}");
        }
        assert_eq!("https://bücher.example".parse::<AllowedOrigin>(), Err(NotAnOrigin::NotAscii));
    }
}
