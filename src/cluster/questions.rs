//! What this node has asked others, and is not answered yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use tokio::sync::oneshot;

use super::envelope::Token;
use super::passing::{Asked, Passed};
use super::whereabouts::Epoch;
use crate::hub::{Claimed, Fetched, Meeting, Owing, Unanswered};
use crate::protocol::{Address, NodeId, PeerId, Realm, RoomKey};

/// A question of one of our peers.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) what: What,
    pub(super) until: Instant,
    /// For the histogram of round trips.
    pub(super) since: Instant,
    /// Peers to whom it has come by way of others, though they are on this node: it is on its way to them no more.
    arrived: Vec<PeerId>,
}

impl Question {
    pub(super) fn new(what: What, until: Instant) -> Self {
        Self { what, until, since: Instant::now(), arrived: Vec::new() }
    }
}

#[derive(Debug)]
pub(super) enum What {
    Relay {
        node: NodeId,
        to: Address,
        unanswered: Unanswered,
    },
    /// With the nodes that have not answered, each with its members.
    Broadcast {
        nodes: BTreeMap<NodeId, Vec<Address>>,
        is_lost: bool,
        unanswered: Unanswered,
    },
    Join {
        room: RoomKey,
        unanswered: Unanswered,
    },
    /// What a peer of another node says to one that was ours.
    Forward {
        node: NodeId,
        passed: Passed,
        origin: Asked,
        from: Address,
        to: Address,
        owing: Owing,
    },
    Fetch {
        node: NodeId,
        id: PeerId,
        epoch: Epoch,
        done: oneshot::Sender<Fetched>,
    },
    Claim {
        node: NodeId,
        done: oneshot::Sender<Fetched>,
    },
    /// This node stops.
    Retire {
        node: NodeId,
    },
    /// What names there are, for all who want to know it at this moment; and the nodes that have not said all.
    Names {
        realm: Realm,
        nodes: BTreeSet<NodeId>,
        names: Vec<String>,
        waiting: Vec<oneshot::Sender<Vec<String>>>,
    },
    /// A place is to be here.
    Meet {
        node: NodeId,
        done: oneshot::Sender<Meeting>,
    },
    /// A client wants to have a name. Whether it has it if the node agrees; else it is only free then.
    Name {
        node: NodeId,
        is_free: bool,
        done: oneshot::Sender<Claimed>,
    },
}

impl What {
    /// Who has to answer.
    pub(super) fn nodes(&self) -> Vec<NodeId> {
        match self {
            Self::Relay { node, .. }
            | Self::Forward { node, .. }
            | Self::Fetch { node, .. }
            | Self::Claim { node, .. }
            | Self::Retire { node }
            | Self::Meet { node, .. }
            | Self::Name { node, .. } => vec![*node],
            Self::Broadcast { nodes, .. } => nodes.keys().copied().collect(),
            Self::Names { nodes, .. } => nodes.iter().copied().collect(),
            Self::Join { .. } => Vec::new(),
        }
    }
}

/// All of them. Those of one peer, which are few, are found without a look at the others.
#[derive(Debug, Default)]
pub(super) struct Questions {
    all: HashMap<Token, Question>,
    /// None has an empty list.
    by_peer: HashMap<PeerId, Vec<Token>>,
}

impl Questions {
    pub(super) fn insert(&mut self, token: Token, question: Question) {
        if let Some(peer) = question.what.peer() {
            self.by_peer.entry(peer).or_default().push(token);
        }
        self.all.insert(token, question);
    }

    pub(super) fn remove(&mut self, token: Token) -> Option<Question> {
        let question = self.all.remove(&token)?;
        if let Some(peer) = question.what.peer()
            && let Some(tokens) = self.by_peer.get_mut(&peer)
        {
            tokens.retain(|other| *other != token);
            if tokens.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
        Some(question)
    }

    pub(super) fn get(&self, token: Token) -> Option<&Question> {
        self.all.get(&token)
    }

    pub(super) fn get_mut(&mut self, token: Token) -> Option<&mut Question> {
        self.all.get_mut(&token)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Token, &Question)> {
        self.all.iter().map(|(token, question)| (*token, question))
    }

    /// What is asked of others.
    pub(super) fn whats(&self) -> impl Iterator<Item = &What> {
        self.all.values().map(|question| &question.what)
    }

    /// What follows from what a peer has said.
    pub(super) fn of(&self, peer: PeerId) -> impl Iterator<Item = (Token, &What)> {
        let tokens = self.by_peer.get(&peer).into_iter().flatten();
        tokens.filter_map(|token| Some((*token, &self.all.get(token)?.what)))
    }

    /// What of one peer's is on its way to another one: each with the node by which it goes.
    pub(super) fn on_their_way(&self, from: PeerId, to: PeerId) -> impl Iterator<Item = (Token, &What, NodeId)> {
        let tokens = self.by_peer.get(&from).into_iter().flatten();
        let open = tokens.filter_map(|token| Some((*token, self.all.get(token)?)));
        let not_there = open.filter(move |(_, question)| !question.arrived.contains(&to));
        not_there.filter_map(move |(token, Question { what, .. })| Some((token, what, what.way(to)?)))
    }

    /// What one peer has said to another one was passed on by other nodes and is here again, where the other one is by now.
    pub(super) fn arrived(&mut self, from: PeerId, to: PeerId, is_it: impl Fn(Token, &What) -> bool) {
        let arrived: Vec<Token> = self
            .on_their_way(from, to)
            .filter(|(token, what, _)| is_it(*token, what))
            .map(|(token, ..)| token)
            .collect();
        for token in arrived {
            if let Some(question) = self.all.get_mut(&token) {
                question.arrived.push(to);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Of how many it is known what they have said.
    #[cfg(test)]
    pub(super) fn peers(&self) -> usize {
        self.by_peer.len()
    }
}

impl What {
    /// Who has said what is asked about.
    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Relay { unanswered, .. } | Self::Broadcast { unanswered, .. } | Self::Join { unanswered, .. } => {
                Some(unanswered.asker().id())
            }
            Self::Forward { from, .. } => Some(from.id()),
            Self::Fetch { .. }
            | Self::Claim { .. }
            | Self::Retire { .. }
            | Self::Meet { .. }
            | Self::Names { .. }
            | Self::Name { .. } => None,
        }
    }

    /// The question of the node on which something was said. `own` is this one.
    pub(super) fn origin(&self, own: Asked) -> Asked {
        match self {
            Self::Forward { origin, .. } => *origin,
            _ => own,
        }
    }

    /// The node by which something goes to a peer.
    pub(super) fn way(&self, to: PeerId) -> Option<NodeId> {
        match self {
            Self::Relay { node, to: other, .. } | Self::Forward { node, to: other, .. } => {
                (other.id() == to).then_some(*node)
            }
            Self::Broadcast { nodes, .. } => {
                let has_it = |members: &[Address]| members.iter().any(|member| member.id() == to);
                nodes.iter().find(|(_, members)| has_it(members)).map(|(node, _)| *node)
            }
            _ => None,
        }
    }
}
