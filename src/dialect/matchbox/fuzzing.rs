//! The decoder against a second reading of the same frame. No part of the server.

use serde_json::Value;

use super::read;
use crate::dialect::Heard;
use crate::protocol::{ClientMessage, Kind};

/// Reads a frame, and asserts that what comes out is what the frame says.
///
/// # Panics
///
/// Where it isn't.
pub fn play_matchbox(data: &[u8]) {
    let Ok(frame) = std::str::from_utf8(data) else { return };
    let value: Option<Value> = serde_json::from_str(frame).ok();
    match read(frame) {
        Heard::Request(Ok(request)) => {
            assert!(request.reference.is_none(), "{frame}");
            let ClientMessage::Relay { kind: Kind::Message, to, payload: Some(payload) } = request.message else {
                panic!("not a signal: {frame}");
            };
            let signal = &value.expect("what is read is JSON")["Signal"];
            let payload: Value = serde_json::from_str(payload).expect("a payload is JSON");
            // In an array, the fields stand in their order.
            let [receiver, data] = match signal {
                Value::Array(fields) => [&fields[0], &fields[1]],
                signal => [&signal["receiver"], &signal["data"]],
            };
            assert_eq!((Some(&*to), &payload), (receiver.as_str(), data), "{frame}");
        }
        Heard::Request(Err(_)) => assert_ne!(value, Some(Value::from("KeepAlive")), "{frame}"),
        Heard::Nothing => {
            let said = value.expect("what is read is JSON");
            assert!(said == "KeepAlive" || said.get("KeepAlive").is_some_and(Value::is_null), "{frame}");
        }
        Heard::Over(end) => panic!("{end:?}: {frame}"),
    }
}
