//! What has come over a connection and nothing has taken yet. Holds no memory while there is nothing.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// What is read at once: one TLS record's worth.
const READ_BYTES: usize = 16 * 1024;

thread_local! {
    /// Where the connections of this thread read into, one after the other.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);

    /// What a connection of this thread keeps its bytes in, while none has any. No larger than what one may have.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Unread {
    bytes: Vec<u8>,
    /// How many of them have been taken.
    taken: usize,
}

impl Unread {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.taken += count;
        if self.taken == self.bytes.len() {
            let Self { mut bytes, .. } = std::mem::take(self);
            if bytes.capacity() <= READ_BYTES {
                bytes.clear();
                SPARE.set(bytes);
            }
        }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        if self.bytes.capacity() == 0 {
            self.bytes = SPARE.take();
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Puts bytes in front of all others.
    pub(super) fn put_back(&mut self, bytes: &[u8]) {
        self.bytes.splice(..self.taken, bytes.iter().copied());
        self.taken = 0;
    }

    /// Reads some bytes, or none at the end.
    pub(super) fn poll_bring(&mut self, cx: &mut Context<'_>, io: Pin<&mut impl AsyncRead>) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut read = ReadBuf::new(scratch);
            ready!(io.poll_read(cx, &mut read))?;
            self.append(read.filled());
            Poll::Ready(Ok(()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_back_comes_before_all_others() {
        let mut unread = Unread::default();
        unread.append(b"xyz");
        unread.consume(1);
        unread.put_back(b"abc");
        assert_eq!(unread.bytes(), b"abcyz");
        unread.consume(5);
        unread.put_back(b"again");
        assert_eq!(unread.bytes(), b"again");
    }

    #[test]
    fn nothing_is_held_once_all_is_taken() {
        let mut unread = Unread::default();
        unread.append(&[0; 1000]);
        unread.consume(999);
        unread.consume(1);
        assert_eq!(unread.bytes.capacity(), 0);
    }
}
