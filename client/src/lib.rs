//! A client of [entremise](https://docs.rs/entremise), the signaling server for WebRTC: for bots, servers and tests.
//!
//! ```no_run
//! use entremise_client::{Client, Event};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut events) = Client::builder("wss://localhost:8443/ws").connect()?;
//! println!("I am {}", client.ready().await?);
//! client.join("lobby").await?;
//! while let Some(event) = events.next().await {
//!     if let Event::Message { from, message, .. } = event {
//!         client.message(&from, &message).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What holds:
//!
//! - A lost connection is followed by another, which takes the session up: the id stays, messages go on where they were cut, none is lost or
//!   comes twice, and what is asked is answered. What is said meanwhile goes out then. Attempts have full jitter.
//! - Only if the server has given the session up is there a new [`Event::Welcome`], with a new id: what was unanswered fails with
//!   [`Error::ConnectionLost`], and rooms have to be joined again. Where it is the node of a cluster that is gone, the new session has the
//!   same id, and the client enters its rooms again by itself ([`Event::Rejoined`]).
//! - All queues are bounded, and one task owns the connection. The secret that takes a session up is in it alone: a program that is
//!   started anew is a new peer.
//!
//! The protocol is [one page](https://docs.rs/crate/entremise/latest/source/docs/protocol.md). What is pure, and takes the time as an
//! argument: `session` counts frames, `requests` waits for answers, `conversation` is both over many connections; `backoff`, `cause`,
//! `protocol`, `server_url` and `subprotocol` are what their names say. `opening` and `connection` have a socket; `driver` is the task.

mod backoff;
mod builder;
mod cause;
#[cfg(test)]
mod chance;
mod client;
mod connection;
mod conversation;
mod driver;
mod error;
mod event;
mod opening;
mod outbox;
mod payload;
mod peer_id;
mod protocol;
mod requests;
mod server_url;
mod session;
mod subprotocol;
mod trust;

pub use builder::Builder;
pub use cause::Cause;
pub use client::{Ack, Client};
pub use error::{Error, ErrorCode, Refusal, SetupError};
pub use event::{Event, Events, Rate, State, Welcome};
pub use payload::Payload;
pub use peer_id::PeerId;
pub use protocol::IceServer;
