//! Names that clients choose, each of which one peer of all nodes has, and places, each of which one node has: the rules.
//!
//! Where the peer with a name is, nodes know as they know it of sessions that have moved (`whereabouts`). Who wants a name that
//! another node has asks that one first, whether its holder is still there; then it asks the arbiter of the name's key, so
//! that of two nodes one gets it. Nodes that did not see each other may both have let a client have it: the later one counts.

use std::time::Duration;

use tokio::sync::oneshot;

use super::envelope::Envelope;
use super::questions::What;
use super::rules::Rules;
use super::view::arbiter;
use crate::hub::{Claimed, Meeting};
use crate::protocol::{NodeId, PeerId};

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
}

impl Rules {
    /// Asks which node has a place. Where none does, this one is to have it.
    pub(super) fn find_place(&mut self, place: PeerId, done: oneshot::Sender<Meeting>) {
        if let Some(node) = self.sessions.elsewhere(place) {
            return answer(done, if self.is_up(node) { Meeting::There(node) } else { Meeting::NotNow });
        }
        // One that is here can be entered, or is being left.
        let Some((node, round)) = self.arbiter_of(place).filter(|_| !self.sessions.is_here(place)) else {
            return answer(done, Meeting::NotNow);
        };
        let token = self.ask(What::Meet { node, done });
        self.put_question(node, token, &Envelope::Claim { round, id: *place.as_bytes() });
    }

    /// Who decides which node has an id, and in which round of its own. None: that is not known now.
    fn arbiter_of(&self, id: PeerId) -> Option<(NodeId, u64)> {
        let node = arbiter(&self.seen, id).filter(|_| self.is_settled())?;
        Some((node, self.standing(node).round(self.view)?))
    }
}

/// Tells a client's handshake, which may be over, where its place is.
pub(super) fn answer(done: oneshot::Sender<Meeting>, meeting: Meeting) {
    let _ = done.send(meeting);
}

/// Tells a client's handshake, which may be over, what has become of its claim.
pub(super) fn tell(done: oneshot::Sender<Claimed>, claimed: Claimed) {
    let _ = done.send(claimed);
}
