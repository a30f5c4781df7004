//! matchbox: rooms in the path, signals within them, and groups that are matched. The sequences are those of its own server's
//! tests, and what its clients can bear.

mod memory;

use tokio::io::AsyncWriteExt as _;

use crate::credentials::{secret_file, token, token_until};
use crate::guest::Guest;
use crate::raw::{CLOSE, FIN, HANDSHAKE, PING, PONG, masked};
use crate::server::{Server, Site};
use crate::within;

const MATCHBOX: &str = "--dialect=matchbox";

/// A client that has its id.
struct Player {
    guest: Guest,
    id: String,
}

impl Site {
    async fn player(&self, path: &str) -> Player {
        let mut guest = self.visit(path).await;
        let id = id_in(&guest.hear().await, "IdAssigned");
        Player { guest, id }
    }
}

impl Player {
    async fn hears_of(&mut self, event: &str, other: &Self) {
        self.guest.hears(format!(r#"{{"{event}":"{}"}}"#, other.id)).await;
    }

    async fn signals(&mut self, to: &Self, data: &str) {
        self.guest.say(format!(r#"{{"Signal":{{"receiver":"{}","data":{data}}}}}"#, to.id)).await;
    }

    async fn hears_signal(&mut self, from: &Self, data: &str) {
        self.guest.hears(format!(r#"{{"Signal":{{"sender":"{}","data":{data}}}}}"#, from.id)).await;
    }

    /// Proves that nothing else was on its way between two members of a room.
    async fn fence(&mut self, other: &mut Self) {
        self.signals(other, r#""fence""#).await;
        other.hears_signal(self, r#""fence""#).await;
        other.signals(self, r#""back""#).await;
        self.hears_signal(other, r#""back""#).await;
    }
}

fn id_in(frame: &str, event: &str) -> String {
    let frame: serde_json::Value = serde_json::from_str(frame).expect("JSON");
    frame[event].as_str().unwrap_or_else(|| panic!("{frame}")).to_owned()
}

#[tokio::test]
async fn the_id_comes_first_and_those_already_there_are_told_of_a_newcomer() {
    let server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox/hall").await;
    let mut bob = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    // A newcomer has no roster: nothing came before this.
    alice.fence(&mut bob).await;
    let carol = server.player("/matchbox/hall?other=1").await;
    alice.hears_of("NewPeer", &carol).await;
    bob.hears_of("NewPeer", &carol).await;
}

#[tokio::test]
async fn a_client_that_closes_has_left_at_once() {
    let server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox/hall").await;
    let bob = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    let Player { guest, id } = bob;
    guest.leave().await;
    alice.guest.hears(format!(r#"{{"PeerLeft":"{id}"}}"#)).await;
}

#[tokio::test]
async fn signals_pass_in_their_order_within_a_room() {
    let server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox/hall").await;
    let mut bob = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    let signals =
        [r#"{"Offer":"v=0\r\n"}"#, r#"{"IceCandidate":"{\"candidate\":\"a\"}"}"#, r#"{"IceCandidate":"null"}"#];
    for data in signals {
        alice.signals(&bob, data).await;
    }
    for data in signals {
        bob.hears_signal(&alice, data).await;
    }
    bob.signals(&alice, r#"{"Answer":"v=0\r\n"}"#).await;
    alice.hears_signal(&bob, r#"{"Answer":"v=0\r\n"}"#).await;
}

#[tokio::test]
async fn a_signal_to_another_room_goes_nowhere() {
    let server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox/hall").await;
    let mut bob = server.player("/matchbox/hall").await;
    let mut mallory = server.player("/matchbox/yard").await;
    alice.hears_of("NewPeer", &bob).await;
    mallory.signals(&alice, r#"{"Offer":"forged"}"#).await;
    alice.signals(&mallory, "1").await;
    let mut eve = server.player("/matchbox/yard").await;
    mallory.hears_of("NewPeer", &eve).await;
    mallory.fence(&mut eve).await;
    alice.fence(&mut bob).await;
}

#[tokio::test]
async fn the_path_has_one_room_or_none() {
    let server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox").await;
    let bob = server.player("/matchbox/").await;
    alice.hears_of("NewPeer", &bob).await;
    let mut carol = server.player("/matchbox/a%20room").await;
    let dave = server.player("/matchbox/a%20room?next=none").await;
    carol.hears_of("NewPeer", &dave).await;
    for path in ["/matchbox/a/b", "/matchbox/a/", "/matchbox//"] {
        assert_eq!(server.try_visit(path, &[]).await.err().map(|(status, _)| status), Some(404), "{path}");
    }
}

#[tokio::test]
async fn a_name_of_a_room_is_bounded() {
    let server = Server::start(&[MATCHBOX]);
    let _longest = server.player(&format!("/matchbox/{}", "x".repeat(128))).await;
    for room in ["x".repeat(129), "%FF".to_owned()] {
        let refused = server.try_visit(&format!("/matchbox/{room}"), &[]).await.err();
        assert_eq!(refused, Some((400, "bad-room".to_owned())), "{room}");
    }
}

#[tokio::test]
async fn who_completes_a_group_empties_the_waiting_room() {
    let server = Server::start(&[MATCHBOX]);
    let mut first = server.player("/matchbox/game?next=2").await;
    let mut second = server.player("/matchbox/game?next=2").await;
    first.hears_of("NewPeer", &second).await;
    let mut third = server.player("/matchbox/game?next=2").await;
    let mut fourth = server.player("/matchbox/game?next=2").await;
    third.hears_of("NewPeer", &fourth).await;
    first.signals(&third, r#"{"Offer":"to another group"}"#).await;
    first.fence(&mut second).await;
    third.fence(&mut fourth).await;
    // The group is remembered.
    let Player { guest, id } = second;
    guest.leave().await;
    first.guest.hears(format!(r#"{{"PeerLeft":"{id}"}}"#)).await;
    third.fence(&mut fourth).await;
}

#[tokio::test]
async fn who_is_matched_with_a_client_that_leaves_at_once_is_told_of_both() {
    let server = Server::start(&[MATCHBOX]);
    for _ in 0..20 {
        let mut waiting = server.player("/matchbox/game?next=2").await;
        let mut tls = server.tls().await;
        let head = server.head("GET", "/matchbox/game?next=2", &HANDSHAKE);
        let close = masked(FIN | CLOSE, &1000_u16.to_be_bytes());
        tls.write_all(&[head.into_bytes(), close].concat()).await.expect("the server reads");
        let mate = id_in(&waiting.guest.hear().await, "NewPeer");
        waiting.guest.hears(format!(r#"{{"PeerLeft":"{mate}"}}"#)).await;
    }
}

#[tokio::test]
async fn each_room_size_and_name_has_a_waiting_room_of_its_own() {
    let server = Server::start(&[MATCHBOX]);
    let mut of_two = server.player("/matchbox/game?next=2").await;
    let mut of_three = server.player("/matchbox/game?next=3").await;
    let mut in_room = server.player("/matchbox/game").await;
    let mut elsewhere = server.player("/matchbox/other?next=2").await;
    for (waiting, path) in [
        (&mut of_two, "/matchbox/game?next=2"),
        (&mut of_three, "/matchbox/game?next=3"),
        (&mut in_room, "/matchbox/game"),
        (&mut elsewhere, "/matchbox/other?next=2"),
    ] {
        let partner = server.player(path).await;
        waiting.hears_of("NewPeer", &partner).await;
    }
}

#[tokio::test]
async fn a_seat_in_a_waiting_room_that_is_left_is_free_again() {
    let server = Server::start(&[MATCHBOX]);
    let mut first = server.player("/matchbox/game?next=3").await;
    let second = server.player("/matchbox/game?next=3").await;
    first.hears_of("NewPeer", &second).await;
    let Player { guest, id } = second;
    guest.leave().await;
    first.guest.hears(format!(r#"{{"PeerLeft":"{id}"}}"#)).await;
    let mut third = server.player("/matchbox/game?next=3").await;
    first.hears_of("NewPeer", &third).await;
    let fourth = server.player("/matchbox/game?next=3").await;
    first.hears_of("NewPeer", &fourth).await;
    third.hears_of("NewPeer", &fourth).await;
}

#[tokio::test]
async fn a_group_of_none_is_refused_and_one_of_one_is_alone() {
    let server = Server::start(&[MATCHBOX]);
    let none = server.try_visit("/matchbox/game?next=0", &[]).await.err();
    assert_eq!(none, Some((400, "bad-room".to_owned())));
    let _alone = server.player("/matchbox/game?next=1").await;
    let mut other = server.player("/matchbox/game?next=1").await;
    // Nothing of the first one is told to the second: the id is all that is heard until the end.
    other.guest.say(r#""KeepAlive""#).await;
    let mut server = server;
    server.stop();
    assert_eq!(other.guest.closed().await.0, 1012);
}

#[tokio::test]
async fn a_group_that_no_room_can_hold_is_refused_before_the_101() {
    let server = Server::start(&[MATCHBOX, "--peers-per-room=3"]);
    let _fits = server.player("/matchbox/game?next=3").await;
    let refused = server.try_visit("/matchbox/game?next=4", &[]).await.err();
    assert_eq!(refused, Some((400, "bad-room".to_owned())));
}

#[tokio::test]
async fn a_full_room_is_refused_before_the_101() {
    let server = Server::start(&[MATCHBOX, "--peers-per-room=2"]);
    let mut alice = server.player("/matchbox/hall").await;
    let bob = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    let refused = server.try_visit("/matchbox/hall", &[]).await.err();
    assert_eq!(refused, Some((503, "room-full".to_owned())));
    let Player { guest, id } = bob;
    guest.leave().await;
    alice.guest.hears(format!(r#"{{"PeerLeft":"{id}"}}"#)).await;
    let carol = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &carol).await;
}

#[tokio::test]
async fn bad_json_and_binary_are_ignored_until_there_is_too_much_of_it() {
    let server = Server::start(&[MATCHBOX, "--refused-messages=4"]);
    let mut alice = server.player("/matchbox/hall").await;
    let mut bob = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    alice.guest.say("{").await;
    alice.guest.say_binary(b"\0\x01").await;
    alice.guest.say(r#"{"Hello":1}"#).await;
    alice.guest.say(r#"{"Signal":{"receiver":"none","data":1}}"#).await;
    alice.fence(&mut bob).await;
    alice.guest.say("not JSON").await;
    assert_eq!(alice.guest.closed().await.0, 1008);
    bob.hears_of("PeerLeft", &alice).await;
}

#[tokio::test]
async fn a_lost_connection_has_left_only_when_a_heartbeat_would_have_decided() {
    let server = Server::start(&[MATCHBOX, "--heartbeat=1"]);
    let mut alice = server.player("/matchbox/hall").await;
    let bob = server.player("/matchbox/hall").await;
    let carol = server.player("/matchbox/hall").await;
    alice.hears_of("NewPeer", &bob).await;
    alice.hears_of("NewPeer", &carol).await;
    let lost = std::time::Instant::now();
    let Player { guest, id } = bob;
    // Without a close frame.
    drop(guest);
    let Player { guest: closing, id: closed } = carol;
    closing.leave().await;
    alice.guest.hears(format!(r#"{{"PeerLeft":"{closed}"}}"#)).await;
    alice.guest.hears(format!(r#"{{"PeerLeft":"{id}"}}"#)).await;
    assert!(lost.elapsed() >= std::time::Duration::from_secs(2), "two heartbeats");
}

#[tokio::test]
async fn a_lost_connection_is_not_matched() {
    let server = Server::start(&[MATCHBOX]);
    let first = server.player("/matchbox/game?next=2").await;
    drop(first);
    within("the session's end", async {
        while server.hub.peers() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut second = server.player("/matchbox/game?next=2").await;
    let third = server.player("/matchbox/game?next=2").await;
    second.hears_of("NewPeer", &third).await;
}

#[tokio::test]
async fn who_waits_and_is_silent_is_asked_and_then_not_matched() {
    let server = Server::start(&[MATCHBOX, "--heartbeat=1"]);
    let mut ghost = server.raw_at(server.tls().await, "/matchbox/game?next=2").await;
    assert!(ghost.text().await.contains("IdAssigned"));
    assert_eq!(ghost.frame().await, (FIN | PING, Vec::new()), "first it is asked");
    assert_eq!(ghost.closed().await.0, 4002);
    let mut second = server.player("/matchbox/game?next=2").await;
    let third = server.player("/matchbox/game?next=2").await;
    second.hears_of("NewPeer", &third).await;
}

/// Between its ping and its pong, or its end, it is neither matched nor holds up others for long.
#[tokio::test]
async fn who_may_be_gone_is_not_matched_before_it_has_answered() {
    let server = Server::start(&[MATCHBOX, "--heartbeat=2"]);
    let mut silent = server.raw_at(server.tls().await, "/matchbox/game?next=2").await;
    assert!(silent.text().await.contains("IdAssigned"));
    assert_eq!(silent.frame().await, (FIN | PING, Vec::new()));
    let mut second = server.player("/matchbox/game?next=2").await;
    let mut third = server.player("/matchbox/game?next=2").await;
    assert_eq!(silent.closed().await.0, 4002);
    let (ids, frame) = ([second.id.clone(), third.id.clone()], async {
        tokio::select! {
            frame = second.guest.hear() => frame,
            frame = third.guest.hear() => frame,
        }
    });
    let newcomer = id_in(&frame.await, "NewPeer");
    assert!(ids.contains(&newcomer), "they are matched with each other");
}

#[tokio::test]
async fn who_has_answered_is_matched_with_those_that_waited_for_its_answer() {
    let server = Server::start(&[MATCHBOX, "--heartbeat=2"]);
    let mut silent = server.raw_at(server.tls().await, "/matchbox/game?next=2").await;
    assert!(silent.text().await.contains("IdAssigned"));
    assert_eq!(silent.frame().await, (FIN | PING, Vec::new()));
    let second = server.player("/matchbox/game?next=2").await;
    silent.send(FIN | PONG, b"").await;
    assert_eq!(silent.text().await, format!(r#"{{"NewPeer":"{}"}}"#, second.id));
}

#[tokio::test]
async fn a_restart_is_said_with_a_code_and_a_reason() {
    let mut server = Server::start(&[MATCHBOX]);
    let mut alice = server.player("/matchbox/hall").await;
    server.stop();
    assert_eq!(alice.guest.closed().await, (1012, "the server restarts: connect again".to_owned()));
}

#[tokio::test]
async fn without_the_flag_the_path_is_none_and_says_so() {
    let server = Server::start(&[]);
    for path in ["/matchbox", "/matchbox/", "/matchbox/hall?next=2"] {
        let answer = server.get(path).await;
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 404, "{path}");
        assert!(body.contains("--dialect matchbox") && body.lines().count() == 1, "{path}: {body}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_not_connect() {
    let server = Server::start(&[MATCHBOX]);
    let refused = server.try_visit("/matchbox/hall", &[("origin", "https://elsewhere.example")]).await.err();
    assert_eq!(refused, Some((403, "origin-not-allowed".to_owned())));
}

#[tokio::test]
async fn credentials_end_a_client_s_stay_wherever_it_is_served() {
    let (_secret, flag) = secret_file();
    let server = Server::start(&[MATCHBOX, &flag]);
    let path = |token: &str| format!("/matchbox/hall?access_token={token}");
    let mut alice = server.player(&path(&token("alice"))).await;
    let mut bob = server.player(&path(&token_until("bob", 2))).await;
    alice.hears_of("NewPeer", &bob).await;
    bob.signals(&alice, "1").await;
    alice.hears_signal(&bob, "1").await;
    assert_eq!(bob.guest.closed().await.0, 4003);
    alice.hears_of("PeerLeft", &bob).await;
}
