//! What a few addresses can do to the sessions of others that have lost their connection.

use crate::client::{Client, PROTOCOL, V1, message_to};
use crate::server::Server;
use crate::within;

async fn connect_from(server: &Server, address: [u8; 4]) -> Client {
    let tls = server.tls_from(address).await;
    server.upgrade(tls, &[(PROTOCOL, V1)]).await.expect("a WebSocket").0
}

/// Waits until this peer's connection is known to be lost, by asking. Sessions that end meanwhile are told of as undelivered.
async fn comes_to_be_parked(client: &mut Client, id: &str) {
    let asked = async {
        client.say(message_to(id, "1", "1")).await;
        loop {
            let answer = client.hear().await;
            if answer == r#"{"type":"ack","ref":1,"parked":true}"# {
                return;
            }
            if !answer.contains(r#""code":"undelivered""#) {
                client.say(message_to(id, "1", "1")).await;
            }
        }
    };
    within("its connection to be lost", asked).await;
}

#[tokio::test]
async fn a_few_addresses_that_park_all_they_may_end_no_session_of_another() {
    let server = Server::start(&["--max-parked=6", "--connections-per-second=0"]);
    let mut alice = connect_from(&server, [127, 0, 0, 9]).await;
    let mut lost = Vec::new();
    for number in 0..6 {
        let stranger = connect_from(&server, [127, 0, 0, 20 + number % 2]).await;
        lost.push(stranger.id.clone());
        drop(stranger);
        comes_to_be_parked(&mut alice, lost.last().expect("it was just put there")).await;
    }
    let bob = connect_from(&server, [127, 0, 0, 30]).await;
    let (id, ticket) = (bob.id.clone(), bob.ticket());
    drop(bob);
    comes_to_be_parked(&mut alice, &id).await;
    assert!(server.try_resume(&ticket).await.is_resumed());
    // One of the strangers' went for it, the oldest of an address.
    let gone = async {
        loop {
            let mut gone = 0;
            for id in &lost {
                let answer = alice.ask(message_to(id, "1", "1")).await;
                gone += usize::from(answer.contains(r#""code":"peer-unavailable""#));
            }
            if gone > 0 {
                return gone;
            }
        }
    };
    assert_eq!(within("one of them to be gone", gone).await, 1);
}
