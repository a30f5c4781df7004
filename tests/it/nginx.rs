//! Behind nginx, with the configuration of `docs/operating.md` as it stands there.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::http::exchange;
use crate::pair::Pair;
use crate::program::{Program, command};
use crate::raw::{FIN, HANDSHAKE, PING, Raw};
use crate::server::Site;
use crate::within;

const OPERATING: &str = include_str!("../../docs/operating.md");

/// The folder into which `tests/unpack` puts nginx.
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/nginx");

/// The program behind nginx. Both are killed when it is dropped.
struct Behind {
    program: Program,
    /// The site as nginx serves it.
    site: Site,
    _nginx: Child,
    _folder: TempDir,
    _pair: Pair,
}

impl Behind {
    /// Starts both as the document says, the program with these flags besides.
    async fn start(flags: &[&str]) -> Self {
        Self::start_changed(flags, &[]).await
    }

    /// The same with these changes to nginx's side.
    async fn start_changed(flags: &[&str], changes: &[(&str, &str)]) -> Self {
        let (folder, pair) = (tempfile::tempdir().expect("a folder"), Pair::new());
        // TURN does not pass nginx: `make test-network` calls through it.
        let local = [("127.0.0.1:8080", "127.0.0.1:0"), (" --turn", "")];
        let documented = replaced(&the_box("sh", "entremise --plain-http"), &local);
        let documented = documented.trim().split(' ').skip(1);
        let command = command(folder.path(), &documented.chain(flags.iter().copied()).collect::<Vec<_>>());
        let program = Program::serve(command, || pair.root.clone()).await;
        let address = free_address();
        let nginx = nginx(folder.path(), &replaced(&configuration(&program, address, &pair), changes));
        let site = Site::new(address, &pair.root);
        let listens = async { while TcpStream::connect(address).await.is_err() {} };
        within("nginx to listen", listens).await;
        Self { program, site, _nginx: nginx, _folder: folder, _pair: pair }
    }

    async fn peer_from(&self, address: [u8; 4], headers: &[&str]) -> Raw {
        let mut tls = self.site.tls_from(address).await;
        let head = self.site.head("GET", "/signal/ws", &[&HANDSHAKE, headers].concat());
        tls.write_all(head.as_bytes()).await.expect("nginx reads");
        Raw::welcomed(tls).await
    }

    /// The status of the answer to a plain GET from this address.
    async fn status_from(&self, address: [u8; 4], headers: &[&str]) -> u16 {
        let mut tls = self.site.tls_from(address).await;
        exchange(&mut tls, &self.site.head("GET", "/signal/ws", headers)).await.status
    }
}

/// The document's box in this language that contains these words.
fn the_box(language: &str, words: &str) -> String {
    let begin = format!("```{language}\n");
    let boxes = OPERATING.split(&begin).skip(1);
    let mut boxes = boxes.map(|rest| rest.split("```").next().expect("a box ends")).filter(|text| text.contains(words));
    boxes.next().expect("the document has it").to_owned()
}

fn replaced(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

fn configuration(program: &Program, address: SocketAddr, pair: &Pair) -> String {
    let listen = format!("listen {address} ssl;");
    let (cert, key) = (pair.cert().display().to_string(), pair.key().display().to_string());
    let server = replaced(
        &the_box("nginx", "proxy_pass"),
        &[
            ("listen 443 ssl;", &listen),
            ("listen [::]:443 ssl;", ""),
            ("/etc/ssl/calls.example/fullchain.pem", &cert),
            ("/etc/ssl/calls.example/privkey.pem", &key),
            ("127.0.0.1:8080", &program.address.to_string()),
        ],
    );
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let folders: String = folders.map(|name| format!("{name}_temp_path {name};")).concat();
    // One process, so that killing it ends all of nginx.
    format!(
        "daemon off; master_process off; pid pid; error_log stderr;\n\
         events {{ worker_connections 64; }}\nhttp {{ access_log off; {folders}\n{server}\n}}\n"
    )
}

fn nginx(folder: &Path, configuration: &str) -> Child {
    let program = Path::new(UNPACKED).join("usr/sbin/nginx");
    assert!(program.exists(), "{} is not there: make test-nginx unpacks it", program.display());
    std::fs::write(folder.join("nginx.conf"), configuration).expect("writable");
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", libraries()).arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    command.stdin(Stdio::null()).kill_on_drop(true).spawn().expect("nginx starts")
}

/// The folder of the libraries that this system lacks: the machine's kind is in its name.
fn libraries() -> PathBuf {
    let folders = std::fs::read_dir(Path::new(UNPACKED).join("usr/lib")).into_iter().flatten();
    let mut folders = folders.map(|folder| folder.expect("an entry").path());
    folders.find(|folder| folder.to_string_lossy().ends_with("-linux-gnu")).unwrap_or_default()
}

/// A free port of an address that only this process uses, so that it is still free when nginx binds it.
fn free_address() -> SocketAddr {
    let [.., high, low] = std::process::id().to_be_bytes();
    let ip = IpAddr::from([127, 77, high, low.max(1)]);
    let listener = TcpListener::bind((ip, 0)).expect("a port is free");
    listener.local_addr().expect("it listens")
}

#[tokio::test]
#[ignore = "needs nginx: make test-nginx"]
async fn page_and_signaling_pass_nginx_in_a_folder_of_its_host() {
    let behind = Behind::start(&[]).await;
    let page = behind.site.get("/signal/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(behind.site.get("/signal/js/client.js").await.status, 200);
    assert_eq!(behind.site.get("/signal/ice").await.status, 200);
    let redirect = behind.site.get("/signal").await;
    assert!((300..400).contains(&redirect.status) && redirect.header("location").ends_with("/signal/"));
    assert_eq!(behind.site.get("/ws").await.status, 404);

    let own = format!("Origin: https://{}", behind.site.address);
    let mut alice = behind.peer_from([127, 0, 0, 1], &[&own, "Sec-WebSocket-Protocol: entremise.v1"]).await;
    let mut bob = behind.peer_from([127, 0, 0, 1], &[]).await;
    let message = format!(r#"{{"type":"message","to":"{}","message":"hello","ref":1}}"#, bob.id);
    assert_eq!(alice.frame().await.0, FIN | PING, "the ping whose pong confirms the welcome");
    assert_eq!(alice.ask(&message).await, r#"{"type":"ack","ref":1}"#);
    assert_eq!(bob.text().await, format!(r#"{{"type":"message","from":"{}","message":"hello"}}"#, alice.id));
    assert_eq!(behind.status_from([127, 0, 0, 1], &["Origin: https://evil.example"]).await, 403);
}

#[tokio::test]
#[ignore = "needs nginx: make test-nginx"]
async fn a_client_has_its_own_address_behind_nginx_and_cannot_forge_another() {
    let behind = Behind::start(&["--max-connections-per-address=1"]).await;
    let mut first = behind.peer_from([127, 0, 0, 2], &[]).await;
    let _second = behind.peer_from([127, 0, 0, 3], &[]).await;
    assert_eq!(behind.status_from([127, 0, 0, 4], &[]).await, 426);
    assert_eq!(behind.status_from([127, 0, 0, 2], &[]).await, 429);
    let forged = "X-Forwarded-For: 198.51.100.7";
    assert_eq!(behind.status_from([127, 0, 0, 2], &[forged]).await, 429, "through nginx");
    let mut direct = behind.program.tcp_from([127, 0, 0, 2]).await;
    let head = behind.program.head("GET", "/signal/ws", &[forged]);
    assert_eq!(exchange(&mut direct, &head).await.status, 429, "past nginx");
    assert_eq!(first.ask(r#"{"type":"ping","ref":1}"#).await, r#"{"type":"ack","ref":1}"#);
}

#[tokio::test]
#[ignore = "needs nginx: make test-nginx"]
async fn an_nginx_that_takes_the_upgrade_away_is_named_to_the_page_and_once_to_the_operator() {
    const TOLD: &str = "have it pass on Upgrade, Connection and Sec-WebSocket-Protocol";
    for forgotten in [
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
        "proxy_http_version 1.1;",
    ] {
        let behind = Behind::start_changed(&[], &[(forgotten, "")]).await;
        for lines in [&HANDSHAKE[..], &HANDSHAKE, &[]] {
            let answer = behind.site.request("GET", "/signal/ws", lines).await;
            assert_eq!((answer.status, &*answer.code()), (426, "upgrade-removed"), "without {forgotten}");
        }
        assert_eq!(behind.program.log().matches(TOLD).count(), 1, "without {forgotten}");
    }
}
