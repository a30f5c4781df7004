//! What a client says and hears while all is well.

use entremise_client::{Client, Error, ErrorCode, Event, SetupError, State};
use serde_json::json;
use serde_json::value::RawValue;

use crate::server::Server;
use crate::within;

#[tokio::test]
async fn each_word_arrives_as_it_was_said_and_is_answered() {
    let server = Server::start(&[]);
    let [alice, mut bob] = [server.peer().await, server.peer().await];
    let (to, from) = (bob.id.clone(), alice.id.clone());
    let said = async {
        alice.client.offer(&to, &json!({ "type": "offer", "sdp": "v=0\r\n" })).await?;
        alice.client.answer(&to, &json!({ "type": "answer", "sdp": "v=0\r\n" })).await?;
        alice.client.candidate(&to, &json!({ "candidate": "", "sdpMid": "0" })).await?;
        alice.client.candidate(&to, &()).await?;
        alice.client.message(&to, &["a", "b"]).await?;
        alice.client.bye(&to, Some(&json!({ "reason": "declined" }))).await?;
        alice.client.bye(&to, None::<&()>).await
    };
    assert!(!within("the answers", said).await.expect("they are delivered").parked);
    let Event::Offer { from: offered_by, offer } = bob.hear().await else { panic!("an offer") };
    assert_eq!(
        (offered_by, offer.as_json()),
        (from, r#"{"sdp":"v=0\r\n","type":"offer"}"#),
        "serde_json sorts its keys"
    );
    let Event::Answer { answer, .. } = bob.hear().await else { panic!("an answer") };
    assert!(answer.as_json().contains("answer"));
    assert!(matches!(bob.hear().await, Event::Candidate { candidate, .. } if candidate.as_json().contains("sdpMid")));
    assert!(matches!(bob.hear().await, Event::Candidate { candidate, .. } if candidate.as_json() == "null"));
    let Event::Message { message, room: None, .. } = bob.hear().await else { panic!("a message") };
    assert_eq!(message.read::<Vec<String>>().expect("it is a list"), ["a", "b"]);
    assert!(matches!(bob.hear().await, Event::Bye { bye: Some(bye), .. } if bye.as_json().contains("declined")));
    assert!(matches!(bob.hear().await, Event::Bye { bye: None, .. }));
    bob.fence().await;
}

#[tokio::test]
async fn a_payload_passes_byte_for_byte_and_can_be_said_again() {
    let server = Server::start(&[]);
    let [alice, mut bob] = [server.peer().await, server.peer().await];
    let text = r#"{ "b" : 1.0e+2,"a":-0,"a":0.10,"n":123456789012345678901234567890,"s":"\u0041\/" }"#;
    let raw = RawValue::from_string(text.to_owned()).expect("JSON");
    alice.client.message(&bob.id, &raw).await.expect("it is delivered");
    let Event::Message { message, .. } = bob.hear().await else { panic!("a message") };
    assert_eq!(message.as_json(), text);
    bob.client.message(&bob.id, &message).await.expect("it is delivered");
    assert_eq!(bob.message().await, text);
}

#[tokio::test]
async fn members_of_a_room_hear_of_each_other_and_what_is_said_to_all() {
    let server = Server::start(&[]);
    let [mut alice, bob] = [server.peer().await, server.peer().await];
    assert!(alice.client.join("hall").await.expect("there is room").is_empty());
    assert_eq!(bob.client.join("hall").await.expect("there is room"), [alice.id.clone()]);
    assert_eq!(alice.hear().await, Event::PeerJoined { room: "hall".into(), peer: bob.id.clone() });
    bob.client.message_room("hall", &"hello").await.expect("it is a member");
    let Event::Message { room, from, message } = alice.hear().await else { panic!("a message") };
    assert_eq!((room.as_deref(), &from, message.as_json()), (Some("hall"), &bob.id, r#""hello""#));
    bob.client.leave("hall").await.expect("it is a member");
    assert_eq!(alice.hear().await, Event::PeerLeft { room: "hall".into(), peer: bob.id });
    alice.fence().await;
}

#[tokio::test]
async fn the_server_answers_a_ping_and_gives_fresh_ice_servers() {
    let server = Server::start(&["--ice-server=stun:stun.example.org"]);
    let alice = server.peer().await;
    alice.client.ping().await.expect("it answers");
    let servers = alice.client.ice_servers().await.expect("it answers");
    assert_eq!(servers.len(), 1);
    assert_eq!(servers[0].urls, ["stun:stun.example.org"]);
    assert_eq!(serde_json::to_value(&servers).expect("JSON"), json!([{ "urls": ["stun:stun.example.org"] }]));
}

#[tokio::test]
async fn a_refusal_is_a_typed_error_in_the_servers_words() {
    let server = Server::start(&[]);
    let mut alice = server.peer().await;
    let error = alice.client.message("absent", &1).await.expect_err("no peer has this id");
    let Error::Refused(refusal) = &error else { panic!("{error:?}") };
    assert_eq!((&refusal.code, refusal.to.as_ref().map(AsRef::as_ref)), (&ErrorCode::PeerUnavailable, Some("absent")));
    assert_eq!((error.code(), error.to_string().as_str()), ("peer-unavailable", "no peer with this id is here"));
    let error = alice.client.message_room("hall", &1).await.expect_err("it is no member");
    assert_eq!(error.code(), "not-in-room");
    let error = alice.client.join("").await.expect_err("no name");
    assert_eq!(error.code(), "bad-message");
    alice.fence().await;
}

#[tokio::test]
async fn a_message_over_the_servers_limit_is_not_sent_and_the_session_lives() {
    let server = Server::start(&["--max-message-bytes=1000"]);
    let mut alice = server.peer().await;
    let error = alice.client.message(&alice.id, &"x".repeat(1000)).await.expect_err("too large");
    assert!(matches!(error, Error::MessageTooLarge { bytes, limit: 1000 } if bytes > 1000), "{error:?}");
    assert_eq!(error.code(), "message-too-large");
    alice.fence().await;
}

#[tokio::test]
async fn messages_that_are_said_at_once_arrive_in_order() {
    let server = Server::start(&[]);
    let [alice, mut bob] = [server.peer().await, server.peer().await];
    let said = (0..100).map(|number| alice.client.message(&bob.id, Box::leak(Box::new(number))));
    for answer in within("the answers", futures_util::future::join_all(said)).await {
        answer.expect("it is delivered");
    }
    for number in 0..100 {
        assert_eq!(bob.message().await, number.to_string());
    }
    bob.fence().await;
}

#[tokio::test]
async fn one_that_does_not_read_its_events_for_a_while_misses_none() {
    let server = Server::start(&[]);
    let alice = server.peer().await;
    let mut bob = crate::peer::Peer::welcomed(server.builder().event_capacity(1)).await;
    for number in 0..100 {
        alice.client.message(&bob.id, &number).await.expect("it is delivered");
    }
    for number in 0..100 {
        assert_eq!(bob.message().await, number.to_string());
    }
    bob.fence().await;
}

#[tokio::test]
async fn one_that_wants_no_events_says_and_asks_all_the_same() {
    let server = Server::start(&[]);
    let mut alice = server.peer().await;
    let (client, events) = server.builder().connect().expect("the settings are right");
    drop(events);
    let id = within("a session", client.ready()).await.expect("it is not closed");
    for number in 0..300 {
        client.message(&id, &number).await.expect("it is delivered");
    }
    client.message(&alice.id, &1).await.expect("it is delivered");
    assert_eq!(alice.message().await, "1");
}

#[tokio::test]
async fn closed_is_final_for_all_handles_and_the_server_knows_at_once() {
    let server = Server::start(&[]);
    let [mut alice, bob] = [server.peer().await, server.peer().await];
    alice.client.join("hall").await.expect("there is room");
    bob.client.join("hall").await.expect("there is room");
    assert!(matches!(alice.hear().await, Event::PeerJoined { .. }));
    let other = bob.client.clone();
    let (said, ()) =
        within("the close", futures_util::future::join(bob.client.message(&alice.id, &1), other.close())).await;
    assert!(matches!(said, Err(Error::Closed)), "{said:?}");
    assert_eq!(alice.message().await, "1", "what is said before it is sent");
    assert_eq!(alice.hear().await, Event::PeerLeft { room: "hall".into(), peer: bob.id.clone() });
    assert_eq!((bob.client.state(), bob.client.id()), (State::Closed, None));
    for answer in [bob.client.ping().await, other.leave("hall").await, bob.client.ready().await.map(drop)] {
        assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
    }
    within("a second close", other.close()).await;
    let mut events = bob.events;
    let mut last = None;
    while let Some(event) = within("the end", events.next()).await {
        last = Some(event);
    }
    assert_eq!(last, Some(Event::State(State::Closed)));
}

#[tokio::test]
async fn the_last_handle_that_is_dropped_ends_the_session() {
    let server = Server::start(&[]);
    let [mut alice, bob] = [server.peer().await, server.peer().await];
    alice.client.join("hall").await.expect("there is room");
    bob.client.join("hall").await.expect("there is room");
    assert!(matches!(alice.hear().await, Event::PeerJoined { .. }));
    drop(bob.client);
    assert_eq!(alice.hear().await, Event::PeerLeft { room: "hall".into(), peer: bob.id });
}

#[tokio::test]
async fn what_is_asked_before_there_is_a_session_is_refused() {
    let fake = crate::fake::Fake::start().await;
    let (client, _events) = Client::builder(&fake.url()).connect().expect("the settings are right");
    assert!(matches!(client.ping().await, Err(Error::NotConnected)));
    assert_eq!((client.state(), client.id()), (State::Connecting, None));
}

#[test]
fn a_mistake_in_the_settings_is_an_error_at_once() {
    let connect = |builder: entremise_client::Builder| builder.connect().expect_err("a mistake");
    assert!(matches!(connect(Client::builder("localhost:8443")), SetupError::Url(_)));
    let builder = Client::builder("wss://localhost/ws").root_certificates("not PEM");
    assert!(matches!(connect(builder), SetupError::RootCertificate));
    assert!(matches!(connect(Client::builder("ws://localhost/ws")), SetupError::NoRuntime));
}
