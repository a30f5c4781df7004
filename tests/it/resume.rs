//! A session that goes on over another connection: lost frames are sent again, and none arrives twice.

use tokio::io::AsyncWriteExt as _;

use crate::client::{Client, PROTOCOL, Ticket, V1, field, message_from, message_to, token_of};
use crate::park::{WIDE, assert_peer_is_gone};
use crate::proxy::{Failure, Proxy};
use crate::raw::{CLOSE, FIN, HANDSHAKE, PING, PONG, Raw, TEXT, masked, offering};
use crate::server::{Server, Site};
use crate::within;

/// The token of a raw client that has received nothing but its welcome.
fn ticket_of(raw: &Raw) -> Ticket {
    Ticket { token: token_of(&raw.welcome), received: 0 }
}

/// Sends these numbers, without a ref.
async fn count(client: &mut Client, to: &str, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        client.say(format!(r#"{{"type":"message","to":"{to}","message":{number}}}"#)).await;
    }
}

async fn hear_count(client: &mut Client, from: &str, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        client.hears(message_from(from, &number.to_string())).await;
    }
}

#[tokio::test]
async fn a_resume_brings_no_new_burst() {
    let flags = ["--messages-per-second=0.0001", "--message-burst=20", "--refused-messages=6"];
    let server = Server::start(&flags);
    let mut client = server.connect_v1().await;
    let mut answered = 0;
    let ended = async {
        loop {
            // A ping, and the pong to the server's own, which follows the welcome: each costs one.
            client.say(r#"{"type":"ping","ref":1}"#).await;
            match client.hear_or_close().await {
                Ok(answer) => answered += usize::from(!answer.contains("rate-limited")),
                Err((code, reason)) => return assert_eq!((code, &*reason), (1008, "too many refused frames")),
            }
            client = server.try_resume(&client.ticket()).await;
            if !client.is_resumed() {
                return;
            }
        }
    };
    within("the end of the session", ended).await;
    assert!(answered <= 20, "{answered} answered over all connections together");
}

#[tokio::test]
async fn only_v1_is_told_how_to_resume_and_the_server_pings_at_once() {
    let server = Server::start(&["--resume-window=2.5"]);
    let mut v1 = server.raw_offering(V1).await;
    // Other nodes know it by a seal.
    assert_eq!(token_of(&v1.welcome).len(), if server.is_one_of_two() { 64 } else { 43 });
    assert_eq!(field(&v1.welcome, "resumeWindow"), 2.5);
    assert_eq!(field(&v1.welcome, "resumed"), false);
    assert!(field(&v1.welcome, "accepted").is_null());
    assert!(!token_of(&v1.welcome).contains(&v1.id));
    assert_eq!(v1.frame().await, (FIN | PING, Vec::new()));
    let plain = server.connect().await;
    assert!(!plain.welcome.contains("resume\"") && !plain.welcome.contains("resumeWindow"), "{}", plain.welcome);
}

#[tokio::test]
async fn zero_switches_resume_off() {
    let server = Server::start(&[&WIDE[..], &["--resume-window=0"]].concat());
    let [mut alice, _] = server.connect_many().await;
    let bob = server.connect_v1().await;
    assert!(!bob.welcome.contains("resume\"") && !bob.welcome.contains("resumeWindow"), "{}", bob.welcome);
    let id = bob.id.clone();
    drop(bob);
    assert_peer_is_gone(&mut alice, &id).await;
}

#[tokio::test]
async fn a_session_goes_on_however_its_connection_is_lost() {
    for failure in [Failure::Reset, Failure::Silence] {
        let server = Server::start(&[]);
        let mut alice = server.connect().await;
        let proxy = Proxy::before(&server).await;
        let mut bob = proxy.connect_v1().await;
        bob.fence().await;
        proxy.fail(failure);
        alice.say(message_to(&bob.id, "1", "1")).await;
        assert!(alice.hear().await.starts_with(r#"{"type":"ack","ref":1"#));
        let mut again = server.resume(&bob.ticket()).await;
        assert_eq!((&again.id, again.accepted()), (&bob.id, 1), "{failure:?}");
        assert_ne!(again.ticket().token, bob.ticket().token, "a new token");
        again.hears(message_from(&alice.id, "1")).await;
        again.fence().await;
        alice.fence().await;
    }
}

#[tokio::test]
async fn a_session_without_a_frame_is_resumed() {
    let server = Server::start(&[]);
    let bob = server.connect_v1().await;
    let mut again = server.resume(&bob.ticket()).await;
    assert_eq!((again.accepted(), &again.id), (0, &bob.id));
    again.fence().await;
}

#[tokio::test]
async fn two_cuts_in_a_burst_both_ways_lose_and_double_nothing() {
    const FRAMES: usize = 150;
    for failures in [[Failure::Reset, Failure::Silence], [Failure::Silence, Failure::Reset]] {
        let server = Server::start(&WIDE);
        let mut alice = server.connect().await;
        let mut proxy = Proxy::before(&server).await;
        let mut bob = proxy.connect_v1().await;
        let bob_id = bob.id.clone();
        for (part, failure) in failures.into_iter().enumerate() {
            // Some of it may be lost, in either direction.
            count(&mut bob, &alice.id, part * FRAMES..(part + 1) * FRAMES).await;
            count(&mut alice, &bob_id, part * FRAMES..(part + 1) * FRAMES).await;
            hear_count(&mut bob, &alice.id, part * FRAMES..part * FRAMES + FRAMES / 3).await;
            proxy.fail(failure);
            let next = Proxy::before(&server).await;
            let ticket = bob.ticket();
            bob = next.resume(&ticket).await;
            proxy = next;
            let accepted = bob.accepted();
            assert!((part * FRAMES..=(part + 1) * FRAMES).contains(&accepted), "{accepted}");
            count(&mut bob, &alice.id, accepted..(part + 1) * FRAMES).await;
            hear_count(&mut bob, &alice.id, part * FRAMES + FRAMES / 3..(part + 1) * FRAMES).await;
            hear_count(&mut alice, &bob_id, part * FRAMES..(part + 1) * FRAMES).await;
        }
        bob.fence().await;
        alice.fence().await;
    }
}

#[tokio::test]
async fn every_frame_counts_as_accepted_whatever_came_of_it() {
    let server = Server::start(&[]);
    let mut bob = server.connect_v1().await;
    bob.ask("not json").await;
    bob.ask(message_to("absent", "1", "1")).await;
    bob.join("hall").await;
    bob.acknowledge().await;
    bob.say(r#"{"type":"received","count":4}"#).await;
    bob.fence().await;
    assert_eq!(server.resume(&bob.ticket()).await.accepted(), 6);
}

#[tokio::test]
async fn the_old_connection_is_closed_with_4000_and_read_no_further() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let mut old = server.connect_v1().await;
    old.join("hall").await;
    let mut new = server.resume(&old.ticket()).await;
    old.say(message_to(&alice.id, "1", "1")).await;
    old.say(r#"{"type":"leave","room":"hall"}"#).await;
    let (code, reason) = old.closed().await;
    assert_eq!((code, &*reason), (4000, "a newer connection has taken this session over"));
    old.ended().await;
    alice.fence().await;
    assert_eq!(alice.join("hall").await, [&*new.id]);
    new.hear().await;
    new.fence().await;
    assert_eq!(server.resume(&new.ticket()).await.accepted(), 2, "the join and the fence");
}

#[tokio::test]
async fn what_an_old_connection_closes_with_means_nothing_to_its_session() {
    let server = Server::start(&[]);
    let mut raw = server.raw_offering(V1).await;
    let mut new = server.resume(&ticket_of(&raw)).await;
    raw.write(&[masked(FIN | CLOSE, &1000_u16.to_be_bytes()), vec![0xff; 100]].concat()).await;
    assert_eq!(raw.closed().await.0, 4000);
    new.fence().await;
}

#[tokio::test]
async fn a_lost_welcome_does_not_use_up_the_token() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    let ticket = bob.ticket();
    for number in ["0", "1", "2"] {
        alice.ask(message_to(&bob.id, number, number)).await;
        // The client ignores its welcome, and does not answer the ping.
        let lost = server.raw_offering(&ticket.offer()).await;
        assert_eq!(field(&lost.welcome, "resumed"), true, "{}", lost.welcome);
        drop(lost);
    }
    let mut bob = server.resume(&ticket).await;
    hear_count(&mut bob, &alice.id, 0..3).await;
    bob.fence().await;
    assert!(!server.try_resume(&ticket).await.is_resumed(), "now the token is spent");
}

#[tokio::test]
async fn a_resume_token_is_spent_once_its_successor_is_confirmed() {
    let server = Server::start(&[]);
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    let first = bob.ticket();
    let mut second = server.resume(&first).await;
    second.fence().await;
    let fresh = server.try_resume(&first).await;
    assert!(!fresh.is_resumed() && fresh.id != bob.id, "a first frame has confirmed the second");
    // The attempt did not disturb the session.
    second.fence().await;
    let mut third = server.raw_offering(&second.ticket().offer()).await;
    assert_eq!(third.frame().await, (FIN | PING, Vec::new()));
    third.send(FIN | PONG, b"").await;
    third.send(FIN | CLOSE, &1001_u16.to_be_bytes()).await;
    assert_eq!(third.frame().await.0, FIN | CLOSE);
    assert!(!server.try_resume(&second.ticket()).await.is_resumed(), "a pong has confirmed the third");
    let ticket = Ticket { token: token_of(&third.welcome), received: second.received };
    server.resume(&ticket).await.fence().await;
}

#[tokio::test]
async fn a_late_attempt_does_not_invalidate_its_clients_token() {
    let server = Server::start(&[]);
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    let mut second = server.raw_offering(&bob.ticket().offer()).await;
    let late = server.raw_offering(&bob.ticket().offer()).await;
    assert_eq!(second.closed().await.0, 4000);
    drop(late);
    server.resume(&Ticket { token: token_of(&second.welcome), ..bob.ticket() }).await.fence().await;
}

#[tokio::test]
async fn what_cannot_be_resumed_is_an_ordinary_new_session_and_disturbs_no_other() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    alice.ask(message_to(&bob.id, "1", "1")).await;
    bob.hear().await;
    bob.acknowledge().await;
    let Ticket { token, received } = bob.ticket();
    let stranger = Server::start(&[]).connect_v1().await.ticket().token;
    let mut forged = token.clone();
    forged.replace_range(40..42, if token.ends_with("AAA") { "BB" } else { "AA" });
    let (short, other) = (token[..42].to_owned(), "A".repeat(43));
    for (what, token, received) in [
        ("of another server", &stranger, received),
        ("unknown", &other, received),
        ("half known", &forged, received),
        ("malformed", &short, received),
        ("below what was acknowledged", &token, 0),
        ("above what was sent", &token, received + 1),
        ("far above", &token, u64::MAX),
    ] {
        let ticket = Ticket { token: token.clone(), received };
        let mut client = server.try_resume(&ticket).await;
        assert!(!client.is_resumed() && client.id != bob.id, "{what}: {}", client.welcome);
        assert!(field(&client.welcome, "accepted").is_null(), "{what}");
        assert_ne!(token_of(&client.welcome), *token, "{what}");
        client.fence().await;
    }
    bob.fence().await;
    server.resume(&bob.ticket()).await.fence().await;
}

#[tokio::test]
async fn a_token_expires_with_its_session() {
    let server = Server::start(&[&WIDE[..], &["--resume-window=0.1"]].concat());
    let mut alice = server.connect().await;
    let bob = server.connect_v1().await;
    let ticket = bob.ticket();
    let id = bob.id.clone();
    drop(bob);
    assert_peer_is_gone(&mut alice, &id).await;
    assert!(!server.try_resume(&ticket).await.is_resumed());
}

#[tokio::test]
async fn a_resume_is_never_refused_by_a_limit_and_others_are() {
    for (flags, status) in [
        (["--max-connections=1", "--max-connections-per-address=0"], 503),
        (["--max-connections=0", "--max-connections-per-address=1"], 429),
    ] {
        let server = Server::start(&flags);
        let mut bob = server.connect_v1().await;
        for _ in 0..3 {
            bob = server.resume(&bob.ticket()).await;
            bob.fence().await;
            let spent = Ticket { token: "A".repeat(43), received: 0 };
            let answer = server.request("GET", "/ws", &[&HANDSHAKE[..], &[&offering(&spent.offer())]].concat()).await;
            assert_eq!(answer.status, status, "nothing to resume");
            assert_eq!(server.get("/ws").await.status, status);
        }
        bob.leave(Some(1000)).await;
        within("the only permit", async { while server.get("/ws").await.status != 426 {} }).await;
    }
}

#[tokio::test]
async fn a_stuck_connection_that_was_taken_over_soon_releases_its_permit() {
    let flags = ["--max-connections=2", "--write-timeout=60", "--mailbox-bytes=10000000"];
    let server = Server::start(&[&WIDE[..], &flags].concat());
    let mut alice = server.connect().await;
    let stalled = server.stalled_v1().await;
    // More bytes than the system keeps between two sockets.
    let large = format!("\"{}\"", "x".repeat(60_000));
    for _ in 0..120 {
        assert!(alice.ask(message_to(&stalled.id, &large, "1")).await.contains("ack"));
    }
    server.resume(&ticket_of(&stalled)).await.leave(Some(1000)).await;
    within("its permit", async { while server.get("/ws").await.status != 426 {} }).await;
    drop(stalled);
}

#[tokio::test]
async fn a_resume_that_is_refused_or_abandoned_changes_nothing() {
    let server = Server::start(&[]);
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    let offer = offering(&bob.ticket().offer());
    let [connection, upgrade, _, key] = HANDSHAKE;
    for (headers, status) in [
        ([&HANDSHAKE[..], &[&offer, "Origin: https://evil.example"]].concat(), 403),
        (vec![connection, upgrade, key, "Sec-WebSocket-Version: 12", &offer], 426),
        ([&HANDSHAKE[..], &[&offer, "Sec-WebSocket-Protocol: entremise.v1"]].concat(), 400),
        (vec![&*offer], 426),
    ] {
        assert_eq!(server.request("GET", "/ws", &headers).await.status, status);
    }
    drop(abandon(&server, &offer, 100).await);
    bob.fence().await;
    // The server has read all of this handshake, and the client nothing of its answer.
    drop(abandon(&server, &offer, usize::MAX).await);
    let mut again = server.resume(&bob.ticket()).await;
    again.fence().await;
}

/// Sends so many bytes of a handshake, and does not read the answer.
async fn abandon(site: &Site, offer: &str, bytes: usize) -> impl Sized {
    let mut tls = site.tls().await;
    let head = site.head("GET", "/ws", &[&HANDSHAKE[..], &[offer]].concat());
    tls.write_all(&head.as_bytes()[..bytes.min(head.len())]).await.expect("the server reads");
    tls.flush().await.expect("the server reads");
    tls
}

#[tokio::test]
async fn what_was_never_sent_cannot_be_acknowledged_and_nothing_is_without_resume() {
    let server = Server::start(&[]);
    let bad = r#""code":"bad-message""#;
    let mut bob = server.connect_v1().await;
    assert!(bob.ask(r#"{"type":"received","count":1}"#).await.contains(bad));
    bob.acknowledge().await;
    assert!(bob.ask(r#"{"type":"received","count":3}"#).await.contains(bad));
    let mut plain = server.connect().await;
    plain.fence().await;
    assert!(plain.ask(r#"{"type":"received","count":1}"#).await.contains(bad));
    assert!(plain.ask(r#"{"type":"received","count":0}"#).await.contains(bad));
}

#[tokio::test]
async fn a_resumed_session_that_is_idle_holds_nothing() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let bob = server.connect_v1().await;
    for number in 0..20 {
        alice.ask(message_to(&bob.id, &number.to_string(), "1")).await;
    }
    let mut bob = server.resume(&bob.ticket()).await;
    hear_count(&mut bob, &alice.id, 0..20).await;
    assert_ne!(server.hub.queued_bytes(), 0, "a resume may ask for them");
    bob.say(r#"{"type":"received","count":20}"#).await;
    let freed = async {
        while server.hub.queued_bytes() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within("the window to be empty", freed).await;
}

#[tokio::test]
async fn a_client_may_come_from_another_address_and_is_greeted_like_a_new_one() {
    let server = Server::start(&[]);
    let bob = server.connect_v1().await;
    let elsewhere = server.tls_from([127, 0, 0, 2]).await;
    let upgraded = server.upgrade(elsewhere, &[(PROTOCOL, &bob.ticket().offer())]).await;
    let (mut again, response) = upgraded.expect("a resume");
    assert_eq!(response.headers()[PROTOCOL], V1, "secrets are not echoed");
    assert!(again.is_resumed() && !field(&again.welcome, "iceServers").is_null());
    again.fence().await;
}

#[tokio::test]
async fn frames_sent_along_with_a_resume_are_processed_once() {
    let server = Server::start(&[]);
    let mut alice = server.connect().await;
    let mut bob = server.connect_v1().await;
    bob.fence().await;
    let mut tls = server.tls().await;
    let head = server.head("GET", "/ws", &[&HANDSHAKE[..], &[&offering(&bob.ticket().offer())]].concat());
    let frame = masked(FIN | TEXT, message_to(&alice.id, "1", "1").as_bytes());
    tls.write_all(&[head.as_bytes(), &frame].concat()).await.expect("the server reads");
    let again = Raw::welcomed(tls).await;
    assert_eq!(field(&again.welcome, "accepted"), 1);
    alice.hears(message_from(&bob.id, "1")).await;
    alice.fence().await;
}
