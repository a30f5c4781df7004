//! The URLs of ICE servers: RFC 7064 (`stun:`) and RFC 7065 (`turn:`). Pure.

use std::fmt;
use std::str::FromStr;

use axum::http::uri::Authority;

/// An ICE server's URL, checked, in the operator's spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceUrl {
    text: String,
    kind: IceUrlKind,
}

/// What a server at a URL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IceUrlKind {
    /// Tells a client its address, and asks for nothing.
    Stun,
    /// Relays, for those with credentials.
    Turn,
}

/// The text isn't such a URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ICE server: give stun:host[:port] or turn:host[:port][?transport=udp|tcp], or turns: for TLS")]
pub struct NotAnIceUrl;

impl IceUrl {
    /// What the server does.
    #[must_use]
    pub fn kind(&self) -> IceUrlKind {
        self.kind
    }
}

impl FromStr for IceUrl {
    type Err = NotAnIceUrl;

    fn from_str(text: &str) -> Result<Self, NotAnIceUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(NotAnIceUrl)?;
        let (host, query) = match rest.split_once('?') {
            Some((host, query)) => (host, Some(query)),
            None => (rest, None),
        };
        let kind = match (scheme, query) {
            ("stun" | "stuns", None) => IceUrlKind::Stun,
            ("turn" | "turns", None | Some("transport=udp" | "transport=tcp")) => IceUrlKind::Turn,
            _ => return Err(NotAnIceUrl),
        };
        if is_host(host) { Ok(Self { text: text.to_owned(), kind }) } else { Err(NotAnIceUrl) }
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn is_host(text: &str) -> bool {
    let authority: Option<Authority> = text.parse().ok();
    authority.is_some_and(|authority| {
        // `Authority` takes any digits for a port, and then has none.
        let has_good_port = text == authority.host() || matches!(authority.port_u16(), Some(1..));
        !authority.host().is_empty() && !text.contains('@') && has_good_port
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_rfcs_are_taken() {
        for (text, kind) in [
            ("stun:stun.example.org", IceUrlKind::Stun),
            ("stuns:stun.example.org:5349", IceUrlKind::Stun),
            ("turn:192.0.2.1:3478?transport=udp", IceUrlKind::Turn),
            ("turns:[2001:db8::1]:443?transport=tcp", IceUrlKind::Turn),
            ("turn:example.org", IceUrlKind::Turn),
        ] {
            let url: IceUrl = text.parse().unwrap();
            assert_eq!((url.kind(), url.to_string().as_str()), (kind, text));
        }
    }

    #[test]
    fn what_a_browser_would_throw_at_is_refused_at_start() {
        for text in [
            "",
            "example.org",
            "stun:",
            "stun://example.org",
            "stun:example.org?transport=udp",
            "turn:example.org?transport=sctp",
            "turn:example.org?x=y",
            "turn:user@example.org",
            "turn:example.org:",
            "turn:example.org:0",
            "turn:example.org:99999",
            "http:example.org",
            "turn:exa mple.org",
            "STUN:example.org",
        ] {
            assert_eq!(text.parse::<IceUrl>(), Err(NotAnIceUrl), "{text}");
        }
    }
}
