//! Behaviour, seen from outside: real sockets and real TLS, against a server in this process or the built program.
//!
//! No test sleeps. A wait has a deadline and says what it waited for; that something does not come is proved by a
//! fence: what is sent after it and must come back is the next thing received.
//!
//! [`server`], [`program`], [`client`], [`raw`], [`turn_client`], [`http`], [`pair`] and [`proxy`] are what the tests stand on; every other module
//! is the tests of one subject.

mod client;
mod guest;
mod house;
mod http;
mod pair;
mod program;
mod proxy;
mod raw;
mod server;
mod turn_client;

mod accept;
mod acme;
mod admission;
mod attack;
mod balanced;
mod clock;
mod close;
mod cluster;
mod command;
mod credentials;
mod deploy;
mod dialect;
mod document;
mod drain;
mod english;
mod error;
mod folder;
mod forwarded;
mod gstreamer;
mod handshake;
mod heartbeat;
mod interface;
mod limit;
mod matchbox;
mod memory;
mod monitor;
mod nats;
mod nginx;
mod page;
mod park;
mod peerjs;
mod process;
mod proxy_protocol;
mod reader;
mod relay;
mod reload;
mod removed;
mod resume;
mod room;
mod socket_io;
mod status;
mod tls;
mod topics;
mod trial;
mod turn;
mod turn_attack;
mod websocket;
mod welcome;

use std::time::Duration;

/// Generous: many tests share two slow cores, and only a failing test waits this long.
const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for something that must come.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
