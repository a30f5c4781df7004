//! A program that uses `entremise-client`, behind a balancer before several nodes: what it has to do itself when they end is nothing.

use std::net::{Ipv4Addr, SocketAddr};

use entremise_client::{Client, Event, Events, PeerId};
use rustix::process::Signal;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::client::{self, message_to};
use crate::cluster::{Nodes, hears};
use crate::nats::Nats;
use crate::within;

/// Forwards each connection to the first of its nodes that takes it. Its connections end when it is dropped.
struct Balancer {
    port: u16,
    _tasks: JoinSet<()>,
}

impl Balancer {
    async fn before(nodes: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let nodes = nodes.clone();
                links.spawn(async move {
                    for node in nodes {
                        let Ok(mut node) = TcpStream::connect(node).await else { continue };
                        let _: Result<_, _> = copy_bidirectional(&mut client, &mut node).await;
                        return;
                    }
                });
            }
        });
        Self { port, _tasks: tasks }
    }
}

/// The next event that is not about the connection alone.
async fn next(events: &mut Events) -> Event {
    within("an event", async {
        loop {
            match events.next().await.expect("it is not closed") {
                Event::State(_) => {}
                event => return event,
            }
        }
    })
    .await
}

/// Says these numbers, each of which is accepted.
async fn says(alice: &mut client::Client, to: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let number = number.to_string();
        assert!(alice.ask(message_to(to, &number, &number)).await.contains("ack"), "{number}");
    }
}

/// Hears these numbers, in order. A session that goes on says so in between.
async fn reads(events: &mut Events, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let mut event = next(events).await;
        if matches!(event, Event::Resumed) {
            event = next(events).await;
        }
        let Event::Message { message, .. } = &event else { panic!("{event:?} instead of {number}") };
        assert_eq!(message.as_json(), number.to_string());
    }
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_program_keeps_its_id_its_rooms_and_what_is_said_to_it_while_its_nodes_end() {
    let nats = Nats::start().await;
    let ([a, b, c], nodes) = Nodes::three(&nats.url()).await;
    let balancer = Balancer::before(vec![b.address, c.address, a.address]).await;
    let mut alice = a.connect_v1().await;
    alice.join("hall").await;

    let pem = std::fs::read(nodes.pair.cert()).expect("readable");
    let url = format!("wss://localhost:{}/ws", balancer.port);
    let (bob, mut events) = Client::builder(&url).root_certificates(pem).connect().expect("the settings are right");
    let id = within("a session", bob.ready()).await.expect("a session");
    assert!(matches!(next(&mut events).await, Event::Welcome(welcome) if welcome.id == id));
    let peers = bob.join("hall").await.expect("the hall is open");
    assert_eq!(peers, [PeerId::from(alice.id.as_str())]);
    let joined = format!(r#""peer-joined","room":"hall","peer":"{id}""#);
    hears(&mut alice, &joined).await;

    // Its node is stopped, and hands the session over.
    says(&mut alice, id.as_str(), 1..6).await;
    b.signal(Signal::TERM);
    says(&mut alice, id.as_str(), 6..11).await;
    reads(&mut events, 1..11).await;
    assert!(b.ended().await.status.success());

    // Its next node is killed, and so the session with it; the id stays, and the rooms are entered again.
    c.signal(Signal::KILL);
    let mut event = next(&mut events).await;
    if matches!(event, Event::Resumed) {
        event = next(&mut events).await;
    }
    assert!(matches!(&event, Event::Welcome(welcome) if welcome.id == id), "{event:?}");
    let event = next(&mut events).await;
    let Event::Rejoined { room, peers } = &event else { panic!("{event:?}") };
    assert_eq!((room.as_str(), peers.as_slice()), ("hall", [PeerId::from(alice.id.as_str())].as_slice()));
    hears(&mut alice, &joined).await;
    says(&mut alice, id.as_str(), 11..13).await;
    reads(&mut events, 11..13).await;
}
