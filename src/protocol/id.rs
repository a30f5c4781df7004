//! Who is meant, and where: the address of a peer, the name of a room, and the realm in which both mean something. Pure.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Serialize, Serializer};
use uuid::{Builder, Uuid, Variant, Version};

use super::{Kind, NodeId};

/// Where addresses and names of rooms mean something. Each kind of client has its own, so that two clients that chose the
/// same name by chance do not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Realm {
    /// This project's own protocol.
    V1,
    /// socket.io, with the events of its tutorials.
    SocketIo,
    /// PeerJS.
    PeerJs,
    /// y-webrtc.
    YWebrtc,
    /// Trystero's relay.
    Trystero,
    /// matchbox.
    Matchbox,
    /// GStreamer's webrtcsink and webrtcsrc.
    GStreamer,
}

impl Realm {
    /// All but this project's own.
    pub const FOREIGN: [Self; 6] =
        [Self::SocketIo, Self::PeerJs, Self::YWebrtc, Self::Trystero, Self::Matchbox, Self::GStreamer];

    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::SocketIo => "socket.io",
            Self::PeerJs => "peerjs",
            Self::YWebrtc => "y-webrtc",
            Self::Trystero => "trystero",
            Self::Matchbox => "matchbox",
            Self::GStreamer => "gstreamer",
        }
    }

    /// Whether its clients do not subscribe again after a reconnect, so that their topics are kept for them.
    #[must_use]
    pub fn keeps_topics(self) -> bool {
        self == Self::Trystero
    }

    /// Whether its rooms are topics: their members are not told who comes and goes.
    #[must_use]
    pub fn has_topics(self) -> bool {
        matches!(self, Self::YWebrtc | Self::Trystero)
    }

    /// Whether a peer of this realm may talk to one of the other: what they say has one shape.
    #[must_use]
    pub fn reaches(self, other: Self) -> bool {
        let is_shared = |realm| matches!(realm, Self::V1 | Self::SocketIo);
        self == other || is_shared(self) && is_shared(other)
    }

    /// Whether what is said to a peer that is absent waits a moment for it.
    #[must_use]
    pub fn awaits(self) -> bool {
        self == Self::PeerJs
    }

    /// Whether its clients choose their names, each of which one peer has, on whichever node.
    #[must_use]
    pub fn has_claims(self) -> bool {
        self == Self::PeerJs
    }

    /// Whether a peer of this realm reaches only those that share a room with it.
    #[must_use]
    pub fn keeps_to_rooms(self) -> bool {
        self == Self::Matchbox
    }

    /// Whether a peer of this realm can be told that what it said was not delivered in the end.
    #[must_use]
    pub fn knows_undelivered(self) -> bool {
        !matches!(self, Self::Matchbox | Self::GStreamer)
    }

    /// Whether its clients understand what a peer says: there are words that some dialects do not have, and none of ours
    /// lacks its payload.
    #[must_use]
    pub fn understands(self, kind: Kind, has_payload: bool) -> bool {
        match self {
            Self::SocketIo => matches!(kind, Kind::Offer | Kind::Answer | Kind::Candidate),
            Self::V1 => has_payload || kind == Kind::Bye,
            _ => true,
        }
    }

    /// Whether its rooms may have members on several nodes.
    #[must_use]
    pub fn spans_nodes(self) -> bool {
        self == Self::V1
    }

    /// The address that a client's text is. `None`: it is none here.
    #[must_use]
    pub fn address(self, text: &str) -> Option<Address> {
        match self {
            Self::V1 | Self::SocketIo => {
                text.parse().map(PeerId::into).ok().or_else(|| Address::named(Self::SocketIo, text))
            }
            Self::PeerJs => Address::named(self, text),
            Self::YWebrtc | Self::Trystero | Self::Matchbox | Self::GStreamer => text.parse().map(PeerId::into).ok(),
        }
    }

    /// The peer that a client's text names. `None`: the text is no address here.
    #[must_use]
    pub fn key(self, text: &str) -> Option<PeerId> {
        let named = |realm| (text.len() <= Address::MAX_NAME_BYTES).then(|| PeerId::named(realm, text));
        match self {
            Self::V1 | Self::SocketIo => text.parse().ok().or_else(|| named(Self::SocketIo)),
            Self::PeerJs => named(self),
            Self::YWebrtc | Self::Trystero | Self::Matchbox | Self::GStreamer => text.parse().ok(),
        }
    }
}

/// How a peer is addressed: by its id, or by a name that its client chose or its kind of server makes.
///
/// Two addresses are equal exactly when their ids are.
#[derive(Clone, Debug)]
pub struct Address {
    id: PeerId,
    name: Option<Arc<str>>,
}

impl Address {
    /// The longest name, in bytes.
    pub const MAX_NAME_BYTES: usize = RoomName::MAX_BYTES;

    /// An address that no peer has had.
    #[must_use]
    pub fn random() -> Self {
        PeerId::random().into()
    }

    /// The address of this name, or `None` if the name is empty or too long.
    #[must_use]
    pub fn named(realm: Realm, name: &str) -> Option<Self> {
        let is_valid = (1..=Self::MAX_NAME_BYTES).contains(&name.len());
        is_valid.then(|| Self { id: PeerId::named(realm, name), name: Some(name.into()) })
    }

    /// The address of a name whose key is known already.
    #[must_use]
    pub fn of_name(id: PeerId, name: &str) -> Self {
        Self { id, name: Some(name.into()) }
    }

    /// The key under which the peer is known: its id, or one that follows from its name.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// The name, where it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The node that the peer is of, where its address says so: an id of version 8, and a name that a node gave, which
    /// begins with it ([`NodeId::beginning`]).
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        self.name.as_ref().map_or_else(|| self.id.node(), |name| NodeId::beginning(name))
    }

    /// The bytes of memory that it holds besides itself. Its clones share them.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.name.as_ref().map_or(0, |name| super::footprint::shared(name.len()))
    }
}

impl From<PeerId> for Address {
    fn from(id: PeerId) -> Self {
        Self { id, name: None }
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

/// What others write to reach the peer.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => self.id.fmt(f),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.name {
            Some(name) => serializer.serialize_str(name),
            None => self.id.serialize(serializer),
        }
    }
}

/// A peer's id: a UUID, opaque to clients.
///
/// Its only text form is the one that `welcome` showed (36 characters, lower case), so that two texts name
/// the same peer exactly when they are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct PeerId(Uuid);

impl PeerId {
    /// An id that no peer has had: 122 random bits (UUID version 4).
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// An id that no peer has had, of a peer of this node: the node and 74 random bits (UUID version 8).
    #[must_use]
    pub fn of(node: NodeId) -> Self {
        let mut bytes = Uuid::new_v4().into_bytes();
        bytes[..NodeId::BYTES].copy_from_slice(node.as_bytes());
        Self(Builder::from_bytes(bytes).with_version(Version::Custom).with_variant(Variant::RFC4122).into_uuid())
    }

    /// The node that the peer is of, where the id says so.
    #[must_use]
    pub fn node(self) -> Option<NodeId> {
        let bytes = self.0.as_bytes().first_chunk()?;
        (self.0.get_version() == Some(Version::Custom)).then(|| NodeId::from_bytes(*bytes))
    }

    /// The bytes of the UUID.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id that follows from a name: like a UUID of version 5, which no random id is, but by SHA-256, because names
    /// that have the same SHA-1 can be made.
    pub(crate) fn named(realm: Realm, name: &str) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(realm.as_str().as_bytes());
        digest.update(&[0]);
        digest.update(name.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.finish().as_ref()[..16]);
        let id = Builder::from_bytes(bytes).with_version(Version::Sha1).with_variant(Variant::RFC4122);
        Self(id.into_uuid())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The text isn't the address of any peer.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAPeerId;

impl FromStr for PeerId {
    type Err = NotAPeerId;

    fn from_str(text: &str) -> Result<Self, NotAPeerId> {
        let id = Self(Uuid::try_parse(text).map_err(|_| NotAPeerId)?);
        let mut canonical = Uuid::encode_buffer();
        // `try_parse` takes four spellings, and an address has one.
        if id.0.hyphenated().encode_lower(&mut canonical) == text { Ok(id) } else { Err(NotAPeerId) }
    }
}

/// A room's name: 1 to [`RoomName::MAX_BYTES`] bytes of UTF-8, any characters; a topic's may be longer. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoomName(Arc<str>);

impl RoomName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The name, or `None` if it is empty or too long.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        (1..=Self::MAX_BYTES).contains(&name.len()).then(|| Self(name.into()))
    }

    /// A name that no room has had, and that no client learns or guesses: 122 random bits.
    #[must_use]
    pub fn unguessable() -> Self {
        Self(Uuid::new_v4().to_string().into())
    }

    /// The longest name of a topic, in bytes: y-webrtc's are free text, such as the path of a document.
    pub const MAX_TOPIC_BYTES: usize = 1024;

    /// The name of a topic, or `None` if it is empty or too long.
    #[must_use]
    pub fn topic(name: &str) -> Option<Self> {
        Self::is_topic(name).then(|| Self(name.into()))
    }

    pub(super) fn is_topic(name: &str) -> bool {
        (1..=Self::MAX_TOPIC_BYTES).contains(&name.len())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A room among those of all realms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomKey {
    /// Where the name means something.
    pub realm: Realm,
    /// The name.
    pub name: RoomName,
}

impl Borrow<str> for RoomName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for RoomName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_what_it_shows_and_no_other_spelling() {
        let id = PeerId::random();
        let text = id.to_string();
        assert_eq!(text.parse(), Ok(id));
        for other in [text.to_uppercase(), text.replace('-', ""), format!("{{{text}}}"), format!("urn:uuid:{text}")] {
            assert_eq!(other.parse::<PeerId>(), Err(NotAPeerId), "{other}");
        }
    }

    #[test]
    fn an_id_of_a_node_says_which() {
        let node = NodeId::random();
        let [id, other] = [(); 2].map(|()| PeerId::of(node));
        assert_ne!(id, other);
        assert_eq!((id.node(), other.node()), (Some(node), Some(node)));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.0.get_version_num(), 8);
        assert_eq!(
            (PeerId::random().node(), Address::named(Realm::PeerJs, "alice").unwrap().id().node()),
            (None, None)
        );
    }

    #[test]
    fn a_name_is_another_peer_in_each_realm_and_never_a_random_id() {
        let name = |realm| Address::named(realm, "alice").unwrap();
        assert_eq!(name(Realm::PeerJs), name(Realm::PeerJs));
        assert_ne!(name(Realm::PeerJs), name(Realm::SocketIo));
        assert_eq!(name(Realm::PeerJs).to_string(), "alice");
        assert_eq!(name(Realm::PeerJs).id().0.get_version_num(), 5);
        assert_eq!(PeerId::random().0.get_version_num(), 4);
        assert_eq!(Realm::PeerJs.key("alice"), Some(name(Realm::PeerJs).id()));
        let uuid = PeerId::random().to_string();
        assert_ne!(Realm::PeerJs.key(&uuid), uuid.parse().ok(), "a name that looks like an id of ours");
        assert_eq!(Realm::SocketIo.key(&uuid), uuid.parse().ok(), "a peer of v1");
    }

    #[test]
    fn a_name_has_1_to_128_bytes() {
        assert_eq!(Address::named(Realm::PeerJs, ""), None);
        assert!(Address::named(Realm::PeerJs, &"x".repeat(128)).is_some());
        assert_eq!(Address::named(Realm::PeerJs, &"x".repeat(129)), None);
        assert_eq!(Realm::PeerJs.key(&"x".repeat(129)), None);
    }

    #[test]
    fn only_v1_and_socket_io_reach_each_other() {
        let all = || Realm::FOREIGN.into_iter().chain([Realm::V1]);
        for (one, other) in all().flat_map(|one| all().map(move |other| (one, other))) {
            let is_pair = [(Realm::V1, Realm::SocketIo), (Realm::SocketIo, Realm::V1)].contains(&(one, other));
            assert_eq!(one.reaches(other), one == other || is_pair, "{one:?} {other:?}");
        }
    }

    #[test]
    fn socket_io_has_no_word_for_messages_and_v1_none_without_a_payload() {
        let all = [Kind::Offer, Kind::Answer, Kind::Candidate, Kind::Message, Kind::Bye];
        let understood = |realm: Realm, has_payload| all.map(|kind| realm.understands(kind, has_payload));
        assert_eq!(understood(Realm::SocketIo, true), [true, true, true, false, false]);
        assert_eq!(understood(Realm::SocketIo, false), [true, true, true, false, false]);
        assert_eq!(understood(Realm::V1, true), [true; 5]);
        assert_eq!(understood(Realm::V1, false), [false, false, false, false, true]);
    }

    #[test]
    fn a_room_name_has_1_to_128_bytes() {
        assert!(RoomName::new("").is_none());
        assert!(RoomName::new(&"é".repeat(64)).is_some());
        assert!(RoomName::new(&"é".repeat(65)).is_none());
    }
}
