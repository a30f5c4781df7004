//! The client against the server itself, in this process, over real sockets; and against servers of a few lines, for what the server
//! does only in a cluster.
//!
//! No test sleeps. A wait has a deadline and says what it waited for; that something does not come is proved by a fence: what is said
//! after it to oneself is the next thing heard.

#![expect(clippy::disallowed_methods, reason = "a test that ends takes its tasks with it")]

mod cutter;
mod fake;
mod peer;
mod server;

mod bot;
mod cut;
mod loss;
mod refusal;
mod revival;
mod talk;

use std::time::Duration;

/// Generous: only a failing test waits this long.
const DEADLINE: Duration = Duration::from_mins(2);

/// Waits for something that must come.
async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}
