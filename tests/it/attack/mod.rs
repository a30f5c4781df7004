//! Attacks from outside, over real sockets and files, each of which has to end in an answer.

pub(crate) mod process;
