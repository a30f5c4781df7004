//! Connections that begin something and leave it: the pieces of HTTP/2's preface above all, which the HTTP library once
//! waited for without a deadline.

use entremise::tasks::Drained;
use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::exchange;
use crate::program::Program;
use crate::server::{Server, Site};
use crate::within;

/// RFC 9113, 3.4, and an empty SETTINGS frame.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

const SOON: &str = "--handshake-timeout=1.5";
const PATIENT: &str = "--handshake-timeout=60";
const METRICS: &str = "--metrics-listen=127.0.0.1:0";

/// The lengths of the preface's pieces that matter: at each of them a server may wait for the next.
const PIECES: [usize; 6] = [1, 2, 3, 4, 14, 23];

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// One connection in plain text, one inside TLS, one to the monitors' listener.
async fn wires(server: &Server) -> [Box<dyn Wire>; 3] {
    let monitor = TcpStream::connect(server.metrics.expect("it was asked for"));
    let monitor = within("a TCP connection", monitor).await.expect("it listens");
    [Box::new(server.tcp().await), Box::new(server.tls().await), Box::new(monitor)]
}

/// The server ends the connection without a word, or in the monitors' case with the word that it is no request.
async fn assert_ended(wire: &mut dyn Wire, what: &str) {
    let mut rest = Vec::new();
    // Ended or reset: gone either way.
    let _ = within(&format!("the end after {what}"), wire.read_to_end(&mut rest)).await;
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{what}: {}", rest.escape_ascii());
}

#[tokio::test]
async fn a_piece_of_http_2_s_preface_is_ended_at_the_deadline() {
    let server = Server::start(&[SOON, METRICS]);
    let mut begun = Vec::new();
    for length in PIECES {
        for mut wire in wires(&server).await {
            wire.write_all(&HTTP_2[..length]).await.expect("the server reads");
            wire.flush().await.expect("the server reads");
            begun.push((length, wire));
        }
    }
    for (length, mut wire) in begun {
        assert_ended(&mut *wire, &format!("{length} bytes")).await;
    }
    server.connect().await.fence().await;
}

#[tokio::test]
async fn a_piece_of_http_2_s_preface_counts_as_unanswered() {
    let server = Server::start(&[PATIENT, "--max-handshakes-per-address=3"]);
    let mut begun = Vec::new();
    for _ in 0..3 {
        let mut tcp = server.tcp().await;
        tcp.write_all(b"P").await.expect("the server reads");
        begun.push(tcp);
    }
    let counted = async {
        while server.pending.connections() != 3 {
            tokio::task::yield_now().await;
        }
    };
    within("three unanswered connections", counted).await;
    assert_ended(&mut server.tcp().await, "one too many").await;
    drop(begun);
    let gone = async {
        while server.pending.connections() != 0 {
            tokio::task::yield_now().await;
        }
    };
    within("them to be gone", gone).await;
    assert_eq!(Site::request(&server, "GET", "/", &[]).await.status, 200);
}

#[tokio::test]
async fn a_piece_of_http_2_s_preface_does_not_delay_exit() {
    let server = Server::start(&[PATIENT, "--drain-timeout=60"]);
    let (mut tcp, mut tls) = (server.tcp().await, server.tls().await);
    tcp.write_all(b"P").await.expect("the server reads");
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.expect("the server reads");
    server.connect().await.fence().await;
    assert_eq!(server.drained().await, Drained::Clean);
    assert_ended(&mut tcp, "a byte").await;
    assert_ended(&mut tls, "a half").await;
}

/// In plain text and inside TLS: a head that has begun.
#[tokio::test]
async fn half_a_head_does_not_delay_exit() {
    let server = Server::start(&[PATIENT, "--drain-timeout=60"]);
    let (mut tcp, mut tls) = (server.tcp().await, server.tls().await);
    tcp.write_all(b"GET / H").await.expect("the server reads");
    tls.write_all(b"GET / H").await.expect("the server reads");
    server.connect().await.fence().await;
    let unanswered = async {
        while server.pending.connections() != 2 {
            tokio::task::yield_now().await;
        }
    };
    within("two unanswered connections", unanswered).await;
    assert_eq!(server.drained().await, Drained::Clean);
    assert_ended(&mut tcp, "half a head").await;
    assert_ended(&mut tls, "half a head").await;
}

#[tokio::test]
async fn http_2_by_prior_knowledge_is_not_spoken() {
    let server = Server::start(&[PATIENT, METRICS]);
    for mut wire in wires(&server).await {
        wire.write_all(HTTP_2).await.expect("the server reads");
        wire.flush().await.expect("the server reads");
        assert_ended(&mut *wire, "a preface").await;
    }
    // Byte by byte it is the same.
    let mut tcp = server.tcp().await;
    tcp.set_nodelay(true).expect("an open socket");
    for byte in HTTP_2 {
        if tcp.write_all(&[*byte]).await.is_err() {
            break;
        }
    }
    assert_ended(&mut tcp, "a preface in bytes").await;
    server.connect().await.fence().await;
}

#[tokio::test]
async fn requests_that_begin_like_the_preface_are_answered_wherever_they_are_cut() {
    let server = Server::start(&[PATIENT]);
    for method in ["POST", "PUT", "PROPFIND", "PRI"] {
        let request = server.head(method, "/", &["Content-Length: 0"]);
        for cut in 1..5 {
            let mut tls = server.tls().await;
            tls.write_all(&request.as_bytes()[..cut]).await.expect("the server reads");
            tls.flush().await.expect("the server reads");
            server.connect().await.fence().await;
            assert_eq!(exchange(&mut tls, &request[cut..]).await.status, 405, "{method} cut after {cut}");
        }
    }
}

#[tokio::test]
async fn a_connection_of_a_monitor_that_says_nothing_is_ended() {
    let server = Server::start(&[SOON, METRICS]);
    let [_, _, mut monitor] = wires(&server).await;
    assert_ended(&mut *monitor, "silence").await;
    let [_, _, mut half] = wires(&server).await;
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n").await.expect("the server reads");
    // It may be told that it was too slow.
    let _ = within("the end of half a head", half.read_to_end(&mut Vec::new())).await;
}

#[tokio::test]
async fn http_2_and_its_resets_write_no_log() {
    let program = Program::start(&["--log=info", SOON]).await;
    // HEADERS and RST_STREAM, again and again.
    let resets: Vec<u8> = (0..200_u32)
        .flat_map(|number| {
            let stream = (2 * number + 1).to_be_bytes();
            let headers = [&[0, 0, 1, 1, 5][..], &stream, &[0x82]].concat();
            [headers, [&[0, 0, 4, 3, 0][..], &stream, &[0, 0, 0, 8]].concat()].concat()
        })
        .collect();
    let mut tcp = program.tcp().await;
    tcp.write_all(&[HTTP_2, &resets].concat()).await.expect("the server reads");
    let mut tls = program.tls().await;
    tls.write_all(&[HTTP_2, &resets].concat()).await.expect("the server reads");
    let _ = within("its end", tcp.read_to_end(&mut Vec::new())).await;
    let _ = within("its end", tls.read_to_end(&mut Vec::new())).await;
    program.connect().await.fence().await;
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    let above: Vec<&str> =
        ended.stderr.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect();
    assert!(above.is_empty(), "{above:?}");
}
