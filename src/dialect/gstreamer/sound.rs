//! Whether any reader of JSON can read a text that one of them has passed: its strings are Unicode, its numbers fit, and it
//! is not deep. A reader that keeps a value as text looks at none of that.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep it may be: readers give up at 128, and what is passed on is in a list in a message by then.
const MAX_DEPTH: usize = 100;

pub(super) fn is_sound(json: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(json);
    Sound { depth: 0 }.deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

/// Reads a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Sound {
    depth: usize,
}

impl Sound {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom("too deep")) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Sound {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Sound {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while items.next_element_seed(deeper)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while entries.next_key::<Cow<'_, str>>()?.is_some() {
            entries.next_value_seed(deeper)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_of_json_can_read_is_sound() {
        for json in ["null", "1", "-1.5e3", r#""\ud83d\ude00""#, r#"{"a":[true,{}],"a":"é"}"#, "18446744073709551616"]
        {
            assert!(is_sound(json), "{json}");
        }
        for json in ["", "x", "1 2", "1e999", r#""\ud800""#, r#"{"\udc00":1}"#, r#"[["\ud800"]]"#] {
            assert!(!is_sound(json), "{json}");
        }
    }

    #[test]
    fn it_is_at_most_a_hundred_deep() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_sound(&nested(MAX_DEPTH)));
        assert!(!is_sound(&nested(MAX_DEPTH + 1)));
    }
}
