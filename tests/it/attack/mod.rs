//! Attacks that have succeeded once, each tried again by clients that do what no library does.

mod port;
mod request;
mod stream;
mod tls;
mod wait;
