//! A server in this process, with a port, a certificate and threads of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use clap::Parser as _;
use entremise::cli::Cli;
use entremise::config::Config;
use entremise::tasks::Drained;
use entremise_client::{Builder, Client};
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::peer::Peer;

/// No rates, so that no burst is refused.
pub(crate) const WIDE: [&str; 3] = ["--messages-per-second=0", "--bytes-per-second=0", "--connections-per-second=0"];

/// A server that runs until it is dropped, and then has to have drained cleanly.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Its certificate, self-signed as the one for development is. None: it speaks no TLS.
    pub(crate) root: Option<String>,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Drained>>,
}

impl Server {
    /// With these flags besides a free port and a certificate of its own.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let key = KeyPair::generate().expect("the system has randomness");
        let names = ["localhost", "127.0.0.1"].map(String::from);
        let certificate = CertificateParams::new(names).expect("names").self_signed(&key).expect("valid parameters");
        std::fs::write(folder.path().join("cert.pem"), certificate.pem()).expect("writable");
        std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("writable");
        Self::run("127.0.0.1:0", folder, Some(certificate.pem()), flags)
    }

    /// Without TLS, so that a proxy's bytes are those of the WebSocket.
    pub(crate) fn start_plain(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        Self::run("127.0.0.1:0", folder, None, flags)
    }

    /// Stops it, and starts another one at the same address, which knows nothing of its sessions.
    pub(crate) fn restarted(mut self, flags: &[&str]) -> Self {
        self.stop();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().expect("a folder can be made"));
        Self::run(&self.address.to_string(), folder, self.root.clone(), flags)
    }

    fn run(listen: &str, folder: TempDir, root: Option<String>, flags: &[&str]) -> Self {
        let file = |name: &str| -> PathBuf { folder.path().join(name) };
        let own = match &root {
            Some(_) => {
                vec![format!("--cert={}", file("cert.pem").display()), format!("--key={}", file("key.pem").display())]
            }
            None => vec!["--plain-http".to_owned()],
        };
        let listen = format!("--listen={listen}");
        let flags =
            ["entremise", &listen].into_iter().chain(own.iter().map(String::as_str)).chain(flags.iter().copied());
        let cli = Cli::try_parse_from(flags).expect("the flags are right");
        let mut config = Config::from_cli(&cli).expect("the settings fit each other");
        // The usual port of STUN is not for tests, of which many run at once.
        config.ice.stun_port = None;
        let (bound, binding) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
            runtime.expect("threads").block_on(async {
                let server = entremise::server::Server::bind(config).expect("the server starts");
                bound.send(server.address()).expect("the test waits");
                server.run(async { drop(stopped.await) }).await.expect("the listener works")
            })
        };
        let thread = Some(thread::spawn(run));
        let address = binding.recv().expect("the server starts");
        Self { address, root, folder, stop: Some(stop), thread }
    }

    /// Of a client that reaches it at this address, which may be a proxy's.
    pub(crate) fn builder_at(&self, address: SocketAddr) -> Builder {
        let scheme = if self.root.is_some() { "wss" } else { "ws" };
        let builder = Client::builder(&format!("{scheme}://{address}/ws"));
        match &self.root {
            Some(root) => builder.root_certificates(root),
            None => builder,
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        self.builder_at(self.address)
    }

    /// A new peer, welcomed.
    pub(crate) async fn peer(&self) -> Peer {
        Peer::welcomed(self.builder()).await
    }

    fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let drained = thread.join();
            if !thread::panicking() {
                assert_eq!(drained.expect("the server did not panic"), Drained::Clean, "the drain");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
