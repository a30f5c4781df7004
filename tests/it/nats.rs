//! How nodes reach NATS: by keys, by credentials, over TLS, and where it is slow. Needs a NATS server, which
//! `tests/on-two-nodes` names.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nkeys::KeyPair;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::{message_from, message_to};
use crate::cluster::{Nodes, hears, hears_one, readiness, ready};
use crate::pair::Pair;
use crate::program::Program;
use crate::within;

/// A NATS server of a test's own.
pub(crate) struct Nats {
    program: String,
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Nats {
    pub(crate) async fn start() -> Self {
        Self::with("").await
    }

    /// With these lines in its configuration.
    async fn with(configuration: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").await.expect("a port is free").local_addr().expect("bound").port();
        let program = std::env::var("NATS_SERVER").expect("tests/on-two-nodes names it");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let text = format!("listen: \"127.0.0.1:{port}\"\n{configuration}");
        std::fs::write(folder.path().join("conf"), text).expect("the folder is writable");
        let child = Self::spawn(&program, &folder, port).await;
        Self { program, port, folder, child }
    }

    async fn spawn(program: &str, folder: &TempDir, port: u16) -> Child {
        let mut command = Command::new(program);
        command.arg("-c").arg(folder.path().join("conf")).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().expect("NATS starts");
        within("NATS to listen", async { while TcpStream::connect(("127.0.0.1", port)).await.is_err() {} }).await;
        child
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.expect("it is ours");
    }

    pub(crate) async fn start_again(&mut self) {
        self.child = Self::spawn(&self.program, &self.folder, self.port).await;
    }
}

/// Two nodes that reach each other by these flags.
async fn meet(flags: &[String]) -> [Program; 2] {
    let nodes = Nodes::reaching(flags);
    let two = [nodes.start_with("a", &[]).await, nodes.start_with("b", &[]).await];
    for node in &two {
        ready(node).await;
        node.logs("a node is here", 1).await;
    }
    two
}

/// One node that is not let in.
async fn stays_out(flags: &[String], words: &str) {
    let node = Nodes::reaching(flags).start_with("a", &[]).await;
    node.logs(words, 1).await;
    assert_eq!(readiness(&node).await, "cluster: no connection to NATS");
    sleep(Duration::from_millis(500)).await;
    assert_eq!(node.log().matches(words).count(), 1, "said once, and not with each attempt: {}", node.log());
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn nodes_show_an_nkey_and_those_with_another_are_told_where_to_look() {
    let (user, pair) = (KeyPair::new_user(), Pair::new());
    let configuration = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", user.public_key());
    let nats = Nats::with(&configuration).await;
    let flags = |key: &KeyPair| {
        let seed = format!("{}\n", key.seed().expect("it has one"));
        let file = pair.folder_file(&format!("{}.nk", key.public_key()), &seed);
        vec![format!("--cluster={}", nats.url()), format!("--cluster-credentials-file={file}")]
    };
    meet(&flags(&user)).await;
    stays_out(&flags(&KeyPair::new_user()), "look at --cluster-credentials-file").await;
    stays_out(&flags(&user)[..1], "look at --cluster-credentials-file").await;
}

/// A JWT as NATS has them: its signature is an `NKey`'s.
fn signed(issuer: &KeyPair, subject: &KeyPair, claims: &serde_json::Value) -> String {
    use base64::Engine as _;
    let text = |value: &serde_json::Value| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = serde_json::json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let body = serde_json::json!({
        "jti": "1", "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(), "name": "test", "nats": claims,
    });
    let unsigned = format!("{}.{}", text(&header), text(&body));
    let signature = issuer.sign(unsigned.as_bytes()).expect("it has a private key");
    format!("{unsigned}.{}", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn nodes_show_the_credentials_of_an_account_s_user() {
    let (operator, account, user) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let limits = serde_json::json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
    });
    let operators = signed(&operator, &operator, &serde_json::json!({ "type": "operator", "version": 2 }));
    let accounts =
        signed(&operator, &account, &serde_json::json!({ "type": "account", "version": 2, "limits": limits }));
    let users = serde_json::json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1 });
    let users = signed(&account, &user, &users);
    let nats = Nats::with(&format!(
        "operator: {operators}\nresolver: MEMORY\nresolver_preload: {{ {}: {accounts} }}",
        account.public_key()
    ))
    .await;
    let creds = format!(
        "-----BEGIN NATS USER JWT-----\n{users}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().expect("it has one")
    );
    let pair = Pair::new();
    let file = pair.folder_file("user.creds", &creds);
    meet(&[format!("--cluster={}", nats.url()), format!("--cluster-credentials-file={file}")]).await;
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn nodes_reach_nats_over_tls_and_trust_no_other_authority_than_the_one_they_are_given() {
    let (server, other) = (Pair::new(), Pair::new());
    let nats = Nats::with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        server.cert().display(),
        server.key().display()
    ))
    .await;
    let url = format!("--cluster=tls://localhost:{}", nats.port);
    let trusting = |pair: &Pair| vec![url.clone(), format!("--cluster-ca-file={}", pair.cert().display())];
    meet(&trusting(&server)).await;
    stays_out(&trusting(&other), "look at --cluster, and at --cluster-ca-file").await;
    stays_out(&trusting(&server)[..1], "look at --cluster, and at --cluster-ca-file").await;
}

/// How a network carries what goes through it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Pace {
    /// Each piece this much later than it could.
    Late(Duration),
    /// Nothing arrives, and nothing more is taken.
    Still,
}

/// A network between nodes and NATS, until it is dropped.
struct Network {
    port: u16,
    pace: watch::Sender<Pace>,
    _tasks: JoinSet<()>,
}

impl Network {
    async fn to(nats: &Nats) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let (port, target) = (listener.local_addr().expect("bound").port(), nats.port);
        let (pace, seen) = watch::channel(Pace::Late(Duration::ZERO));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut links = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                links.spawn(carry(near_in, far_out, seen.clone()));
                links.spawn(carry(far_in, near_out, seen.clone()));
            }
        });
        Self { port, pace, _tasks: tasks }
    }

    fn flags(&self) -> Vec<String> {
        vec![format!("--cluster=nats://127.0.0.1:{}", self.port)]
    }

    fn is(&self, pace: Pace) {
        self.pace.send_replace(pace);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut pace: watch::Receiver<Pace>) {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let Ok(moving) = pace.wait_for(|pace| *pace != Pace::Still).await.map(|pace| *pace) else { return };
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        if let Pace::Late(later) = moving {
            sleep(later).await;
        }
        if pace.wait_for(|pace| *pace != Pace::Still).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn a_slow_way_to_nats_costs_time_and_no_message() {
    let nats = Nats::start().await;
    let network = Network::to(&nats).await;
    let [a, b] = meet(&network.flags()).await;
    network.is(Pace::Late(Duration::from_millis(150)));
    let (mut alice, mut bob) = (a.connect_v1().await, b.connect_v1().await);
    alice.join("hall").await;
    assert_eq!(bob.join("hall").await, [alice.id.clone()]);
    for number in 1..=20 {
        let number = number.to_string();
        alice.say(message_to(&bob.id, &number, &number)).await;
    }
    for number in 1..=20 {
        hears(&mut bob, &message_from(&alice.id, &number.to_string())).await;
    }
    assert!(!a.log().contains("a node is gone") && !b.log().contains("a node is gone"), "{}{}", a.log(), b.log());
}

/// Its node has asked for the room, and is told that it has it as there is no client any more.
#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn who_hangs_up_while_a_room_is_looked_for_keeps_it_from_no_other_node() {
    let nats = Nats::start().await;
    let network = Network::to(&nats).await;
    let [a, b] = meet(&[&network.flags()[..], &["--dialect=matchbox".to_owned()]].concat()).await;
    network.is(Pace::Late(Duration::from_millis(100)));
    // Who says which node has a room is the other one for some of them.
    for room in 0..6 {
        let path = format!("/matchbox/room-{room}");
        let hung_up = timeout(Duration::from_millis(50), a.visit(&path)).await.is_err();
        // What it has asked has come there.
        sleep(Duration::from_millis(400)).await;
        let asked = Instant::now();
        b.visit(&path).await;
        assert!(asked.elapsed() < Duration::from_secs(3), "{hung_up} {:?}", asked.elapsed());
    }
}

#[tokio::test]
#[ignore = "needs NATS: tests/on-two-nodes"]
async fn nats_that_stands_still_holds_up_no_peer_for_long_and_takes_no_memory() {
    let nats = Nats::start().await;
    let network = Network::to(&nats).await;
    let [a, b] = meet(&network.flags()).await;
    let (mut alice, mut anna, bob) = (a.connect_v1().await, a.connect_v1().await, b.connect_v1().await);
    network.is(Pace::Still);
    let (before, stood) = (a.resident_bytes(), Instant::now());
    let long = format!("\"{}\"", "x".repeat(30_000));
    let mut refused = 0;
    while stood.elapsed() < Duration::from_secs(8) {
        // Once it is missed, the other node's peers are refused at once.
        if refused < 5 {
            let said = Instant::now();
            alice.say(message_to(&bob.id, &long, "\"long\"")).await;
            hears_one(&mut alice, &["cluster-unavailable", "peer-unavailable"]).await;
            refused += 1;
            assert!(said.elapsed() < Duration::from_secs(4), "{:?}", said.elapsed());
        }
        let said = Instant::now();
        anna.say(message_to(&anna.id, "1", "1")).await;
        hears(&mut anna, "\"ack\"").await;
        assert!(said.elapsed() < Duration::from_secs(1), "{:?}", said.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(refused, 5);
    let grown = a.resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    network.is(Pace::Late(Duration::ZERO));
    for node in [&a, &b] {
        ready(node).await;
    }
    within("the nodes to meet again", async {
        while !alice.ask(message_to(&bob.id, "2", "\"again\"")).await.contains("\"ack\"") {}
    })
    .await;
}
