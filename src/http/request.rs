//! What HTTP/1.1 asks of each request, before anything of ours looks at it (RFC 9112, 3.2): something here that it is for,
//! and one host by which it is meant. Pure.

use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::uri::Scheme;
use axum::http::{Method, Version};

use super::caller::authority;

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A path.
    Resource,
    /// The server itself: `OPTIONS *`.
    Server,
}

/// A request that is answered with 400 whatever it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// No `Host` where there has to be one, more than one, or one that can't be.
    Host,
    /// What it is for is nothing that a server has.
    Target,
}

impl BadRequest {
    /// For people.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "The request has no Host, more than one, or one that is not valid.",
            Self::Target => "The request is for nothing that could be here.",
        }
    }
}

/// A header of which there may be one has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repeated;

/// A header's value, of which there may be one: proxies and servers that take different ones of several disagree on who is
/// let in.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (line, None) => Ok(line),
        _ => Err(Repeated),
    }
}

/// Looks at a request's target and host. Where both say a host, from now on `Host` says what the target did.
pub(super) fn admit(request: &mut Request) -> Result<Target, BadRequest> {
    admit_host(request)?;
    let (uri, method) = (request.uri(), request.method());
    match (uri.scheme(), uri.authority(), uri.path()) {
        (None, None, "*") if method == Method::OPTIONS => Ok(Target::Server),
        (None, None, path) if path.starts_with('/') => Ok(Target::Resource),
        // RFC 9112, 3.2.2: a server takes the absolute form too, and its host is the one that counts.
        (Some(scheme), Some(named), _) if *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS => {
            let named = authority(named.as_str()).ok_or(BadRequest::Target)?;
            let host = HeaderValue::from_str(named.as_str()).map_err(|_| BadRequest::Target)?;
            request.headers_mut().insert(header::HOST, host);
            Ok(Target::Resource)
        }
        _ => Err(BadRequest::Target),
    }
}

fn admit_host(request: &Request) -> Result<(), BadRequest> {
    let host = single(request.headers(), &header::HOST).map_err(|Repeated| BadRequest::Host)?;
    match host {
        // An address of http has a host that is not empty (RFC 9110, 4.2.1).
        Some(host) => host.to_str().ok().and_then(authority).map(drop).ok_or(BadRequest::Host),
        None if request.version() < Version::HTTP_11 => Ok(()),
        None => Err(BadRequest::Host),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    /// What is made of a request, and which host it is for then.
    fn admitted(method: &str, target: &str, version: Version, hosts: &[&str]) -> Result<(Target, String), BadRequest> {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let target = admit(&mut request)?;
        let host = request.headers().get(header::HOST).map(|host| host.to_str().unwrap().to_owned());
        Ok((target, host.unwrap_or_default()))
    }

    #[test]
    fn http_1_1_has_one_valid_host_and_http_1_0_at_most_one() {
        for host in ["calls.example", "calls.example:8443", "[::1]:80", "192.0.2.1", "calls.example:"] {
            assert_eq!(admitted("GET", "/", Version::HTTP_11, &[host]), Ok((Target::Resource, host.into())), "{host}");
        }
        for host in ["", ":80", "a b", "a@b", "a/b", "a:b", "a:99999", "[::1", "a?b"] {
            assert_eq!(admitted("GET", "/", Version::HTTP_11, &[host]), Err(BadRequest::Host), "{host}");
        }
        assert_eq!(admitted("GET", "/", Version::HTTP_11, &[]), Err(BadRequest::Host));
        assert_eq!(admitted("GET", "/", Version::HTTP_10, &[]), Ok((Target::Resource, String::new())));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(admitted("GET", "/", version, &["a", "a"]), Err(BadRequest::Host));
        }
    }

    #[test]
    fn the_host_of_an_absolute_target_is_the_one_that_counts() {
        let admitted = |target, hosts: &[&str]| admitted("GET", target, Version::HTTP_11, hosts);
        for target in ["http://calls.example:1/ws", "https://calls.example:1"] {
            assert_eq!(admitted(target, &["other"]), Ok((Target::Resource, "calls.example:1".into())), "{target}");
            assert_eq!(admitted(target, &[]), Err(BadRequest::Host), "{target}");
        }
        for target in ["http://a@calls.example/", "ftp://calls.example/", "calls.example:80"] {
            assert_eq!(admitted(target, &["calls.example"]), Err(BadRequest::Target), "{target}");
        }
    }

    #[test]
    fn a_star_is_for_options_alone() {
        assert_eq!(admitted("OPTIONS", "*", Version::HTTP_11, &["a"]), Ok((Target::Server, "a".into())));
        for method in ["GET", "HEAD", "POST"] {
            assert_eq!(admitted(method, "*", Version::HTTP_11, &["a"]), Err(BadRequest::Target));
        }
        assert_eq!(admitted("CONNECT", "a:443", Version::HTTP_11, &["a:443"]), Err(BadRequest::Target));
    }
}
