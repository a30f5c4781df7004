//! What members of a room cost each other: every message and announcement is copied to each other member, and each of
//! these copies should cost the same in a large room as in a small one.

use super::member::{Member, join, leave, left, message, message_from, peer_joined};
use super::table::{Row, Table};
use super::{Plan, cpu, micros_each};
use crate::affinity::Core;
use crate::message::{Kind, Stamp};
use crate::pair::Pair;
use crate::rival::With;
use crate::server::Server;
use crate::table::grouped;

/// Members of all rooms together: the same number at each size of room.
const MEMBERS: u32 = 1000;

static SERVER: With = With::flags(&["--heartbeat=3600", "--peers-per-room=1000"]);

/// The costs at one size.
struct Figures {
    alone: f64,
    told: f64,
    copy: f64,
}

/// The costs at all sizes.
pub(super) async fn table(pair: &Pair, core: Core, plan: &Plan) -> Table {
    let mut all = Vec::new();
    for size in plan.rooms {
        eprintln!("rooms of {size} …");
        all.push(measure(pair, core, size, plan).await);
    }
    let row = |what, cost: fn(&Figures) -> f64, why| Row {
        what,
        unit: "µs",
        costs: all.iter().map(|figures| Some(cost(figures))).collect(),
        why,
    };
    Table {
        title: "Members of a room".to_owned(),
        head: plan.rooms.iter().map(|size| format!("{size} in each")).collect(),
        rows: vec![
            row("A join of an empty room", |it| it.alone, "the same in all three: it shows the noise"),
            row(
                "A copy of `peer-joined`",
                |it| it.told,
                "an id in the newcomer's roster is part of it; in large rooms, members have left the caches by the next join",
            ),
            row(
                "A copy of a message",
                |it| it.copy,
                "in a room of two, one message is read for each copy; in large ones for many",
            ),
        ],
        note: format!(
            "{} peers in all. Rooms fill up one by one, each newcomer when all know of the one before; what a join of an \
             empty room costs is taken off, which leaves mostly noise in rooms of two. Then one member of each speaks, \
             and all others hear it, before the next one does.",
            grouped(&MEMBERS.to_string())
        ),
    }
}

async fn measure(pair: &Pair, core: Core, size: usize, plan: &Plan) -> Figures {
    let server = Server::start(&SERVER, pair, core);
    let mut members = Member::connect(&server.site, MEMBERS).await;
    // The rounds before the last allocate what all share.
    let mut alone = 0.0;
    for _ in 0..2 {
        alone = join_alone(&server, &mut members).await;
    }
    let joined = fill(&server, &mut members, size).await;
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let told_of_each = (size - 1) as f64 / 2.0;
    let copy = talk(&server, &mut members, size, plan.messages / 200).await;
    Figures { alone, told: (joined - alone) / told_of_each, copy }
}

/// Each member joins a room of its own, and leaves it: what a join costs.
async fn join_alone(server: &Server, members: &mut [Member]) -> f64 {
    let before = cpu(server).await;
    for (number, member) in members.iter_mut().enumerate() {
        let room = format!("own {number}");
        member.say([join(&room)]).await;
        assert!(member.hear_roster(&room).await.is_empty());
    }
    let cost = micros_each(server, before, members.len()).await;
    for (number, member) in members.iter_mut().enumerate() {
        let room = format!("own {number}");
        member.say([leave(&room)]).await;
        member.hear(&left(&room)).await;
    }
    cost
}

/// All join rooms of this size: what a join costs, with its announcements.
async fn fill(server: &Server, members: &mut [Member], size: usize) -> f64 {
    let before = cpu(server).await;
    for (number, members) in members.chunks_mut(size).enumerate() {
        let room = format!("room {number}");
        for newcomer in 0..members.len() {
            let (there, rest) = members.split_at_mut(newcomer);
            enter(&mut rest[0], there, &room).await;
        }
    }
    micros_each(server, before, members.len()).await
}

async fn enter(newcomer: &mut Member, there: &mut [Member], room: &str) {
    newcomer.say([join(room)]).await;
    let mut ids: Vec<&str> = there.iter().map(|member| &*member.id).collect();
    ids.sort_unstable();
    assert_eq!(newcomer.hear_roster(room).await, ids, "who is in {room}");
    let news = peer_joined(room, &newcomer.id);
    for member in there {
        member.hear(&news).await;
    }
}

/// In each room one member after the other sends a message, so many times: what a copy costs.
async fn talk(server: &Server, members: &mut [Member], size: usize, times: u32) -> f64 {
    let before = cpu(server).await;
    let mut copies = 0;
    for number in 0..times {
        let speaker = number as usize % size;
        let payload = |room| {
            let stamp = Stamp { from: 0, to: room, number: number.into(), at: 0 };
            Kind::Candidate.payload(stamp)
        };
        for (room, members) in (0..).zip(members.chunks_mut(size)) {
            members[speaker].say([message(&format!("room {room}"), &payload(room))]).await;
        }
        for (room, members) in (0..).zip(members.chunks_mut(size)) {
            let said = message_from(&members[speaker].id, &format!("room {room}"), &payload(room));
            for (_, member) in members.iter_mut().enumerate().filter(|(index, _)| *index != speaker) {
                member.hear(&said).await;
                copies += 1;
            }
        }
    }
    micros_each(server, before, copies).await
}
