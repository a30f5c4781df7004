//! The relays that are compared: entremise's, and coturn's, each on one core.

use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use entremise::ice::credential::{Credential, TurnSecret};
use tokio_rustls::TlsConnector;

use crate::affinity::Core;
use crate::pair::Pair;
use crate::server::{cpu_of, free_port, resident_kib_of};

const SECRET: &str = "the north wind and the sun";

/// Of credentials: in 2033, which fits into the 32 bits that coturn has for it.
const EXPIRY: u64 = 2_000_000_000;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// Far above the load: it sends as much as hundreds would, from one address. Each limit is on.
const FLAGS: [&str; 9] = [
    "--turn",
    "--turn-allow-peer=127.0.0.0/8",
    "--turn-allocations=10000",
    "--turn-allocations-per-user=10000",
    "--turn-allocations-per-address=10000",
    "--turn-bytes-per-second=1000000000",
    "--turn-refusals-per-second=100000",
    "--drain-timeout=0.1",
    "--log=error",
];

/// Which program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    Entremise,
    Coturn,
}

/// A relay that runs. It is stopped when it is dropped.
pub(super) struct Relay {
    process: Child,
    pub(super) udp: SocketAddr,
    /// Where it serves TURN over TLS.
    pub(super) stream: SocketAddr,
    pub(super) connector: TlsConnector,
    _folder: tempfile::TempDir,
}

impl Relay {
    /// Starts it on this core. `coturn`: the folder in which it is unpacked.
    pub(super) fn start(program: Program, coturn: &Path, pair: &Pair, core: Core) -> Self {
        let stream = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let udp =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr()).expect("a free port");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).expect("the folder is writable");
        let mut command = match program {
            Program::Entremise => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_entremise"));
                command.arg(format!("--listen={stream}")).arg(format!("--stun-port={}", udp.port())).args(FLAGS);
                command.arg("--cert").arg(&pair.cert).arg("--key").arg(&pair.key);
                command.arg("--turn-secret-file").arg(&secret);
                command
            }
            Program::Coturn => {
                let mut command = Command::new(coturn.join("usr/bin/turnserver"));
                command.env("LD_LIBRARY_PATH", libraries(coturn)).current_dir(folder.path());
                command.args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--allow-loopback-peers"]);
                command.args(["--use-auth-secret", "--realm=example.org", "--no-dtls", "--no-cli", "-n"]);
                command.args(["--log-file=stdout", "--pidfile=pid", "--userdb=db"]);
                command.arg(format!("--listening-port={}", udp.port()));
                command.arg(format!("--tls-listening-port={}", stream.port()));
                command.arg(format!("--static-auth-secret={SECRET}"));
                command.arg("--cert").arg(&pair.cert).arg("--pkey").arg(&pair.key);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = core.run(|| command.spawn()).expect("the program is there");
        // Built before the wait, so that the process is stopped if it never answers.
        let relay = Self { process, udp, stream, connector: pair.connector_of_tls_1_2(), _folder: folder };
        let deadline = Instant::now() + START;
        while TcpStream::connect(stream).is_err() {
            assert!(Instant::now() < deadline, "it listens within {START:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        relay
    }

    /// The CPU time that it has used.
    pub(super) fn cpu(&self) -> Duration {
        cpu_of(self.process.id())
    }

    /// Its resident memory, in KiB.
    pub(super) fn resident_kib(&self) -> u32 {
        resident_kib_of(self.process.id())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a client shows: a name and its password.
pub(super) fn credential() -> Credential {
    Credential::mint(&TurnSecret::new(SECRET.as_bytes()), "alice", EXPIRY)
}

/// Where the unpacked program's libraries are.
fn libraries(coturn: &Path) -> String {
    let folder = coturn.join("usr/lib");
    let of_machine = std::fs::read_dir(&folder).expect("coturn is unpacked").flatten().map(|entry| entry.path());
    of_machine.map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}
