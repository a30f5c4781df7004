//! What the program prints once it serves: where the page is, what is on, and how much memory peers may take.

use std::fmt::Write as _;

use entremise::config::MemoryBounds;
use entremise::server::{Server, Services};

/// Addresses that are printed at most, after the one of this machine: a server may have hundreds.
const OTHER_URLS: usize = 4;

/// How much memory peers may take.
fn memory(MemoryBounds { peer, waiting, each }: MemoryBounds) -> String {
    let kib = |bytes: usize| format!("{} KiB", bytes / 1024);
    let peer = peer.map_or("without a bound".to_owned(), |bytes| format!("at most {}", kib(bytes)));
    let (waiting, each) = (kib(waiting), kib(each));
    format!("memory: {peer} for one peer; {waiting} for all that waits for peers, and {each} for each of them")
}

/// What is on, and for what is off, which flag changes it.
fn services(services: Services) -> String {
    let stun = services.stun_port.map_or("off (--stun-port)".to_owned(), |port| format!("on, UDP port {port}"));
    let turn = if services.relays { format!("on, {}", turn_ports(services)) } else { "off (--turn)".to_owned() };
    let credentials = if services.credentials { "needed" } else { "not needed (--auth-jwt-secret-file)" };
    format!("STUN: {stun}; TURN: {turn}; credentials: {credentials}")
}

fn turn_ports(Services { stun_port, tls, .. }: Services) -> String {
    let own = stun_port.map(|port| format!("port {port}"));
    let page = tls.then(|| "the page's port".to_owned());
    let ports: Vec<String> = own.into_iter().chain(page).collect();
    if ports.is_empty() { "at no port (--stun-port)".to_owned() } else { ports.join(" and ") }
}

/// All that is printed.
pub(crate) fn text(server: &Server, bounds: MemoryBounds) -> String {
    let urls = server.urls();
    let mut text = format!("entremise {}: open {}\n", env!("CARGO_PKG_VERSION"), urls[0]);
    if let Some(others) = urls.get(1..).filter(|others| !others.is_empty()) {
        let others = others[..others.len().min(OTHER_URLS)].join(" ");
        let _ = writeln!(text, "on your network: {others}");
    }
    let _ = writeln!(text, "{}", services(server.services()));
    let _ = writeln!(text, "{}", memory(bounds));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_names_the_flag_that_turns_it_on() {
        let off = services(Services { stun_port: None, relays: false, tls: true, credentials: false });
        assert_eq!(
            off,
            "STUN: off (--stun-port); TURN: off (--turn); credentials: not needed (--auth-jwt-secret-file)"
        );
    }

    #[test]
    fn what_is_on_names_its_ports() {
        let turn = |stun_port, tls| services(Services { stun_port, relays: true, tls, credentials: true });
        assert_eq!(
            turn(Some(3478), true),
            "STUN: on, UDP port 3478; TURN: on, port 3478 and the page's port; credentials: needed"
        );
        assert!(turn(Some(3478), false).contains("TURN: on, port 3478; "));
        assert!(turn(None, true).contains("TURN: on, the page's port; "));
        assert!(turn(None, false).contains("TURN: on, at no port (--stun-port); "));
    }
}
