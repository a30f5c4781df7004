//! What a flag's value may be, where the type alone does not say it. Each error is a sentence that says what to give.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::uri::Authority;

use crate::protocol::{Realm, RoomName};

/// A time that is neither nothing nor for ever.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= YEAR => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds above 0, such as 10 or 0.5".into()),
    }
}

/// A switch, as variables write it.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match &*text.to_ascii_lowercase() {
        "1" | "yes" | "on" | "true" => Ok(true),
        "0" | "no" | "off" | "false" => Ok(false),
        _ => Err("give 1 or 0, yes or no, on or off, true or false".into()),
    }
}

/// Clients that are not our own.
pub(super) fn dialect(text: &str) -> Result<Realm, String> {
    // Lists in variables may have a space after their commas.
    let is_meant = |realm: &Realm| realm.as_str() == text.trim();
    let all = || Realm::FOREIGN.map(Realm::as_str).join(", ");
    Realm::FOREIGN.into_iter().find(is_meant).ok_or_else(|| format!("give one of {}", all()))
}

/// Where an authority's directory is.
pub(super) fn directory(text: &str) -> Result<String, String> {
    let uri =
        text.parse::<axum::http::Uri>().ok().filter(|uri| uri.scheme_str() == Some("https") && uri.host().is_some());
    uri.map(|_| text.to_owned()).ok_or_else(|| {
        "give the address of an authority's directory, such as https://acme-v02.api.letsencrypt.org/directory".into()
    })
}

/// An address for letters.
pub(super) fn email(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|letter| letter.is_ascii_graphic() && !matches!(letter, b',' | b'?' | b'%' | b':'));
    let is_address = text.split_once('@').is_some_and(|(who, host)| !who.is_empty() && host.contains('.'));
    if is_plain && is_address { Ok(text.to_owned()) } else { Err("give one address, such as admin@example.org".into()) }
}

/// A key of PeerJS, which is a part of a path.
pub(super) fn peerjs_key(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_'));
    if is_plain && (1..=64).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    Err("give up to 64 letters, digits, - or _, such as peerjs".into())
}

/// An address to listen on. A port alone is one of all addresses.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    const EXAMPLES: &str = "such as 127.0.0.1:8443, [::1]:8443, or 8443 for all addresses of this machine";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.contains("://") {
        return Err(format!("give an address and a port without a scheme, {EXAMPLES}"));
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("an IPv6 address with a port stands in brackets, {EXAMPLES}"));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let Ok(port) = port.parse::<u16>() else {
        return Err(format!("give an address and a port, {EXAMPLES}"));
    };
    match host {
        "" | "*" => Ok((Ipv6Addr::UNSPECIFIED, port).into()),
        "localhost" => Ok((Ipv4Addr::LOCALHOST, port).into()),
        _ => Err(format!("{host:?} is no address of this machine but a name; give an address, {EXAMPLES}")),
    }
}

pub(super) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first, last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("give two ports, such as 49152-65535".into()),
    }
}

pub(super) fn host(text: &str) -> Result<Authority, String> {
    if !text.is_ascii() {
        return Err("give the host's name in its ASCII form (xn--…, punycode), as browsers do".into());
    }
    let authority: Option<Authority> = text.parse().ok().filter(|_| !text.contains('@') && !text.ends_with(':'));
    authority.ok_or_else(|| "give a host, or host:port, such as example.org".into())
}

pub(super) fn room(text: &str) -> Result<String, String> {
    RoomName::new(text).map(|room| room.to_string()).ok_or_else(|| "a room's name has 1 to 128 bytes".into())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate >= 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("give a number that is not below 0, such as 50 or 0.5".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_fractions_and_refuse_zero() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["0", "-1", "inf", "NaN", "1e30", "", "10s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_port_alone_is_one_of_all_addresses_and_localhost_is_this_machine() {
        let listen = |text: &str| listen_address(text).map(|address| address.to_string());
        for text in ["8443", ":8443", "*:8443", "[::]:8443"] {
            assert_eq!(listen(text).as_deref(), Ok("[::]:8443"));
        }
        assert_eq!(listen("localhost:8443").as_deref(), Ok("127.0.0.1:8443"));
        assert_eq!(listen("192.0.2.1:80").as_deref(), Ok("192.0.2.1:80"));
        for (text, told) in [
            ("nowhere", "give an address and a port"),
            ("127.0.0.1", "give an address and a port"),
            ("[::1]", "give an address and a port"),
            ("70000", "give an address and a port"),
            ("::1", "in brackets"),
            ("::1:8443", "in brackets"),
            ("https://localhost:8443", "without a scheme"),
            ("example.org:8443", r#""example.org" is no address"#),
        ] {
            let error = listen(text).unwrap_err();
            assert!(error.contains(told) && error.contains("such as"), "{text}: {error}");
        }
    }

    #[test]
    fn an_authority_is_reached_over_https_and_a_letter_at_one_address() {
        assert!(directory("https://ca.example:14000/dir").is_ok() && email("a.b+c@example.org").is_ok());
        for text in ["http://ca.example/dir", "ca.example", "https://", ""] {
            assert!(directory(text).unwrap_err().contains("such as https://"), "{text}");
        }
        for text in
            ["a", "@example.org", "a@b", "mailto:a@example.org", "a@example.org,b@example.org", "a @example.org"]
        {
            assert!(email(text).unwrap_err().contains("such as admin@"), "{text}");
        }
    }

    #[test]
    fn a_key_of_peerjs_is_one_plain_part_of_a_path() {
        for key in ["peerjs", "A-b_9", &"k".repeat(64)] {
            assert_eq!(peerjs_key(key).as_deref(), Ok(key));
        }
        for key in ["", "a/b", "a b", "{key}", "é", "..", &"k".repeat(65)] {
            assert!(peerjs_key(key).unwrap_err().contains("such as peerjs"), "{key}");
        }
    }

    #[test]
    fn a_host_is_given_as_browsers_send_it() {
        assert!(host("example.org").is_ok() && host("xn--bcher-kva.example:8443").is_ok());
        assert!(host("bücher.example").unwrap_err().contains("xn--"));
        for text in ["https://example.org", "a@b", "example.org:", ""] {
            assert!(host(text).unwrap_err().contains("such as example.org"), "{text}");
        }
    }

    #[test]
    fn a_switch_is_what_compose_files_and_unit_files_write() {
        for (text, is_on) in [("1", true), ("YES", true), ("on", true), ("0", false), ("No", false), ("off", false)] {
            assert_eq!(switch(text), Ok(is_on), "{text}");
        }
        assert!(switch("maybe").is_err());
    }
}
