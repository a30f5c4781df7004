//! JSON as dialects read and write it: one level of a text, below which all stays text.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// What JSON allows around a value.
pub(super) const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// A value, unread. `None`: it is none, or not one alone.
pub(super) fn value(json: &str) -> Option<&RawValue> {
    serde_json::from_str(json).ok()
}

/// A string's text, or a field's name: borrowed unless it has escapes.
#[derive(serde::Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The text of a string. `None`: it is no string, or one that Unicode does not have.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    // What is raw has been read before: without an escape, what is between the quotes is the text.
    let quoted = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if quoted.contains('\\') {
        return serde_json::from_str(raw.get()).ok().map(|Text(text)| text);
    }
    Some(Cow::Borrowed(quoted))
}

/// Appends a value's JSON.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("no map has a key that is not text, and a Vec takes all that is written");
}

/// Whether this is an object.
pub(super) fn is_object(raw: &RawValue) -> bool {
    raw.get().trim_start_matches(BLANK).starts_with('{')
}

/// An array: its first elements.
#[derive(Debug)]
pub(super) struct Elements<'a, const MOST: usize> {
    /// At most `MOST`, however many there are.
    pub(super) first: Vec<&'a RawValue>,
    /// How many follow them.
    pub(super) others: usize,
}

impl<'a, const MOST: usize> Elements<'a, MOST> {
    /// `None`: it is no array.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

impl<'de: 'a, 'a, const MOST: usize> Deserialize<'de> for Elements<'a, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array<const MOST: usize>;

        impl<'de, const MOST: usize> Visitor<'de> for Array<MOST> {
            type Value = Elements<'de, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut elements = Elements { first: Vec::new(), others: 0 };
                while elements.first.len() < MOST {
                    match array.next_element()? {
                        Some(element) => elements.first.push(element),
                        None => return Ok(elements),
                    }
                }
                while array.next_element::<IgnoredAny>()?.is_some() {
                    elements.others += 1;
                }
                Ok(elements)
            }
        }

        deserializer.deserialize_seq(Array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_elements_are_kept_and_the_others_are_counted() {
        let read = Elements::<2>::read(r#" [1, {"a":[]} ,"x",null]"#).unwrap();
        let first: Vec<&str> = read.first.iter().map(|raw| raw.get()).collect();
        assert_eq!((first, read.others), (vec!["1", r#"{"a":[]}"#], 2));
        assert_eq!(Elements::<2>::read("[]").unwrap().first.len(), 0);
    }

    #[test]
    fn a_string_has_the_text_that_serde_reads_of_it() {
        let strings = [r#""""#, r#""candidate""#, r#""\"""#, r#""a\\""#, r#""\u00e9""#, r#""é""#, r#""\ud83d""#];
        for json in strings.into_iter().chain(["1", "null", r#"["x"]"#, r#"{"a":"b"}"#]) {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(text(raw).as_deref(), serde_json::from_str::<String>(json).ok().as_deref(), "{json}");
        }
    }

    #[test]
    fn what_is_no_array_is_none() {
        for json in ["", "{}", "null", "[", "[1,]", "[1] 2", "\"[]\""] {
            assert!(Elements::<2>::read(json).is_none(), "{json}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("[{}{}]", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Elements::<2>::read(&deep).unwrap().first.len(), 1);
    }
}
