//! Lines: bytes both ways between a client of one node and another node, which has the place where the client is to be served.
//!
//! What one end says waits at the other one until it is taken there, and no more than a window of it is on its way. A line is
//! over where a node loses sight of the other one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Cluster;
use super::envelope::{self, Envelope, OnLine, Outcome, Token};
use crate::hub::Guest;
use crate::net::Line;
use crate::protocol::{ErrorCode, NodeId, PeerId};

/// What one end may have said that the other one has not taken, in bytes.
const WINDOW: usize = 64 * 1024;

/// The most that is said at once, in bytes.
const CHUNK: usize = 16 * 1024;

/// Which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The node at its other end.
    node: NodeId,
    /// Its number, of those of the node that has begun it.
    number: Token,
    /// Whether that is this one.
    is_ours: bool,
}

/// What is to be done with a line as soon as it begins.
pub type Start = Box<dyn FnOnce(Box<dyn Line>) + Send>;

/// What is done for a client of another node that comes to a place here: with its line, and what ends its stay.
type Serve = dyn Fn(PeerId, Guest) -> Result<(Start, CancellationToken), ErrorCode> + Send + Sync;

/// Serves clients of other nodes.
pub(super) struct Host(Box<Serve>);

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}

/// The lines of this node.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<HashMap<Key, Open>>);

/// A line's end.
#[derive(Debug)]
struct Open {
    way: Arc<Mutex<Way>>,
    stage: Stage,
}

enum Stage {
    /// The other node is asked whether it agrees.
    Asked(oneshot::Sender<Opened>),
    /// It is this one that has agreed: what happens as soon as the line begins, and what ends the client's stay.
    Agreed(Start, CancellationToken),
    /// It may be spoken on. What ends the stay of another node's client.
    Begun(Option<CancellationToken>),
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked(_) => "Asked",
            Self::Agreed(..) => "Agreed",
            Self::Begun(_) => "Begun",
        })
    }
}

/// A line, or why there is none.
type Opened = Result<Box<dyn Line>, ErrorCode>;

/// What is on its way, at one end.
#[derive(Debug, Default)]
struct Way {
    /// What has come and was not taken.
    came: VecDeque<u8>,
    /// What was taken, and the other end has not been told of.
    taken: usize,
    /// What was said, and not taken as far as is known.
    untaken: usize,
    /// Whether the other end has said all.
    is_ended: bool,
    /// Whether it hears no more.
    is_over: bool,
    /// Whether the other node is out of sight.
    is_lost: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Way {
    fn wake(&mut self) {
        [self.reader.take(), self.writer.take()].into_iter().flatten().for_each(Waker::wake);
    }

    /// Takes in what the other end says. False: it says more than it may.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        if self.came.len() + self.taken + bytes.len() > WINDOW {
            return false;
        }
        self.came.extend(bytes);
        self.reader.take().into_iter().for_each(Waker::wake);
        true
    }
}

/// One end of a line.
struct End {
    cluster: Weak<Cluster>,
    key: Key,
    way: Arc<Mutex<Way>>,
    /// Whether it is still to be begun.
    is_new: bool,
    /// Whether this end has said all.
    is_ended: bool,
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End").field("key", &self.key).finish_non_exhaustive()
    }
}

impl End {
    fn say(&self, said: OnLine<'_>) {
        if let Some(cluster) = self.cluster.upgrade() {
            cluster.say_on_line(self.key, said);
        }
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.is_new) {
            self.say(OnLine::Begin);
        }
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.begin();
        let taken = {
            let mut way = self.way.lock();
            let (front, _) = way.came.as_slices();
            let count = front.len().min(buf.remaining());
            if count == 0 {
                return match (way.is_lost, way.is_ended) {
                    (true, _) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                    (_, true) => Poll::Ready(Ok(())),
                    _ => {
                        way.reader = Some(cx.waker().clone());
                        Poll::Pending
                    }
                };
            }
            buf.put_slice(&front[..count]);
            way.came.drain(..count);
            if way.came.is_empty() {
                // What waits for nothing holds nothing.
                way.came = VecDeque::new();
            }
            way.taken += count;
            if way.taken < WINDOW / 2 { 0 } else { std::mem::take(&mut way.taken) }
        };
        if taken > 0 {
            self.say(OnLine::Taken(taken as u64));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.begin();
        let Some(cluster) = self.cluster.upgrade() else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        let is_crowded = cluster.rules.lock().is_crowded(self.key.node);
        let count = {
            let mut way = self.way.lock();
            if way.is_lost || way.is_over {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let room = if is_crowded { 0 } else { WINDOW - way.untaken };
            let count = buf.len().min(room).min(CHUNK);
            if count == 0 && !buf.is_empty() {
                way.writer = Some(cx.waker().clone());
                return Poll::Pending;
            }
            way.untaken += count;
            count
        };
        cluster.say_on_line(self.key, OnLine::Bytes(&buf[..count]));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.is_ended, true) {
            self.say(OnLine::End);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let Some(cluster) = self.cluster.upgrade() else { return };
        let open = cluster.lines.0.lock().remove(&self.key);
        if open.is_some() {
            cluster.say_on_line(self.key, OnLine::Over);
        }
    }
}

impl Cluster {
    /// Tells it who serves clients of other nodes at places of this one, before any has come.
    pub fn host_with(
        &self,
        serve: impl Fn(PeerId, Guest) -> Result<(Start, CancellationToken), ErrorCode> + Send + Sync + 'static,
    ) {
        // A second one is not given any.
        let _ = self.host.set(Host(Box::new(serve)));
    }

    /// Asks another node for a line.
    pub(super) fn ask_for_line(&self, node: NodeId, place: PeerId, guest: &Guest, done: oneshot::Sender<Opened>) {
        // Order: it is known before the node can be lost, or answer.
        let mut lines = self.lines.0.lock();
        let mut rules = self.rules.lock();
        if !rules.is_up(node) {
            return;
        }
        let number = rules.number();
        let open = Open { way: Arc::default(), stage: Stage::Asked(done) };
        lines.insert(Key { node, number, is_ours: true }, open);
        let (place, grant) = (*place.as_bytes(), guest.grant.as_ref().map(Into::into));
        rules.say(node, number, &Envelope::Invite { place, about: &guest.about, grant });
    }

    /// An answer has come. Whether it is about a line.
    pub(super) fn hear_agreed(&self, node: NodeId, number: Token, outcome: &Outcome<'_>) -> bool {
        let key = Key { node, number, is_ours: true };
        let mut lines = self.lines.0.lock();
        let Some(open) = lines.get_mut(&key).filter(|open| matches!(open.stage, Stage::Asked(_))) else { return false };
        let stage = std::mem::replace(&mut open.stage, Stage::Begun(None));
        let way = Arc::clone(&open.way);
        let opened: Opened = match outcome {
            Outcome::Refused(number) => {
                lines.remove(&key);
                Err(envelope::code(*number))
            }
            Outcome::Done { .. } | Outcome::Busy(_) => Ok(Box::new(End::new(self, key, way))),
        };
        // Order: where none waits for it any more, it is over, which locks them again.
        drop(lines);
        if let Stage::Asked(done) = stage {
            drop(done.send(opened));
        }
        true
    }

    /// Another node wants to have a client of its own served here.
    pub(super) fn hear_invitation(&self, node: NodeId, token: Token, place: PeerId, guest: Guest) {
        let served = self.host.get().ok_or(ErrorCode::ClusterUnavailable).and_then(|host| host.0(place, guest));
        let outcome = match served {
            Ok((start, over)) => {
                let open = Open { way: Arc::default(), stage: Stage::Agreed(start, over) };
                self.lines.0.lock().insert(Key { node, number: token, is_ours: false }, open);
                Outcome::Done { parked: false }
            }
            Err(code) => Outcome::refused(code),
        };
        self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome });
    }

    /// What the other end says.
    pub(super) fn hear_on_line(&self, node: NodeId, number: Token, is_beginner: bool, said: OnLine<'_>) {
        let key = Key { node, number, is_ours: !is_beginner };
        let mut lines = self.lines.0.lock();
        // What crosses the end of a line is of no use any more.
        let Some(open) = lines.get_mut(&key) else { return };
        match said {
            OnLine::Begin => {
                let Stage::Agreed(_, over) = &open.stage else { return };
                let begun = Stage::Begun(Some(over.clone()));
                if let Stage::Agreed(start, _) = std::mem::replace(&mut open.stage, begun) {
                    let end = End::new(self, key, Arc::clone(&open.way));
                    drop(lines);
                    start(Box::new(end));
                }
            }
            OnLine::Bytes(bytes) => {
                let is_within = open.way.lock().hear(bytes);
                if !is_within {
                    Self::close(open, |way| way.is_lost = true);
                    let open = lines.remove(&key);
                    drop((lines, open));
                    self.say_on_line(key, OnLine::Over);
                }
            }
            OnLine::Taken(count) => {
                let mut way = open.way.lock();
                way.untaken = way.untaken.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
                way.writer.take().into_iter().for_each(Waker::wake);
            }
            OnLine::End => Self::close(open, |way| way.is_ended = true),
            OnLine::Over => {
                Self::close(open, |way| (way.is_ended, way.is_over) = (true, true));
                let open = lines.remove(&key);
                // Order: what was to be done with it may lock them.
                drop(lines);
                drop(open);
            }
            OnLine::Part => {
                if let Stage::Agreed(_, over) | Stage::Begun(Some(over)) = &open.stage {
                    over.cancel();
                }
            }
        }
    }

    fn close(open: &Open, close: impl FnOnce(&mut Way)) {
        let mut way = open.way.lock();
        close(&mut way);
        way.wake();
    }

    /// A node is gone, and all lines to it.
    pub(super) fn lose_lines(&self, node: NodeId) {
        let lost: Vec<_> = self.lines.0.lock().extract_if(|key, _| key.node == node).collect();
        for (_, open) in &lost {
            Self::close(open, |way| way.is_lost = true);
        }
    }

    /// Who could not speak because much waited for a node looks again. Lines for which none waits any more are over.
    pub(super) fn tend_lines(&self) {
        let is_given_up = |_: &Key, open: &mut Open| matches!(&open.stage, Stage::Asked(done) if done.is_closed());
        let given_up: Vec<_> = {
            let mut lines = self.lines.0.lock();
            for open in lines.values() {
                open.way.lock().writer.take().into_iter().for_each(Waker::wake);
            }
            lines.extract_if(is_given_up).collect()
        };
        for (key, _) in given_up {
            self.say_on_line(key, OnLine::Over);
        }
    }

    /// This node ends: its clients that are served by others are to come again.
    pub fn part_lines(&self) {
        let ours: Vec<Key> = self.lines.0.lock().keys().filter(|key| key.is_ours).copied().collect();
        for key in ours {
            self.say_on_line(key, OnLine::Part);
        }
    }

    /// How many there are, of both kinds.
    pub(super) fn open_lines(&self) -> usize {
        self.lines.0.lock().len()
    }

    fn say_on_line(&self, Key { node, number, is_ours }: Key, said: OnLine<'_>) {
        self.rules.lock().say(node, 0, &Envelope::OnLine { line: number, is_beginner: is_ours, said });
        self.stir();
    }
}

impl End {
    fn new(cluster: &Cluster, key: Key, way: Arc<Mutex<Way>>) -> Self {
        Self { cluster: cluster.me.clone(), key, way, is_new: key.is_ours, is_ended: false }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::{Duration, sleep, timeout};

    use super::super::tests::{Node, carry, node, pass, two};
    use super::*;
    use crate::auth::Grant;
    use crate::hub::{Met, Place};
    use crate::protocol::Realm;

    /// What another node's clients have got of a node: their lines, and what is known of each.
    type Served = Arc<Mutex<Vec<(Box<dyn Line>, Guest, Place)>>>;

    /// Has a node serve clients of others, and refuse those of which nothing is known.
    fn serve(node: &Node) -> Served {
        let served = Served::default();
        let (hub, all) = (Arc::clone(&node.hub), Arc::clone(&served));
        node.cluster.host_with(move |place, guest| {
            let place = hub.enter_place(place).ok_or(ErrorCode::PeerUnavailable)?;
            let (over, all) = (place.token(), Arc::clone(&all));
            if guest.about.is_empty() {
                return Err(ErrorCode::RoomFull);
            }
            let start: Start = Box::new(move |line| all.lock().push((line, guest, place)));
            Ok((start, over))
        });
        served
    }

    /// Does something while all that is said is carried.
    async fn among<T>(nodes: &[Node], now: Instant, what: impl Future<Output = T>) -> T {
        let carrying = async {
            loop {
                carry(nodes, now);
                sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            done = timeout(Duration::from_secs(10), what) => done.expect("it does not take so long"),
            () = carrying => unreachable!(),
        }
    }

    async fn meet(nodes: &[Node], at: usize, guest: &'static str, now: Instant) -> Result<Met, ErrorCode> {
        let grant = Grant { subject: "alice".into(), rooms: None, expires: 7 };
        let guest = Guest { about: guest.as_bytes().to_vec(), grant: Some(grant) };
        among(nodes, now, nodes[at].hub.meet(Realm::Matchbox, "hall", &guest)).await
    }

    async fn place(nodes: &[Node], at: usize, now: Instant) -> Place {
        match meet(nodes, at, "guest", now).await {
            Ok(Met::Here(Some(place))) => place,
            other => panic!("{other:?}"),
        }
    }

    async fn line(nodes: &[Node], at: usize, now: Instant) -> Box<dyn Line> {
        match meet(nodes, at, "guest", now).await {
            Ok(Met::There(line)) => line,
            other => panic!("{other:?}"),
        }
    }

    /// Two nodes, of which the first has a place and serves a client of the second.
    async fn hosted() -> ([Node; 2], Instant, Place, Served, Box<dyn Line>) {
        let (nodes, now) = two();
        let first = place(&nodes, 0, now).await;
        let served = serve(&nodes[0]);
        let guest = line(&nodes, 1, now).await;
        (nodes, now, first, served, guest)
    }

    fn taken(served: &Served) -> (Box<dyn Line>, Place) {
        let (line, guest, place) = served.lock().pop().expect("it has begun");
        assert_eq!((&*guest.about, guest.grant.map(|grant| grant.expires)), (&b"guest"[..], Some(7)));
        (line, place)
    }

    #[tokio::test]
    async fn a_place_is_where_the_first_has_come_until_the_last_has_left() {
        let (nodes, now, first, served, mut guest) = hosted().await;
        assert!(served.lock().is_empty(), "it has not begun");
        among(&nodes, now, guest.write_all(b"hello")).await.unwrap();
        carry(&nodes, now);
        let (mut hosted, of_guest) = taken(&served);
        drop(first);
        let mut heard = [0; 5];
        among(&nodes, now, async {
            hosted.read_exact(&mut heard).await.unwrap();
            hosted.write_all(b"and back").await.unwrap();
            hosted.shutdown().await.unwrap();
        })
        .await;
        assert_eq!(&heard, b"hello");
        let mut all = String::new();
        among(&nodes, now, guest.read_to_string(&mut all)).await.unwrap();
        assert_eq!(all, "and back");
        drop((hosted, of_guest));
        carry(&nodes, now);
        assert_eq!(nodes.each_ref().map(|node| node.cluster.figures().lines), [0, 0]);
        assert!(among(&nodes, now, guest.write_all(b"?")).await.is_err());
        let _there = place(&nodes, 1, now).await;
        serve(&nodes[1]);
        line(&nodes, 0, now).await;
        assert_eq!(nodes[0].cluster.figures().lines, 0, "it is dropped");
    }

    #[tokio::test]
    async fn who_is_refused_at_a_place_is_told_why_and_who_gives_up_leaves_nothing() {
        let (nodes, mut now) = two();
        let _place = place(&nodes, 0, now).await;
        serve(&nodes[0]);
        assert_eq!(meet(&nodes, 1, "", now).await.err(), Some(ErrorCode::RoomFull));
        let (id, guest) = (PeerId::named(Realm::Matchbox, "hall"), Guest { about: vec![1], grant: None });
        drop(crate::hub::Elsewhere::open_line(&*nodes[1].cluster, nodes[0].cluster.node(), id, &guest));
        pass(&nodes, &mut now, 200);
        assert_eq!(nodes.each_ref().map(|node| node.cluster.figures().lines), [0, 0]);
    }

    #[tokio::test]
    async fn what_is_not_taken_is_bounded_and_flows_again() {
        let (nodes, now, _place, served, mut guest) = hosted().await;
        let all: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let mut written = 0;
        let fill = async {
            while let Ok(Ok(count)) = timeout(Duration::from_millis(50), guest.write(&all[written..])).await {
                written += count;
            }
        };
        among(&nodes, now, fill).await;
        assert_eq!(written, WINDOW);
        let (mut hosted, _of_guest) = taken(&served);
        let mut heard = vec![0; all.len()];
        let both = async { tokio::join!(guest.write_all(&all[written..]), hosted.read_exact(&mut heard)) };
        let (said, read) = among(&nodes, now, both).await;
        assert!(said.is_ok() && read.is_ok() && heard == all);
    }

    #[tokio::test]
    async fn a_line_to_a_node_that_is_gone_is_lost_and_its_place_is_free() {
        let (nodes, mut now, _place, _served, mut guest) = hosted().await;
        let [_, rest] = nodes;
        let rest = [rest];
        pass(&rest, &mut now, 3500);
        assert!(among(&rest, now, guest.read_u8()).await.is_err());
        place(&rest, 0, now).await;
    }

    #[tokio::test]
    async fn a_node_that_ends_has_its_guests_come_again() {
        let (nodes, now, first, served, mut guest) = hosted().await;
        among(&nodes, now, guest.write_all(b"hello")).await.unwrap();
        carry(&nodes, now);
        let (_hosted, of_guest) = taken(&served);
        nodes[1].cluster.part_lines();
        carry(&nodes, now);
        assert!(of_guest.token().is_cancelled() && !first.token().is_cancelled());
    }

    /// Nodes that did not see each other.
    #[tokio::test]
    async fn of_two_that_have_a_place_one_keeps_it() {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 1, now)];
        let [a, b] = nodes;
        let (mut alone, mut also) = ([a], [b]);
        let mut places = Vec::new();
        for node in [&mut alone, &mut also] {
            pass(node, &mut now, 3000);
            places.push(place(node, 0, now).await);
        }
        let nodes = [alone, also].map(|[node]| node);
        pass(&nodes, &mut now, 3000);
        assert_eq!(places.iter().filter(|place| place.token().is_cancelled()).count(), 1);
        let kept = places.iter().position(|place| !place.token().is_cancelled()).unwrap();
        serve(&nodes[kept]);
        line(&nodes, 1 - kept, now).await;
    }

    #[tokio::test]
    async fn without_a_network_a_place_is_entered_where_it_is_and_no_other_is_waited_for() {
        let (nodes, now) = two();
        let _place = place(&nodes, 0, now).await;
        for node in &nodes {
            node.cluster.disconnected(now);
        }
        place(&nodes, 0, now).await;
        let asked = Instant::now();
        assert_eq!(meet(&nodes, 1, "guest", now).await.err(), Some(ErrorCode::ClusterUnavailable));
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
}
