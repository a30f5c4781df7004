//! Connections that are cut at any byte, both ways, while two peers talk: nothing is lost, nothing comes twice, the order is kept.

use entremise_client::{Client, Event, Events, PeerId, State};
use futures_util::future::join_all;
use tokio::sync::watch;

use crate::cutter::{Cut, Cutter};
use crate::peer::Peer;
use crate::server::{Server, WIDE};
use crate::within;

/// How many messages may be said and not heard yet: fewer than a mailbox has room for.
const AHEAD: u64 = 64;
/// How many are said at once.
const AT_ONCE: u64 = 8;

/// The end of what is said.
const END: &str = r#""end""#;

/// Says numbers to a peer as long as there are cuts to come, and then that it is the end.
async fn speak(client: &Client, to: &PeerId, cutters: &[Cutter; 2], mut heard: watch::Receiver<u64>) {
    let mut said = 0;
    while cutters.iter().any(|cutter| cutter.left() > 0) {
        let numbers: Vec<u64> = (said..said + AT_ONCE).collect();
        for answer in join_all(numbers.iter().map(|number| client.message(to, number))).await {
            answer.expect("it is delivered, whatever becomes of connections");
        }
        said += AT_ONCE;
        heard.wait_for(|heard| said - *heard <= AHEAD).await.expect("the other side listens");
    }
    client.message(to, &"end").await.expect("it is delivered");
}

/// Hears numbers in order, until the end. Does not wait for the next attempt to connect. Returns how often the session went on.
async fn listen(client: &Client, events: &mut Events, heard: &watch::Sender<u64>) -> usize {
    let mut resumed = 0;
    loop {
        match events.next().await.expect("it is not closed") {
            Event::Message { message, .. } if message.as_json() == END => return resumed,
            Event::Message { message, .. } => {
                assert_eq!(message.as_json(), heard.borrow().to_string(), "the next number");
                heard.send_modify(|heard| *heard += 1);
            }
            Event::Resumed => resumed += 1,
            Event::State(State::Waiting { .. }) => client.check().await,
            Event::State(_) => {}
            other => panic!("a session that goes on hears nothing of it: {other:?}"),
        }
    }
}

/// Two peers talk, the connections of each through its own cuts. Returns how often their sessions went on.
async fn talk(server: &Server, cuts: [Vec<Cut>; 2]) -> [usize; 2] {
    let [cuts_of_alice, cuts_of_bob] = cuts;
    let cutters =
        [Cutter::before(server.address, cuts_of_alice).await, Cutter::before(server.address, cuts_of_bob).await];
    let mut alice = Peer::welcomed(server.builder_at(cutters[0].address)).await;
    let mut bob = Peer::welcomed(server.builder_at(cutters[1].address)).await;
    let (alice_tells, alice_heard) = watch::channel(0);
    let (bob_tells, bob_heard) = watch::channel(0);
    let all = async {
        tokio::join!(
            listen(&alice.client, &mut alice.events, &alice_tells),
            listen(&bob.client, &mut bob.events, &bob_tells),
            speak(&alice.client, &bob.id, &cutters, bob_heard),
            speak(&bob.client, &alice.id, &cutters, alice_heard),
        )
    };
    let (of_alice, of_bob, (), ()) = within("the end of the talk", all).await;
    assert_eq!(cutters.map(|cutter| cutter.left()), [0, 0]);
    assert_eq!((alice.client.id(), bob.client.id()), (Some(alice.id), Some(bob.id)), "the ids are kept");
    [of_alice, of_bob]
}

/// Whatever a connection begins with is in this many bytes: the request or its answer, the welcome, and several frames.
const BYTES: usize = 700;

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_at_each_byte_of_a_connection_loses_and_doubles_nothing() {
    let server = Server::start_plain(&WIDE);
    // The first connection lasts for longer: there has to be a session that goes on.
    let cuts = |cut: fn(usize) -> Cut| [cut(4000)].into_iter().chain((0..BYTES).map(cut)).collect();
    let resumed = talk(&server, [cuts(Cut::Up), cuts(Cut::Down)]).await;
    assert!(resumed.into_iter().all(|times| times > BYTES / 4), "{resumed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cuts_anywhere_in_tls_lose_and_double_nothing() {
    let server = Server::start(&WIDE);
    // Numbers without a pattern, that are the same each time.
    let cuts = |seed: usize| {
        let bytes = |step: usize| (seed + step * 7919) % 12_000;
        let cut = |step: usize| if step.is_multiple_of(2) { Cut::Up(bytes(step)) } else { Cut::Down(bytes(step)) };
        [Cut::Down(20_000)].into_iter().chain((0..40).map(cut)).collect()
    };
    let resumed = talk(&server, [cuts(0), cuts(4001)]).await;
    assert!(resumed.into_iter().all(|times| times > 10), "{resumed:?}");
}
