//! Parting with connections in the way that lets the other side read our last words: TCP resets a connection that is closed
//! with unread bytes, and a reset overtakes what was sent before it (RFC 1122, 4.2.2.13).

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::tls::Unsent;
use crate::tasks::Tasks;

/// How long a connection that we closed may take to read what we said last.
const LINGER: Duration = Duration::from_secs(1);

/// Connections that linger at once; what is closed beyond that is cut.
const LINGERING: usize = 1024;

/// Connections that are closed and not gone. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(super) struct Lingering {
    pub(super) tasks: Tasks,
    permits: Arc<Semaphore>,
}

impl Lingering {
    pub(super) fn new(tasks: Tasks) -> Self {
        Self { tasks, permits: Arc::new(Semaphore::new(LINGERING)) }
    }

    /// `last`: what is still to be sent.
    pub(super) fn part(&self, tcp: TcpStream, last: Unsent) {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else { return cut(&tcp, &last) };
        self.tasks.spawn(async move {
            let _ = timeout(LINGER, linger(tcp, last)).await;
            drop(permit);
        });
    }
}

/// Says what the kernel takes at once, for connections that are not to linger.
pub(super) fn cut(tcp: &TcpStream, last: &Unsent) {
    let _ = tcp.try_write(last.rest());
}

/// Says its last and that nothing more comes, and reads meanwhile until the other side says so too: a side that writes may
/// not read before it is through.
async fn linger(mut tcp: TcpStream, mut last: Unsent) -> io::Result<()> {
    let (incoming, mut outgoing) = tcp.split();
    let say = async {
        poll_fn(|cx| last.poll_leave(&mut outgoing, cx)).await?;
        outgoing.shutdown().await
    };
    tokio::try_join!(say, discard(incoming)).map(|_| ())
}

async fn discard(incoming: ReadHalf<'_>) -> io::Result<()> {
    loop {
        incoming.readable().await?;
        // Not held while it waits.
        let mut discarded = [0; 1024];
        match incoming.try_read(&mut discarded) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
