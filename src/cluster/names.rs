//! Names that clients choose, each of which one peer of all nodes has: the rules.
//!
//! Where the peer with a name is, nodes know as they know it of sessions that have moved (`whereabouts`). Who wants a name that
//! another node has asks that one first, whether its holder is still there; then it asks the arbiter of the name's key, so
//! that of two nodes one gets it. Nodes that did not see each other may both have let a client have it: the later one counts.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::oneshot;

use super::envelope::{Envelope, Token, number};
use super::questions::{Question, What};
use super::rules::Rules;
use super::view::arbiter;
use crate::hub::Claimed;
use crate::protocol::{NodeId, PeerId, Realm};

/// A holder has 3 s to give a sign of life, and its answer has to come back.
const HOLDER_PATIENCE: Duration = Duration::from_millis(4500);

impl Rules {
    /// Asks whether a client may have a name here.
    pub(super) fn claim_name(
        &mut self,
        id: PeerId,
        secret: Option<&str>,
        subject: Option<&str>,
        done: oneshot::Sender<Claimed>,
    ) {
        if let Some(node) = self.sessions.elsewhere(id) {
            let token = self.ask_for(HOLDER_PATIENCE, What::Name { node, is_free: false, done });
            return self.put_question(node, token, &Envelope::Contest { id: *id.as_bytes(), secret, subject });
        }
        let Some((node, round)) = self.arbiter_of(id) else { return tell(done, Claimed::NotNow) };
        let token = self.ask(What::Name { node, is_free: true, done });
        self.put_question(node, token, &Envelope::Claim { round, id: *id.as_bytes() });
    }

    /// Who decides which node has an id, and in which round of its own. None: that is not known now.
    pub(super) fn arbiter_of(&self, id: PeerId) -> Option<(NodeId, u64)> {
        let node = arbiter(&self.seen, id).filter(|_| self.is_settled())?;
        Some((node, self.standing(node).round(self.view)?))
    }
}

/// Names that are said at once.
const LISTED: usize = 256;

impl Rules {
    /// Asks all others for their names. Who wants to know them meanwhile is told the same.
    pub(super) fn ask_for_names(&mut self, realm: Realm, done: oneshot::Sender<Vec<String>>) {
        let is_same = |what: &What| matches!(what, What::Names { realm: of, .. } if *of == realm);
        let asked = self.questions.iter().find(|(_, it)| is_same(&it.what)).map(|(token, _)| token);
        if let Some(Question { what: What::Names { waiting, .. }, .. }) =
            asked.and_then(|token| self.questions.get_mut(token))
        {
            return waiting.push(done);
        }
        let nodes: BTreeSet<NodeId> = self.others().collect();
        let what = What::Names { realm, nodes: nodes.clone(), names: Vec::new(), waiting: vec![done] };
        let token = self.ask(what);
        for node in nodes {
            self.put_question(node, token, &Envelope::AskNames { realm: number(realm) });
        }
        self.conclude_names(token);
    }

    /// Tells another node the names of this one.
    pub(super) fn tell_names(&mut self, node: NodeId, token: Token, names: &[String]) {
        let mut parts = names.chunks(LISTED).peekable();
        if parts.peek().is_none() {
            self.say(node, 0, &Envelope::Names { token, names: Vec::new(), is_last: true });
        }
        while let Some(part) = parts.next() {
            let (names, is_last) = (part.iter().map(String::as_str).collect(), parts.peek().is_none());
            self.say(node, 0, &Envelope::Names { token, names, is_last });
        }
    }

    /// Another node's names, or some of them.
    pub(super) fn hear_names(&mut self, node: NodeId, token: Token, more: &[&str], is_last: bool) {
        let Some(Question { what: What::Names { nodes, names, .. }, .. }) = self.questions.get_mut(token) else {
            return;
        };
        names.extend(more.iter().map(|name| (*name).to_owned()));
        if is_last && nodes.remove(&node) {
            self.answered(node);
        }
        self.conclude_names(token);
    }

    /// Tells those who asked, if no node is to answer any more.
    pub(super) fn conclude_names(&mut self, token: Token) {
        let is_over = |question: &Question| matches!(&question.what, What::Names { nodes, .. } if nodes.is_empty());
        if self.questions.get(token).is_some_and(is_over) {
            self.give_up(token);
        }
    }
}

/// Tells those who asked which names there are, as far as is known.
pub(super) fn list(names: &[String], waiting: Vec<oneshot::Sender<Vec<String>>>) {
    for done in waiting {
        let _ = done.send(names.to_vec());
    }
}

/// Tells a client's handshake, which may be over, what has become of its claim.
pub(super) fn tell(done: oneshot::Sender<Claimed>, claimed: Claimed) {
    let _ = done.send(claimed);
}
