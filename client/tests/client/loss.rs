//! Connections that are lost, and servers.

use entremise_client::{Error, Event, State};

use crate::cutter::Cutter;
use crate::peer::Peer;
use crate::server::{Server, WIDE};
use crate::within;

/// Waits until the session goes on, and for nothing else that is told meanwhile.
async fn resumed(peer: &mut Peer) {
    peer.client.check().await;
    assert_eq!(peer.hear().await, Event::Resumed);
}

#[tokio::test]
async fn a_session_outlives_its_connection_with_its_id_its_rooms_and_what_was_said_meanwhile() {
    let server = Server::start(&[]);
    let mut alice = server.peer().await;
    let cutter = Cutter::before(server.address, []).await;
    let mut bob = Peer::welcomed(server.builder_at(cutter.address)).await;
    alice.client.join("hall").await.expect("there is room");
    bob.client.join("hall").await.expect("there is room");
    assert!(matches!(alice.hear().await, Event::PeerJoined { .. }));
    cutter.down();
    assert_eq!(bob.cause().await.code, "lost");
    assert_eq!(bob.client.id(), Some(bob.id.clone()), "between two connections there is a session too");
    let parked = async { while !alice.client.message(&bob.id, &"meanwhile").await.expect("it is kept").parked {} };
    within("the server to notice the loss", parked).await;
    let (client, to) = (bob.client.clone(), alice.id.clone());
    let said = tokio::spawn(async move { client.message(&to, &"said without a connection").await });
    cutter.up();
    resumed(&mut bob).await;
    within("the answer", said).await.expect("no panic").expect("it is delivered");
    assert_eq!(alice.message().await, r#""said without a connection""#);
    assert_eq!(bob.message().await, r#""meanwhile""#);
    alice.client.message_room("hall", &"still here?").await.expect("it is a member");
    let last = async { while bob.message().await != r#""still here?""# {} };
    within("what is said to the room", last).await;
    bob.fence().await;
    alice.fence().await;
}

#[tokio::test]
async fn a_restarted_server_is_found_again_and_gives_a_new_id() {
    let server = Server::start(&WIDE);
    let mut alice = server.peer().await;
    alice.client.join("hall").await.expect("there is room");
    let server = tokio::task::spawn_blocking(move || server.restarted(&WIDE)).await.expect("it starts");
    let cause = alice.cause().await;
    assert_eq!(cause.code, "restarting", "{cause}");
    alice.client.check().await;
    let welcome = alice.welcome().await;
    assert_ne!(welcome.id, alice.id);
    assert_eq!(alice.client.id(), Some(welcome.id.clone()));
    alice.id = welcome.id;
    assert_eq!(alice.client.message_room("hall", &1).await.expect_err("rooms are lost").code(), "not-in-room");
    alice.fence().await;
    drop(server);
}

#[tokio::test]
async fn what_was_unanswered_when_a_session_ended_fails_and_what_follows_is_said_in_the_next() {
    let server = Server::start(&WIDE);
    let cutter = Cutter::before(server.address, []).await;
    let mut alice = Peer::welcomed(server.builder_at(cutter.address)).await;
    // So that the server goes away without a word.
    cutter.down();
    assert_eq!(alice.cause().await.code, "lost");
    let client = alice.client.clone();
    let asked = tokio::spawn(async move { client.ping().await });
    let server = tokio::task::spawn_blocking(move || server.restarted(&WIDE)).await.expect("it starts");
    cutter.up();
    alice.client.check().await;
    alice.id = alice.welcome().await.id;
    let error = within("the answer", asked).await.expect("no panic").expect_err("the session is gone");
    assert!(matches!(error, Error::ConnectionLost(_)), "{error:?}");
    assert_eq!(error.code(), "connection-lost");
    alice.fence().await;
    drop(server);
}

#[tokio::test]
async fn a_connection_that_answers_nothing_is_replaced_when_it_is_checked() {
    let server = Server::start(&[]);
    let cutter = Cutter::before(server.address, []).await;
    let mut alice = Peer::welcomed(server.builder_at(cutter.address)).await;
    cutter.silence();
    alice.client.check().await;
    assert_eq!(alice.hear().await, Event::Resumed);
    alice.fence().await;
}

#[tokio::test]
async fn a_connection_without_a_heartbeat_is_replaced() {
    let server = Server::start(&["--heartbeat=0.5"]);
    let cutter = Cutter::before(server.address, []).await;
    let mut alice = Peer::welcomed(server.builder_at(cutter.address)).await;
    alice.fence().await;
    cutter.silence();
    assert_eq!(alice.cause().await.code, "lost");
    assert!(matches!(alice.hear().await, Event::Resumed | Event::Welcome(_)));
}

#[tokio::test]
async fn the_state_is_told_and_can_be_looked_at() {
    let server = Server::start(&[]);
    let cutter = Cutter::before(server.address, []).await;
    let (client, mut events) = server.builder_at(cutter.address).connect().expect("the settings are right");
    let mut states = Vec::new();
    while states.len() < 2 {
        if let Event::State(state) = within("a state", events.next()).await.expect("it is not closed") {
            states.push(state);
        }
    }
    assert_eq!(states, [State::Connecting, State::Open]);
    assert!(matches!(within("a welcome", events.next()).await, Some(Event::Welcome(_))));
    assert_eq!(client.state(), State::Open);
    cutter.down();
    let Some(Event::State(State::Waiting { cause, retry_in })) = within("a loss", events.next()).await else {
        panic!("a loss")
    };
    assert_eq!((&*cause.code, &*cause.message), ("lost", "the connection was lost"));
    assert!(retry_in.as_secs_f64() <= 0.5, "{retry_in:?}");
}
