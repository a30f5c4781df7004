//! The words of an exchange: who produces, who consumes, who wants to know of it, and sessions between two of them. Pure.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{PeerId, footprint};

/// What a peer does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// It has media for others.
    Producer,
    /// It wants to know what the roles of others are.
    Listener,
    /// It takes media from those that bring it.
    Consumer,
}

/// A peer's roles, each once, in the order in which it said them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Roles([Option<Role>; 3]);

impl Roles {
    /// One role more, unless it is there.
    pub fn add(&mut self, role: Role) {
        if !self.has(role)
            && let Some(free) = self.0.iter_mut().find(|place| place.is_none())
        {
            *free = Some(role);
        }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0.contains(&Some(role))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// All of them.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        self.0.into_iter().flatten()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let mut all = Self::default();
        roles.into_iter().for_each(|role| all.add(role));
        all
    }
}

/// A session between a producer and a consumer: a UUID of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct SessionId(Uuid);

impl SessionId {
    /// One that there has not been.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Uuid::try_parse(text).map(Self)
    }
}

/// What a member of the exchange can ask for. Texts are JSON, unread.
#[derive(Debug)]
pub enum ExchangeRequest<'a> {
    /// Become a member, without a role.
    Enter,
    /// Have these roles from now on.
    SetStatus {
        /// All of them.
        roles: Roles,
        /// What others are told of it.
        meta: Option<&'a str>,
        /// Whose status the client says it is. What it has already is no news only where this is its own id.
        of: Option<Cow<'a, str>>,
    },
    /// Say who has this role.
    List(Role),
    /// Start a session with a producer, or with a consumer that waits for one.
    StartSession {
        /// The other end's id, as the client wrote it.
        with: Cow<'a, str>,
        /// The consumer's SDP, a JSON string.
        offer: Option<Box<str>>,
    },
    /// Say something to the other end of a session.
    Say {
        /// Which session. None: the client's text is the id of none.
        session: Option<SessionId>,
        /// What is said.
        word: Word,
        /// Its JSON.
        payload: Box<str>,
    },
    /// End a session.
    EndSession {
        /// Which one. None: the client's text is the id of none.
        session: Option<SessionId>,
        /// Why, as JSON.
        error: Option<&'a str>,
    },
}

impl ExchangeRequest<'_> {
    /// A word for what is asked for.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Enter => "enter",
            Self::SetStatus { .. } => "set-status",
            Self::List(_) => "list",
            Self::StartSession { .. } => "start-session",
            Self::Say { word, .. } => word.as_str(),
            Self::EndSession { .. } => "end-session",
        }
    }
}

/// What can be said in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// SDP that offers, which is the producer's to say.
    Offer,
    /// SDP that answers.
    Answer,
    /// An ICE candidate.
    Candidate,
}

impl Word {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
            Self::Candidate => "candidate",
        }
    }
}

/// What one end of a session tells the other.
#[derive(Clone, Debug)]
pub enum InSession {
    /// The session has started, and the one that is told consumes.
    Started,
    /// The session is to be produced, with the consumer's SDP if there is any, a JSON string.
    Start(Option<Arc<str>>),
    /// What was said, as JSON.
    Said(Word, Arc<str>),
    /// The session has ended, for this reason, as JSON.
    Ended(Arc<str>),
}

impl InSession {
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Started | Self::Start(None) => 0,
            Self::Start(Some(text)) | Self::Said(_, text) | Self::Ended(text) => footprint::shared(text.len()),
        }
    }
}

/// What the server itself says to a member of the exchange.
#[derive(Clone, Debug)]
pub enum ExchangeNotice {
    /// What a peer is now.
    Status {
        /// Which peer.
        peer: PeerId,
        /// Its roles. None: it is gone, or as good as.
        roles: Roles,
        /// What it says of itself.
        meta: Option<Arc<str>>,
    },
    /// The answer to a question who has a role.
    List {
        /// Which role.
        role: Role,
        /// Who has it, the oldest first.
        peers: Vec<Listed>,
    },
    /// The session that was asked for has started, and the peer that is told consumes.
    Started {
        /// The producer.
        peer: PeerId,
        /// Which session.
        session: SessionId,
    },
    /// The session that was asked for is to be produced.
    Start {
        /// The consumer.
        peer: PeerId,
        /// Which session.
        session: SessionId,
        /// As the client sent it, a JSON string.
        offer: Option<Arc<str>>,
    },
    /// A session has ended.
    Ended(SessionId),
}

/// A peer in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Which peer.
    pub id: PeerId,
    /// What it says of itself. None also where the list has no room for it.
    pub meta: Option<Arc<str>>,
}

impl ExchangeNotice {
    /// The bytes of memory that it holds besides itself.
    pub(super) fn heap_bytes(&self) -> usize {
        let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| footprint::shared(text.len()));
        match self {
            Self::Status { meta, .. } => text(meta),
            Self::List { peers, .. } => {
                footprint::list(peers) + peers.iter().map(|listed| text(&listed.meta)).sum::<usize>()
            }
            Self::Start { offer, .. } => text(offer),
            Self::Started { .. } | Self::Ended(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_counts_once_and_the_order_is_kept() {
        let roles: Roles = [Role::Listener, Role::Producer, Role::Listener].into_iter().collect();
        assert_eq!(roles.iter().collect::<Vec<_>>(), [Role::Listener, Role::Producer]);
        assert!(roles.has(Role::Producer) && !roles.has(Role::Consumer) && !roles.is_empty());
    }
}
