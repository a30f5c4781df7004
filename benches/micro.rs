//! What the steps of a message cost without sockets: `cargo bench --bench micro`.
//!
//! Each step is timed in a hub with few rooms and with many: a time that grows with the rooms is a mistake.

mod crowd;

use std::hint::black_box;

use crowd::{Crowd, join, message, obey, take};
use divan::Bencher;
use entremise::dialect::v1::{self, decode};
use entremise::hub::Session;
use entremise::protocol::{ClientMessage, PeerId, Request, RoomName, ServerMessage};

const ROOMS: [usize; 2] = [10, 10_000];

/// Bytes of a candidate and of an offer, as browsers send them.
const PAYLOADS: [usize; 2] = [250, 2500];

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
    let mut out = Vec::new();
    bencher.bench_local(|| encode(black_box(frame.message()), &mut out));
}

/// As a connection does: into a buffer that is there already.
fn encode(message: &ServerMessage, out: &mut Vec<u8>) {
    out.clear();
    v1::write(message, out);
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

/// Decoding, delivering and encoding.
#[divan::bench(args = ROOMS)]
fn decode_deliver_encode(bencher: Bencher<'_, '_>, rooms: usize) {
    let crowd = Crowd::new(rooms);
    let (frame, mut out) = (message(crowd.callee.id(), PAYLOADS[0]), Vec::new());
    bencher.bench_local(|| {
        obey(&crowd.caller, decode(black_box(&frame)).expect("a message"));
        encode(take(&crowd.callee).message(), &mut out);
    });
}

/// A join of a room that has one member, and a leave.
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

fn leave(session: &Session, room: &str) {
    let leave = ClientMessage::Leave(RoomName::new(room).expect("a name"));
    obey(session, Request { reference: None, message: leave });
}
