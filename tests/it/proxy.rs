//! A network between a client and the server, which can fail.

use std::net::Ipv4Addr;
use std::ops::Deref;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::server::Site;
use crate::{DEADLINE, within};

/// Forwards the bytes of both sides until `fail` is called. Its connections end when it is dropped.
pub(crate) struct Proxy {
    site: Site,
    state: watch::Sender<State>,
    tasks: JoinSet<()>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Works,
    Silent,
    Reset,
}

/// How a connection fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// Both sides get an RST.
    Reset,
    /// No byte gets through any more, and neither side gets an error.
    Silence,
}

impl Proxy {
    /// Starts one in front of this server.
    pub(crate) async fn before(site: &Site) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, states) = watch::channel(State::Works);
        let mut tasks = JoinSet::new();
        let server = site.address;
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.expect("the server listens");
                links.spawn(link(client, server, states.clone()));
            }
        });
        Self { site: Site { address, ..site.clone() }, state, tasks }
    }

    /// Makes all connections fail, the later ones too.
    pub(crate) fn fail(&self, failure: Failure) {
        let state = match failure {
            Failure::Reset => State::Reset,
            Failure::Silence => State::Silent,
        };
        self.state.send_replace(state);
    }
}

impl Deref for Proxy {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.tasks.abort_all();
    }
}

async fn link(mut client: TcpStream, mut server: TcpStream, mut states: watch::Receiver<State>) {
    for stream in [&client, &server] {
        stream.set_nodelay(true).expect("a socket");
    }
    tokio::select! {
        _ = states.wait_for(|state| *state != State::Works) => {}
        _ = copy_bidirectional(&mut client, &mut server) => return,
    }
    // Silence lasts until the test ends, or until a reset.
    let reset = states.wait_for(|state| *state == State::Reset);
    if matches!(tokio::time::timeout(2 * DEADLINE, reset).await, Ok(Ok(_))) {
        for stream in [client, server] {
            stream.set_zero_linger().expect("a socket");
        }
    }
}

#[tokio::test]
async fn a_silent_link_forwards_nothing_and_a_reset_one_is_an_error() {
    let server = crate::server::Server::start(&[]);
    let proxy = Proxy::before(&server).await;
    let mut raw = proxy.raw().await;
    proxy.fail(Failure::Reset);
    let read = tokio::io::AsyncReadExt::read_u8(&mut raw.stream);
    let error = within("the reset", read).await.expect_err("it was reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}
