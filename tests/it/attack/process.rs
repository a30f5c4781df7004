//! Files and pipes that hang: they stop neither the service nor its end.

use std::fs::{self, File};
use std::io::{ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::pair::Pair;
use crate::program::{Program, command};
use crate::server::{Server, Site};
use crate::within;

/// A named pipe in the place of a file.
pub(crate) fn make_pipe(path: &Path) {
    let _ = fs::remove_file(path);
    let made = std::process::Command::new("mkfifo").arg(path).status().expect("coreutils are there");
    assert!(made.success());
}

/// Waits until the pipe is being read. As long as the writer that is given back is open, the reader hangs.
pub(crate) async fn hang_reader(path: &Path) -> File {
    const O_NONBLOCK: i32 = 0o4000;
    // Without a reader, this is an error (ENXIO).
    let open = || File::options().write(true).custom_flags(O_NONBLOCK).open(path);
    let opened = async {
        loop {
            match open() {
                Ok(writer) => return writer,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    };
    within("the pipe to be read", opened).await
}

fn signal(child: &Child, signal: Signal) {
    let pid = child.id().expect("it has not been waited for");
    let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
    kill_process(pid, signal).expect("it is ours");
}

async fn exit_code(child: &mut Child) -> Option<i32> {
    within("the program to end", child.wait()).await.expect("it is ours").code()
}

/// A program that has been told to read its certificate again, and hangs in it.
async fn with_hanging_certificate(flags: &[&str]) -> (Program, File) {
    let pair = Pair::new();
    let cert = pair.cert();
    let program = Program::start_with(pair, flags, |_| {}).await;
    make_pipe(&cert);
    program.signal(Signal::HUP);
    let writer = hang_reader(&cert).await;
    (program, writer)
}

#[tokio::test]
async fn a_certificate_that_hangs_does_not_delay_the_end() {
    let (program, _writer) = with_hanging_certificate(&[]).await;
    program.connect().await.fence().await;
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_certificate_that_hangs_does_not_delay_the_drains_deadline() {
    let flags = ["--drain-timeout=0.5", "--write-timeout=60", "--messages-per-second=0", "--bytes-per-second=0"];
    let (program, _writer) = with_hanging_certificate(&flags).await;
    let stalled = program.stalled().await;
    program.connect().await.fill(&stalled.id).await;
    program.signal(Signal::TERM);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("deadline passed"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_ends_a_program_whose_certificate_hangs() {
    let flags = ["--drain-timeout=600", "--write-timeout=600", "--messages-per-second=0", "--bytes-per-second=0"];
    let (program, _writer) = with_hanging_certificate(&flags).await;
    let stalled = program.stalled().await;
    let mut other = program.connect().await;
    other.fill(&stalled.id).await;
    program.signal(Signal::TERM);
    assert_eq!(other.closed().await.0, 1012, "the drain has begun");
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.status.code(), Some(1));
}

#[tokio::test]
async fn a_signal_ends_a_start_that_hangs() {
    for flag in ["cert", "auth-jwt-secret-file", "auth-jwt-public-key-file", "turn-secret-file"] {
        let folder = tempfile::tempdir().expect("a folder");
        make_pipe(&folder.path().join("pipe"));
        let mut command = command(folder.path(), &["--listen=127.0.0.1:0", "--turn", &format!("--{flag}=pipe")]);
        let mut child = command.stderr(Stdio::null()).spawn().expect("the program starts");
        let _writer = hang_reader(&folder.path().join("pipe")).await;
        signal(&child, Signal::TERM);
        assert_eq!(exit_code(&mut child).await, Some(1), "{flag}");
    }
}

#[tokio::test]
async fn a_file_without_end_is_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    for flag in ["cert", "auth-jwt-secret-file", "auth-jwt-public-key-file", "turn-secret-file"] {
        let flags = ["--listen=127.0.0.1:0", "--turn", &format!("--{flag}=/dev/zero")];
        let ended = crate::program::run(command(folder.path(), &flags)).await;
        assert_eq!(ended.status.code(), Some(1), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("--{flag} /dev/zero: cannot be read (it has more than 1 MiB)")),
            "{}",
            ended.stderr
        );
    }
}

/// A program that logs all it does into a pipe which is not read, and has more to say than the pipe holds.
async fn with_unread_log() -> (Program, PipeReader) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let program = Program::start_unheard(writer, &["--log=entremise=trace", "--messages-per-second=0"]).await;
    let mut peer = program.connect().await;
    // Each of these is worth more than 100 bytes of log; the pipe holds 64 KiB, and the program's queue 4,096 lines.
    for _ in 0..6000 {
        peer.fence().await;
    }
    (program, reader)
}

#[tokio::test]
async fn a_log_that_nothing_reads_stops_neither_the_service_nor_its_end() {
    let (program, mut reader) = with_unread_log().await;
    let [mut alice, mut bob] = program.connect_many().await;
    bob.join("room").await;
    assert_eq!(alice.join("room").await, [&*bob.id]);
    program.signal(Signal::HUP);
    assert_eq!(program.get("/").await.status, 200);
    program.signal(Signal::TERM);
    assert_eq!(alice.closed().await.0, 1012);
    drop((alice, bob));
    assert_eq!(program.ended().await.status.code(), Some(0));
    let mut log = Vec::new();
    reader.read_to_end(&mut log).expect("bytes");
    assert!(log.len() >= 60_000, "the pipe was full: {}", log.len());
}

#[tokio::test]
async fn a_second_signal_ends_a_program_whose_log_nothing_reads() {
    let (program, _reader) = with_unread_log().await;
    let mut peer = program.raw().await;
    program.signal(Signal::TERM);
    assert_eq!(peer.closed().await.0, 1012, "the drain has begun, and waits for this peer");
    program.signal(Signal::INT);
    assert_eq!(program.ended().await.status.code(), Some(1));
}

#[tokio::test]
async fn a_log_that_is_read_again_says_how_many_lines_were_lost() {
    let (program, reader) = with_unread_log().await;
    let read = std::thread::spawn(move || std::io::read_to_string(reader));
    program.connect().await.fence().await;
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.status.code(), Some(0));
    let log = read.join().expect("no panic").expect("text");
    let told = log.lines().find(|line| line.contains("lines of the log were lost"));
    assert!(told.is_some_and(|line| line.contains("WARN") && line.contains("lines=")), "{told:?}");
}

/// A pipe that has no room for another byte.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    rustix::io::ioctl_fionbio(&writer, true).expect("a pipe can be written without waiting");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).expect("and with waiting again");
    (reader, writer)
}

/// Starts a program that can't say where it is.
fn start_at(address: SocketAddr, pair: &Pair, change: impl FnOnce(&mut Command)) -> Child {
    let folder = tempfile::tempdir().expect("a folder");
    let [cert, key] = pair.flags();
    let mut command = command(folder.path(), &[format!("--listen={address}"), cert, key]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    change(&mut command);
    command.spawn().expect("the program starts")
}

/// An address that no other test has.
fn own_address(host: u8) -> SocketAddr {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    (Ipv4Addr::new(127, 9, 11, host), port).into()
}

/// Talks to the program once it serves, and stops it.
async fn assert_serves_and_ends(mut child: Child, address: SocketAddr, pair: &Pair) {
    let served = async { while TcpStream::connect(address).await.is_err() {} };
    within("the program to serve", served).await;
    Site::new(address, &pair.root).connect().await.fence().await;
    signal(&child, Signal::TERM);
    assert_eq!(exit_code(&mut child).await, Some(0));
}

#[tokio::test]
async fn a_standard_output_that_nothing_reads_stops_neither_the_service_nor_its_end() {
    let (_reader, writer) = full_pipe();
    let (address, pair) = (own_address(1), Pair::new());
    let child = start_at(address, &pair, |command| {
        command.stdout(writer);
    });
    assert_serves_and_ends(child, address, &pair).await;
}

#[tokio::test]
async fn a_start_that_fails_ends_although_nothing_reads_why() {
    let (_reader, writer) = full_pipe();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path(), &["--mailbox-bytes=1000"]);
    let mut child = command.stderr(writer).spawn().expect("the program starts");
    assert_eq!(exit_code(&mut child).await, Some(1));
}

#[tokio::test]
async fn a_service_manager_that_does_not_read_stops_neither_the_service_nor_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let _manager = UnixDatagram::bind(&path).expect("a socket");
    let filler = UnixDatagram::unbound().expect("a socket");
    filler.set_nonblocking(true).expect("a socket");
    while filler.send_to(b"x", &path).is_ok() {}
    let (address, pair) = (own_address(2), Pair::new());
    let child = start_at(address, &pair, |command| {
        command.env("NOTIFY_SOCKET", &path);
    });
    assert_serves_and_ends(child, address, &pair).await;
}

/// Waits for the server's end of this connection.
async fn ended_by_the_server(mut tcp: TcpStream, said: &[u8]) {
    tcp.write_all(said).await.expect("the server reads");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = within("the connection's end", tcp.read_to_end(&mut answer)).await;
}

#[tokio::test]
async fn a_monitors_connection_that_stops_anywhere_is_ended() {
    let server = Server::start(&["--metrics-listen=127.0.0.1:0"]);
    let address = server.metrics.expect("metrics");
    let beginnings = ["", "P", "PRI * HTTP/2.0\r\n\r\n", "GET", "GET /metrics HTTP/1.1\r\nHost: a\r\n", "\u{16}"];
    let mut ends = tokio::task::JoinSet::new();
    for said in beginnings {
        let tcp = TcpStream::connect(address).await.expect("it listens");
        ends.spawn(ended_by_the_server(tcp, said.as_bytes()));
    }
    while let Some(ended) = ends.join_next().await {
        ended.expect("it is ended");
    }
}

#[tokio::test]
async fn monitors_connections_are_bounded_and_those_that_wait_get_their_turn() {
    let server = Server::start(&["--metrics-listen=127.0.0.1:0"]);
    let address = server.metrics.expect("metrics");
    let mut silent = Vec::new();
    for _ in 0..64 {
        silent.push(TcpStream::connect(address).await.expect("it listens"));
    }
    assert_eq!(within("an answer", ask_health(address)).await, "HTTP/1.1 200 OK");
    let is_ended =
        |tcp: &TcpStream| !matches!(tcp.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    let ended = async {
        while !silent.iter().any(is_ended) {
            tokio::task::yield_now().await;
        }
    };
    let at_once = tokio::time::timeout(Duration::from_millis(100), ended).await;
    assert!(at_once.is_ok(), "it had to wait for one of these to end");
}

async fn ask_health(address: SocketAddr) -> String {
    let mut tcp = TcpStream::connect(address).await.expect("it listens");
    tcp.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("the server reads");
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.expect("text");
    answer.lines().next().unwrap_or_default().to_owned()
}
