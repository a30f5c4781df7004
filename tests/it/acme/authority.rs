//! A real authority for tests, pebble, with the names that it finds; and a front before it that has what it lacks.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::http::read_head;
use crate::pair::Pair;
use crate::program::free_port;
use crate::server::Site;
use crate::within;

/// The key of an account that it knows from elsewhere.
pub(super) const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// Where Debian's package is unpacked.
fn tool(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let path = target.join("pebble/usr/bin").join(name);
    assert!(path.exists(), "{} is missing: make test-acme", path.display());
    path
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an authority is to be like.
pub(super) struct Wish {
    /// Where it looks for proofs in TLS's handshake.
    pub(super) tls_port: u16,
    /// … and over HTTP.
    pub(super) http_port: u16,
    /// Where all names lead.
    pub(super) address: &'static str,
    /// For how many seconds its certificates are good.
    pub(super) validity: Option<u64>,
    /// Whether it has to know its users from elsewhere.
    pub(super) knows_users: bool,
}

impl Wish {
    /// One that looks for proofs at this port.
    pub(super) fn at(tls_port: u16) -> Self {
        Self { tls_port, http_port: 1, address: "127.0.0.1", validity: None, knows_users: false }
    }
}

/// An authority with its names, until it is dropped.
pub(super) struct Pebble {
    api: SocketAddr,
    management: SocketAddr,
    pair: Pair,
    processes: Vec<Process>,
}

impl Pebble {
    pub(super) async fn start(wish: Wish) -> Self {
        Self::start_at(free_port(), Pair::new(), wish).await
    }

    /// On this port, with this certificate of its own.
    pub(super) async fn start_at(port: u16, pair: Pair, wish: Wish) -> Self {
        let [management, dns, names] = [(); 3].map(|()| free_port());
        let config = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": pair.cert(),
            "privateKey": pair.key(),
            "httpPort": wish.http_port,
            "tlsPort": wish.tls_port,
            "ocspResponderURL": "",
            "certificateValidityPeriod": wish.validity.unwrap_or(90 * 24 * 3600),
            "externalAccountBindingRequired": wish.knows_users,
            "externalAccountMACKeys": { "kid-1": KEY },
        }});
        let config = pair.folder_file("pebble.json", &config.to_string());
        let mut found = Command::new(tool("pebble-challtestsrv"));
        found.arg(format!("-defaultIPv4={}", wish.address)).args([
            "-defaultIPv6=",
            "-http01=",
            "-https01=",
            "-tlsalpn01=",
        ]);
        found.arg(format!("-dns01=127.0.0.1:{dns}")).arg(format!("-management=127.0.0.1:{names}"));
        let mut pebble = Command::new(tool("pebble"));
        pebble.arg(format!("-config={config}")).arg(format!("-dnsserver=127.0.0.1:{dns}"));
        pebble.env("PEBBLE_VA_NOSLEEP", "1");
        let processes = [found, pebble].map(|mut command| {
            let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            Process(child.expect("it can be started"))
        });
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let this = Self { api: at(port), management: at(management), pair, processes: processes.into() };
        let up = async {
            while TcpStream::connect(this.management).await.is_err() || TcpStream::connect(this.api).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        within("the authority to listen", up).await;
        this
    }

    /// By which it issues certificates.
    pub(super) async fn root(&self) -> CertificateDer<'static> {
        let answer = Site::new(self.management, &self.pair.root).get("/roots/0").await;
        CertificateDer::from_pem_slice(&answer.body).expect("a certificate")
    }

    /// The flags by which a server comes to it.
    pub(super) fn flags(&self) -> Vec<String> {
        flags(self.api, &self.pair)
    }

    /// It is gone. Its port and its own certificate are given back.
    pub(super) fn stop(mut self) -> (u16, Pair) {
        self.processes.clear();
        (self.api.port(), self.pair)
    }
}

/// The flags by which a server comes to an authority.
pub(super) fn flags(api: SocketAddr, pair: &Pair) -> Vec<String> {
    vec![
        format!("--acme-directory=https://{api}/dir"),
        format!("--acme-ca-file={}", pair.cert().display()),
        "--acme-agree".to_owned(),
    ]
}

/// What is asked of a front and what it does.
#[derive(Default)]
pub(super) struct Play {
    /// Profiles and certificates to be replaced, one for each order that came.
    pub(super) orders: Vec<(Option<String>, Option<String>)>,
    /// The window for the renewal, as dates, and how often it was asked for.
    pub(super) window: Option<[String; 2]>,
    pub(super) questions: usize,
    /// Whether its answers have no end.
    pub(super) is_endless: bool,
    /// Whether orders are refused, to come again after so many seconds.
    pub(super) refuse_for: Option<u64>,
}

/// Stands before pebble and adds profiles and renewal information, or refuses.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    pub(super) pair: Pair,
    pub(super) play: Arc<Mutex<Play>>,
    /// Ends with it.
    _task: JoinSet<()>,
}

impl Front {
    pub(super) async fn before(pebble: &Pebble) -> Self {
        let pair = Pair::new();
        let chain = vec![pair.root.clone()];
        let key = PrivateKeyDer::from_pem_file(pair.key()).expect("a key");
        let tls = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let tls = tls.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let tls = TlsAcceptor::from(Arc::new(tls.with_single_cert(chain, key).expect("they fit")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let play = Arc::new(Mutex::new(Play::default()));
        let (behind, shared) = (Site::new(pebble.api, &pebble.pair.root), Arc::clone(&play));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                let (tls, behind, play) = (tls.clone(), behind.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    let Ok(mut stream) = tls.accept(tcp).await else { return };
                    while let Ok(head) = read_head(&mut stream).await {
                        if play.lock().expect("no panic").is_endless {
                            return talk_without_end(&mut stream).await;
                        }
                        let answer = pass_on(&behind, &play, &mut stream, head, address).await;
                        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { address, pair, play, _task: task }
    }

    pub(super) fn flags(&self) -> Vec<String> {
        flags(self.address, &self.pair)
    }
}

/// An answer without end, until its reader has had enough.
async fn talk_without_end(stream: &mut (impl tokio::io::AsyncWrite + Unpin)) {
    let head = "HTTP/1.1 200 x\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let mut written = stream.write_all(head.as_bytes()).await;
    while written.is_ok() {
        written = stream.write_all(&[b' '; 1 << 12]).await;
    }
}

/// What is answered to one request.
async fn pass_on(
    behind: &Site,
    play: &Mutex<Play>,
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    head: String,
    address: SocketAddr,
) -> Vec<u8> {
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("the body");
    let path = head.split(' ').nth(1).expect("a path").to_owned();
    if path.starts_with("/renewal/") {
        let mut play = play.lock().expect("no panic");
        play.questions += 1;
        let Some([start, end]) = &play.window else { return answer(404, "", "{}") };
        let window = json!({ "suggestedWindow": { "start": start, "end": end } });
        return answer(200, "Retry-After: 1\r\n", &window.to_string());
    }
    let order = if path.contains("order-plz") { payload(&body) } else { Value::Null };
    let asked = |name: &str| order[name].as_str().map(str::to_owned);
    let replaces = asked("replaces");
    if order.is_object() {
        let mut play = play.lock().expect("no panic");
        if let Some(seconds) = play.refuse_for {
            play.orders.push((asked("profile"), replaces));
            let problem = json!({ "type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many orders" });
            return answer(429, &format!("Retry-After: {seconds}\r\n"), &problem.to_string());
        }
    }
    // Its Host stays: what the authority says of itself is the front's.
    let mut beyond = behind.tls().await;
    let head = head.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    beyond.write_all(head.as_bytes()).await.expect("the authority reads");
    beyond.write_all(&body).await.expect("the authority reads");
    let mut whole = Vec::new();
    // It ends its connections without TLS's own end.
    let _ = within("the authority's answer", beyond.read_to_end(&mut whole)).await;
    let text = String::from_utf8(whole).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    if path == "/dir" {
        let mut directory: Value = serde_json::from_str(body).expect("JSON");
        directory["renewalInfo"] = json!(format!("https://{address}/renewal"));
        directory["meta"]["profiles"] = json!({ "classic": "90 days", "shortlived": "6 days" });
        return answer(200, "", &directory.to_string());
    }
    let kept: String = head
        .lines()
        .skip(1)
        .filter(|line| {
            !line.to_lowercase().starts_with("content-length") && !line.to_lowercase().starts_with("connection")
        })
        .filter(|line| {
            !line.to_lowercase().starts_with("transfer-encoding") && !line.to_lowercase().starts_with("content-type")
        })
        .flat_map(|line| [line, "\r\n"])
        .collect();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    // One that comes again for want of a good nonce is no second one.
    if status == 201 && order.is_object() {
        play.lock().expect("no panic").orders.push((asked("profile"), replaces.clone()));
    }
    let body = match (replaces, serde_json::from_str::<Value>(body)) {
        // RFC 9773, 5: it is said again.
        (Some(replaces), Ok(mut order)) => {
            order["replaces"] = json!(replaces);
            order.to_string()
        }
        _ => body.to_owned(),
    };
    answer(status, &kept, &body)
}

fn answer(status: u16, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

/// What a signed request says.
fn payload(body: &[u8]) -> Value {
    let signed: Value = serde_json::from_slice(body).expect("JSON");
    let payload = URL_SAFE_NO_PAD.decode(signed["payload"].as_str().expect("text")).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}

/// A folder that outlives servers.
pub(super) fn state() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let flag = format!("--state-dir={}", folder.path().display());
    (folder, flag)
}

/// What the state directory has beneath it, whole paths.
pub(super) fn files(folder: &tempfile::TempDir) -> Vec<PathBuf> {
    let of = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    of(folder.path().join("acme")).into_iter().flat_map(of).collect()
}
