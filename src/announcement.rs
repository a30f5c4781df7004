//! What the program prints once it serves: where the page is, what is on, and how much memory peers may take.

use std::fmt::Write as _;

use entremise::config::MemoryBounds;
use entremise::server::Server;

/// Addresses that are printed at most, after the one of this machine: a server may have hundreds.
const OTHER_URLS: usize = 4;

/// All that is printed.
pub(crate) fn text(server: &Server, bounds: MemoryBounds) -> String {
    let urls = server.urls();
    let mut text = format!("entremise {}: open {}\n", env!("CARGO_PKG_VERSION"), urls[0]);
    if let Some(others) = urls.get(1..).filter(|others| !others.is_empty()) {
        let others = others[..others.len().min(OTHER_URLS)].join(" ");
        let _ = writeln!(text, "on your network: {others}");
    }
    let credentials = if server.asks_for_credentials() { "needed" } else { "not needed (--auth-jwt-secret-file)" };
    let _ = writeln!(text, "{}; credentials: {credentials}", server.relaying());
    let _ = writeln!(text, "{bounds}");
    text
}
