//! Bytes that are ready to leave and have not: what the kernel would not take. Holds no memory while there is nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;

/// Encrypted bytes that have not left. What a client can make of them without reading is an answer to a handshake's
/// message: what it is told is put here only when there is hardly anything.
#[derive(Debug, Default)]
pub(in crate::accept) struct Unsent {
    bytes: Vec<u8>,
    /// How many of them have left.
    written: usize,
}

impl Unsent {
    pub(in crate::accept) fn rest(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    /// Room for so many bytes behind all others.
    pub(super) fn more(&mut self, count: usize) -> &mut [u8] {
        let from = self.bytes.len();
        self.bytes.resize(from + count, 0);
        &mut self.bytes[from..]
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.written);
        self.written = 0;
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Sends all of it and these bytes, and keeps what the kernel would not take.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        if self.rest().is_empty() {
            // Straight from where they are: most leave at once.
            let written = match Pin::new(io).poll_write(cx, bytes) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            self.keep(&bytes[written..]);
            return Ok(());
        }
        self.keep(bytes);
        match self.poll_leave(io, cx) {
            Poll::Ready(left) => left,
            Poll::Pending => Ok(()),
        }
    }

    /// Ready once all of it has left.
    pub(in crate::accept) fn poll_leave(
        &mut self,
        io: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.written < self.bytes.len() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, self.rest()))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        *self = Self::default();
        Poll::Ready(Ok(()))
    }

    /// How much memory it holds.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
