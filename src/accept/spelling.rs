//! The 101, on its way out.
//!
//! The names of its headers are as RFC 6455 writes them. Case means nothing in HTTP, but there are small clients that look
//! for the bytes `Sec-WebSocket-Accept`, and the HTTP library can write its own spellings only.
//!
//! Over TLS it leaves with what the WebSocket begins with: a write of its own is a twentieth of what a connection costs.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// What the answer begins with, and what it ends with, since it has no body. Nothing else that the HTTP library writes in one go
/// does both, but for a file of the operator's that looks like it.
const SWITCHING: &[u8] = b"HTTP/1.1 101 ";
const END: &[u8] = b"\r\n\r\n";

const NAMES: [&str; 4] = ["Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol"];

/// A connection on which HTTP is spoken, until there is a WebSocket on it.
#[derive(Debug)]
pub(crate) struct HttpStream {
    stream: Stream,
    /// What the kernel has not taken of a 101, as it is to be written. The library has the same bytes to write next, spelled
    /// in its way.
    rest: Vec<u8>,
    /// Whether a 101 waits for what is written next.
    is_held: bool,
}

impl HttpStream {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, rest: Vec::new(), is_held: false }
    }

    /// The connection, from which the 101 may have to be flushed still.
    pub(crate) fn into_inner(self) -> Stream {
        self.stream
    }
}

/// The same head, with the names that matter as they are to be.
fn spelled(head: &[u8]) -> Vec<u8> {
    let mut spelled = head.to_vec();
    let mut from = 0;
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let is_name = |name: &&str| {
            let (said, behind) = line.split_at(name.len().min(line.len()));
            said.eq_ignore_ascii_case(name.as_bytes()) && behind.first() == Some(&b':')
        };
        if let Some(name) = NAMES.iter().find(|name| is_name(name)) {
            spelled[from..from + name.len()].copy_from_slice(name.as_bytes());
        }
        from += line.len();
    }
    spelled
}

impl AsyncWrite for HttpStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, rest, is_held } = &mut *self;
        if rest.is_empty() && buf.starts_with(SWITCHING) && buf.ends_with(END) {
            let head = spelled(buf);
            if stream.put(&head)? {
                *is_held = true;
                return Poll::Ready(Ok(buf.len()));
            }
            *rest = head;
        }
        *is_held = false;
        if rest.is_empty() {
            return Pin::new(stream).poll_write(cx, buf);
        }
        let written = ready!(Pin::new(stream).poll_write(cx, rest))?;
        rest.drain(..written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_held { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl AsyncRead for HttpStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::tasks::Tasks;

    const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: upgrade: sec-websocket-accept\r\n\
        upgrades: 1\r\nx-connection: 1\r\n\r\n";
    const SPELLED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: upgrade: sec-websocket-accept\r\n\
        upgrades: 1\r\nx-connection: 1\r\n\r\n";

    #[test]
    fn names_are_spelled_as_the_rfc_does_and_nothing_else_is_touched() {
        assert_eq!(spelled(HEAD).escape_ascii().to_string(), SPELLED.escape_ascii().to_string());
        for cut in 0..HEAD.len() {
            assert_eq!(spelled(&HEAD[..cut]).len(), cut, "no byte more or less");
        }
    }

    #[tokio::test]
    async fn an_answer_that_the_kernel_takes_in_pieces_is_spelled_all_the_same() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (client, server) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async { listener.accept().await });
        let (mut client, server) = (client.unwrap(), server.unwrap().0);
        let mut http = HttpStream::new(Stream::plain(server, Tasks::new()));
        // As if it had taken the first bytes.
        http.rest = SPELLED[50..].to_vec();
        let mut written = 50;
        while written < HEAD.len() {
            written += poll_fn(|cx| Pin::new(&mut http).poll_write(cx, &HEAD[written..])).await.unwrap();
        }
        assert_eq!(http.rest.len(), 0);
        assert_eq!(poll_fn(|cx| Pin::new(&mut http).poll_write(cx, b"HTTP/1.1 200")).await.unwrap(), 12);
        drop(http);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [&SPELLED[50..], b"HTTP/1.1 200"].concat());
    }
}
