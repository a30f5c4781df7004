//! What contention for one lock costs. The hub without sockets: one addressee or one room for all threads, and for
//! comparison addressees and rooms that are spread over all of its maps.

use std::sync::{Arc, Barrier};
use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use entremise::dialect::v1::decode;
use entremise::hub::{AllowanceLimits, Ask, Hub, HubLimits, Lifetime, MailboxLimits, Session, TopicLimits};
use entremise::protocol::Realm;

use super::member::{join, leave, message};
use super::table::{Row, Table};
use super::{Plan, median};
use crate::message::{Kind, Stamp};
use crate::table::readable;

/// No limit of rooms, and mailboxes so deep that none is full: a thread that loses its core while it puts something into
/// one keeps the other from emptying it.
const LIMITS: HubLimits = HubLimits {
    allowance: AllowanceLimits::NONE,
    mailbox: MailboxLimits { messages: 1 << 18, bytes: 1 << 28 },
    queued_bytes: 1 << 30,
    rooms_per_peer: None,
    peers_per_room: None,
    topics: TopicLimits::NONE,
};

/// Addressees or rooms of each thread, where they are spread: many times as many as a map has locks.
const MANY: usize = 200;

/// Members of a room, and of a large one.
const MEMBERS: usize = 10;
const CROWD: usize = 500;

/// The step that a thread repeats.
type Step = Box<dyn FnMut() + Send>;

/// The table: each case with one thread and with two.
pub(super) fn table(plan: &Plan) -> Table {
    eprintln!("threads at one lock …");
    assert!(available_parallelism().is_ok_and(|cores| cores.get() >= 2), "a core for each of two threads");
    let length = plan.phase / 8;
    let row = |what, steps: fn(&Arc<Hub>, usize) -> Vec<Step>, why| Row {
        what,
        unit: "ns",
        costs: [1, 2]
            .into_iter()
            .map(|threads| Some(cost(plan.rounds, length, |hub| (steps(hub, threads), None))))
            .collect(),
        why,
    };
    let cases = [
        row("A message to one of many", to_many, "the maps' shards have locks of their own"),
        row("A message to one that both send to", to_one, "one mailbox: its counters and locks move from core to core"),
        row("A message in one of many rooms of 10", in_rooms, "as with one of many"),
        row("A message in one room of 10 where both talk", in_one_room, "ten mailboxes move from core to core"),
        row("A join and a leave of one of many rooms of 10", through_rooms, "sometimes both need the same shard"),
        row(
            "A join and a leave of one room of 10 that both enter",
            through_one_room,
            "the room is locked until all are told",
        ),
    ];
    let note = note(&cases);
    let alone = cases[2].costs[0];
    let beside = cost(plan.rounds, length, |hub| (in_rooms(hub, 1), Some(through_a_crowd(hub))));
    let beside = Row {
        what: "A message in one of many rooms of 10, beside joins and leaves of one of 500",
        unit: "ns",
        costs: vec![alone, Some(beside)],
        why: "a room that shares the large one's shard waits until 500 are told",
    };
    Table {
        title: "Threads at one lock".to_owned(),
        head: vec!["1 thread".to_owned(), "2 threads".to_owned()],
        rows: cases.into_iter().chain([beside]).collect(),
        note,
    }
}

/// The steps of two threads in a second: spread over many locks, and at one lock.
fn note(cases: &[Row]) -> String {
    let per_second = |row: &Row| row.costs[1].map_or(f64::NAN, |cost| 2e9 / cost);
    let ratios = cases.chunks_exact(2).map(|pair| {
        let (spread, hot) = (per_second(&pair[0]), per_second(&pair[1]));
        format!("{} and {} ({:.2}×)", readable(spread), readable(hot), hot / spread)
    });
    format!(
        "A thread's time, without sockets; taking the messages out of the mailboxes is included. Where both need one lock, \
        2× would mean that the second thread adds nothing. Steps of both in a second, spread and at one lock: {}.",
        ratios.collect::<Vec<_>>().join("; ")
    )
}

/// A thread's nanoseconds for a step.
fn cost(rounds: usize, length: Duration, steps: impl Fn(&Arc<Hub>) -> (Vec<Step>, Option<Step>)) -> f64 {
    median((0..rounds).map(|_| run(steps(&Hub::new(LIMITS)), length)).collect())
}

/// Runs each step on a thread of its own for so long. The last step is only there to contend for the lock.
fn run((steps, beside): (Vec<Step>, Option<Step>), length: Duration) -> f64 {
    let watched = steps.len();
    let steps: Vec<Step> = steps.into_iter().chain(beside).collect();
    let begin = Barrier::new(steps.len());
    let costs: Vec<f64> = scope(|threads| {
        let run = |step| threads.spawn(|| repeat(step, &begin, length));
        let running: Vec<_> = steps.into_iter().map(run).collect();
        running.into_iter().map(|thread| thread.join().expect("nothing is refused")).collect()
    });
    #[expect(clippy::cast_precision_loss, reason = "two")]
    let watched_of = watched as f64;
    costs[..watched].iter().sum::<f64>() / watched_of
}

fn repeat(mut step: Step, begin: &Barrier, length: Duration) -> f64 {
    const AT_ONCE: u32 = 16;
    begin.wait();
    let (begin, mut count) = (Instant::now(), 0);
    while begin.elapsed() < length {
        (0..AT_ONCE).for_each(|_| step());
        count += AT_ONCE;
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

fn to_many(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let talk = |_| {
        let (caller, addressees) = (open(hub), peers(hub, MANY));
        let frames: Vec<String> = addressees.iter().map(candidate).collect();
        in_turn(move |turn| {
            say(&caller, &frames[turn]);
            assert_eq!(take(&addressees[turn]), 1);
        })
    };
    (0..threads).map(talk).collect()
}

fn to_one(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let addressee = Arc::new(open(hub));
    let talk = |_| {
        let (caller, addressee) = (open(hub), Arc::clone(&addressee));
        let frame = candidate(&addressee);
        in_turn(move |_| {
            say(&caller, &frame);
            take(&addressee);
        })
    };
    (0..threads).map(talk).collect()
}

fn in_rooms(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let talk = |thread| {
        let rooms: Vec<_> = (0..MANY).map(|room| Room::new(hub, &format!("{thread} {room}"), MEMBERS)).collect();
        in_turn(move |turn| {
            rooms[turn].talk(0);
            assert_eq!(rooms[turn].take(), MEMBERS - 1);
        })
    };
    (0..threads).map(talk).collect()
}

fn in_one_room(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let room = Arc::new(Room::new(hub, "one", MEMBERS));
    let talk = |speaker| {
        let room = Arc::clone(&room);
        in_turn(move |_| {
            room.talk(speaker);
            room.take();
        })
    };
    (0..threads).map(talk).collect()
}

fn through_rooms(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let pass = |thread| {
        let guest = open(hub);
        let rooms: Vec<_> = (0..MANY).map(|room| Room::new(hub, &format!("{thread} {room}"), MEMBERS - 1)).collect();
        in_turn(move |turn| {
            assert_eq!(rooms[turn].pass(&guest), 2 * (MEMBERS - 1));
        })
    };
    (0..threads).map(pass).collect()
}

fn through_one_room(hub: &Arc<Hub>, threads: usize) -> Vec<Step> {
    let room = Arc::new(Room::new(hub, "one", MEMBERS - 1));
    let pass = |_| {
        let (guest, room) = (open(hub), Arc::clone(&room));
        in_turn(move |_| {
            room.pass(&guest);
        })
    };
    (0..threads).map(pass).collect()
}

fn through_a_crowd(hub: &Arc<Hub>) -> Step {
    let (guest, room) = (open(hub), Room::new(hub, "crowd", CROWD));
    in_turn(move |_| {
        assert_eq!(room.pass(&guest), 2 * CROWD);
    })
}

/// A step whose argument is the index of the addressee or room whose turn it is.
fn in_turn(mut step: impl FnMut(usize) + Send + 'static) -> Step {
    let mut turns = (0..MANY).cycle();
    Box::new(move || turns.next().into_iter().for_each(&mut step))
}

/// A room, and the members that stay in it.
struct Room {
    members: Vec<Session>,
    join: String,
    leave: String,
    message: String,
}

impl Room {
    fn new(hub: &Arc<Hub>, name: &str, members: usize) -> Self {
        let room = Self {
            members: peers(hub, members),
            join: join(name),
            leave: leave(name),
            message: message(name, &payload()),
        };
        for member in &room.members {
            say(member, &room.join);
            room.take();
        }
        room
    }

    /// A member sends a message to all others.
    fn talk(&self, speaker: usize) {
        say(&self.members[speaker], &self.message);
    }

    /// A guest joins and leaves again. Returns the number of frames that the members are told: of one that leaves before
    /// they have read that it came, they are told neither.
    fn pass(&self, guest: &Session) -> usize {
        say(guest, &self.join);
        let joined = self.take();
        say(guest, &self.leave);
        take(guest);
        joined + self.take()
    }

    /// Takes the frames out of all members' mailboxes, and returns their number.
    fn take(&self) -> usize {
        self.members.iter().map(take).sum()
    }
}

fn open(hub: &Arc<Hub>) -> Session {
    hub.open(Realm::V1, Lifetime::Connection, None)
}

fn peers(hub: &Arc<Hub>, count: usize) -> Vec<Session> {
    (0..count).map(|_| open(hub)).collect()
}

/// Decodes a client's frame, and obeys it.
fn say(session: &Session, frame: &str) {
    let request = decode(frame).expect("a message");
    let permit = session.answer_permit().expect("its queue has room");
    let verdict = session.hear(Ask::Frame(Ok(request), permit), 0, Instant::now(), Vec::new);
    assert_eq!(verdict.refused, None);
}

/// Takes the frames that the session's connection would write, and returns their number.
fn take(session: &Session) -> usize {
    let taken = std::iter::from_fn(|| session.try_next()).count();
    session.written();
    taken
}

/// A candidate's frame to this peer.
fn candidate(to: &Session) -> String {
    format!(r#"{{"type":"candidate","to":"{}","candidate":{}}}"#, to.id(), payload())
}

fn payload() -> String {
    Kind::Candidate.payload(Stamp { from: 0, to: 0, number: 0, at: 0 })
}
