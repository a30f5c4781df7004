//! Nodes that are processes of their own, with a NATS server between them that `tests/on-two-nodes` names: what becomes of
//! the peers of each when one is killed, stopped, stands still or loses NATS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Error;

use crate::client::{Client, PROTOCOL, Ticket, message_from, message_to, undelivered};
use crate::guest::Guest;
use crate::nats::Nats;
use crate::pair::Pair;
use crate::program::Program;
use crate::within;

/// Nodes of one service.
pub(crate) struct Nodes {
    pub(crate) pair: Pair,
    flags: Vec<String>,
}

impl Nodes {
    /// Three that reach NATS in the same way.
    pub(crate) async fn three(nats: &str) -> ([Program; 3], Self) {
        let nodes = Self::reaching(&[format!("--cluster={nats}")]);
        let three = [nodes.start("a").await, nodes.start("b").await, nodes.start("c").await];
        for node in &three {
            ready(node).await;
        }
        (three, nodes)
    }

    /// None yet, which reach NATS by these flags.
    pub(crate) fn reaching(nats: &[String]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let pair = Pair::new();
        let key = pair.secret("cluster.key");
        let prefix = format!("nodes-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut flags = nats.to_vec();
        flags.extend([
            format!("--cluster-key-file={key}"),
            format!("--cluster-prefix={prefix}"),
            "--drain-timeout=6".to_owned(),
        ]);
        Self { pair, flags }
    }

    pub(crate) async fn start(&self, name: &str) -> Program {
        self.start_with(name, &[]).await
    }

    /// With these flags of its own.
    pub(crate) async fn start_with(&self, name: &str, flags: &[&str]) -> Program {
        let name = format!("--node-name={name}");
        let ours = self.flags.iter().map(String::as_str).chain([name.as_str()]);
        let flags: Vec<&str> = ours.chain(flags.iter().copied()).collect();
        Program::start_with(self.pair.again(), &flags, |_| {}).await
    }
}

/// What a node says of its readiness.
pub(crate) async fn readiness(node: &Program) -> String {
    String::from_utf8_lossy(&node.get("/readyz").await.body).trim().to_owned()
}

pub(crate) async fn ready(node: &Program) {
    within("a node to be ready", async { while readiness(node).await != "ok" {} }).await;
}

/// Waits for a frame with these words, whatever comes before it. Gives how long that took.
pub(crate) async fn hears(client: &mut Client, words: &str) -> Duration {
    hears_one(client, &[words]).await
}

/// The same, with one of these.
pub(crate) async fn hears_one(client: &mut Client, words: &[&str]) -> Duration {
    let since = Instant::now();
    let mut heard = Vec::new();
    while !heard.last().is_some_and(|frame: &String| words.iter().any(|words| frame.contains(words))) {
        let next = tokio::time::timeout(Duration::from_secs(15), client.hear()).await;
        heard.push(next.unwrap_or_else(|_| panic!("waited in vain for {words:?} after {heard:?}")));
    }
    since.elapsed()
}

/// Waits for frames with these words, in any order.
async fn hears_all(client: &mut Client, words: &[&str]) {
    let mut words = words.to_vec();
    while !words.is_empty() {
        let heard = client.hear().await;
        words.retain(|words| !heard.contains(words));
    }
}

/// A client comes back to a node, which may tell it to come later.
async fn comes_back(node: &Program, ticket: &Ticket) -> Client {
    loop {
        match node.upgrade(node.tls().await, &[(PROTOCOL, &ticket.offer())]).await {
            Ok((client, _)) => return client,
            Err(Error::Http(answer)) if answer.status() == 503 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn left(client: &Client) -> String {
    format!(r#"{{"type":"peer-left","room":"hall","peer":"{}"}}"#, client.id)
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_killed_node_is_told_in_time_and_makes_no_request_wait() {
    let nats = Nats::start().await;
    let ([a, b, c], _nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, mut bob, mut carol) = (a.connect_v1().await, b.connect_v1().await, c.connect_v1().await);
    for client in [&mut alice, &mut bob, &mut carol] {
        client.join("hall").await;
    }
    hears(&mut alice, &carol.id).await;
    hears(&mut bob, &carol.id).await;
    // Accepted, and never acknowledged.
    assert!(alice.ask(message_to(&bob.id, "1", "1")).await.contains("ack"));
    b.signal(Signal::KILL);
    let killed = Instant::now();
    for number in 2..10 {
        let said = Instant::now();
        let message = number.to_string();
        carol.say(message_to(&alice.id, &message, &message)).await;
        hears(&mut carol, &format!(r#"{{"type":"ack","ref":{message}}}"#)).await;
        assert!(said.elapsed() < Duration::from_secs(1), "a node that is killed concerns no other");
    }
    hears(&mut alice, &left(&bob)).await;
    assert!(killed.elapsed() < Duration::from_secs(5), "{:?}", killed.elapsed());
    alice.say(message_to(&bob.id, "11", "11")).await;
    let mut heard = String::new();
    while !heard.contains("peer-unavailable") {
        heard = alice.hear().await;
        assert!(!heard.contains("cluster-unavailable"), "{heard}");
    }
    // It was said before or comes now.
    let answer = alice.ask(message_to(&bob.id, "12", "12")).await;
    assert!(answer.contains("peer-unavailable"), "at once: {answer}");
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn what_was_accepted_for_a_killed_node_is_told_undelivered() {
    let nats = Nats::start().await;
    let ([a, b, _c], _nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, bob) = (a.connect_v1().await, b.connect_v1().await);
    assert!(alice.ask(message_to(&bob.id, "1", "1")).await.contains("ack"));
    b.signal(Signal::KILL);
    alice.hears(undelivered(&bob.id)).await;
    alice.fence().await;
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn an_id_outlives_its_node_and_rooms_are_joined_again() {
    let nats = Nats::start().await;
    let ([a, b, c], _nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, mut bob) = (a.connect_v1().await, b.connect_v1().await);
    bob.join("hall").await;
    alice.join("hall").await;
    hears(&mut bob, &alice.id).await;
    let (id, ticket) = (bob.id.clone(), bob.ticket());
    b.signal(Signal::KILL);
    // It comes back before its node is known to be gone: the answer waits until that is known.
    let mut bob = comes_back(&c, &ticket).await;
    assert_eq!((bob.id.clone(), bob.is_resumed()), (id, false));
    let late = a.try_resume(&ticket).await;
    assert_ne!(late.id, bob.id, "of two that show one token, one has the id");
    hears(&mut alice, &left(&bob)).await;
    assert_eq!(bob.join("hall").await, [alice.id.clone()]);
    hears(&mut alice, &format!(r#""peer-joined","room":"hall","peer":"{}""#, bob.id)).await;
    assert!(alice.ask(message_to(&bob.id, "1", "1")).await.contains("ack"));
    bob.hears(message_from(&alice.id, "1")).await;
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_node_that_is_stopped_hands_its_sessions_over_with_all_that_waits() {
    let nats = Nats::start().await;
    let ([a, b, c], nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, mut bob) = (a.connect_v1().await, b.connect_v1().await);
    bob.join("hall").await;
    alice.join("hall").await;
    hears(&mut bob, &alice.id).await;
    for number in 1..=20 {
        let number = number.to_string();
        assert!(alice.ask(message_to(&bob.id, &number, &number)).await.contains("ack"));
    }
    // It has got some of them, and acknowledges none.
    for number in 1..=5 {
        bob.hears(message_from(&alice.id, &number.to_string())).await;
    }
    let (id, ticket) = (bob.id.clone(), bob.ticket());
    b.signal(Signal::TERM);
    assert_eq!(bob.closed().await.0, 1012);
    assert!(alice.ask(message_to(&id, "21", "21")).await.contains("ack"), "it is on another node by now");
    let mut bob = c.resume(&ticket).await;
    assert_eq!(bob.id, id);
    for number in 6..=21 {
        bob.hears(message_from(&alice.id, &number.to_string())).await;
    }
    bob.acknowledge().await;
    assert!(b.ended().await.status.success());
    let again = nodes.start("b").await;
    ready(&again).await;
    assert!(alice.ask(message_to(&id, "22", "22")).await.contains("ack"));
    bob.hears(message_from(&alice.id, "22")).await;
    // It has been in the room all the time.
    alice.fence().await;
    let mut late = again.connect_v1().await;
    let mut expected = [alice.id.clone(), bob.id.clone()];
    expected.sort_unstable();
    assert_eq!(late.join("hall").await, expected);
}

/// What a matchbox client says to another one.
fn signal(to: &str) -> String {
    format!(r#"{{"Signal":{{"receiver":"{to}","data":1}}}}"#)
}

/// A matchbox client, and its id.
async fn player(node: &Program) -> (Guest, String) {
    let mut guest = node.visit("/matchbox/hall").await;
    let welcome = guest.hear().await;
    let id = welcome.trim_start_matches(r#"{"IdAssigned":""#).trim_end_matches(r#""}"#).to_owned();
    (guest, id)
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn who_meets_on_one_node_is_told_to_come_again_and_does_where_that_node_ends() {
    let nats = Nats::start().await;
    let nodes = Nodes::reaching(&[format!("--cluster={}", nats.url()), "--dialect=matchbox".to_owned()]);
    let (a, b, c) = (nodes.start("a").await, nodes.start("b").await, nodes.start("c").await);
    for node in [&a, &b, &c] {
        ready(node).await;
    }
    // All meet on the node of the first.
    let (mut alice, _) = player(&a).await;
    let ((mut bob, bob_id), (mut carol, carol_id)) = (player(&b).await, player(&c).await);
    for id in [&bob_id, &carol_id] {
        alice.hears(format!(r#"{{"NewPeer":"{id}"}}"#)).await;
    }
    bob.hears(format!(r#"{{"NewPeer":"{carol_id}"}}"#)).await;
    carol.say(signal(&bob_id)).await;
    assert!(bob.hear().await.contains(&carol_id));
    // A node that others' guests are on ends in an orderly way, …
    b.signal(Signal::TERM);
    assert_eq!(bob.closed().await.0, 1012, "through the other node");
    for other in [&mut alice, &mut carol] {
        other.hears(format!(r#"{{"PeerLeft":"{bob_id}"}}"#)).await;
    }
    // … the one that has the place, and its next one is killed.
    a.signal(Signal::TERM);
    for guest in [&mut alice, &mut carol] {
        assert_eq!(guest.closed().await.0, 1012);
    }
    let (mut carol, carol_id) = player(&c).await;
    let d = nodes.start("d").await;
    ready(&d).await;
    let (mut dora, dora_id) = player(&d).await;
    carol.hears(format!(r#"{{"NewPeer":"{dora_id}"}}"#)).await;
    dora.say(signal(&carol_id)).await;
    assert!(carol.hear().await.contains(&dora_id));
    c.signal(Signal::KILL);
    within("a guest to hear of it", dora.is_cut()).await;
    // It waits until the node is known to be gone.
    player(&d).await;
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_node_that_stood_still_owns_no_id_that_another_has() {
    let nats = Nats::start().await;
    let ([a, b, c], _nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, mut bob) = (a.connect_v1().await, b.connect_v1().await);
    bob.join("hall").await;
    alice.join("hall").await;
    let ticket = bob.ticket();
    b.signal(Signal::STOP);
    alice.say(message_to(&bob.id, "1", "1")).await;
    // Refused; or accepted as it was about to stand still, and then it is not known what has become of it.
    let waited = hears_one(&mut alice, &[r#""code":"cluster-unavailable""#, r#""code":"undelivered""#]).await;
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    let mut again = comes_back(&c, &ticket).await;
    assert_eq!((&again.id, again.is_resumed()), (&bob.id, false));
    b.signal(Signal::CONT);
    assert_eq!(bob.closed().await.0, 4000, "its earlier connection");
    ready(&b).await;
    alice.say(message_to(&again.id, "2", "2")).await;
    hears(&mut alice, r#"{"type":"ack","ref":2}"#).await;
    // What was said while its node stood still is not delivered late.
    again.hears(message_from(&alice.id, "2")).await;
    let mut late = b.connect_v1().await;
    assert_eq!(late.join("hall").await, [alice.id.clone()], "and it haunts no room");
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn without_nats_peers_of_one_node_talk_and_afterwards_all_are_there_again() {
    let mut nats = Nats::start().await;
    let ([a, b, _c], _nodes) = Nodes::three(&nats.url()).await;
    let (mut alice, mut anna, mut bob) = (a.connect_v1().await, a.connect_v1().await, b.connect_v1().await);
    for client in [&mut alice, &mut anna, &mut bob] {
        client.join("hall").await;
    }
    hears(&mut alice, &bob.id).await;
    nats.kill().await;
    let said = Instant::now();
    alice.say(message_to(&bob.id, "1", "1")).await;
    hears(&mut alice, r#""code":"cluster-unavailable""#).await;
    assert!(said.elapsed() < Duration::from_secs(4), "{:?}", said.elapsed());
    alice.say(message_to(&anna.id, "2", "2")).await;
    hears(&mut alice, r#"{"type":"ack","ref":2}"#).await;
    hears_all(&mut anna, &[&message_from(&alice.id, "2"), &left(&bob)]).await;
    assert_eq!(readiness(&a).await, "cluster: no connection to NATS");
    nats.start_again().await;
    let back = Instant::now();
    for node in [&a, &b] {
        ready(node).await;
    }
    hears(&mut anna, &format!(r#""peer-joined","room":"hall","peer":"{}""#, bob.id)).await;
    assert!(back.elapsed() < Duration::from_secs(8), "{:?}", back.elapsed());
    bob.say(message_to(&anna.id, "3", "3")).await;
    hears(&mut anna, &message_from(&bob.id, "3")).await;
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn nodes_of_another_key_are_not_talked_to_and_those_of_another_prefix_not_heard() {
    let nats = Nats::start().await;
    let ([a, _b, _c], nodes) = Nodes::three(&nats.url()).await;
    let other = Pair::new();
    let key = other.folder_file("other.key", "another secret of more than thirty-two bytes");
    let mut flags = nodes.flags.clone();
    flags[1] = format!("--cluster-key-file={key}");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let stranger = Program::start_with(other, &flags, |_| {}).await;
    stranger.logs("has another --cluster-key-file", 1).await;
    a.logs("has another --cluster-key-file", 1).await;
    let (nats, key) = (flags[0], flags[1]);
    let elsewhere = [nats, key, "--cluster-prefix=quite.another"];
    let alone = Program::start_with(Pair::new(), &elsewhere, |_| {}).await;
    ready(&alone).await;
    assert!(!alone.log().contains("a node is here"), "{}", alone.log());
    let (mut alice, zoe) = (a.connect_v1().await, stranger.connect_v1().await);
    let answer = alice.ask(message_to(&zoe.id, "1", "1")).await;
    assert!(answer.contains("peer-unavailable"), "{answer}");
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_node_serves_before_there_is_nats_and_says_why_it_is_not_ready() {
    let port = TcpListener::bind("127.0.0.1:0").await.expect("a port is free").local_addr().expect("bound").port();
    let pair = Pair::new();
    let flags = [format!("--cluster=nats://127.0.0.1:{port}"), format!("--cluster-key-file={}", pair.secret("key"))];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let node = Program::start_with(pair, &flags, |_| {}).await;
    assert_eq!(readiness(&node).await, "cluster: no connection to NATS");
    let [mut alice, mut bob] = node.connect_many().await;
    assert!(alice.ask(message_to(&bob.id, "1", "1")).await.contains("ack"));
    bob.hears(message_from(&alice.id, "1")).await;
    let answer = alice.ask(r#"{"type":"join","room":"hall"}"#).await;
    assert!(answer.contains("cluster-unavailable"), "{answer}");
}
