//! Credentials: who is let in with which token, and what a token allows.

use std::time::{SystemTime, UNIX_EPOCH};

use entremise::auth::{Claims, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PublicKeyData as _};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, Ticket, join, message_to};
use crate::http::Answer;
use crate::program::Program;
use crate::raw::HANDSHAKE;
use crate::server::{Server, Site};
use crate::within;

const SECRET: &str = "a secret that only tests share with each other";

const PROTOCOL: &str = "sec-websocket-protocol";

/// A server that lets no client in without a token, and where its secret is.
pub(crate) fn start(flags: &[&str]) -> (Server, TempDir) {
    let (folder, flag) = secret_file();
    (Server::start(&[&[&*flag], flags].concat()), folder)
}

/// The secret's file, and the flag that names it.
pub(crate) fn secret_file() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).expect("writable");
    (folder, format!("--auth-jwt-secret-file={}", file.display()))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs()
}

fn mint(claims: &Claims) -> String {
    claims.mint(&Secret::new(SECRET.as_bytes()).expect("long enough"))
}

/// A token for all rooms that is good for an hour.
pub(crate) fn token(subject: &str) -> String {
    mint(&Claims::new(subject, now() + 3600))
}

/// One that is good for so many seconds.
pub(crate) fn token_until(subject: &str, seconds: u64) -> String {
    mint(&Claims::new(subject, now() + seconds))
}

pub(crate) fn expired_token(subject: &str) -> String {
    mint(&Claims::new(subject, now() - 1))
}

pub(crate) fn token_for(subject: &str, rooms: &[&str]) -> String {
    let rooms = rooms.iter().map(|&room| room.to_owned()).collect();
    mint(&Claims { rooms: Some(rooms), ..Claims::new(subject, now() + 3600) })
}

fn offer(token: &str) -> String {
    format!("entremise.v1, entremise.bearer.{token}")
}

fn authorization(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// A client that comes in with this token.
async fn connect(site: &Site, token: &str) -> Client {
    site.connect_with(&[(PROTOCOL, &offer(token))]).await.0
}

/// The offer by which another connection takes this session up, where this many frames have been got.
fn offer_of(earlier: &Client, received: u64) -> String {
    Ticket { received, ..earlier.ticket() }.offer()
}

/// A client that comes in with this token, and wants to go on with the session of another connection.
async fn resume(site: &Site, earlier: &Client, received: u64, token: &str) -> Client {
    let offered = format!("{}, entremise.bearer.{token}", offer_of(earlier, received));
    site.connect_with(&[(PROTOCOL, &offered)]).await.0
}

/// A handshake with these headers besides what it has to have.
async fn handshake(site: &Site, headers: &[&str]) -> Answer {
    site.request("GET", "/ws", &[&HANDSHAKE, headers].concat()).await
}

fn assert_unauthorized(answer: &Answer) {
    assert_eq!((answer.status, &*answer.code()), (401, "unauthorized"));
    assert_eq!((answer.header("www-authenticate"), answer.header("cache-control")), ("Bearer", "no-store"));
}

#[tokio::test]
async fn no_client_comes_in_without_a_token() {
    let (server, _secret) = start(&[]);
    assert_unauthorized(&handshake(&server, &[]).await);
    assert_unauthorized(&handshake(&server, &["Sec-WebSocket-Protocol: entremise.v1"]).await);
    let answer = server.get("/ws").await;
    assert_unauthorized(&answer);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_unauthorized(&server.get("/ice").await);
    assert_eq!(server.get("/").await.status, 200, "the page is for all");
    assert_eq!(server.hub.peers(), 0);
}

#[tokio::test]
async fn a_token_of_a_client_that_can_send_it_nowhere_else_is_in_the_query_and_for_its_rooms() {
    let (server, _secret) = start(&["--dialect=matchbox"]);
    let refused = |answer: Result<_, (u16, String)>| answer.err().expect("it is refused");
    assert_eq!(refused(server.try_visit("/matchbox/hall", &[]).await), (401, "unauthorized".to_owned()));
    let query = format!("access_token={}", token_for("alice", &["hall"]));
    let mut guest = server.visit(&format!("/matchbox/hall?next=2&{query}")).await;
    assert!(guest.hear().await.contains("IdAssigned"));
    let elsewhere = server.try_visit(&format!("/matchbox/yard?{query}"), &[]).await;
    assert_eq!(refused(elsewhere), (403, "room-not-allowed".to_owned()));
}

#[tokio::test]
async fn a_token_for_the_exchange_comes_as_a_header_or_in_the_query() {
    let (server, _secret) = start(&["--dialect=gstreamer"]);
    let refused = server.try_visit("/gstreamer", &[]).await.err();
    assert_eq!(refused, Some((401, "unauthorized".to_owned())));
    let bearer = format!("Bearer {}", token("alice"));
    let native = server.try_visit("/gstreamer", &[("authorization", &bearer)]).await;
    let mut native = native.unwrap_or_else(|refused| panic!("{refused:?}"));
    let mut page = server.visit(&format!("/gstreamer?access_token={}", token("bob"))).await;
    for guest in [&mut native, &mut page] {
        assert!(guest.hear().await.starts_with(r#"{"type":"welcome""#));
    }
}

#[tokio::test]
async fn a_token_comes_as_a_subprotocol_or_as_a_header() {
    let (server, _secret) = start(&[]);
    let token = token("alice");
    let (mut client, answer) = server.connect_with(&[(PROTOCOL, &offer(&token))]).await;
    assert_eq!(answer.headers()[PROTOCOL], "entremise.v1");
    assert!(!format!("{:?}", answer.headers()).contains(&token), "it is never echoed");
    client.fence().await;
    let bearer = format!("Bearer {token}");
    for headers in [&[("authorization", &*bearer)][..], &[("authorization", &bearer), (PROTOCOL, &offer(&token))]] {
        server.connect_with(headers).await.0.fence().await;
    }
    assert_eq!(server.request("GET", "/ws", &[&authorization(&token)]).await.status, 426);
    assert_eq!(server.request("GET", "/ice", &[&authorization(&token)]).await.status, 200);
}

#[tokio::test]
async fn credentials_that_differ_are_a_bad_handshake() {
    let (server, _secret) = start(&[]);
    let offered = format!("Sec-WebSocket-Protocol: {}", offer(&token("alice")));
    let answer = handshake(&server, &[&offered, &authorization(&token("bob"))]).await;
    assert_eq!((answer.status, &*answer.code()), (400, "bad-handshake"));
}

#[tokio::test]
async fn a_token_that_is_bad_or_past_or_to_come_lets_no_client_in() {
    let (server, _secret) = start(&[]);
    let secret = EncodingKey::from_secret(SECRET.as_bytes());
    let claims = Claims::new("alice", now() + 3600);
    let signed = |header, key| jsonwebtoken::encode(&Header::new(header), &claims, key).expect("JSON");
    let good = token("alice");
    for token in [
        "",
        "x",
        &good[..good.len() - 4],
        &mint(&Claims::new("alice", now())),
        &mint(&Claims::new("alice", 1)),
        &mint(&Claims { not_before: Some(now() + 600), ..claims.clone() }),
        &mint(&Claims { audience: Some("others".into()), ..claims.clone() }),
        &mint(&Claims::new("", now() + 3600)),
        &signed(Algorithm::HS512, &secret),
        &signed(Algorithm::HS256, &EncodingKey::from_secret(b"another secret, of another server")),
    ] {
        assert_unauthorized(&server.request("GET", "/ws", &[&authorization(token)]).await);
        assert_unauthorized(&server.request("GET", "/ice", &[&authorization(token)]).await);
        let offered = format!("Sec-WebSocket-Protocol: {}", offer(token));
        assert_unauthorized(&handshake(&server, &[&offered]).await);
    }
    let answer = server.request("GET", "/ws", &[&authorization(&mint(&Claims::new("alice", 1)))]).await;
    assert!(String::from_utf8_lossy(&answer.body).contains("expired"), "a client can tell");
}

#[tokio::test]
async fn refusals_for_credentials_come_in_their_order() {
    let (server, _secret) = start(&["--max-connections=1", "--max-connections-per-address=1"]);
    let mut client = connect(&server, &token("alice")).await;
    let (evil, bad) = ("Origin: https://evil.example", authorization("bad"));
    let offered = format!("Sec-WebSocket-Protocol: {}", offer("worse"));
    let code = async |headers: &[&str]| handshake(&server, headers).await.code();
    assert_eq!(code(&[&offered, &bad, evil]).await, "bad-handshake");
    assert_eq!(code(&[&bad, evil]).await, "origin-not-allowed");
    assert_eq!(code(&[&bad]).await, "unauthorized");
    assert_eq!(code(&[&authorization(&token("alice"))]).await, "too-many-connections");
    client.fence().await;
}

#[tokio::test]
async fn a_token_in_the_url_is_not_read() {
    let (server, _secret) = start(&[]);
    let token = token("alice");
    for name in ["token", "access_token", "authorization", "bearer"] {
        assert_unauthorized(&server.request("GET", &format!("/ws?{name}={token}"), &HANDSHAKE).await);
    }
}

#[tokio::test]
async fn a_token_and_the_secret_are_not_logged() {
    let (_secret, flag) = secret_file();
    let program = Program::start(&[&flag, "--log=trace"]).await;
    let token = token("alice");
    connect(&program, &token).await.fence().await;
    assert_unauthorized(&program.request("GET", "/ws", &[&authorization(&format!("{token}x"))]).await);
    program.logs("asks for a WebSocket", 2).await;
    let log = program.log();
    let signature = token.rsplit('.').next().expect("a signature");
    for secret in [signature, SECRET] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[tokio::test]
async fn without_a_key_credentials_mean_nothing() {
    let server = Server::start(&[]);
    connect(&server, "anything").await.fence().await;
    assert_eq!(server.request("GET", "/ws", &[&authorization("anything")]).await.status, 426);
}

#[tokio::test]
async fn tokens_are_verified_by_a_public_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.pem");
    for (kind, algorithm, other) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, Algorithm::ES256, Algorithm::HS256),
        (&rcgen::PKCS_ED25519, Algorithm::EdDSA, Algorithm::HS256),
    ] {
        let pair = KeyPair::generate_for(kind).expect("the system has randomness");
        let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", pair.subject_public_key_info()));
        std::fs::write(&file, &pem).expect("writable");
        let server = Server::start(&[&format!("--auth-jwt-public-key-file={}", file.display())]);
        let key = match algorithm {
            Algorithm::ES256 => EncodingKey::from_ec_der(&pair.serialize_der()),
            _ => EncodingKey::from_ed_der(&pair.serialize_der()),
        };
        let claims = Claims::new("alice", now() + 3600);
        let token = jsonwebtoken::encode(&Header::new(algorithm), &claims, &key).expect("JSON");
        connect(&server, &token).await.fence().await;
        let key = EncodingKey::from_secret(pem.as_bytes());
        let forged = jsonwebtoken::encode(&Header::new(other), &claims, &key).expect("JSON");
        assert_unauthorized(&server.request("GET", "/ws", &[&authorization(&forged)]).await);
    }
}

#[tokio::test]
async fn an_audience_and_an_issuer_are_asked_for_by_their_flags() {
    let (server, _secret) = start(&["--auth-audience=calls", "--auth-issuer=us"]);
    assert_unauthorized(&server.request("GET", "/ws", &[&authorization(&token("alice"))]).await);
    let claims = Claims::new("alice", now() + 3600);
    let token = mint(&Claims { audience: Some("calls".into()), issuer: Some("us".into()), ..claims });
    assert_eq!(server.request("GET", "/ws", &[&authorization(&token)]).await.status, 426);
}

#[tokio::test]
async fn a_room_that_the_credentials_do_not_name_is_not_joined() {
    let (server, _secret) = start(&["--refused-messages=3"]);
    let mut alice = connect(&server, &token_for("alice", &["lobby", "hall"])).await;
    assert_eq!(alice.join("lobby").await, [""; 0]);
    let refusal = r#"{"type":"error","code":"room-not-allowed","message":"your credentials are not for this room","room":"vault","ref":7}"#;
    for _ in 0..5 {
        // It is no abuse.
        assert_eq!(alice.ask(r#"{"type":"join","room":"vault","ref":7}"#).await, refusal);
    }
    let mut bob = connect(&server, &token("bob")).await;
    assert_eq!(bob.join("vault").await, [""; 0]);
    assert_eq!(bob.join("lobby").await, [&*alice.id]);
    assert_eq!(server.hub.rooms(), 2);
}

#[tokio::test]
async fn a_connection_ends_when_its_credentials_expire_and_its_session_waits() {
    let (server, _secret) = start(&[]);
    let mut bob = connect(&server, &token("bob")).await;
    bob.join("hall").await;
    let begin = now();
    let brief = mint(&Claims::new("alice", begin + 2));
    let mut alice = connect(&server, &brief).await;
    assert_eq!(alice.join("hall").await, [&*bob.id]);
    bob.hear().await;
    assert_eq!(alice.closed().await, (4003, "the credentials have expired: connect again with new ones".into()));
    assert!((begin + 2..begin + 10).contains(&now()), "no sooner, and not much later");
    let parked =
        async { while bob.ask(message_to(&alice.id, "1", "1")).await != r#"{"type":"ack","ref":1,"parked":true}"# {} };
    within("the session to be parked", parked).await;

    let offered = format!("{}, entremise.bearer.{brief}", offer_of(&alice, 1));
    let tls = server.tls().await;
    let Err(Error::Http(refused)) = server.upgrade(tls, &[(PROTOCOL, &offered)]).await else {
        panic!("the credentials have expired");
    };
    assert_eq!(refused.status(), 401);
    let mut again = resume(&server, &alice, 1, &token("alice")).await;
    assert!(again.is_resumed() && again.id == alice.id);
    assert!(again.hear().await.starts_with(r#"{"type":"message","from":""#));
    bob.fence().await;
}

#[tokio::test]
async fn a_session_is_resumed_by_its_own_subject_alone() {
    let (server, _secret) = start(&[]);
    let mut alice = connect(&server, &token("alice")).await;
    alice.join("hall").await;
    let mut mallory = resume(&server, &alice, 1, &token("mallory")).await;
    assert!(!mallory.is_resumed() && mallory.id != alice.id, "an ordinary new session");
    mallory.fence().await;
    alice.fence().await;
    assert_eq!(server.hub.peers(), 2);
    let mut again = resume(&server, &alice, 2, &token("alice")).await;
    assert!(again.is_resumed() && again.id == alice.id);
    again.fence().await;
    assert_eq!(alice.closed().await.0, 4000);
}

#[tokio::test]
async fn another_subject_meets_the_limits_like_all_others() {
    let (server, _secret) = start(&["--max-connections=1"]);
    let mut alice = connect(&server, &token("alice")).await;
    let offered = format!("Sec-WebSocket-Protocol: {}, entremise.bearer.{}", offer_of(&alice, 0), token("mallory"));
    let answer = handshake(&server, &[&offered]).await;
    assert_eq!((answer.status, &*answer.code()), (503, "server-full"));
    alice.fence().await;
}

#[tokio::test]
async fn rooms_that_new_credentials_do_not_name_are_left() {
    let (server, _secret) = start(&[]);
    let mut bob = connect(&server, &token("bob")).await;
    bob.join("hall").await;
    bob.join("lobby").await;
    let mut alice = connect(&server, &token("alice")).await;
    for room in ["hall", "lobby"] {
        assert_eq!(alice.join(room).await, [&*bob.id]);
        bob.hear().await;
    }
    let mut again = resume(&server, &alice, 2, &token_for("alice", &["lobby"])).await;
    assert!(again.is_resumed());
    again.hears(r#"{"type":"left","room":"hall"}"#).await;
    bob.hears(format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, alice.id)).await;
    assert!(again.ask(join("hall")).await.contains("room-not-allowed"));
    bob.say(r#"{"type":"message","room":"lobby","message":1}"#).await;
    again.hears(format!(r#"{{"type":"message","room":"lobby","from":"{}","message":1}}"#, bob.id)).await;
}

/// A token for all rooms that is signed with this secret.
fn token_by(secret: &str) -> String {
    Claims::new("alice", now() + 3600).mint(&Secret::new(secret.as_bytes()).expect("long enough"))
}

#[tokio::test]
async fn keys_are_rotated_by_a_second_one_and_a_hangup() {
    let folder = tempfile::tempdir().expect("a folder");
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    let [old, new, newest] = ["old", "new", "newest"].map(|name| format!("a secret of thirty-two bytes: {name}"));
    crate::pair::replace(&before, &old);
    crate::pair::replace(&after, &new);
    let flags = [&before, &after].map(|file| format!("--auth-jwt-secret-file={}", file.display()));
    let program = Program::start(&flags.each_ref().map(String::as_str)).await;
    let lets_in = async |secret: &str| {
        let answer = program.request("GET", "/ice", &[&authorization(&token_by(secret))]).await;
        assert!(answer.status == 200 || answer.status == 401);
        answer.status == 200
    };
    let mut alice = connect(&program, &token_by(&old)).await;
    assert!(lets_in(&old).await && lets_in(&new).await && !lets_in(&newest).await);

    crate::pair::replace(&before, &newest);
    assert!(lets_in(&old).await, "nothing is read before the signal");
    program.signal(Signal::HUP);
    within("the newest key to count", async { while !lets_in(&newest).await {} }).await;
    assert!(!lets_in(&old).await && lets_in(&new).await);
    alice.fence().await;

    crate::pair::replace(&after, "short");
    program.signal(Signal::HUP);
    program.logs("has 5 bytes, and HS256 needs 32", 1).await;
    program.logs("the keys of before still count", 1).await;
    assert!(lets_in(&newest).await && lets_in(&new).await);
    alice.fence().await;
    let log = program.log();
    assert!(!log.contains(&newest) && !log.contains(&new), "{log}");
}

#[tokio::test]
async fn a_key_that_hangs_does_not_delay_the_end() {
    let (folder, flag) = secret_file();
    let program = Program::start(&[&flag]).await;
    let file = folder.path().join("secret");
    crate::attack::process::make_pipe(&file);
    program.signal(Signal::HUP);
    let _writer = crate::attack::process::hang_reader(&file).await;
    assert_eq!(program.request("GET", "/ice", &[&authorization(&token("alice"))]).await.status, 200);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().await.status.code(), Some(0));
}

/// A browser has no other way to hand it over with a WebSocket.
#[tokio::test]
async fn a_page_whose_token_was_taken_away_with_its_subprotocols_is_told_so() {
    let (server, _folder) = start(&[]);
    let own = format!("Origin: https://{}", server.address);
    let asks = async |token: &str| server.request("GET", "/ws", &[&own, &authorization(token)]).await.code();
    assert_eq!(asks(&token("alice")).await, "upgrade-required");
    let refused = server.request("GET", "/ws", &[&HANDSHAKE[..], &[&own]].concat()).await;
    assert_eq!((refused.status, &*refused.code()), (401, "unauthorized"));
    assert_eq!(asks("none").await, "unauthorized");
    assert_eq!(asks(&token("alice")).await, "upgrade-removed", "the token is good, and did not come through");
}
