//! What the program prints once it serves: where the page is, and how much memory peers may take.

use std::fmt::Write as _;

use entremise::config::Config;
use entremise::server::Server;

/// Addresses that are printed at most, after the one of this machine: a server may have hundreds.
const OTHER_URLS: usize = 4;

/// How much memory peers may take, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    peer: usize,
    queued: usize,
}

impl Memory {
    pub(crate) fn of(config: &Config) -> Self {
        Self { peer: config.peer_bytes(), queued: config.hub.queued_bytes }
    }
}

/// All that is printed.
pub(crate) fn text(server: &Server, memory: Memory) -> String {
    let urls = server.urls();
    let mut text = format!("entremise {}: open {}\n", env!("CARGO_PKG_VERSION"), urls[0]);
    if let Some(others) = urls.get(1..).filter(|others| !others.is_empty()) {
        let others = others[..others.len().min(OTHER_URLS)].join(" ");
        let _ = writeln!(text, "on your network: {others}");
    }
    let (peer, queued) = (memory.peer / 1024, memory.queued / 1024);
    let _ = writeln!(text, "memory: at most {peer} KiB for one peer, {queued} KiB for what peers say to each other");
    text
}
