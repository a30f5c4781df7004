//! Attacks that have succeeded once, each tried again by clients that do what no library does.

mod acknowledgement;
pub(crate) mod memory;
mod parked;
mod port;
pub(crate) mod process;
mod relay;
mod request;
mod resume;
mod room;
mod stream;
mod tls;
mod wait;
