//! What the steps of a message cost without sockets: `cargo bench --bench micro`.
//!
//! Each step is timed in a hub with few rooms and with many: what grows with them is a mistake.

use std::hint::black_box;

use divan::Bencher;
use entremise::hub::{Frame, Hub, HubLimits, Lifetime, MailboxLimits, Session};
use entremise::protocol::{ClientMessage, PeerId, Request, RoomName, decode};

const ROOMS: [usize; 2] = [10, 10_000];

/// As large as browsers say them, in bytes.
const PAYLOADS: [usize; 2] = [250, 2500];

/// The usual ones.
const LIMITS: HubLimits = HubLimits {
    mailbox: MailboxLimits { messages: 512, bytes: 1 << 20 },
    queued_bytes: 256 << 20,
    rooms_per_peer: None,
    peers_per_room: None,
};

fn main() {
    divan::main();
}

#[divan::bench(args = PAYLOADS)]
fn decode_a_message(bencher: Bencher<'_, '_>, bytes: usize) {
    let frame = message(PeerId::random(), bytes);
    bencher.bench_local(|| decode(black_box(&frame)).is_ok());
}

#[divan::bench(args = PAYLOADS)]
fn encode_a_message(bencher: Bencher<'_, '_>, bytes: usize) {
    let crowd = Crowd::new(0);
    obey(&crowd.caller, decode(&message(crowd.callee.id(), bytes)).expect("a message"));
    let frame = take(&crowd.callee);
    bencher.bench_local(|| black_box(frame.message()).encode());
}

/// From the sender's message to the addressee's connection.
#[divan::bench(args = ROOMS)]
fn deliver_a_message(bencher: Bencher<'_, '_>, rooms: usize) {
    let crowd = Crowd::new(rooms);
    let frame = message(crowd.callee.id(), PAYLOADS[0]);
    bencher.with_inputs(|| decode(&frame).expect("a message")).bench_local_values(|request| {
        obey(&crowd.caller, request);
        take(&crowd.callee)
    });
}

/// All three.
#[divan::bench(args = ROOMS)]
fn decode_deliver_encode(bencher: Bencher<'_, '_>, rooms: usize) {
    let crowd = Crowd::new(rooms);
    let frame = message(crowd.callee.id(), PAYLOADS[0]);
    bencher.bench_local(|| {
        obey(&crowd.caller, decode(black_box(&frame)).expect("a message"));
        take(&crowd.callee).message().encode()
    });
}

/// Into a room of one, and out again.
#[divan::bench(args = ROOMS)]
fn join_and_leave(bencher: Bencher<'_, '_>, rooms: usize) {
    let crowd = Crowd::new(rooms);
    join(&crowd.callee, "lobby");
    take(&crowd.callee);
    bencher.bench_local(|| {
        join(&crowd.caller, "lobby");
        leave(&crowd.caller, "lobby");
        for told in [&crowd.caller, &crowd.callee] {
            take(told);
            take(told);
        }
    });
}

/// Two peers in a hub with so many rooms, each of which has somebody in it.
struct Crowd {
    caller: Session,
    callee: Session,
    _others: Vec<Session>,
}

impl Crowd {
    fn new(rooms: usize) -> Self {
        let hub = Hub::new(LIMITS);
        let open = || hub.open(Lifetime::Connection, None);
        let enter = |number| {
            let other = open();
            join(&other, &format!("room {number}"));
            take(&other);
            other
        };
        Self { caller: open(), callee: open(), _others: (0..rooms).map(enter).collect() }
    }
}

/// A candidate's frame to this peer, with so much payload.
fn message(to: PeerId, bytes: usize) -> String {
    format!(r#"{{"type":"candidate","to":"{to}","candidate":"{}"}}"#, "x".repeat(bytes))
}

fn join(session: &Session, room: &str) {
    obey(session, request(ClientMessage::Join(RoomName::new(room).expect("a name"))));
}

fn leave(session: &Session, room: &str) {
    obey(session, request(ClientMessage::Leave(RoomName::new(room).expect("a name"))));
}

fn request(message: ClientMessage<'_>) -> Request<'_> {
    Request { reference: None, message }
}

fn obey(session: &Session, request: Request<'_>) {
    let place = session.place().expect("its queue is empty");
    session.obey(request, place, Vec::new).expect("nothing is refused");
}

/// What its connection would write now.
fn take(session: &Session) -> Frame {
    let frame = session.try_next().expect("it was told");
    session.written();
    frame
}
