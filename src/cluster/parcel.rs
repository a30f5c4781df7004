//! What goes from node to node at once: many envelopes of one link, or a node's sign of life to all. Pure.

use crate::protocol::NodeId;

/// To whom a parcel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// All nodes.
    All,
    /// This one.
    Node(NodeId),
}

/// Bytes for other nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// For whom.
    pub to: Destination,
    /// [`FULL`] and one message, at most.
    pub bytes: Vec<u8>,
}

/// A parcel of this size takes nothing more.
pub const FULL: usize = 64 * 1024;

/// The version of all that follows.
const VERSION: u8 = 1;

/// What is first: a version, a kind and a node.
const PREFIX: usize = 2 + NodeId::BYTES;

/// … and the numbers of a link and of a parcel in it.
#[cfg(test)]
const HEAD: usize = PREFIX + 8 + 8;

/// What a node shows of its key, in bytes.
pub(super) const FINGERPRINT: usize = 8;

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// A sign of life.
    Hello { fingerprint: [u8; FINGERPRINT], name: &'a str },
    /// Envelopes.
    Linked { link: u64, number: u64, envelopes: &'a [u8] },
}

/// Why a parcel can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is of another version.
    Version(u8),
    /// It is none.
    Broken,
}

/// The beginning of a parcel of envelopes.
pub(super) fn begin(node: NodeId, link: u64, number: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend([VERSION, 1]);
    bytes.extend(node.as_bytes());
    bytes.extend(link.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes
}

/// A sign of life.
pub(super) fn hello(node: NodeId, fingerprint: [u8; FINGERPRINT], name: &str) -> Vec<u8> {
    let mut bytes = vec![VERSION, 0];
    bytes.extend(node.as_bytes());
    bytes.extend(fingerprint);
    bytes.extend(name.as_bytes());
    bytes
}

/// Who sends a parcel, and what.
pub(super) fn read(bytes: &[u8]) -> Result<(NodeId, Content<'_>), Unreadable> {
    let [version, kind, rest @ ..] = bytes else { return Err(Unreadable::Broken) };
    if *version != VERSION {
        return Err(Unreadable::Version(*version));
    }
    let node = NodeId::from_bytes(*rest.first_chunk().ok_or(Unreadable::Broken)?);
    let rest = &bytes[PREFIX..];
    content(*kind, rest).map(|content| (node, content)).ok_or(Unreadable::Broken)
}

fn content(kind: u8, rest: &[u8]) -> Option<Content<'_>> {
    match kind {
        0 => {
            let (fingerprint, name) = rest.split_first_chunk()?;
            Some(Content::Hello { fingerprint: *fingerprint, name: std::str::from_utf8(name).ok()? })
        }
        1 => {
            let (link, rest) = rest.split_first_chunk()?;
            let (number, envelopes) = rest.split_first_chunk()?;
            let [link, number] = [link, number].map(|number| u64::from_le_bytes(*number));
            Some(Content::Linked { link, number, envelopes })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let node = NodeId::random();
        let content = Content::Hello { fingerprint: [7; FINGERPRINT], name: "a" };
        assert_eq!(read(&hello(node, [7; FINGERPRINT], "a")), Ok((node, content)));
        let mut bytes = begin(node, 1, 2);
        assert_eq!(bytes.len(), HEAD);
        bytes.extend(b"xyz");
        assert_eq!(read(&bytes), Ok((node, Content::Linked { link: 1, number: 2, envelopes: b"xyz" })));
    }

    #[test]
    fn a_parcel_of_another_version_and_noise_are_told_apart() {
        let mut bytes = begin(NodeId::random(), 1, 2);
        bytes[0] = 2;
        assert_eq!(read(&bytes), Err(Unreadable::Version(2)));
        for noise in [&b""[..], &[VERSION], &[VERSION, 1, 0, 0], &[VERSION; 20], &[VERSION, 9, 0, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(read(noise), Err(Unreadable::Broken), "{noise:?}");
        }
    }
}
