//! What another peer said.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// What another peer said: JSON text, byte for byte as it was sent.
///
/// Text and not `serde_json::Value`, because the server does not look into it either: numbers keep all their digits and
/// objects their order, nothing is parsed that is only passed on, and the application reads it into a type of its own. A `Payload` can
/// be sent as it is: it serializes to the same text.
#[derive(Clone)]
pub struct Payload(Box<RawValue>);

impl Payload {
    pub(crate) fn new(text: &RawValue) -> Self {
        Self(text.to_owned())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// Reads it into a type of the application's.
    ///
    /// ```
    /// # fn read(payload: &entremise_client::Payload) -> Result<(), serde_json::Error> {
    /// #[derive(serde::Deserialize)]
    /// struct Move {
    ///     from: String,
    ///     to: String,
    /// }
    /// let Move { from, to } = payload.read()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If it is JSON of another shape: the other peer may send what it likes.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.0.get())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.get())
    }
}

impl PartialEq for Payload {
    /// Compares the text: `1.0` is not `1`.
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
