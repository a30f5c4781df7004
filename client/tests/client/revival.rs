//! A new session of the same id, as nodes of a cluster give it whose neighbour is gone; and other things that the real server does
//! rarely.

use entremise_client::{Client, Error, ErrorCode, Event};

use crate::fake::{Fake, Side};
use crate::peer::Peer;

fn welcome(id: &str, rest: &str) -> String {
    format!(
        r#"{{"type":"welcome","id":"{id}",{rest},"resume":"t0k","resumeWindow":30,"iceServers":[],"heartbeat":25,"maxMessageBytes":65536}}"#
    )
}

const NEW: &str = r#""resumed":false"#;

/// A client that has been welcomed, and the server's side of it.
async fn begun(fake: &Fake) -> (Peer, Side) {
    let builder = Client::builder(&fake.url());
    let serve = async {
        let mut side = fake.accept().await;
        assert_eq!(side.offer, "entremise.v1");
        side.say(&welcome("alice", NEW)).await;
        side
    };
    tokio::join!(Peer::welcomed(builder), serve)
}

/// The client's next connection.
async fn again(fake: &Fake, peer: &Peer, side: Side) -> Side {
    drop(side);
    let (side, ()) = tokio::join!(fake.accept(), async {
        while peer.client.state() == entremise_client::State::Open {
            tokio::task::yield_now().await;
        }
        peer.client.check().await;
    });
    side
}

#[tokio::test]
async fn the_rooms_of_a_revived_session_are_entered_again() {
    let fake = Fake::start().await;
    let (mut peer, mut side) = begun(&fake).await;
    for (reference, room) in [(1, "hall"), (2, "yard"), (3, "attic")] {
        let answer = async {
            assert_eq!(side.hear().await, format!(r#"{{"type":"join","room":"{room}","ref":{reference}}}"#));
            side.say(&format!(r#"{{"type":"joined","room":"{room}","peers":[],"ref":{reference}}}"#)).await;
        };
        let (joined, ()) = tokio::join!(peer.client.join(room), answer);
        joined.expect("there is room");
    }
    // Without having been asked: new credentials do not name it.
    side.say(r#"{"type":"left","room":"attic"}"#).await;
    assert_eq!(peer.hear().await, Event::RoomLost { room: "attic".into(), refusal: None });
    let mut side = again(&fake, &peer, side).await;
    assert_eq!(side.offer, "entremise.v1, entremise.resume.t0k.4");
    side.say(&welcome("alice", NEW)).await;
    assert_eq!(side.hear().await, r#"{"type":"join","room":"hall","ref":1}"#);
    assert_eq!(side.hear().await, r#"{"type":"join","room":"yard","ref":2}"#);
    side.say(r#"{"type":"joined","room":"hall","peers":["bob"],"ref":1}"#).await;
    side.say(r#"{"type":"error","code":"room-full","message":"the room is full","room":"yard","ref":2}"#).await;
    peer.welcome().await;
    assert_eq!(peer.hear().await, Event::Rejoined { room: "hall".into(), peers: vec!["bob".into()] });
    let Event::RoomLost { room, refusal: Some(refusal) } = peer.hear().await else { panic!("a room that is lost") };
    assert_eq!((&*room, refusal.code), ("yard", ErrorCode::RoomFull));
    // One that was lost is not entered a third time.
    let mut side = again(&fake, &peer, side).await;
    side.say(&welcome("alice", NEW)).await;
    assert_eq!(side.hear().await, r#"{"type":"join","room":"hall","ref":1}"#);
}

#[tokio::test]
async fn a_new_id_enters_no_room() {
    let fake = Fake::start().await;
    let (mut peer, mut side) = begun(&fake).await;
    let answer = async {
        side.hear().await;
        side.say(r#"{"type":"joined","room":"hall","peers":[],"ref":1}"#).await;
    };
    tokio::join!(peer.client.join("hall"), answer).0.expect("there is room");
    let mut side = again(&fake, &peer, side).await;
    side.say(&welcome("alice-again", NEW)).await;
    assert_eq!(peer.welcome().await.id.as_str(), "alice-again");
    let client = peer.client.clone();
    let asked = tokio::spawn(async move { client.ping().await });
    assert_eq!(side.hear().await, r#"{"type":"ping","ref":1}"#, "no join comes before it");
    side.say(r#"{"type":"ack","ref":1}"#).await;
    asked.await.expect("no panic").expect("it was answered");
}

#[tokio::test]
async fn what_the_server_has_not_processed_is_said_again_in_order() {
    let fake = Fake::start().await;
    let (mut peer, mut side) = begun(&fake).await;
    let client = peer.client.clone();
    let asked =
        tokio::spawn(async move { tokio::join!(client.message("bob", &1), client.message("bob", &2), client.ping()) });
    let first = [side.hear().await, side.hear().await, side.hear().await];
    let mut side = again(&fake, &peer, side).await;
    side.say(&welcome("alice", r#""resumed":true,"accepted":1"#)).await;
    assert_eq!([side.hear().await, side.hear().await], first[1..]);
    side.say(r#"{"type":"ack","ref":1,"parked":true}"#).await;
    side.say(r#"{"type":"ack","ref":2}"#).await;
    side.say(r#"{"type":"joined","room":"r","peers":[],"ref":3}"#).await;
    let (one, two, three) = asked.await.expect("no panic");
    assert!(one.expect("an ack").parked && !two.expect("an ack").parked);
    assert!(matches!(three, Err(Error::UnexpectedAnswer)), "{three:?}");
    assert_eq!(peer.hear().await, Event::Resumed);
    // Three frames and a second of silence.
    assert_eq!(side.hear().await, r#"{"type":"received","count":3}"#);
}

#[tokio::test]
async fn an_error_that_answers_nothing_is_an_event_and_what_is_not_known_is_counted() {
    let fake = Fake::start().await;
    let (mut peer, mut side) = begun(&fake).await;
    for _ in 0..7 {
        side.say(r#"{"type":"dance","from":"bob"}"#).await;
    }
    side.say(r#"{"type":"error","code":"undelivered","message":"it may have arrived or not","to":"bob"}"#).await;
    let Event::Error(refusal) = peer.hear().await else { panic!("an error") };
    assert_eq!((refusal.code, refusal.to), (ErrorCode::Undelivered, Some("bob".into())));
    assert_eq!(side.hear().await, r#"{"type":"received","count":8}"#);
}
