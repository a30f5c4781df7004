//! What one node says to another, and how that looks in bytes. Pure.
//!
//! An envelope is framed by its length and by the token of its question, so that a node skips one that it does not know, and
//! still can say so. New kinds are put at the end of [`Envelope`]: an older node refuses them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::letter::Letter;
use super::parcel::FINGERPRINT;
use super::whereabouts::Epoch;
use crate::auth::Grant;
use crate::protocol::{Address, ErrorCode, Kind, NodeId, PeerId, Realm, RoomKey, RoomName};

/// The number of a question, of those of the node that asks. 0: it is none.
pub(super) type Token = u64;

/// A length and a token.
const HEAD: usize = 4 + 8;

/// What one node says to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Envelope<'a> {
    /// The first of a link: the sender's name, and what it shows of its key.
    Greet { name: &'a str, fingerprint: [u8; FINGERPRINT] },
    /// The link of this number has begun at its other end.
    Greeted(u64),
    /// Which nodes the sender sees; as a home it knows nothing but what is reported to it in this round.
    View(View),
    /// The sender ends.
    Bye,
    /// What a peer says to one of the receiver's. A question.
    Relay {
        to: [u8; 16],
        #[serde(borrow)]
        from: At<'a>,
        realm: u8,
        kind: u8,
        payload: Option<&'a str>,
        origin: Origin,
    },
    /// What a peer says to a room, for these members of it. A question.
    Broadcast {
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        from: At<'a>,
        payload: &'a str,
        to: Vec<[u8; 16]>,
        origin: Origin,
    },
    /// The answer to a question.
    Answer {
        token: Token,
        #[serde(borrow)]
        outcome: Outcome<'a>,
    },
    /// What was said under these tokens is acknowledged, or its receiver's session has ended.
    Settled(Vec<Token>),
    /// This peer has to be told that another one did not get what it said. It is the token's sender's debt until it was told.
    Undelivered {
        #[serde(borrow)]
        to: At<'a>,
        #[serde(borrow)]
        by: At<'a>,
        /// Over how many nodes this has come.
        hops: u8,
    },
    /// A peer of the sender's wants to enter a room. A question.
    Join {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
    },
    /// … and is let in, by what the home knew from this report.
    Admitted {
        token: Token,
        round: u64,
        report: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
        #[serde(borrow)]
        elsewhere: Vec<Member<'a>>,
    },
    /// A peer of the sender's has left a room.
    Leave {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
    },
    /// A peer of another node has entered a room.
    Came {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: Member<'a>,
    },
    /// … or has left it.
    Went {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
    },
    /// The sender's members of a room, and whether it knows of others.
    Report {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        members: Vec<At<'a>>,
        has_others: bool,
    },
    /// That were all. The number is the sender's own: each report has a higher one.
    Reported { round: u64, report: u64 },
    /// The members of a room on other nodes.
    Members {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        elsewhere: Vec<Member<'a>>,
    },
    /// The client of a session has come to the sender, with the secret half of its token. A question.
    /// `epoch` is that by which it is known to be there.
    Fetch { id: [u8; 16], proof: [u8; 16], received: u64, subject: Option<&'a str>, epoch: Epoch },
    /// Who shows this wants to have the name of a peer of the receiver's. A question.
    Contest { id: [u8; 16], secret: Option<&'a str>, subject: Option<&'a str> },
    /// A session comes: its beginning.
    Handing {
        id: [u8; 16],
        #[serde(borrow)]
        session: Session<'a>,
    },
    /// A frame of it. The token is the sender's: what it owes for the frame.
    HandedFrame {
        id: [u8; 16],
        owes: Token,
        #[serde(borrow)]
        letter: Letter<'a>,
    },
    /// It is complete. The question is the receiver's; 0: it was not asked.
    Handed { token: Token, id: [u8; 16] },
    /// These sessions, whose ids are of other nodes, are on the sender's from now on.
    Took(Vec<([u8; 16], Epoch)>),
    /// A session of the sender's, which stops, is on this node from now on, or about to be.
    Bequeathed { to: [u8; 6], id: [u8; 16], epoch: Epoch },
    /// This node has no session that it was thought to have by this epoch.
    Missing { at: [u8; 6], id: [u8; 16], epoch: Epoch },
    /// These were on nodes that have gone, so many milliseconds ago.
    Unseen(Vec<([u8; 16], u64)>),
    /// These have ended, so many milliseconds ago: older ones of the same ids end too.
    Outlived(Vec<([u8; 16], Epoch, u64)>),
    /// This one has ended.
    Ended([u8; 16]),
    /// Nodes that have gone, each so many milliseconds ago.
    Departed(Vec<([u8; 6], u64)>),
    /// The sender wants to have the id of a peer whose node is gone. A question.
    Claim { round: u64, id: [u8; 16] },
    /// So many of the sender's hear a topic.
    Hear {
        #[serde(borrow)]
        topic: Room<'a>,
        subscribers: u64,
    },
    /// What a peer says to all that hear a topic: so many on all nodes, and where in it that number belongs.
    Publish {
        #[serde(borrow)]
        topic: Room<'a>,
        payload: &'a str,
        count_at: u64,
        subscribers: u64,
    },
    /// A member of a room is on the sender's node from now on.
    Moved {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
    },
    /// … and on the sender's no more, but on this one.
    Gave {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
        to: [u8; 6],
    },
    /// A home asks the node that a member was given to. `Moved` or `Leave` answers it.
    Given {
        round: u64,
        #[serde(borrow)]
        room: Room<'a>,
        #[serde(borrow)]
        peer: At<'a>,
    },
    /// The sender stops, and is to be given no session any more that it does not ask for. A question: what was on its way there
    /// is there before the answer.
    Retiring,
    /// A client of the sender's is to be served at a place of the receiver's, which is to know this of it. A question, and the
    /// number of a line that may begin.
    Invite {
        place: [u8; 16],
        about: &'a [u8],
        #[serde(borrow)]
        grant: Option<Allowed<'a>>,
    },
    /// Something on a line, of the one that has begun it or of the other.
    OnLine {
        line: Token,
        is_beginner: bool,
        #[serde(borrow)]
        said: OnLine<'a>,
    },
    /// The sender wants to know the names of all peers of a realm. A question, which these answer …
    AskNames { realm: u8 },
    /// … with these, and more or no more.
    Names {
        token: Token,
        #[serde(borrow)]
        names: Vec<&'a str>,
        is_last: bool,
    },
}

/// What is said on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OnLine<'a> {
    /// It begins.
    Begin,
    Bytes(&'a [u8]),
    /// So many bytes have been taken: as many more may come.
    Taken(u64),
    /// The sender has said all.
    End,
    /// … and hears no more.
    Over,
    /// The sender's node ends: its client is to come again, wherever.
    Part,
}

/// Of what is passed on: the node of the peer that has said it, and that one's own question. None: the sender's, this one.
pub(super) type Origin = Option<([u8; 6], Token)>;

/// What a session has besides its frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Session<'a> {
    pub(super) epoch: Epoch,
    pub(super) proofs: [Option<[u8; 16]>; 2],
    #[serde(borrow)]
    pub(super) grant: Option<Allowed<'a>>,
    pub(super) left: [Option<f64>; 2],
    /// Refused frames, and how many milliseconds ago the first of them was.
    pub(super) refused: Option<(u32, u64)>,
    pub(super) accepted: u64,
    pub(super) acknowledged: u64,
    pub(super) rooms: Vec<(&'a str, Vec<Member<'a>>)>,
}

/// What a client's credentials allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Allowed<'a> {
    pub(super) subject: &'a str,
    #[serde(borrow)]
    pub(super) rooms: Option<Vec<&'a str>>,
    pub(super) expires: u64,
}

impl<'a> From<&'a Grant> for Allowed<'a> {
    fn from(grant: &'a Grant) -> Self {
        let rooms = grant.rooms.as_ref().map(|rooms| rooms.iter().map(RoomName::as_str).collect());
        Self { subject: &grant.subject, rooms, expires: grant.expires }
    }
}

impl From<Allowed<'_>> for Grant {
    fn from(Allowed { subject, rooms, expires }: Allowed<'_>) -> Self {
        let rooms = rooms.map(|rooms| Arc::new(rooms.iter().filter_map(|name| RoomName::new(name)).collect()));
        Self { subject: subject.into(), rooms, expires }
    }
}

/// Which nodes one sees, and how often that has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    /// Follows from the set of nodes.
    pub(super) nodes: u64,
    pub(super) round: u64,
}

/// What becomes of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Outcome<'a> {
    /// It is in the addressee's queue, whose connection may be lost at the moment.
    Done { parked: bool },
    /// These had no room for it, and all others have it.
    Busy(#[serde(borrow)] Vec<At<'a>>),
    /// It was refused, with this code.
    Refused(u8),
}

/// A peer's address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum At<'a> {
    Id([u8; 16]),
    /// With the key that follows from it.
    Name([u8; 16], &'a str),
}

/// A peer, and the node that it is on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member<'a> {
    #[serde(borrow)]
    pub(super) peer: At<'a>,
    pub(super) node: [u8; 6],
}

impl<'a> Member<'a> {
    pub(super) fn of(peer: &'a Address, node: NodeId) -> Self {
        Self { peer: At::from(peer), node: *node.as_bytes() }
    }

    pub(super) fn held(&self) -> Option<(Address, NodeId)> {
        Some((self.peer.address()?, NodeId::from_bytes(self.node)))
    }

    pub(super) fn each(members: &'a [(Address, NodeId)]) -> Vec<Self> {
        members.iter().map(|(peer, node)| Self::of(peer, *node)).collect()
    }

    /// Those of them that are peers.
    pub(super) fn all(members: &[Self]) -> Vec<(Address, NodeId)> {
        members.iter().filter_map(Self::held).collect()
    }
}

/// A room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Room<'a> {
    realm: u8,
    name: &'a str,
}

impl<'a> From<&'a Address> for At<'a> {
    fn from(address: &'a Address) -> Self {
        let key = *address.id().as_bytes();
        address.name().map_or(Self::Id(key), |name| Self::Name(key, name))
    }
}

impl At<'_> {
    /// None: no peer has this address.
    pub(super) fn address(&self) -> Option<Address> {
        match self {
            Self::Id(bytes) => Some(PeerId::from_bytes(*bytes).into()),
            Self::Name(key, name) => {
                (name.len() <= Address::MAX_NAME_BYTES).then(|| Address::of_name(PeerId::from_bytes(*key), name))
            }
        }
    }
}

/// Those of them that are addresses.
pub(super) fn addresses(all: &[At<'_>]) -> Vec<Address> {
    all.iter().filter_map(At::address).collect()
}

impl<'a> From<&'a RoomKey> for Room<'a> {
    fn from(key: &'a RoomKey) -> Self {
        Self { realm: number(key.realm), name: key.name.as_str() }
    }
}

impl Room<'_> {
    /// None: there is no such room.
    pub(super) fn key(self) -> Option<RoomKey> {
        Some(RoomKey { realm: realm(self.realm)?, name: RoomName::topic(self.name)? })
    }
}

/// In the order of this list, which grows at its end.
const REALMS: [Realm; 7] =
    [Realm::V1, Realm::SocketIo, Realm::PeerJs, Realm::YWebrtc, Realm::Trystero, Realm::Matchbox, Realm::GStreamer];
const KINDS: [Kind; 5] = [Kind::Offer, Kind::Answer, Kind::Candidate, Kind::Message, Kind::Bye];
const CODES: [ErrorCode; 14] = [
    ErrorCode::PeerUnavailable,
    ErrorCode::PeerBusy,
    ErrorCode::ClusterUnavailable,
    ErrorCode::RoomFull,
    ErrorCode::RoomNotAllowed,
    ErrorCode::BadMessage,
    ErrorCode::Undelivered,
    ErrorCode::RateLimited,
    ErrorCode::NotInRoom,
    ErrorCode::TooManyRooms,
    ErrorCode::NoProducer,
    ErrorCode::NotTheProducer,
    ErrorCode::RoleConflict,
    ErrorCode::TooManySessions,
];

fn index<T: PartialEq>(list: &[T], of: &T) -> u8 {
    let index = list.iter().position(|other| other == of).unwrap_or(list.len());
    u8::try_from(index).unwrap_or(u8::MAX)
}

pub(super) fn number(realm: Realm) -> u8 {
    index(&REALMS, &realm)
}

pub(super) fn realm(number: u8) -> Option<Realm> {
    REALMS.get(usize::from(number)).copied()
}

pub(super) fn kind_number(kind: Kind) -> u8 {
    index(&KINDS, &kind)
}

pub(super) fn kind(number: u8) -> Option<Kind> {
    KINDS.get(usize::from(number)).copied()
}

pub(super) fn code_number(code: ErrorCode) -> u8 {
    index(&CODES, &code)
}

/// The code of a number. One that is not known here says that the other node knows more.
pub(super) fn code(number: u8) -> ErrorCode {
    CODES.get(usize::from(number)).copied().unwrap_or(ErrorCode::ClusterUnavailable)
}

impl Outcome<'_> {
    pub(super) fn refused(code: ErrorCode) -> Self {
        Self::Refused(code_number(code))
    }
}

/// A frame that is no envelope known here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Of the question, if it is one.
    pub(super) token: Token,
}

impl<'a> Envelope<'a> {
    /// Puts it at the end of others.
    pub(super) fn write(&self, token: Token, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + HEAD, 0);
        postcard::to_io(self, &mut *out).expect("a Vec takes all that is written");
        let length = u32::try_from(out.len() - start - HEAD).expect("far less than 4 GiB");
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + HEAD].copy_from_slice(&token.to_le_bytes());
    }

    /// Takes the first from these bytes. None: there is none, or it is cut off.
    pub(super) fn take(bytes: &mut &'a [u8]) -> Option<Result<(Token, Self), Unknown>> {
        let length = u32::from_le_bytes(*bytes.first_chunk()?);
        let token = Token::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
        let body = bytes.get(HEAD..HEAD.checked_add(usize::try_from(length).ok()?)?)?;
        *bytes = &bytes[HEAD + body.len()..];
        Some(postcard::from_bytes(body).map(|envelope| (token, envelope)).map_err(|_| Unknown { token }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let key = RoomKey { realm: Realm::V1, name: RoomName::new("hall").unwrap() };
        let (id, name) = (Address::random(), Address::named(Realm::SocketIo, "abcdefghijklmnopqrst").unwrap());
        let envelopes = [
            Envelope::Greet { name: "a", fingerprint: [3; FINGERPRINT] },
            Envelope::Relay {
                to: *id.id().as_bytes(),
                from: At::from(&name),
                realm: 0,
                kind: 1,
                payload: Some("{}"),
                origin: None,
            },
            Envelope::Answer { token: 9, outcome: Outcome::Busy(vec![At::from(&id), At::from(&name)]) },
            Envelope::Join { round: 3, room: Room::from(&key), peer: At::from(&id) },
            Envelope::Settled(vec![1, u64::MAX]),
        ];
        let mut bytes = Vec::new();
        for (token, envelope) in (0..).zip(&envelopes) {
            envelope.write(token, &mut bytes);
        }
        let mut rest = &*bytes;
        for (token, envelope) in (0..).zip(envelopes) {
            assert_eq!(Envelope::take(&mut rest), Some(Ok((token, envelope))));
        }
        assert_eq!(Envelope::take(&mut rest), None);
        assert_eq!((Room::from(&key).key(), At::from(&name).address()), (Some(key), Some(name)));
    }

    #[test]
    fn what_a_newer_node_says_is_skipped_and_can_be_refused() {
        let mut bytes = Vec::new();
        Envelope::Bye.write(7, &mut bytes);
        // A kind that is not known here.
        bytes[HEAD] = 120;
        Envelope::Greeted(1).write(0, &mut bytes);
        let mut rest = &*bytes;
        assert_eq!(Envelope::take(&mut rest), Some(Err(Unknown { token: 7 })));
        assert_eq!(Envelope::take(&mut rest), Some(Ok((0, Envelope::Greeted(1)))));
    }

    #[test]
    fn every_word_has_a_number_of_its_own() {
        for (index, it) in (0..).zip(REALMS) {
            assert_eq!((number(it), realm(index)), (index, Some(it)));
        }
        for (index, it) in (0..).zip(KINDS) {
            assert_eq!((kind_number(it), kind(index)), (index, Some(it)));
        }
        for it in CODES {
            assert_eq!(code(code_number(it)), it);
        }
        assert_eq!(code(200), ErrorCode::ClusterUnavailable);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn noise_ends(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut rest = &*bytes;
            while let Some(envelope) = Envelope::take(&mut rest) {
                prop_assert!(rest.len() + HEAD <= bytes.len());
                drop(envelope);
            }
        }
    }
}
