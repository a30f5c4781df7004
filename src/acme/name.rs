//! For whom a certificate is: a host's name or an address.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use instant_acme::Identifier;

/// Longest name in DNS, in bytes, and longest part of one (RFC 1035, 2.3.4).
const NAME_BYTES: usize = 253;
const LABEL_BYTES: usize = 63;

/// A host's name, in lower case, or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// In its ASCII form.
    Host(String),
    /// Its certificate is good for a few days alone.
    Address(IpAddr),
}

impl Name {
    /// As an authority is asked for it.
    pub(super) fn identifier(&self) -> Identifier {
        match self {
            Self::Host(name) => Identifier::Dns(name.clone()),
            Self::Address(address) => Identifier::Ip(*address),
        }
    }

    /// What the authority calls it when it looks for the proof: an address has no name in TLS but the one by which DNS
    /// finds names for addresses (RFC 8738, 6).
    pub(super) fn in_handshake(&self) -> String {
        match self {
            Self::Host(name) => name.clone(),
            Self::Address(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            Self::Address(IpAddr::V6(address)) => {
                let halves = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
                let labels: Vec<String> = halves.map(|half| format!("{half:x}")).collect();
                labels.join(".") + ".ip6.arpa"
            }
        }
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLES: &str = "such as example.org, or 203.0.113.7";
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(Self::Address(address));
        }
        let text = text.trim().trim_end_matches('.').to_ascii_lowercase();
        if text.contains("://") || text.contains([':', '/']) {
            return Err(format!("give a host's name without a scheme, a port or a path, {EXAMPLES}"));
        }
        if text.starts_with("*.") {
            return Err(format!("a name for many hosts can't be proven by this server; give each name, {EXAMPLES}"));
        }
        if !text.is_ascii() {
            return Err("give the host's name in its ASCII form (xn--…, punycode), as browsers do".into());
        }
        let is_label = |label: &str| {
            (1..=LABEL_BYTES).contains(&label.len())
                && label.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= NAME_BYTES && text.split('.').all(is_label) {
            Ok(Self::Host(text))
        } else {
            Err(format!("give a host's name or an address, {EXAMPLES}"))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart_and_all_else_is_refused_with_what_to_give() {
        let read = |text: &str| text.parse::<Name>();
        assert_eq!(read("Example.ORG."), Ok(Name::Host("example.org".into())));
        for address in ["203.0.113.7", "2001:db8::1", "[2001:db8::1]"] {
            assert!(matches!(read(address), Ok(Name::Address(_))), "{address}");
        }
        for (text, told) in [
            ("https://example.org", "without a scheme"),
            ("example.org:443", "a port"),
            ("example.org/page", "a path"),
            ("*.example.org", "each name"),
            ("bücher.example", "xn--"),
            ("", "such as example.org"),
            ("a..b", "such as example.org"),
            ("-a.example", "such as example.org"),
            ("a_b.example", "such as example.org"),
            (&"a".repeat(64), "such as example.org"),
            (&["a".repeat(50).as_str(); 6].join("."), "such as example.org"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn an_address_is_proven_under_its_reverse_name() {
        let name = |text: &str| text.parse::<Name>().unwrap().in_handshake();
        assert_eq!(name("203.0.113.7"), "7.113.0.203.in-addr.arpa");
        assert_eq!(name("2001:db8::1"), "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
        assert_eq!(name("example.org"), "example.org");
    }
}
