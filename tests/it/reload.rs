//! A pair that is replaced while it is served: who sees the new one, who is not disturbed, and what happens to a broken
//! one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use entremise::config::Config;
use rcgen::KeyPair;
use rustix::process::Signal;
use rustls::{HandshakeKind, ProtocolVersion};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{message_from, message_to};
use crate::http::exchange;
use crate::pair::{Pair, params, replace, trusting};
use crate::program::Program;
use crate::server::{Server, Site};
use crate::turn_client::LOOPBACK;
use crate::within;

/// Looks at the files more often than an operator would. Not so often that the two that a test writes one after the other
/// are ever a change each.
fn often(config: &mut Config) {
    config.certificate_poll = Duration::from_millis(100);
}

/// A server that is impatient for another pair.
fn start() -> Server {
    Server::start_changed(Pair::new(), &[], often)
}

/// Whether a new client, without a session to resume, is shown this pair's certificate.
async fn shows(site: &Site, pair: &Pair) -> bool {
    let connector = TlsConnector::from(trusting(&pair.root, rustls::ALL_VERSIONS));
    let name = "localhost".try_into().expect("a name");
    within("a handshake", connector.connect(name, site.tcp().await)).await.is_ok()
}

async fn comes_to_show(site: &Site, pair: &Pair) {
    within("the new certificate to be served", async { while !shows(site, pair).await {} }).await;
}

/// Waits for a line of this level that has all of these words, and gives back all lines of the level.
async fn logs(server: &Server, level: &str, words: &[&str]) -> Vec<String> {
    let is_there = |lines: &[String]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    let logged = async {
        loop {
            let lines = server.logged(level);
            if is_there(&lines) {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    };
    within(&format!("{words:?} in the log"), logged).await
}

#[tokio::test]
async fn new_clients_see_a_new_pair_and_those_who_are_there_are_not_disturbed() {
    let server = start();
    let [mut alice, mut bob] = server.connect_many().await;
    let renewed = Pair::new();
    server.pair.put(&renewed);
    comes_to_show(&server, &renewed).await;
    assert!(!shows(&server, &server.pair).await, "the old one is served no more");
    alice.fence().await;
    let ack = alice.ask(message_to(&bob.id, "1", r#""still here""#)).await;
    assert_eq!(ack, r#"{"type":"ack","ref":"still here"}"#);
    bob.hears(message_from(&alice.id, "1")).await;
    Site::new(server.address, &renewed.root).connect().await.fence().await;
    assert_eq!(logs(&server, " INFO ", &["serving what is there now", "valid to"]).await.len(), 1);
    assert_eq!(server.logged(" WARN "), [""; 0]);
}

/// Files as certbot keeps them: `live` has links to those of the pair in `archive` that is good.
struct Certbot(TempDir);

impl Certbot {
    fn new(pairs: &[&Pair]) -> Self {
        let certbot = Self(tempfile::tempdir().expect("a folder"));
        for folder in ["archive", "live"] {
            fs::create_dir(certbot.path(folder)).expect("writable");
        }
        for (number, pair) in (1..).zip(pairs) {
            fs::copy(pair.cert(), certbot.path(&format!("archive/cert{number}.pem"))).expect("writable");
            fs::copy(pair.key(), certbot.path(&format!("archive/key{number}.pem"))).expect("writable");
        }
        certbot.link(1);
        certbot
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As certbot does it: the old link goes, and the new one comes.
    fn link(&self, number: usize) {
        for file in ["cert", "key"] {
            let link = self.path(&format!("live/{file}.pem"));
            let _ = fs::remove_file(&link);
            symlink(format!("../archive/{file}{number}.pem"), link).expect("writable");
        }
    }

    fn serve(&self, pair: Pair) -> Server {
        Server::start_changed(pair, &[], |config| {
            often(config);
            config.pair.cert = self.path("live/cert.pem");
            config.pair.key = self.path("live/key.pem");
        })
    }
}

#[tokio::test]
async fn a_swap_of_symbolic_links_is_noticed() {
    let (first, second) = (Pair::new(), Pair::new());
    let certbot = Certbot::new(&[&first, &second]);
    let server = certbot.serve(first);
    assert!(shows(&server, &server.pair).await);
    certbot.link(2);
    comes_to_show(&server, &second).await;
    certbot.link(1);
    comes_to_show(&server, &server.pair).await;
    assert_eq!(server.logged(" WARN "), [""; 0]);
}

#[tokio::test]
async fn a_swap_of_a_link_to_the_folder_is_noticed() {
    let (first, second) = (Pair::new(), Pair::new());
    let folder = tempfile::tempdir().expect("a folder");
    let link = folder.path().join("now");
    let folder_of = |pair: &Pair| pair.cert().parent().expect("a folder").to_owned();
    symlink(folder_of(&first), &link).expect("writable");
    let server = Server::start_changed(first, &[], |config| {
        often(config);
        (config.pair.cert, config.pair.key) = (link.join("cert.pem"), link.join("key.pem"));
    });
    let next = folder.path().join("next");
    symlink(folder_of(&second), &next).expect("writable");
    fs::rename(next, &link).expect("writable");
    comes_to_show(&server, &second).await;
    assert_eq!(server.logged(" WARN "), [""; 0]);
}

#[tokio::test]
async fn a_broken_pair_leaves_the_old_one_serving() {
    let always = |config: &mut Config| config.certificate_poll = Duration::from_millis(1);
    let server = Server::start_changed(Pair::new(), &[], always);
    let (other, renewed) = (Pair::new(), Pair::new());
    let mut peer = server.connect().await;
    let (cert, key) = (server.pair.cert(), server.pair.key());
    let breaks: [(&Path, &str, &dyn Fn()); 4] = [
        (&key, "does not fit the certificate", &|| replace(&key, fs::read(other.key()).expect("readable"))),
        (&cert, "not PEM", &|| replace(&cert, "garbage")),
        (&cert, "no such file", &|| fs::remove_file(&cert).expect("it is there")),
        (&cert, "is empty", &|| replace(&cert, "")),
    ];
    for (number, (file, problem, break_it)) in (1..).zip(breaks) {
        break_it();
        let words = [&*file.display().to_string(), problem, "is still served"];
        let flag = if file == cert { "--cert " } else { "--key " };
        let warnings = logs(&server, " WARN ", &words).await;
        assert_eq!(warnings.len(), number, "one for each change: {warnings:?}");
        assert!(warnings[number - 1].contains(flag), "{warnings:?}");
        // Each handshake takes as long as several looks at the files, and none of these looks says it again.
        for _ in 0..10 {
            assert!(shows(&server, &server.pair).await);
        }
        peer.fence().await;
        assert_eq!(server.logged(" WARN ").len(), number);
    }
    server.pair.put(&renewed);
    comes_to_show(&server, &renewed).await;
    peer.fence().await;
}

#[tokio::test]
async fn a_certificate_that_comes_long_before_its_key_is_served_once_the_key_is_there() {
    let server = start();
    let renewed = Pair::new();
    replace(&server.pair.cert(), fs::read(renewed.cert()).expect("readable"));
    logs(&server, " WARN ", &["--key ", "does not fit"]).await;
    replace(&server.pair.key(), fs::read(renewed.key()).expect("readable"));
    comes_to_show(&server, &renewed).await;
}

#[tokio::test]
async fn turn_over_tls_follows() {
    let server = Server::start_turn_changed(&[LOOPBACK], |config| {
        often(config);
        config.ice.turn_tls_port = Some(0);
    });
    let ice = server.ice().await;
    let url = ice["iceServers"][1]["urls"].as_array().and_then(|urls| urls.last()).expect("a port of its own");
    let own = url.as_str().expect("text").trim_start_matches("turns:").trim_end_matches("?transport=tcp");
    let own = Site { address: own.parse().expect("an address"), ..(*server).clone() };
    let access = server.turn_access().await;
    let mut before = access.stream_client(server.tls().await);
    before.allocate().await;
    let renewed = Pair::new();
    server.pair.put(&renewed);
    comes_to_show(&server, &renewed).await;
    assert!(shows(&own, &renewed).await, "on the port of its own too");
    let site = Site::new(server.address, &renewed.root);
    let mut after = access.stream_client(site.tls().await);
    let relayed = after.allocate().await;
    assert_eq!(before.permit(relayed).await, 0, "the relay of before is there");
    assert_eq!((before.refresh(0).await, after.refresh(0).await), (0, 0));
}

#[tokio::test]
async fn sessions_are_resumed_over_a_change_of_the_pair() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let server = start();
        let trust = trusting(&server.pair.root, &[version]);
        let visit = async || {
            let connector = TlsConnector::from(Arc::clone(&trust));
            let name = "localhost".try_into().expect("a name");
            let handshake = connector.connect(name, server.tcp().await);
            let mut tls: TlsStream<TcpStream> = within("a handshake", handshake).await.expect("it is trusted");
            // The tickets come with the first answer.
            assert_eq!(exchange(&mut tls, &server.head("GET", "/", &[])).await.status, 200);
            (tls.get_ref().1.handshake_kind(), tls.get_ref().1.protocol_version())
        };
        assert_eq!(visit().await.0, Some(HandshakeKind::Full));
        let renewed = Pair::new();
        server.pair.put(&renewed);
        comes_to_show(&server, &renewed).await;
        let expected =
            if *version == rustls::version::TLS12 { ProtocolVersion::TLSv1_2 } else { ProtocolVersion::TLSv1_3 };
        assert_eq!(visit().await, (Some(HandshakeKind::Resumed), Some(expected)));
    }
}

/// Good from yesterday, for this many days from now.
fn ending(days: u64) -> Pair {
    const DAY: Duration = Duration::from_hours(24);
    let mut params = params();
    params.not_before = (SystemTime::now() - DAY).into();
    // An hour more, so that the test may take a while.
    let last = SystemTime::now() + DAY * u32::try_from(days).expect("a few") + Duration::from_hours(1);
    params.not_after = last.into();
    let key = KeyPair::generate().expect("randomness");
    Pair::signed(&params, &key, &key.serialize_pem())
}

#[tokio::test]
async fn an_end_within_14_days_is_warned_of_at_start_and_at_a_change_and_once_in_between() {
    let server = Server::start_changed(ending(13), &[], often);
    let warnings = server.logged(" WARN ");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let cert = format!("--cert {}", server.pair.cert().display());
    assert!(warnings[0].contains(&cert) && warnings[0].contains("expires in 13 days"), "{warnings:?}");
    let in_13_days = server.served().not_after();

    let (sooner, later) = (ending(3), ending(60));
    server.pair.put(&sooner);
    let warnings = logs(&server, " WARN ", &["expires in 3 days"]).await;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    server.pair.put(&later);
    comes_to_show(&server, &later).await;
    assert_eq!(server.logged(" WARN ").len(), 2, "that one has time");
    let days = (server.served().not_after() - in_13_days) / (24 * 3600);
    assert!((46..=47).contains(&days), "{days}");
}

#[tokio::test]
async fn a_hangup_reads_the_files_again() {
    let pair = Pair::new();
    let (cert, key) = (pair.cert(), pair.key());
    let (renewed, other) = (Pair::new(), Pair::new());
    let program = Program::start_with(pair, &[], |_| {}).await;
    let mut peer = program.connect().await;

    // Two in a row, with and without a change: no look that comes by itself reads what has not changed.
    replace(&cert, fs::read(renewed.cert()).expect("readable"));
    replace(&key, fs::read(renewed.key()).expect("readable"));
    program.signal(Signal::HUP);
    comes_to_show(&program, &renewed).await;
    program.logs("serving what is there now", 1).await;
    program.signal(Signal::HUP);
    program.logs("serving what is there now", 2).await;

    replace(&key, fs::read(other.key()).expect("readable"));
    program.signal(Signal::HUP);
    program.logs("does not fit the certificate", 1).await;
    assert!(shows(&program, &renewed).await);
    peer.fence().await;
    program.signal(Signal::TERM);
    drop(peer);
    let ended = program.ended().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.stderr);
}
