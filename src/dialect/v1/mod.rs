//! The wire contract of docs/protocol.md: one JSON text frame for each message.

mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod server;

pub use client::decode;
pub use server::{greet, write};
