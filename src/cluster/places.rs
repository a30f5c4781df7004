//! Places, each of which one node has: the rules. They are claimed, known and left as names are (`names`).

use tokio::sync::oneshot;

use super::envelope::Envelope;
use super::questions::What;
use super::rules::Rules;
use crate::hub::Meeting;
use crate::protocol::PeerId;

impl Rules {
    /// Asks which node has a place. Where none does, this one is to have it.
    pub(super) fn find_place(&mut self, place: PeerId, done: oneshot::Sender<Meeting>) {
        if !self.is_connected {
            return tell(done, Meeting::Unreachable);
        }
        if let Some(node) = self.sessions.elsewhere(place) {
            return tell(done, if self.is_up(node) { Meeting::There(node) } else { Meeting::NotNow });
        }
        // One that is here can be entered, or is being left.
        let Some((node, round)) = self.arbiter_of(place).filter(|_| !self.sessions.is_here(place)) else {
            return tell(done, Meeting::NotNow);
        };
        let token = self.ask(What::Meet { node, done });
        self.put_question(node, token, &Envelope::Claim { round, id: *place.as_bytes() });
    }
}

/// Tells who asked, and may wait no more, where its place is.
pub(super) fn tell(done: oneshot::Sender<Meeting>, meeting: Meeting) {
    let _ = done.send(meeting);
}
