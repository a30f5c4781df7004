//! socket.io 4: Engine.IO 4 below, Socket.IO 5 above it, and the events of the tutorial. Pure.
//!
//! From the bottom to the top:
//!
//! 1. [`request`] says what a request is about before there is a session for it, and [`sid`] names that session.
//! 2. [`packet`] is Engine.IO's packets: one in a frame, several in the body of a poll or a post.
//! 3. [`engine`] is one Engine.IO session: polls, posts, the upgrade, the heartbeat. It knows no application.
//! 4. [`message`] is Socket.IO's packets, the body of Engine.IO's messages; [`namespace`] judges them in their order.
//! 5. [`event`] is what the tutorial says in them: offers, answers and candidates.
//!
//! Engine.IO is specified at <https://socket.io/docs/v4/engine-io-protocol/>, Socket.IO at
//! <https://socket.io/docs/v4/socket-io-protocol/>. Where they are silent, this does what engine.io 6.6.12 and socket.io
//! 4.8.4 do.

mod config;
pub mod engine;
pub mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod message;
pub mod namespace;
mod output;
pub mod packet;
mod pulse;
pub mod request;
pub mod sid;
