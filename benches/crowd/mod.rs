//! A hub without sockets, and peers in it that talk and listen.

use std::sync::LazyLock;
use std::time::Instant;

use entremise::hub::{AllowanceLimits, Ask, Frame, Hub, HubLimits, Lifetime, MailboxLimits, Session, TopicLimits};
use entremise::protocol::{ClientMessage, PeerId, Realm, Request, RoomName};

/// One moment for all of it: to ask the clock is the connection's part.
static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The default limits of queues, and no other limits.
const LIMITS: HubLimits = HubLimits {
    allowance: AllowanceLimits::NONE,
    mailbox: MailboxLimits { messages: 512, bytes: 1 << 20 },
    queued_bytes: 256 << 20,
    rooms_per_peer: None,
    peers_per_room: None,
    topics: TopicLimits::NONE,
};

/// Two peers in a hub with so many rooms, each of which has a member.
pub(crate) struct Crowd {
    pub(crate) caller: Session,
    pub(crate) callee: Session,
    _others: Vec<Session>,
}

impl Crowd {
    pub(crate) fn new(rooms: usize) -> Self {
        let hub = Hub::new(LIMITS);
        let open = || hub.open(Realm::V1, Lifetime::Connection, None);
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
pub(crate) fn message(to: PeerId, bytes: usize) -> String {
    format!(r#"{{"type":"candidate","to":"{to}","candidate":"{}"}}"#, "x".repeat(bytes))
}

pub(crate) fn join(session: &Session, room: &str) {
    let join = ClientMessage::Join(RoomName::new(room).expect("a name"));
    obey(session, Request { reference: None, message: join });
}

pub(crate) fn obey(session: &Session, request: Request<'_>) {
    let permit = session.answer_permit().expect("its queue is empty");
    let verdict = session.hear(Ask::Frame(Ok(request), permit), 0, *NOW, Vec::new);
    assert_eq!(verdict.refused, None);
}

/// The frame that the session's connection would write now.
pub(crate) fn take(session: &Session) -> Frame {
    let frame = session.try_next().expect("it was told");
    session.written();
    frame
}
