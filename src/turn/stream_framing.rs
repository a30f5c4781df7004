//! Where a message ends in a stream (RFC 8656, 3.1 and 12.5): STUN says its length, ChannelData is padded to four bytes.
//! Pure.

/// The front of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Too little to tell: at least this many bytes in all.
    Partial(usize),
    /// A message of `length` bytes, after which `padding` bytes mean nothing.
    Message { length: usize, padding: usize },
    /// Neither STUN nor ChannelData: the stream can't be followed any further.
    Broken,
}

/// The longest message: what its own length can say, its header, and padding.
pub(super) const MAX_BYTES: usize = 65535 + 20 + 3;

/// The longest message of a client without an allocation. A STUN request that carries no data for a peer has at most a user
/// name (509 bytes), our realm and nonce, a SOFTWARE (763 bytes) and some short attributes.
pub(super) const MAX_STRANGERS_BYTES: usize = 2048;

/// Looks at what a stream has brought so far.
pub(super) fn front(bytes: &[u8]) -> Front {
    let Some(header) = bytes.first_chunk::<4>() else {
        return if bytes.first().is_some_and(|first| first >> 6 > 1) { Front::Broken } else { Front::Partial(4) };
    };
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let (length, padding) = match header[0] >> 6 {
        0 if length % 4 == 0 => (20 + length, 0),
        1 => (4 + length, (4 - length % 4) % 4),
        _ => return Front::Broken,
    };
    if bytes.len() < length + padding { Front::Partial(length + padding) } else { Front::Message { length, padding } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_at_its_last_byte_and_not_before() {
        let mut stun = vec![0, 1, 0, 8];
        stun.resize(28, 0);
        let mut channel = vec![0x40, 0, 0, 5];
        channel.resize(12, 0);
        for (bytes, length, padding) in [(stun, 28, 0), (channel, 9, 3)] {
            for cut in 0..bytes.len() {
                assert!(matches!(front(&bytes[..cut]), Front::Partial(needed) if needed > cut), "{cut}");
            }
            assert_eq!(front(&bytes), Front::Message { length, padding });
        }
    }

    #[test]
    fn what_is_neither_is_broken_at_its_first_byte() {
        for first in [0x80, 0xc0, 0xff] {
            assert_eq!(front(&[first]), Front::Broken);
            assert_eq!(front(&[first, 0, 0, 0]), Front::Broken);
        }
        assert_eq!(front(&[0, 1, 0, 3]), Front::Broken, "a STUN message's length is a multiple of four");
    }

    #[test]
    fn no_message_is_longer_than_the_bound() {
        for first in [0x00, 0x40] {
            if let Front::Partial(needed) = front(&[first, 0, 0xff, 0xfc]) {
                assert!(needed <= MAX_BYTES);
            }
        }
        assert_eq!(front(&[0x40, 0, 0xff, 0xff]), Front::Partial(65540));
    }
}
