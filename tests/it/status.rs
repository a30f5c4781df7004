//! What monitors and load balancers are told, and what a panic costs.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::time::Duration;

use entremise::config::Config;
use entremise::tasks::Drained;
use tokio::net::TcpStream;

use crate::client::{join, message_to};
use crate::http::{Answer, exchange};
use crate::pair::Pair;
use crate::program::Program;
use crate::server::Server;
use crate::within;

pub(crate) const METRICS: &str = "--metrics-listen=127.0.0.1:0";

/// Asks the monitors' listener.
pub(crate) async fn monitor(address: SocketAddr, path: &str) -> Answer {
    let mut tcp = within("a TCP connection", TcpStream::connect(address)).await.expect("it listens");
    exchange(&mut tcp, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

async fn metrics(server: &Server) -> String {
    let answer = monitor(server.metrics.expect("it was asked for"), "/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    String::from_utf8(answer.body).expect("text")
}

/// The value of one series, 0 if nothing was counted yet.
pub(crate) async fn metric(server: &Server, series: &str) -> i64 {
    let text = metrics(server).await;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.trim_end_matches(".0").parse().expect("a whole number"))
}

pub(crate) async fn becomes(server: &Server, series: &str, expected: i64) {
    let becomes = async { while metric(server, series).await != expected {} };
    within(&format!("{series} to become {expected}"), becomes).await;
}

#[tokio::test]
async fn health_and_readiness_are_told_on_the_page_s_port_too() {
    let server = Server::start(&[]);
    for path in ["/healthz", "/readyz"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, &*answer.body), (200, &b"ok\n"[..]), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    assert_eq!(server.get("/metrics").await.status, 404, "metrics are for monitors");
    assert!(server.metrics.is_none(), "and off by default");
}

#[tokio::test]
async fn a_server_that_drains_lives_and_is_not_ready() {
    let flags = [METRICS, "--drain-timeout=600", "--write-timeout=2"];
    let mut server = Server::start(&[&flags[..], &["--messages-per-second=0", "--bytes-per-second=0"]].concat());
    let address = server.metrics.expect("it was asked for");
    assert_eq!(monitor(address, "/readyz").await.status, 200);
    let stalled = server.stalled().await;
    let mut alice = server.connect().await;
    alice.fill(&stalled.id).await;
    server.stop();
    assert_eq!(alice.closed().await.0, 1012);
    assert_eq!(monitor(address, "/readyz").await.status, 503);
    assert_eq!(monitor(address, "/healthz").await.status, 200);
    drop((alice, stalled));
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn peers_of_a_server_that_stops_for_good_are_told_so() {
    let mut server = Server::start(&["--final"]);
    let mut client = server.connect().await;
    server.stop();
    assert_eq!(client.closed().await, (1001, "the server shuts down for good".into()));
}

#[tokio::test]
async fn messages_are_counted_by_kind_and_result() {
    let server = Server::start(&[METRICS, "--message-burst=8", "--messages-per-second=0.0001"]);
    let [mut alice, mut bob] = server.connect_many().await;
    alice.ask(message_to(&bob.id, "1", "1")).await;
    bob.hear().await;
    alice.ask(message_to("no-peer", "1", "1")).await;
    alice.ask("not json").await;
    alice.join("hall").await;
    alice.ask(r#"{"type":"leave","room":"yard"}"#).await;
    for (kind, result) in [
        ("message", "ok"),
        ("message", "peer-unavailable"),
        ("unreadable", "bad-message"),
        ("join", "ok"),
        ("leave", "not-in-room"),
    ] {
        becomes(&server, &format!(r#"entremise_messages_total{{dialect="v1",kind="{kind}",result="{result}"}}"#), 1)
            .await;
    }
    becomes(&server, "entremise_relay_seconds_count", 1).await;
    alice.fence().await;
    let limited = r#"{"type":"error","code":"rate-limited""#;
    let exhausted = async { while !alice.ask(join("hall")).await.starts_with(limited) {} };
    within("the burst to be spent", exhausted).await;
    assert!(metric(&server, r#"entremise_messages_total{dialect="v1",kind="join",result="rate-limited"}"#).await >= 1);
}

#[tokio::test]
async fn what_is_now_is_read_for_each_request() {
    let server = Server::start(&[METRICS]);
    let [mut alice, bob] = server.connect_many().await;
    alice.join("hall").await;
    for (series, expected) in [
        ("entremise_connections", 2),
        ("entremise_sessions", 2),
        ("entremise_sessions_parked", 0),
        ("entremise_rooms", 1),
        (r#"entremise_mailboxes{fill="under-half"}"#, 2),
        ("entremise_queued_bytes", 0),
        ("entremise_relays", 0),
        (r#"entremise_tls_total{what="handshakes"}"#, 2),
        (r#"entremise_tls_total{what="failed-handshakes"}"#, 0),
        ("entremise_connections_unanswered", 0),
    ] {
        becomes(&server, series, expected).await;
    }
    let expiry = metric(&server, "entremise_certificate_expiry_seconds").await;
    assert_eq!(expiry, server.served().not_after());
    bob.leave(Some(1000)).await;
    becomes(&server, r#"entremise_connection_ends_total{dialect="v1",reason="client-closed"}"#, 1).await;
    becomes(&server, "entremise_connections", 1).await;
}

#[tokio::test]
async fn parking_and_resuming_are_counted() {
    let server = Server::start(&[METRICS]);
    let v1 = [("sec-websocket-protocol", "entremise.v1")];
    let (client, _) = server.connect_with(&v1).await;
    let welcome: serde_json::Value = serde_json::from_str(&client.welcome).expect("JSON");
    client.leave(Some(1001)).await;
    becomes(&server, "entremise_sessions_parked", 1).await;
    let token = welcome["resume"].as_str().expect("a token");
    let offer = format!("entremise.v1, entremise.resume.{token}.0");
    let (_back, _) = server.connect_with(&[("sec-websocket-protocol", &offer)]).await;
    becomes(&server, r#"entremise_resumes_total{result="resumed"}"#, 1).await;
    becomes(&server, "entremise_sessions_parked", 0).await;
    let offer = offer.replace(token, &"A".repeat(43));
    let (_new, _) = server.connect_with(&[("sec-websocket-protocol", &offer)]).await;
    becomes(&server, r#"entremise_resumes_total{result="refused"}"#, 1).await;
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let server = Server::start(&[METRICS]);
    server.request("GET", "/ws", &["Origin: https://elsewhere.example"]).await;
    becomes(&server, r#"entremise_refusals_total{dialect="v1",reason="origin-not-allowed"}"#, 1).await;
}

#[tokio::test]
async fn no_series_grows_with_what_strangers_send() {
    let server = Server::start(&[METRICS, "--refused-messages=0"]);
    let mut client = server.connect().await;
    let say = async |client: &mut crate::client::Client, word: &str| {
        client.ask(format!(r#"{{"type":"{word}"}}"#)).await;
        client.ask(format!(r#"{{"type":"leave","room":"{word}"}}"#)).await;
        client.ask(message_to(word, "1", "1")).await;
    };
    say(&mut client, "one").await;
    client.fence().await;
    let before = metrics(&server).await.lines().count();
    for number in 0..50 {
        say(&mut client, &format!("word-{number}")).await;
    }
    assert_eq!(metrics(&server).await.lines().count(), before);
}

#[tokio::test]
async fn a_panic_ends_its_connection_only_and_is_counted() {
    // A time beyond what a clock can count, which no flag takes: it is added up when a window is full.
    let flags = [METRICS, "--mailbox-messages=2"];
    let change = |config: &mut Config| config.connection.write_timeout = Duration::MAX / 2;
    let server = Server::start_changed(Pair::new(), &flags, change);
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    bob.fence().await;
    assert_eq!(bob.closed().await, (1011, "a bug of the server, which has been counted".into()));
    becomes(&server, r#"entremise_connection_ends_total{dialect="v1",reason="bug"}"#, 1).await;
    let answer = alice.ask(message_to(&bob.id, "1", "1")).await;
    assert!(answer.contains(r#""code":"peer-unavailable""#), "{answer}");
    assert!(!server.try_resume(&bob.ticket()).await.is_resumed());
    alice.fence().await;
    server.forgive_panics();
}

#[tokio::test]
async fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket can be made");
    let program = Program::start_with(Pair::new(), &[], |command| {
        command.env("NOTIFY_SOCKET", &path);
    })
    .await;
    socket.set_read_timeout(Some(crate::DEADLINE)).expect("a time-out is taken");
    let told = || {
        let mut text = [0; 100];
        loop {
            match socket.recv(&mut text) {
                Ok(length) => return String::from_utf8_lossy(&text[..length]).trim().to_owned(),
                // A signal that another test's program has caused.
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => panic!("a notification: {error}"),
            }
        }
    };
    assert_eq!(told(), "READY=1");
    program.signal(rustix::process::Signal::TERM);
    assert_eq!(told(), "STOPPING=1");
    assert_eq!(program.ended().await.status.code(), Some(0));
}

#[tokio::test]
async fn a_socket_that_systemd_listens_on_is_served() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let program = Program::start_with(Pair::new(), &[], |command| {
        let program = command.as_std().get_program().to_owned();
        let arguments: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
        let folder = command.as_std().get_current_dir().expect("one was set").to_owned();
        // As systemd does: the socket is descriptor 3, and the process that it is for is named.
        let mut shell =
            crate::program::shell(&folder, "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"");
        shell.arg(program).args(arguments).stdin(Stdio::from(OwnedFd::from(listener)));
        *command = shell;
    })
    .await;
    assert_eq!(program.address, address, "{}", program.first_line);
    program.connect().await.fence().await;
}
