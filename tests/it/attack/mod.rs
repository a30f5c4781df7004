//! Attacks that have succeeded once, each tried again by clients that do what no library does.

mod acknowledgement;
mod memory;
pub(crate) mod process;
mod resume;
mod room;
