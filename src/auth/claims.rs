//! What a token says.

use std::collections::HashSet;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Grant, Secret};
use crate::protocol::RoomName;

/// The claims of a token. Others that it has say nothing to us.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Claims {
    /// Whom it is about; a resumed session has to be the same one's.
    #[serde(rename = "sub")]
    pub subject: String,
    /// When it expires, in seconds since 1970.
    #[serde(rename = "exp", deserialize_with = "date")]
    pub expires: u64,
    /// From when on it is valid, in seconds since 1970.
    #[serde(rename = "nbf", default, deserialize_with = "some_date", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// The rooms that it opens. None: all.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Vec<String>>,
    /// For whom it is.
    #[serde(rename = "aud", default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub audience: Option<Audience>,
    /// Who has signed it.
    #[serde(rename = "iss", default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// One, or a list (RFC 7519, 4.1.3).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl From<&str> for Audience {
    fn from(name: &str) -> Self {
        Self::One(name.to_owned())
    }
}

impl Claims {
    /// That this subject may enter all rooms, until a time in seconds since 1970.
    #[must_use]
    pub fn new(subject: &str, expires: u64) -> Self {
        let subject = subject.to_owned();
        Self { subject, expires, not_before: None, rooms: None, audience: None, issuer: None }
    }

    /// The token that says this, signed (HS256).
    ///
    /// # Panics
    ///
    /// Never: claims are JSON, and any bytes are an HMAC's key.
    #[must_use]
    pub fn mint(&self, secret: &Secret) -> String {
        let key = EncodingKey::from_secret(secret.bytes());
        encode(&Header::new(Algorithm::HS256), self, &key).expect("claims are JSON, and any bytes are an HMAC's key")
    }

    /// Whether it is for a server that is called this, or has no name.
    pub(super) fn is_for(&self, name: Option<&str>) -> bool {
        match (&self.audience, name) {
            (None, None) => true,
            (Some(Audience::One(one)), Some(name)) => one == name,
            (Some(Audience::Many(many)), Some(name)) => many.iter().any(|one| one == name),
            _ => false,
        }
    }

    /// What it allows; `None` where it has no subject, or names what can't be a room.
    pub(super) fn grant(self) -> Option<Grant> {
        let names = |rooms: Vec<String>| rooms.iter().map(|name| RoomName::new(name)).collect::<Option<HashSet<_>>>();
        let rooms = match self.rooms {
            Some(rooms) => Some(Arc::new(names(rooms)?)),
            None => None,
        };
        (!self.subject.is_empty()).then(|| Grant { subject: self.subject.into(), rooms, expires: self.expires })
    }
}

/// Seconds, fractions allowed (RFC 7519, 2: NumericDate).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 0 is long ago, too large is never")]
fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    f64::deserialize(deserializer).map(|seconds| seconds as u64)
}

fn some_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    date(deserializer).map(Some)
}

/// A claim that is there has a value: `null` is not the same as leaving out what limits a token.
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
