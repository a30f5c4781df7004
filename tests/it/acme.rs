//! Certificates that come by themselves: from pebble, a real authority, and from one that does what it does not.

mod authority;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use entremise::config::Config;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{message_from, message_to};
use crate::clock::faketime;
use crate::http::exchange;
use crate::pair::Pair;
use crate::program::{Program, command, free_port};
use crate::server::{Server, Site};
use crate::status::{METRICS, monitor};
use crate::within;
use authority::{Front, Pebble, Wish, files, flags, state};

/// A server on this port with these flags, which does not wait as long as it should.
fn serve(port: u16, flags: &[String]) -> Server {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Server::start_changed(Pair::new(), &flags, |config: &mut Config| {
        config.listen = SocketAddr::from(([127, 0, 0, 1], port));
        let acme = config.acme.as_mut().expect("--acme-domain");
        acme.question = Duration::from_secs(1);
    })
}

/// Shakes hands as a client that trusts this root and no other.
async fn shake_hands(
    port: u16,
    root: &CertificateDer<'static>,
    name: &str,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    within("the handshake", TlsConnector::from(Arc::new(config)).connect(name, tcp)).await
}

/// Waits until all of these names are served with a certificate of this root, and gives its serial number back.
async fn trusted(port: u16, root: &CertificateDer<'static>, names: &[&str]) -> Vec<u8> {
    let all = Box::pin(async {
        let mut last = Vec::new();
        for name in names {
            last = loop {
                match shake_hands(port, root, name, &[]).await {
                    Ok(stream) => break leaf(&stream),
                    Err(_) => sleep(Duration::from_millis(50)).await,
                }
            };
        }
        last
    });
    within("a certificate that is trusted", all).await
}

fn leaf(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().expect("it has shaken hands")[0].to_vec()
}

async fn logs(server: &Server, level: &str, words: &str) {
    let logged = async {
        while !server.logged(level).iter().any(|line| line.contains(words)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    within(words, logged).await;
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn names_are_proven_on_the_page_s_own_port_and_the_certificate_outlives_the_process() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (root, (folder, kept)) = (pebble.root().await, state());
    let names = ["--acme-domain=One.Example,two.example".to_owned(), "--acme-email=me@one.example".to_owned(), kept];
    let all = [pebble.flags(), names.to_vec()].concat();

    let server = serve(port, &all);
    let first = trusted(port, &root, &["one.example", "two.example"]).await;
    assert!(shake_hands(port, &root, "three.example", &[]).await.is_err());
    let mut page = shake_hands(port, &root, "one.example", &["http/1.1"]).await.expect("it is trusted");
    let answer = exchange(&mut page, "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("strict-transport-security")), (200, "max-age=2592000"));
    for words in [
        "one that no browser trusts is served",
        "ordering a certificate for one.example, two.example",
        "serving a certificate for",
    ] {
        assert!(server.logged("INFO").iter().any(|line| line.contains(words)), "{words}");
    }
    assert_eq!(server.logged("WARN"), [""; 0]);
    drop((page, server));

    let names: BTreeSet<String> =
        files(&folder).iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["account.json", "certificate.pem", "ledger.json"].map(String::from).into());
    for path in files(&folder) {
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }

    // It is there at once, and the authority is not asked: it is gone.
    let _files = pebble.stop();
    let server = serve(port, &all);
    assert_eq!(trusted(port, &root, &["one.example"]).await, first);
    assert!(server.logged("INFO").iter().any(|line| line.contains("serving the certificate of the last run")));
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn an_address_is_proven_too() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (root, (_folder, kept)) = (pebble.root().await, state());
    let server = serve(port, &[pebble.flags(), vec!["--acme-domain=127.0.0.1".into(), kept]].concat());
    trusted(port, &root, &["127.0.0.1"]).await;
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn names_are_proven_over_http_where_that_is_asked_for() {
    let [port, http_port] = [free_port(), free_port()];
    let pebble = Pebble::start(Wish { tls_port: 1, http_port, ..Wish::at(port) }).await;
    let (root, (_folder, kept)) = (pebble.root().await, state());
    let listen = format!("--acme-http-listen=127.0.0.1:{http_port}");
    let server = serve(port, &[pebble.flags(), vec!["--acme-domain=one.example".into(), listen, kept]].concat());
    trusted(port, &root, &["one.example"]).await;
    let mut plain = TcpStream::connect(("127.0.0.1", http_port)).await.expect("it listens");
    let answer = exchange(&mut plain, "GET /a HTTP/1.1\r\nHost: one.example\r\n\r\n").await;
    assert_eq!((answer.status, answer.header("location")), (308, &*format!("https://one.example:{port}/a")));
    assert!(shake_hands(port, &root, "one.example", &["acme-tls/1"]).await.is_err(), "it is not for here");
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn an_authority_may_know_its_users_from_elsewhere() {
    let port = free_port();
    let pebble = Pebble::start(Wish { knows_users: true, ..Wish::at(port) }).await;
    let (root, (folder, kept)) = (pebble.root().await, state());
    let all = [pebble.flags(), vec!["--acme-domain=one.example".into(), kept]].concat();
    let server = serve(port, &all);
    logs(&server, "WARN", "give --acme-eab-kid and --acme-eab-key-file").await;
    drop(server);

    let key = folder.path().join("eab");
    fs::write(&key, format!("{}\n", authority::KEY)).expect("writable");
    let known = ["--acme-eab-kid=kid-1".to_owned(), format!("--acme-eab-key-file={}", key.display())];
    let server = serve(port, &[all, known.to_vec()].concat());
    trusted(port, &root, &["one.example"]).await;
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn a_renewal_ends_no_connection_and_is_at_two_thirds_of_the_life() {
    let port = free_port();
    let pebble = Pebble::start(Wish { validity: Some(18), ..Wish::at(port) }).await;
    let (root, (_folder, kept)) = (pebble.root().await, state());
    let server = serve(port, &[pebble.flags(), vec!["--acme-domain=localhost".into(), kept]].concat());
    let first = trusted(port, &root, &["localhost"]).await;
    let site = Site::new(SocketAddr::from(([127, 0, 0, 1], port)), &root);
    let [mut alice, mut bob] = [site.connect().await, site.connect().await];
    let renewed = async {
        while trusted(port, &root, &["localhost"]).await == first {
            alice.ask(r#"{"type":"ping","ref":1}"#).await;
            alice.say(message_to(&bob.id, "1", "2")).await;
            alice.hear().await;
            bob.hears(message_from(&alice.id, "1")).await;
            sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(18), renewed)
        .await
        .unwrap_or_else(|_| panic!("before it ends: {:?}", server.logged("ACME")));
    alice.fence().await;
    bob.fence().await;
    drop((alice, bob, server));
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn while_the_authority_is_down_the_page_is_served_and_it_is_tried_again() {
    let [port, api] = [free_port(), free_port()];
    let (pair, (_folder, kept)) = (Pair::new(), state());
    let own = vec!["--acme-domain=localhost".into(), kept, METRICS.to_owned()];
    let all = [flags(SocketAddr::from(([127, 0, 0, 1], api)), &pair), own].concat();
    let server = serve(port, &all);
    logs(&server, "WARN", "the next try is at ").await;
    let warnings = async |server: &Server| {
        let status = monitor(server.metrics.expect("it was asked for"), "/status/data").await;
        serde_json::from_slice::<Value>(&status.body).expect("JSON")["warnings"].to_string()
    };
    let shown = warnings(&server).await;
    assert!(shown.contains("no certificate for localhost: ") && shown.contains("no authority vouches"), "{shown}");
    let told = server.logged("WARN");
    assert!(
        told.len() == 1 && told[0].contains("Connection refused") && told[0].contains("no browser trusts"),
        "{told:?}"
    );
    let own = Site::new(SocketAddr::from(([127, 0, 0, 1], port)), &CertificateDer::from(served(&server)));
    let answer = own.get("/").await;
    assert_eq!((answer.status, answer.header("strict-transport-security")), (200, ""), "no authority vouches for it");
    // Nothing happens by itself for a minute; the operator may be sooner.
    let pebble = Pebble::start_at(api, pair, Wish::at(port)).await;
    server.served().reload();
    trusted(port, &pebble.root().await, &["localhost"]).await;
    let shown = warnings(&server).await;
    assert!(!shown.contains("no certificate for") && !shown.contains("vouches"), "{shown}");
    // Its account is gone with it, and is made anew.
    let (api, pair) = pebble.stop();
    let pebble = Pebble::start_at(api, pair, Wish::at(port)).await;
    let root = pebble.root().await;
    drop(server);
    let all: Vec<String> = all.iter().map(|flag| flag.replace("localhost", "localhost,another.example")).collect();
    let server = serve(port, &all);
    trusted(port, &root, &["another.example"]).await;
    drop(server);
}

/// The certificate that is served at the moment.
fn served(server: &Server) -> Vec<u8> {
    server.served().certificate().to_vec()
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn a_proof_that_is_not_found_is_told_with_what_to_look_at_and_the_authority_s_limits_are_kept_over_restarts() {
    let port = free_port();
    // Where no server listens.
    let pebble = Pebble::start(Wish { address: "127.0.0.9", ..Wish::at(port) }).await;
    let (_folder, kept) = state();
    let all = [pebble.flags(), vec!["--acme-domain=one.example".into(), kept]].concat();
    let tries = |server: &Server| server.logged("WARN").len();
    let failed = async |server: &Server, count: usize| {
        let told = async {
            while tries(server) < count {
                sleep(Duration::from_millis(20)).await;
            }
        };
        within("the try to fail", told).await;
    };
    for _ in 0..2 {
        let server = serve(port, &all);
        failed(&server, 1).await;
        server.served().reload();
        failed(&server, 2).await;
        let told = &server.logged("WARN")[0];
        for words in ["did not find the proof at one.example", "127.0.0.9", "does DNS lead each name", "port 443"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        drop(server);
    }
    let server = serve(port, &all);
    server.served().reload();
    sleep(Duration::from_secs(1)).await;
    let told = server.logged("WARN");
    assert!(told.len() == 1 && told[0].contains("leaves nothing for now"), "four within an hour are all: {told:?}");
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn a_machine_that_shows_another_proof_proves_nothing() {
    let port = free_port();
    let pebble = Pebble::start(Wish { address: "127.0.0.9", ..Wish::at(port) }).await;
    // To which the name leads; it orders for the same name, from an authority that is not there.
    let (elsewhere, nowhere) = (state(), Pair::new());
    let other = flags(SocketAddr::from(([127, 0, 0, 1], 1)), &nowhere);
    let other = [other, vec!["--acme-domain=one.example".into(), elsewhere.1.clone()]].concat();
    let other: Vec<&str> = other.iter().map(String::as_str).collect();
    let other = Server::start_changed(Pair::new(), &other, |config: &mut Config| {
        config.listen = SocketAddr::from(([127, 0, 0, 9], port));
    });
    let (_folder, kept) = state();
    let server = serve(port, &[pebble.flags(), vec!["--acme-domain=one.example".into(), kept]].concat());
    logs(&server, "WARN", "did not find the proof at one.example").await;
    assert!(shake_hands(port, &pebble.root().await, "one.example", &[]).await.is_err(), "there is no certificate");
    drop((server, other));
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn an_authority_that_has_enough_is_asked_when_it_says() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (front, root, (_folder, kept)) = (Front::before(&pebble).await, pebble.root().await, state());
    front.play.lock().expect("no panic").refuse_for = Some(4);
    let all = [front.flags(), vec!["--acme-domain=one.example".into(), kept]].concat();
    let server = serve(port, &all);
    logs(&server, "WARN", "too many orders (rateLimited)").await;
    front.play.lock().expect("no panic").refuse_for = None;
    let orders = || front.play.lock().expect("no panic").orders.len();
    server.served().reload();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(orders(), 1, "not even when the operator asks");
    drop(server);
    let server = serve(port, &all);
    sleep(Duration::from_millis(500)).await;
    assert_eq!(orders(), 1, "nor after a restart");
    trusted(port, &root, &["one.example"]).await;
    assert_eq!(orders(), 2);
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn an_address_has_a_short_lived_certificate_that_is_renewed_when_the_authority_says() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (front, root, (_folder, kept)) = (Front::before(&pebble).await, pebble.root().await, state());
    let all = [front.flags(), vec!["--acme-domain=127.0.0.1".into(), kept]].concat();
    let days = |days: i64| date(OffsetDateTime::now_utc() + time::Duration::days(days));
    front.play.lock().expect("no panic").window = Some([days(30), days(31)]);
    let server = serve(port, &all);
    let first = trusted(port, &root, &["127.0.0.1"]).await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(trusted(port, &root, &["127.0.0.1"]).await, first, "there is time");
    front.play.lock().expect("no panic").window = Some([days(-2), days(-1)]);
    let renewed = async {
        while trusted(port, &root, &["127.0.0.1"]).await == first {
            sleep(Duration::from_millis(100)).await;
        }
    };
    within("the renewal", renewed).await;
    {
        let play = front.play.lock().expect("no panic");
        let [(one, none), (other, replaced)] = &play.orders[..2] else { panic!("two orders: {:?}", play.orders) };
        assert_eq!((one.as_deref(), none, other.as_deref()), (Some("shortlived"), &None, Some("shortlived")));
        assert!(replaced.as_ref().is_some_and(|id| id.contains('.')), "which one it replaces is said: {replaced:?}");
        assert!(play.questions > 0);
    }
    logs(&server, "INFO", "the authority wants the certificate to be renewed").await;
    // The new one is as old to this authority: a few more, and then no more than the limits allow.
    sleep(Duration::from_secs(4)).await;
    assert!(front.play.lock().expect("no panic").orders.len() <= 4);
    drop(server);
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn an_authority_whose_answers_have_no_end_costs_little() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (front, (_folder, kept)) = (Front::before(&pebble).await, state());
    front.play.lock().expect("no panic").is_endless = true;
    let server = serve(port, &[front.flags(), vec!["--acme-domain=one.example".into(), kept]].concat());
    logs(&server, "WARN", "length limit exceeded").await;
    drop(server);
}

/// As in RFC 3339.
fn date(time: OffsetDateTime) -> String {
    let (date, clock) = (time.date(), time.time());
    format!("{date}T{:02}:{:02}:{:02}Z", clock.hour(), clock.minute(), clock.second())
}

#[tokio::test]
#[ignore = "needs pebble and faketime: make test-acme"]
async fn with_a_clock_that_is_a_year_ahead_what_has_come_is_served_and_no_other_is_ordered() {
    let port = free_port();
    let pebble = Pebble::start(Wish::at(port)).await;
    let (root, (folder, kept)) = (pebble.root().await, state());
    let all = [
        pebble.flags(),
        vec!["--acme-domain=localhost".into(), kept, format!("--listen=127.0.0.1:{port}"), "--log-format=json".into()],
    ]
    .concat();
    let mut ahead = command(folder.path(), &all);
    ahead.env("LD_PRELOAD", faketime()).env("FAKETIME", "+365d").env("DONT_FAKE_MONOTONIC", "1");
    let program = Program::serve(ahead, || root.clone()).await;
    program.logs("not now, by this machine's clock", 1).await;
    trusted(port, &root, &["localhost"]).await;
    program.signal(rustix::process::Signal::HUP);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(program.log().matches("ordering a certificate").count(), 1, "{}", program.log());
    drop(program);

    // And once the clock is right, nothing that happened in the future counts.
    let program = Program::serve(command(folder.path(), &all), || root.clone()).await;
    program.logs("serving the certificate of the last run", 1).await;
    trusted(port, &root, &["localhost"]).await;
}

#[tokio::test]
async fn who_only_looks_for_a_proof_is_shown_no_other_certificate() {
    let (port, pair, (_folder, kept)) = (free_port(), Pair::new(), state());
    let all =
        [flags(SocketAddr::from(([127, 0, 0, 1], 1)), &pair), vec!["--acme-domain=localhost".into(), kept]].concat();
    let server = serve(port, &all);
    let root = CertificateDer::from(served(&server));
    let refused = shake_hands(port, &root, "localhost", &["acme-tls/1"]).await;
    assert!(refused.is_err(), "there is no proof to be shown");
    let page = shake_hands(port, &root, "localhost", &["acme-tls/1", "http/1.1"]).await.expect("it is a browser's");
    assert_eq!(page.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    drop((page, server));
}

#[tokio::test]
async fn terms_are_agreed_to_by_the_operator() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--acme-domain=localhost", "--acme-directory=https://127.0.0.1:1/dir", "--listen=127.0.0.1:0"];
    let ended = crate::program::run(command(folder.path(), &flags)).await;
    let told = "entremise: --acme-domain: the authority issues certificates under its terms (named in https://127.0.0.1:1/dir): \
                read them, and give --acme-agree\n";
    assert_eq!((ended.status.code(), &*ended.stderr), (Some(1), told));
}

#[tokio::test]
#[ignore = "needs pebble: make test-acme"]
async fn where_the_authority_s_terms_stand_is_said() {
    let pebble = Pebble::start(Wish::at(1)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut flags = pebble.flags();
    flags.retain(|flag| flag != "--acme-agree");
    flags.extend(["--acme-domain=localhost".to_owned(), "--listen=127.0.0.1:0".to_owned()]);
    let ended = crate::program::run(command(folder.path(), &flags)).await;
    assert!(ended.stderr.contains("under its terms (data:text/plain,"), "{}", ended.stderr);
}
