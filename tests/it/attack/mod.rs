//! Attacks that have succeeded once, each tried again by clients that do what no library does.

mod relay;
