//! Topics: rooms whose members are told what is said there, and not who comes and goes.

use std::borrow::Cow;
use std::sync::Arc;

use super::{RoomName, footprint};

/// The topics that one frame names, in one text: a frame may name ten thousand.
#[derive(Debug, Default)]
pub struct TopicNames {
    text: String,
    /// Where each name ends.
    ends: Vec<u32>,
    /// Whether the frame named something that is no topic.
    has_others: bool,
}

/// What a client says to all that hear a topic.
#[derive(Debug)]
pub struct Publication<'a> {
    /// Which topic.
    pub topic: RoomName,
    /// JSON text.
    pub payload: Cow<'a, str>,
    /// Where in the payload the number of subscribers belongs, for clients that are told it.
    pub count_at: usize,
    /// The name by which the client makes itself known on the topic.
    pub announces: Option<Box<str>>,
}

/// What its subscribers are told. They share the payload.
#[derive(Clone, Debug)]
pub struct Published {
    /// Which topic.
    pub topic: RoomName,
    /// JSON text.
    pub payload: Arc<str>,
    /// Where in the payload the number of subscribers belongs.
    pub count_at: usize,
    /// How many there are.
    pub subscribers: usize,
}

impl TopicNames {
    /// Room for all that a list of so many bytes of JSON can name: so the list is never larger than twice its JSON.
    #[must_use]
    pub fn with_capacity(json_bytes: usize) -> Self {
        /// The shortest name, its quotes and a comma.
        const SHORTEST: usize = 4;
        let (text, ends) = (String::with_capacity(json_bytes), Vec::with_capacity(json_bytes / SHORTEST));
        Self { text, ends, has_others: false }
    }

    /// Adds a name, if it is one.
    pub fn push(&mut self, name: &str) {
        let end = u32::try_from(self.text.len() + name.len());
        match end {
            Ok(end) if RoomName::is_topic(name) => {
                self.text.push_str(name);
                self.ends.push(end);
            }
            _ => self.push_other(),
        }
    }

    /// Notes something that is no topic.
    pub fn push_other(&mut self) {
        self.has_others = true;
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Whether the frame named something that is no topic.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.has_others
    }

    /// The names, in the frame's order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start as usize..*end as usize])
    }
}

impl Published {
    /// The bytes of memory that it holds besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        footprint::shared(self.topic.as_str().len()) + footprint::shared(self.payload.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_come_back_in_their_order_and_what_is_none_is_noted() {
        let mut names = TopicNames::with_capacity(0);
        for name in ["a", "é", "a", &"x".repeat(1024)] {
            names.push(name);
        }
        assert!(!names.has_others());
        names.push("");
        names.push(&"x".repeat(1025));
        assert!(names.has_others());
        assert_eq!(names.iter().collect::<Vec<_>>(), ["a", "é", "a", &"x".repeat(1024)]);
        assert_eq!((names.len(), names.is_empty()), (4, false));
    }

    #[test]
    fn the_names_of_a_frame_take_no_more_than_twice_its_bytes() {
        for count in [0, 1, 2, 10_000] {
            let json = serde_json::to_string(&vec!["a"; count]).unwrap();
            let mut names = TopicNames::with_capacity(json.len());
            for _ in 0..count {
                names.push("a");
            }
            let bytes = names.text.capacity() + names.ends.capacity() * size_of::<u32>();
            assert!(bytes <= 2 * json.len(), "{count}: {bytes}");
        }
    }
}
