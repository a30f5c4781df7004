//! Tokens, as strangers make them up, and as an application may sign them. No part of the server.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use super::{Grant, Key, Secret, Verifier};

const SECRET: &[u8] = b"a secret of thirty-two bytes ...";
const NOW: u64 = 1_795_000_000;

/// Takes the bytes for a token, and for the claims of one that is signed; asserts that the former allows nothing, and
/// the latter what it says.
///
/// # Panics
///
/// Where it does not.
pub fn play_token(data: &[u8]) {
    let secret = Secret::new(SECRET).expect("32 bytes");
    let verifier = Verifier::new(Key::shared(&secret), Some("calls".to_owned()), None);
    if let Ok(token) = std::str::from_utf8(data) {
        assert!(verifier.verify(token, NOW).is_err(), "it is not signed");
    }
    let text = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256"}"#), BASE64.encode(data));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    if let Ok(grant) = verifier.verify(&format!("{text}.{}", BASE64.encode(tag)), NOW) {
        assert_said(&grant, data);
    }
}

fn assert_said(grant: &Grant, claims: &[u8]) {
    assert!(grant.expires > NOW && !grant.subject.is_empty());
    // What has no place in a `Value`, such as 1e999, may stand in a claim that says nothing to us.
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else { return };
    assert_eq!(claims["sub"], *grant.subject);
    let for_us = |audience: &Value| audience == "calls";
    assert!(for_us(&claims["aud"]) || claims["aud"].as_array().is_some_and(|list| list.iter().any(for_us)));
    assert!(claims["exp"].as_f64().expect("a date") > 1_795_000_000.0);
    match (&grant.rooms, claims.get("rooms")) {
        (None, None) => {}
        (Some(rooms), Some(Value::Array(named))) => {
            assert!(rooms.iter().all(|room| named.iter().any(|name| name == room.as_str())));
            assert!(
                named
                    .iter()
                    .all(|name| name.as_str().is_some_and(|name| rooms.iter().any(|room| room.as_str() == name)))
            );
        }
        other => panic!("{other:?}"),
    }
}
