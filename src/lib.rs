//! entremise, the go-between for WebRTC: one server that gives two browsers what they need to find each other.
//!
//! What a browser says comes in by a connection and goes out by another:
//!
//! 1. [`server`] binds and runs everything; [`tasks`] is who starts tasks, stops them and waits for them.
//! 2. [`accept`] tells a new connection's kind by its first byte and shakes hands with [`tls`], whose certificates [`acme`] can
//!    fetch; [`admission`] counts.
//! 3. [`http`] routes: the page's files, `/ice`, `/ws` and the paths of other servers' clients, where all checks come before the 101; [`auth`] says
//!    what a client's token allows.
//! 4. [`connection`] is the loop that owns a socket: one task per client.
//! 5. [`protocol`] is what clients can ask for and be told, and [`dialect`] how that looks on the wire.
//! 6. [`hub`] knows who is here and in which rooms, and puts each message into its addressee's mailbox; [`cluster`] knows which
//!    other nodes there are, and what is said between them.
//!
//! So that the two also reach each other, [`ice`] says which servers their browsers should use, and [`turn`] is one.
//!
//! [`trial`] is `entremise ice`, which tries both from outside; [`check`] is `entremise check`, which tries a start, and [`health`] `entremise health`,
//! which asks whether a server lives. [`metrics`] is what is counted on the way, `monitor`
//! shows it. [`net`] is addresses, [`token_bucket`] how much of something there may be in a time.
//!
//! [`cli`] and [`config`] are what the operator wants, [`error`] is what keeps the server from starting. `file` reads
//! files that may hang, [`log`] writes lines where no thread that serves waits for them, and [`signals`] say when to stop.

pub mod accept;
pub mod acme;
pub mod admission;
pub mod ice;
pub mod net;
mod parking;
pub mod token_bucket;
pub mod turn;

pub mod auth;
pub mod check;
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod config;
pub mod connection;
pub mod dialect;
pub mod error;
mod file;
pub mod health;
pub mod http;
pub mod hub;
pub mod log;
pub mod metrics;
mod monitor;
pub mod protocol;
pub mod server;
pub mod signals;
pub mod tasks;
pub mod tls;
pub mod trial;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
