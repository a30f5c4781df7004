//! A network between a client and the server, which fails where it is told to.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// After how many bytes a connection is cut, in one of the two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// From the client to the server.
    Up(usize),
    /// From the server to the client.
    Down(usize),
}

/// What becomes of connections on which no cut is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Forward,
    /// All are cut, and new ones at once.
    Down,
    /// No byte gets through any more on those that there are, and neither side gets an error.
    Silent,
}

/// Forwards the bytes of both sides. Each new connection takes the next cut; when there is none left, they last.
pub(crate) struct Cutter {
    pub(crate) address: SocketAddr,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    mode: watch::Sender<Mode>,
    tasks: JoinSet<()>,
}

impl Cutter {
    pub(crate) async fn before(server: SocketAddr, cuts: impl IntoIterator<Item = Cut>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cuts = Arc::new(Mutex::new(cuts.into_iter().collect()));
        let (mode, modes) = watch::channel(Mode::Forward);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, server, Arc::clone(&cuts), modes));
        Self { address, cuts, mode, tasks }
    }

    /// How many connections will still be cut.
    pub(crate) fn left(&self) -> usize {
        self.cuts.lock().expect("no panic while it is held").len()
    }

    /// Cuts all connections, and each new one, until it is up again.
    pub(crate) fn down(&self) {
        self.mode.send_replace(Mode::Down);
    }

    pub(crate) fn up(&self) {
        self.mode.send_replace(Mode::Forward);
    }

    /// Swallows all that the present connections carry; new ones work.
    pub(crate) fn silence(&self) {
        self.mode.send_replace(Mode::Silent);
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    cuts: Arc<Mutex<VecDeque<Cut>>>,
    modes: watch::Receiver<Mode>,
) {
    let mut links = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        if *modes.borrow() == Mode::Down {
            continue;
        }
        // While the server restarts there may be none.
        let Ok(server) = TcpStream::connect(server).await else { continue };
        let cut = cuts.lock().expect("no panic while it is held").pop_front();
        links.spawn(link(client, server, cut, modes.clone()));
    }
}

/// Until it is cut, by either side or by the mode.
async fn link(client: TcpStream, server: TcpStream, cut: Option<Cut>, mut modes: watch::Receiver<Mode>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    // A link that begins while others are silent works.
    modes.mark_unchanged();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (up, down) = match cut {
        Some(Cut::Up(bytes)) => (bytes, usize::MAX),
        Some(Cut::Down(bytes)) => (usize::MAX, bytes),
        None => (usize::MAX, usize::MAX),
    };
    let mut up = std::pin::pin!(forward(from_client, to_server, up));
    let mut down = std::pin::pin!(forward(from_server, to_client, down));
    tokio::select! {
        _ = &mut up => {}
        _ = &mut down => {}
        Ok(()) = modes.changed() => {
            if *modes.borrow_and_update() == Mode::Silent {
                // The sockets stay open, with the two that read from them.
                modes.wait_for(|mode| *mode == Mode::Down).await.ok();
            }
        }
    }
}

/// So many bytes at most.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut bytes: usize) -> io::Result<()> {
    let mut buffer = [0; 4096];
    while bytes > 0 {
        let limit = buffer.len().min(bytes);
        let count = from.read(&mut buffer[..limit]).await?;
        if count == 0 {
            break;
        }
        to.write_all(&buffer[..count]).await?;
        bytes -= count;
    }
    Ok(())
}
