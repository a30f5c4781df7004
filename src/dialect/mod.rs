//! How the vocabulary of signaling looks on the wire of clients that exist already. Pure: no socket, no task, no clock.

pub mod socketio;
