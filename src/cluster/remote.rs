//! Another node, as this one knows it. Pure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use super::envelope::{Envelope, Token, View};
use super::link::{Incoming, Outgoing};
use super::undelivered::Undelivered;
use super::whereabouts::Epoch;
use crate::hub::{Handover, Ledger, Owing, Pledge, Unsettled};
use crate::protocol::{Address, PeerId, RoomKey};

/// A node that was heard of.
#[derive(Debug)]
pub(super) struct Remote {
    /// For people.
    pub(super) name: String,
    /// When anything has come from it.
    pub(super) heard: Instant,
    pub(super) out: Outgoing,
    pub(super) incoming: Option<Incoming>,
    /// Whether it has our link.
    pub(super) has_ours: bool,
    /// When our link began.
    pub(super) greeted_at: Instant,
    /// Whether it is one of the nodes that are seen.
    pub(super) is_up: bool,
    /// Whether it is about to end, and takes in no sessions.
    pub(super) is_retiring: bool,
    pub(super) standing: Standing,
    /// What of its peers' messages is settled here.
    pub(super) ledger: Arc<Ledger>,
    /// What of our peers' messages is not settled there.
    pub(super) unsettled: HashMap<Token, Owed>,
    /// Sessions of which it has sent a part.
    pub(super) handing: HashMap<PeerId, (Epoch, Handover<u64>)>,
    /// How many hear topics there.
    pub(super) topics: HashMap<RoomKey, usize>,
    /// How many questions it has not answered.
    pub(super) questions: usize,
}

/// What is not settled on another node, and who is to be told if that is lost.
#[derive(Debug)]
pub(super) enum Owed {
    /// A message of a peer of ours.
    Said(Unsettled),
    /// A frame of a session that was handed over.
    Pledged(Pledge),
    /// A message of a peer of a third node, to a peer that was ours.
    Forwarded { from: Address, to: Address, owing: Owing },
    /// What a peer there has to be told.
    Undelivered(Undelivered),
}

/// What is known of a node as a home.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Standing {
    pub(super) view: Option<View>,
    /// In which of its rounds, and of our own, it was last told of our members.
    pub(super) reported: Option<(u64, u64)>,
}

impl Standing {
    /// Its round, if it sees the same nodes as we do.
    pub(super) fn round(&self, own: View) -> Option<u64> {
        self.view.filter(|view| view.nodes == own.nodes).map(|view| view.round)
    }

    /// The same, once it knows our members.
    pub(super) fn reported_round(&self, own: View) -> Option<u64> {
        self.round(own).filter(|round| self.reported == Some((*round, own.round)))
    }
}

impl Remote {
    pub(super) fn new(name: &str, out: Outgoing, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            heard: now,
            out,
            incoming: None,
            has_ours: false,
            greeted_at: now,
            is_up: false,
            is_retiring: false,
            standing: Standing::default(),
            ledger: Arc::default(),
            unsettled: HashMap::new(),
            handing: HashMap::new(),
            topics: HashMap::new(),
            questions: 0,
        }
    }

    /// Whether both ways are known to work.
    pub(super) fn is_linked(&self) -> bool {
        self.has_ours && self.incoming.is_some()
    }

    /// Tells it which of its peers' messages are settled.
    pub(super) fn settle(&mut self) {
        for tokens in self.ledger.take().chunks(4096) {
            self.out.push(0, &Envelope::Settled(tokens.to_vec()));
        }
    }
}
