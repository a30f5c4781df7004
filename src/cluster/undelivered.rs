//! What did not arrive is told its sender, wherever that one is by now: the rules.
//!
//! That this is to be told is itself owed, from node to node, to the one before: none forgets it before it is done, or before the
//! sender's session can't come back any more.

use std::time::Instant;

use super::envelope::{At, Envelope, Token};
use super::questions::What;
use super::remote::Owed;
use super::rules::Rules;
use crate::hub::{Owing, Pledge};
use crate::protocol::Address;

/// To the node that a peer is thought to be on, to the one of its id, and to the one where it is.
const MAX_HOPS: u8 = 4;

/// Peers of nodes that can't be reached, for which it is kept that they have to be told something.
const MAX_UNREACHED: usize = 65_536;

/// A peer has to be told that another one did not get what it said. The node that owns the debt tells it itself if this one is
/// lost before that is done.
#[derive(Debug)]
pub(super) struct Undelivered {
    pub(super) to: Address,
    pub(super) by: Address,
    /// When it is given up.
    pub(super) until: Instant,
    /// Over how many nodes it has come.
    pub(super) hops: u8,
    pub(super) _debt: OthersDebt,
}

/// What is settled once a peer was told.
#[derive(Debug)]
pub(super) enum OthersDebt {
    /// No other node waits for it.
    None,
    /// For a frame of a session that was handed over.
    Pledge { _pledge: Pledge },
    /// For what came from another node.
    Owing { _owing: Owing },
}

impl Rules {
    /// What is not known to have arrived is told its sender.
    pub(super) fn tell_undelivered(&mut self, owed: Owed) {
        match owed {
            Owed::Said(unsettled) => {
                for (to, by) in unsettled.undelivered() {
                    self.has_to_know(to, by, OthersDebt::None);
                }
            }
            Owed::Pledged(pledge) => {
                let (to, by) = pledge.parties();
                self.has_to_know(to.clone(), by.clone(), OthersDebt::Pledge { _pledge: pledge });
            }
            Owed::Forwarded { from, to, owing } => self.was_not_delivered(from, to, owing),
            Owed::Undelivered(it) => self.undelivered.push(it),
        }
    }

    /// What came from another node has not arrived.
    pub(super) fn was_not_delivered(&mut self, to: Address, by: Address, owing: Owing) {
        self.has_to_know(to, by, OthersDebt::Owing { _owing: owing });
    }

    /// Another node says that a peer has to be told. Nodes that know no better may send it round: not for ever.
    pub(super) fn hear_undelivered(&mut self, to: Address, by: Address, hops: u8, owing: Owing) {
        if hops < MAX_HOPS {
            let (until, debt) = (self.now + self.resume_window, OthersDebt::Owing { _owing: owing });
            self.undelivered.push(Undelivered { to, by, until, hops: hops + 1, _debt: debt });
        }
    }

    /// A peer, which may be of this node, has to be told that another one did not get what it said.
    fn has_to_know(&mut self, to: Address, by: Address, debt: OthersDebt) {
        self.undelivered.push(Undelivered { to, by, until: self.now + self.resume_window, hops: 0, _debt: debt });
    }

    /// How many messages are not settled on other nodes, or on their way by this one.
    pub(super) fn unsettled(&self) -> usize {
        let forwarded = self.questions.whats().filter(|what| matches!(what, What::Forward { .. })).count();
        self.nodes.values().map(|remote| remote.unsettled.len()).sum::<usize>() + forwarded
    }

    /// Nothing of what is not settled will be known here any more. What is owed to peers of other nodes stays as it is: these
    /// tell them as this node ends.
    pub(super) fn give_up_unsettled(&mut self) {
        let is_ours = |_: &Token, owed: &mut Owed| match owed {
            Owed::Said(_) => true,
            Owed::Pledged(pledge) => !pledge.is_others(),
            Owed::Forwarded { .. } | Owed::Undelivered(_) => false,
        };
        let unsettled: Vec<Owed> = self
            .nodes
            .values_mut()
            .flat_map(|remote| remote.unsettled.extract_if(is_ours).map(|(_, owed)| owed).collect::<Vec<_>>())
            .collect();
        for owed in unsettled {
            self.tell_undelivered(owed);
        }
    }

    /// A peer that is not here has to be told that another one did not get what it said.
    pub(super) fn undelivered(&mut self, to: &Address, by: &Address) {
        let (to, by, until) = (to.clone(), by.clone(), self.now + self.resume_window);
        self.tell_elsewhere(Undelivered { to, by, until, hops: 0, _debt: OthersDebt::None });
    }

    /// Has another node tell a peer. Where it can't be reached now, that is tried again, as long as the peer may come back.
    pub(super) fn tell_elsewhere(&mut self, it: Undelivered) {
        let node = self.sessions.elsewhere(it.to.id()).or_else(|| it.to.node());
        let Some(node) = node.filter(|node| *node != self.node || self.sessions.out_of_sight(it.to.id()).is_some())
        else {
            return;
        };
        if self.nodes.get(&node).is_some_and(|remote| remote.is_up) {
            self.tokens += 1;
            let token = self.tokens;
            self.say(node, token, &Envelope::Undelivered { to: At::from(&it.to), by: At::from(&it.by), hops: it.hops });
            self.owe(node, token, Owed::Undelivered(it));
        } else if self.unreached.len() < MAX_UNREACHED {
            self.unreached.push(it);
        }
    }

    /// The senders that have to be told that another peer did not get all.
    pub(super) fn take_undelivered(&mut self) -> Vec<Undelivered> {
        std::mem::take(&mut self.undelivered)
    }

    /// Those whose node could not be reached, as long as they may come back.
    pub(super) fn try_again_to_tell(&mut self) {
        let now = self.now;
        let unreached = self.unreached.extract_if(.., |it| it.until > now).collect::<Vec<_>>();
        self.unreached.clear();
        self.undelivered.extend(unreached);
    }
}
