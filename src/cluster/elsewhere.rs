//! What the hub asks of other nodes.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use tokio::sync::oneshot;

use super::Cluster;
use crate::hub::{Claim, Claimed, Elsewhere, Fetched, Guest, Meeting, ResumeRequest, Said, Seal, Unanswered};
use crate::net::Line;
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, Realm, RoomKey};

impl Elsewhere for Cluster {
    fn node(&self) -> NodeId {
        self.node
    }

    fn relay(&self, to: &Address, said: Said<'_>, unanswered: Unanswered) {
        self.rules.lock().relay(to, said, unanswered);
        self.stir();
    }

    fn broadcast(
        &self,
        room: &RoomKey,
        payload: &str,
        members: Vec<(Address, Option<NodeId>)>,
        unanswered: Unanswered,
    ) {
        self.rules.lock().broadcast(room, payload, members, unanswered);
        self.stir();
    }

    fn join(&self, room: RoomKey, unanswered: Unanswered) {
        self.rules.lock().join(room, unanswered);
        self.stir();
    }

    fn leave(&self, room: &RoomKey, peer: &Address) {
        self.rules.lock().leave_room(room, peer);
        self.stir();
    }

    fn seal(&self, id: PeerId, proof: &[u8; 16], subject: Option<&str>) -> Seal {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"entremise resume");
        context.update(id.as_bytes());
        context.update(proof);
        // Told apart from an empty one.
        context.update(&[u8::from(subject.is_some())]);
        context.update(subject.unwrap_or_default().as_bytes());
        *context.sign().as_ref().first_chunk().expect("32 bytes")
    }

    fn is_away(&self, id: PeerId) -> bool {
        self.rules.lock().is_away(id)
    }

    fn is_on_its_way(&self, from: PeerId, to: PeerId) -> Option<bool> {
        self.rules.lock().is_on_its_way(from, to)
    }

    fn fetch(&self, request: &ResumeRequest, subject: Option<&str>) -> oneshot::Receiver<Fetched> {
        let (done, fetched) = oneshot::channel();
        let token = &request.token;
        let seal = self.seal(token.id(), token.proof(), subject);
        if self.hub().is_some_and(|hub| hub.is_emptied()) {
            let _ = done.send(Fetched::NotNow);
            return fetched;
        }
        // Others can't have any node asked.
        if token.seal().is_some_and(|shown| verify_slices_are_equal(shown, &seal).is_ok()) {
            self.rules.lock().fetch(request, subject, done);
            self.stir();
        } else {
            // The receiver is here.
            let _ = done.send(Fetched::Unknown);
        }
        fetched
    }

    fn claimed(&self, id: PeerId) {
        // Clocks need not agree: of two nodes that have one id, the later by this keeps it.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(clock.as_micros()).unwrap_or(u64::MAX);
        #[cfg(test)]
        let clock = clock.wrapping_add(self.skew.load(std::sync::atomic::Ordering::Relaxed));
        self.rules.lock().claimed(id, clock);
        self.stir();
    }

    fn claim(&self, claim: &Claim, subject: Option<&str>) -> oneshot::Receiver<Claimed> {
        let (done, claimed) = oneshot::channel();
        let secret = claim.secret.as_ref().map(|secret| &*secret.0);
        self.rules.lock().claim_name(claim.address.id(), secret, subject, done);
        self.stir();
        claimed
    }

    fn names(&self, realm: Realm) -> oneshot::Receiver<Vec<String>> {
        let (done, names) = oneshot::channel();
        self.rules.lock().ask_for_names(realm, done);
        self.stir();
        names
    }

    fn meet(&self, place: PeerId) -> oneshot::Receiver<Meeting> {
        let (done, meeting) = oneshot::channel();
        self.rules.lock().find_place(place, done);
        self.stir();
        meeting
    }

    fn open_line(
        &self,
        node: NodeId,
        place: PeerId,
        guest: &Guest,
    ) -> oneshot::Receiver<Result<Box<dyn Line>, ErrorCode>> {
        let (done, opened) = oneshot::channel();
        self.ask_for_line(node, place, guest, done);
        self.stir();
        opened
    }

    fn subscribed(&self, topic: &RoomKey, subscribers: usize) {
        self.rules.lock().subscribed(topic, subscribers);
        self.stir();
    }

    fn subscribers(&self, topic: &RoomKey) -> usize {
        self.rules.lock().subscribers(topic)
    }

    fn publish(&self, topic: &RoomKey, payload: &str, count_at: usize, subscribers: usize) {
        self.rules.lock().publish(topic, payload, count_at, subscribers);
        self.stir();
    }

    fn ended(&self, id: PeerId) {
        self.rules.lock().ended(id);
    }

    fn unready(&self) -> Option<String> {
        self.rules.lock().unready().map(|why| format!("cluster: {why}"))
    }

    fn undelivered(&self, to: &Address, by: &Address) {
        self.rules.lock().undelivered(to, by);
        self.stir();
    }
}
