//! What the peers of a soak do, until it is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use crate::lab::connector;
use crate::ledger::Count;
use crate::peer::{Peer, Site, Socket, string, text};

/// When nothing has come for so long, nothing more does.
const ROSTERS: Duration = Duration::from_secs(10);

const PATIENCE: Duration = Duration::from_secs(20);

/// A source of numbers that differ from role to role, and not from run to run.
struct Dice(u64);

impl Dice {
    /// Below `sides` (splitmix64).
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Two peers that talk to each other, and to rooms, and lose their connections.
pub(crate) async fn talk(site: Site, number: usize, stop: CancellationToken, end: Arc<Barrier>) {
    let (Ok(mut one), Ok(mut other)) = (Peer::connect(&site).await, Peer::connect(&site).await) else {
        // The others wait for it.
        for _ in 0..3 {
            end.wait().await;
        }
        return site.ledger.count(Count::SessionsLost);
    };
    let (one_id, other_id) = (one.id.clone(), other.id.clone());
    let ours = talk_to(&mut one, &other_id, 2 * number as u64, &stop);
    let theirs = talk_to(&mut other, &one_id, 2 * number as u64 + 1, &stop);
    tokio::join!(ours, theirs);
    // Once all messages are answered they are in the other's queue, and come out before the answer to a ping.
    tokio::join!(one.settle(), other.settle());
    tokio::join!(one.ping(), other.ping());
    tokio::join!(one.settle(), other.settle());
    // Who is where is known in 8 s, whatever has happened.
    end.wait().await;
    tokio::join!(one.listen(ROSTERS), other.listen(ROSTERS));
    for peer in [&one, &other] {
        site.ledger.note_roster(&peer.id, &peer.roster);
    }
    end.wait().await;
    for peer in [&one, &other] {
        site.ledger.check_roster(&peer.id, &peer.roster);
    }
    end.wait().await;
    tokio::join!(one.close(), other.close());
}

async fn talk_to(peer: &mut Peer, to: &str, seed: u64, stop: &CancellationToken) {
    let mut dice = Dice(seed);
    let mut said = 0;
    while !stop.is_cancelled() {
        for _ in 0..dice.throw(4) {
            let bytes = if dice.throw(20) == 0 { 4000 } else { dice.throw(300) };
            peer.message(to, usize::try_from(bytes).expect("it fits")).await;
        }
        let room = format!("room {}", dice.throw(20));
        match dice.throw(40) {
            0 => peer.go("join", &room).await,
            1 => peer.go("leave", &room).await,
            2 | 3 => {
                said += 1;
                peer.room_message(&room, said).await;
            }
            4 => peer.reset().await,
            5 => peer.silence().await,
            6 => peer.lose_welcome().await,
            _ => {}
        }
        peer.listen(Duration::from_millis(50 + dice.throw(200))).await;
    }
}

/// A call's signaling from its beginning to its end, again and again.
pub(crate) async fn call(site: Site, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let called = timeout(PATIENCE, call_once(&site)).await;
        site.ledger.count(if matches!(called, Ok(Some(()))) { Count::Calls } else { Count::CallsBroken });
    }
}

async fn call_once(site: &Site) -> Option<()> {
    let (mut caller, mut other) = (site.open("").await.ok()?, site.open("").await.ok()?);
    let caller_id = string(&text(&mut caller).await.ok()?["id"]);
    let other_id = string(&text(&mut other).await.ok()?["id"]);
    carry(&mut caller, &mut other, &other_id, "offer", 0).await?;
    carry(&mut other, &mut caller, &caller_id, "answer", 0).await?;
    for number in 0..20 {
        carry(&mut caller, &mut other, &other_id, "candidate", number).await?;
        carry(&mut other, &mut caller, &caller_id, "candidate", number).await?;
    }
    caller.close(None).await.ok()?;
    other.close(None).await.ok()
}

async fn carry(from: &mut Socket, to: &mut Socket, id: &str, kind: &str, number: u64) -> Option<()> {
    let message = json!({ "type": kind, "to": id, kind: number });
    from.send(Message::text(message.to_string())).await.ok()?;
    (text(to).await.ok()?[kind] == number).then_some(())
}

/// A peer that does not read what another one keeps sending to it, until the server ends its session.
pub(crate) async fn stall(site: Site, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let stalled = timeout(PATIENCE, stall_once(&site)).await;
        site.ledger.count(if matches!(stalled, Ok(Some(()))) { Count::Stalled } else { Count::NotDropped });
    }
}

async fn stall_once(site: &Site) -> Option<()> {
    let (mut stalled, mut flooder) = (site.open_narrow().await.ok()?, site.open("").await.ok()?);
    let id = string(&text(&mut stalled).await.ok()?["id"]);
    text(&mut flooder).await.ok()?;
    let message = json!({ "type": "message", "to": id, "message": "x".repeat(60_000), "ref": 0 }).to_string();
    loop {
        flooder.send(Message::text(message.clone())).await.ok()?;
        match text(&mut flooder).await.ok()?["code"].as_str() {
            Some("peer-unavailable") => return Some(()),
            // The queue is full, or the flooder is too fast: without the pause, its own session could be ended.
            Some(_) => sleep(Duration::from_millis(300)).await,
            None => {}
        }
    }
}

/// A peer that leaves without an acknowledgement of what it received; the sender gets `undelivered`.
pub(crate) async fn leave(site: Site, stop: CancellationToken) {
    let Ok(mut sender) = Peer::connect(&site).await else { return };
    while !stop.is_cancelled() {
        let told = timeout(PATIENCE, leave_once(&site, &mut sender)).await;
        site.ledger.count(if matches!(told, Ok(Some(()))) { Count::Farewells } else { Count::FarewellsUntold });
        sleep(Duration::from_millis(200)).await;
    }
    sender.close().await;
}

async fn leave_once(site: &Site, sender: &mut Peer) -> Option<()> {
    let mut leaver = site.open("entremise.v1").await.ok()?;
    let id = string(&text(&mut leaver).await.ok()?["id"]);
    sender.undelivered.clear();
    sender.tell(&id).await;
    text(&mut leaver).await.ok()?;
    leaver.close(None).await.ok()?;
    while sender.undelivered.is_empty() {
        sender.listen(Duration::from_millis(20)).await;
    }
    (sender.undelivered == [id]).then_some(())
}

/// A client that sends garbage.
pub(crate) async fn vandalize(site: Site, number: usize, stop: CancellationToken) {
    let mut dice = Dice(1_000_000 + number as u64);
    while !stop.is_cancelled() {
        // The server may refuse, close or ignore it.
        let _ = timeout(PATIENCE, vandalize_once(&site, &mut dice)).await;
        site.ledger.count(Count::Vandals);
        sleep(Duration::from_millis(20)).await;
    }
}

async fn vandalize_once(site: &Site, dice: &mut Dice) -> Option<()> {
    let garbage: Vec<u8> = (0..dice.throw(2000)).map(|_| u8::try_from(dice.throw(256)).expect("a byte")).collect();
    match dice.throw(6) {
        // Noise, before TLS and inside it.
        0 => TcpStream::connect(("127.0.0.1", site.ports.next())).await.ok()?.write_all(&garbage).await.ok()?,
        1 => site.tls().await.ok()?.write_all(&garbage).await.ok()?,
        // A reset in the middle of the handshake.
        2 => {
            let socket = TcpSocket::new_v4().ok()?;
            socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO)).ok()?;
            let mut tcp = socket.connect(([127, 0, 0, 1], site.ports.next()).into()).await.ok()?;
            tcp.write_all(&[22, 3, 1]).await.ok()?;
        }
        // Text that is no message, until the server closes the connection.
        3 => {
            let mut socket = site.open("entremise.v1").await.ok()?;
            loop {
                socket.send(Message::text(r#"{"type":"#)).await.ok()?;
                text(&mut socket).await.ok()?;
            }
        }
        // A binary frame, and a token of no session.
        4 => {
            let offer = format!("entremise.v1, entremise.resume.{}.0", "A".repeat(43));
            let mut socket = site.open(&offer).await.ok()?;
            socket.send(Message::binary(garbage)).await.ok()?;
        }
        // Bytes that are not valid frames.
        _ => {
            let mut socket = site.open("").await.ok()?;
            socket.get_mut().write_all(&garbage).await.ok()?;
            let _ = socket.get_mut().read(&mut [0; 1000]).await;
        }
    }
    Some(())
}

/// The operator's tool that renews the certificate, and a look at what is served then.
pub(crate) async fn renew(site: Site, certs: PathBuf, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let key = rcgen::KeyPair::generate().expect("the system has randomness");
        let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.self_signed(&key).expect("valid parameters");
        for (name, pem) in [("key.pem", key.serialize_pem()), ("cert.pem", certificate.pem())] {
            let new = certs.join(format!("{name}.new"));
            std::fs::write(&new, pem).expect("the folder is writable");
            std::fs::rename(new, certs.join(name)).expect("the folder is writable");
        }
        let seen = timeout(PATIENCE, async {
            while served(&site).await.as_deref() != Some(certificate.der().as_ref()) {
                sleep(Duration::from_millis(500)).await;
            }
        });
        site.ledger.count(if seen.await.is_ok() { Count::Reloads } else { Count::ReloadsUnseen });
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(Duration::from_secs(15)) => {}
        }
    }
}

async fn served(site: &Site) -> Option<Vec<u8>> {
    // A client of its own: one that resumes a TLS session is shown no certificate, and remembers the old one.
    let newcomer = Site { connector: connector(), ..site.clone() };
    let tls = newcomer.tls().await.ok()?;
    Some(tls.get_ref().1.peer_certificates()?.first()?.to_vec())
}
