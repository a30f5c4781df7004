//! What other nodes say, and what this one does of it.

use super::early::{Early, Kept, Words};
use super::envelope::{self, Envelope, Member, Outcome, Token, Unknown, addresses};
use super::passing::{Asked, Coming};
use super::rules::Rules;
use super::{Cluster, Keeper, whereabouts};
use crate::hub::{Fetched, Guest, Hub, NotHandedOver, Owing, ResumeRequest, ResumeToken, Said};
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, RoomKey, RoomName, Secret};

impl Cluster {
    pub(super) fn hear_all(&self, node: NodeId, mut envelopes: &[u8]) {
        while let Some(envelope) = Envelope::take(&mut envelopes) {
            // What came before it may have ended the link.
            if !self.rules.lock().is_heard(node) {
                return;
            }
            match envelope {
                Ok((token, envelope)) => self.hear(node, token, envelope),
                Err(Unknown { token }) => self.rules.lock().refuse_unknown(node, token),
            }
            self.forget_lost();
        }
    }

    fn hear(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        self.rules.lock().count_received();
        match envelope {
            // Heard already, as the beginning of a link.
            Envelope::Greet { .. } => {}
            Envelope::Greeted(link) => self.rules.lock().greeted(node, link),
            Envelope::View(view) => self.rules.lock().saw(node, view),
            Envelope::Bye => self.rules.lock().parted(node),
            Envelope::Relay { .. } | Envelope::Broadcast { .. } | Envelope::Undelivered { .. } => {
                self.hear_said(node, token, envelope);
            }
            Envelope::Answer { token, outcome } if self.hear_agreed(node, token, &outcome) => {}
            Envelope::Answer { token, outcome } => {
                let took = self.rules.lock().hear_answer(node, token, &outcome);
                if let Some(took) = took {
                    self.round_trips.observe(took.as_secs_f64());
                }
            }
            Envelope::Settled(tokens) => self.rules.lock().settled(node, &tokens),
            Envelope::Fetch { .. }
            | Envelope::Handing { .. }
            | Envelope::HandedFrame { .. }
            | Envelope::Handed { .. }
            | Envelope::Took(_)
            | Envelope::Bequeathed { .. }
            | Envelope::Unseen(_)
            | Envelope::Retiring
            | Envelope::Missing { .. }
            | Envelope::Outlived(_)
            | Envelope::Ended(_)
            | Envelope::Departed(_)
            | Envelope::Claim { .. }
            | Envelope::Contest { .. } => self.hear_of_session(node, token, envelope),
            Envelope::Hear { .. } | Envelope::Publish { .. } => self.hear_topic(node, &envelope),
            Envelope::AskNames { realm } => {
                let names = self.hub().zip(envelope::realm(realm)).map(|(hub, realm)| hub.names(realm));
                self.rules.lock().tell_names(node, token, &names.unwrap_or_default());
            }
            Envelope::Names { token, names, is_last } => self.rules.lock().hear_names(node, token, &names, is_last),
            Envelope::Invite { place, about, grant } => {
                let guest = Guest { about: about.to_vec(), grant: grant.map(Into::into) };
                self.hear_invitation(node, token, PeerId::from_bytes(place), guest);
            }
            Envelope::OnLine { line, is_beginner, said } => self.hear_on_line(node, line, is_beginner, said),
            _ => self.hear_of_room(node, token, envelope),
        }
    }

    /// What peers of another node say to ours.
    fn hear_said(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        let Some(hub) = self.hub() else { return };
        let Some(ledger) = self.rules.lock().ledger(node) else { return };
        let owing = Owing::new(&ledger, token);
        match envelope {
            Envelope::Relay { to, from, realm, kind, payload, origin } => {
                let said = envelope::realm(realm).zip(envelope::kind(kind));
                let (Some((realm, kind)), Some(from)) = (said, from.address()) else {
                    return self.rules.lock().refuse_unknown(node, token);
                };
                let (said, to) = (Said { realm, kind, payload }, PeerId::from_bytes(to));
                let mut rules = self.rules.lock();
                let coming = Coming::of(Asked { node, token }, origin);
                let there = rules.whereabouts(to).or_else(|| rules.detour(coming, from.id(), to));
                if let Some(there) = there {
                    return rules.forward(there, coming, (from, to), said, owing);
                }
                let words = || Words::ToPeer(realm, kind, payload.map(Into::into));
                let early = || Early { from: from.clone(), words: words(), owing: owing.clone() };
                rules.arrived(coming, from.id(), to);
                if let Some(kept) = rules.keep_behind(from.id(), to, early) {
                    let outcome = match kept {
                        Kept::Early => Outcome::Done { parked: false },
                        Kept::Busy => Outcome::refused(ErrorCode::PeerBusy),
                    };
                    return rules.say(node, 0, &Envelope::Answer { token, outcome });
                }
                // Order: the answer is on its way before the addressee can say anything to this.
                let done = hub.deliver(to, from, said, &owing);
                let outcome = done.map_or_else(Outcome::refused, |parked| Outcome::Done { parked });
                rules.say(node, 0, &Envelope::Answer { token, outcome });
            }
            Envelope::Broadcast { room, from, payload, to, origin } => {
                let (Some(key), Some(from)) = (room.key(), from.address()) else {
                    return self.rules.lock().refuse_unknown(node, token);
                };
                let asked = Asked { node, token };
                let coming = Coming::of(asked, origin);
                let words = || Words::ToRoom(key.clone(), payload.into());
                let early = || Early { from: from.clone(), words: words(), owing: owing.clone() };
                let forward = |rules: &mut Rules, there, id| {
                    rules.forward_to_room(there, coming, &key, (&from, id), payload, owing.clone());
                };
                let (mut members, mut full) = (Vec::with_capacity(to.len()), Vec::new());
                for id in to.into_iter().map(PeerId::from_bytes) {
                    let mut rules = self.rules.lock();
                    if let Some(there) = rules.detour(coming, from.id(), id) {
                        forward(&mut rules, there, id);
                        continue;
                    }
                    match rules.keep_behind(from.id(), id, early) {
                        Some(Kept::Early) => rules.arrived(coming, from.id(), id),
                        Some(Kept::Busy) => full.push(id.into()),
                        None => members.push(id),
                    }
                }
                hub.deliver_to_room((&key, &members), &from, payload, &owing, |put| {
                    let mut rules = self.rules.lock();
                    // Order: as above.
                    let (mut busy, absent) = put();
                    busy.extend(full);
                    for id in &members {
                        rules.arrived(coming, from.id(), *id);
                    }
                    for id in absent {
                        match rules.keep_early(&key, id, early) {
                            Some(Kept::Early) => {}
                            Some(Kept::Busy) => busy.push(id.into()),
                            None => match rules.whereabouts(id) {
                                Some(there) => forward(&mut rules, there, id),
                                // Order: `put` has let go of the peers. One that is here has left the room.
                                None if hub.is_here(id) => {}
                                None => rules.was_not_delivered(from.clone(), id.into(), owing.clone()),
                            },
                        }
                    }
                    rules.answer_for_members(asked, busy);
                });
            }
            Envelope::Undelivered { to, by, hops } => {
                if let (Some(to), Some(by)) = (to.address(), by.address()) {
                    self.rules.lock().hear_undelivered(to, by, hops, owing);
                }
            }
            _ => {}
        }
    }

    /// Topics.
    fn hear_topic(&self, node: NodeId, envelope: &Envelope<'_>) {
        match *envelope {
            Envelope::Hear { topic, subscribers } => {
                if let Some(topic) = topic.key() {
                    self.rules.lock().hear_of_topic(node, topic, subscribers);
                }
            }
            Envelope::Publish { topic, payload, count_at, subscribers } => {
                let [count_at, subscribers] =
                    [count_at, subscribers].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
                if let (Some(hub), Some(topic)) = (self.hub(), topic.key())
                    && payload.is_char_boundary(count_at)
                {
                    hub.publish(&topic, payload, count_at, subscribers);
                }
            }
            _ => {}
        }
    }

    /// Sessions that come and go.
    fn hear_of_session(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        match envelope {
            Envelope::Fetch { id, proof, received, subject, epoch } => {
                let request = ResumeRequest { token: ResumeToken::of(PeerId::from_bytes(id), proof), received };
                self.hear_fetch((node, token), &request, subject, epoch);
            }
            Envelope::Handing { id, session } => {
                self.rules.lock().hear_handing(node, PeerId::from_bytes(id), session);
            }
            Envelope::HandedFrame { id, owes, letter } => {
                self.rules.lock().hear_frame(node, PeerId::from_bytes(id), owes, letter);
            }
            Envelope::Handed { token, id } => self.take_in(node, token, PeerId::from_bytes(id)),
            Envelope::Took(ids) => self.rules.lock().hear_took(node, &ids),
            Envelope::Bequeathed { to, id, epoch } => {
                self.rules.lock().hear_bequeathed(NodeId::from_bytes(to), PeerId::from_bytes(id), epoch);
            }
            Envelope::Missing { at, id, epoch } => {
                self.rules.lock().hear_missing(NodeId::from_bytes(at), PeerId::from_bytes(id), epoch);
            }
            Envelope::Unseen(ids) => self.rules.lock().hear_unseen(&ids),
            Envelope::Retiring => self.rules.lock().hear_retiring(node, token),
            Envelope::Outlived(ids) => self.rules.lock().hear_outlived(&ids),
            Envelope::Ended(id) => self.rules.lock().hear_ended(node, PeerId::from_bytes(id)),
            Envelope::Departed(nodes) => self.rules.lock().hear_departed(&nodes),
            Envelope::Contest { id, secret, subject } => {
                let secret = secret.map(|secret| Secret(secret.to_owned()));
                self.hear_contest(node, token, PeerId::from_bytes(id), (secret.as_ref(), subject));
            }
            Envelope::Claim { round, id } => self.rules.lock().hear_claim(node, token, round, PeerId::from_bytes(id)),
            _ => {}
        }
    }

    /// The client of a session of ours has come to another node.
    fn hear_fetch(
        &self,
        (node, token): (NodeId, Token),
        request: &ResumeRequest,
        subject: Option<&str>,
        epoch: whereabouts::Epoch,
    ) {
        let id = request.token.id();
        let is_away = self.rules.lock().is_away_for(node, id, epoch);
        let given =
            if is_away { Err(NotHandedOver::NotNow) } else { self.give(id, Some((request, subject)), node, token) };
        if let Err(why) = given {
            let code = match why {
                NotHandedOver::Absent => ErrorCode::PeerUnavailable,
                NotHandedOver::Refused => ErrorCode::BadMessage,
                NotHandedOver::NotNow => ErrorCode::PeerBusy,
            };
            self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome: Outcome::refused(code) });
        }
    }

    /// A session has come from another node.
    fn take_in(&self, node: NodeId, token: Token, id: PeerId) {
        let (handover, ledger) = {
            let mut rules = self.rules.lock();
            (rules.take_handed(node, id), rules.ledger(node))
        };
        let (Some(hub), Some((epoch, handover)), Some(ledger)) = (self.hub(), handover, ledger) else { return };
        let rooms: Vec<RoomName> = handover.rooms.iter().map(|(name, _)| name.clone()).collect();
        let is_outdated = self.rules.lock().is_outdated(id, epoch);
        let session = if is_outdated {
            Err(Box::new(handover))
        } else {
            // Where it was thought to be lost, its id may have been had again.
            hub.evict(id);
            hub.take_in(handover, &ledger)
        };
        {
            let mut rules = self.rules.lock();
            let fetched = if session.is_ok() { Fetched::Here } else { Fetched::NotNow };
            match &session {
                Ok(_) => rules.took(id, epoch, &rooms),
                Err(handover) => rules.turn_away(handover, &ledger),
            }
            rules.fetched(node, token, fetched);
        }
        // Without a keeper it ends here.
        if let Some((session, Keeper(keep))) = session.ok().zip(self.keeper.get()) {
            keep(session);
        }
    }

    /// What homes and their rooms' members' nodes say to each other.
    fn hear_of_room(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        let is_home = |round| self.rules.lock().is_home(node, round);
        match envelope {
            Envelope::Reported { round, report } => self.rules.lock().hear_reported(node, round, report),
            Envelope::Moved { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_moved(node, round, &room, &peer);
                }
            }
            Envelope::Gave { round, room, peer, to } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_gave(node, round, &room, &peer, NodeId::from_bytes(to));
                }
            }
            Envelope::Given { round, room, peer } => {
                if let (Some(hub), Some(room), Some(peer)) = (self.hub(), room.key(), peer.address()) {
                    // Order: the room is locked until the answer is on its way, as in `report`.
                    hub.look_for(&room, &peer, |is_in| self.rules.lock().hear_given(node, round, &room, &peer, is_in));
                }
            }
            Envelope::Join { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_join(node, token, round, room, peer);
                }
            }
            Envelope::Leave { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_leave(node, round, &room, &peer);
                }
            }
            Envelope::Report { round, room, members, has_others } => {
                if let Some(room) = room.key() {
                    self.rules.lock().hear_report(node, round, room, addresses(&members), has_others);
                }
            }
            Envelope::Admitted { token, round, report, room, peer, elsewhere } => {
                let is_admitted = self.rules.lock().is_admitted(node, round, report);
                if let (true, Some(room), Some(peer)) = (is_admitted, room.key(), peer.address()) {
                    self.admit(token, &room, &peer, Member::all(&elsewhere));
                }
            }
            Envelope::Came { round, room, peer } if is_home(round) => {
                if let (Some(hub), Some(room), Some((peer, node))) = (self.hub(), room.key(), peer.held()) {
                    hub.came(&room, peer, node);
                }
            }
            Envelope::Went { round, room, peer } if is_home(round) => {
                if let (Some(hub), Some(room), Some(peer)) = (self.hub(), room.key(), peer.address()) {
                    hub.went(&room, &peer);
                }
            }
            Envelope::Members { round, room, elsewhere } if is_home(round) => {
                if let (Some(hub), Some(room)) = (self.hub(), room.key()) {
                    hub.set_elsewhere(&room, Member::all(&elsewhere));
                }
            }
            _ => {}
        }
    }

    /// The home of a room lets a peer of ours in.
    fn admit(&self, token: Token, room: &RoomKey, peer: &Address, elsewhere: Vec<(Address, NodeId)>) {
        let Some(hub) = self.hub() else { return };
        let entering = self.rules.lock().take_admitted(token);
        let is_in = match entering {
            Some(unanswered) => {
                let is_in = hub.admit(unanswered, room, elsewhere);
                self.deliver_early(&hub, peer);
                is_in
            }
            // Too late, but it may be there by another question, or have asked again.
            None => hub.look_for(room, peer, |is_in| is_in || self.rules.lock().is_entering(room, peer)),
        };
        if !is_in {
            self.rules.lock().leave_room(room, peer);
            // Where this node knew it as another one's member, it is nowhere now.
            hub.went(room, peer);
        }
    }

    /// What was said to a peer before it knew whether it is in a room.
    pub(super) fn deliver_early(&self, hub: &Hub, peer: &Address) {
        let all = self.rules.lock().take_early(peer.id());
        for Early { from, words, owing } in all {
            let is_delivered = match words {
                Words::ToRoom(room, payload) => {
                    let to = [peer.id()];
                    let (busy, absent) = hub.deliver_to_room((&room, &to), &from, &payload, &owing, |put| put());
                    busy.is_empty() && absent.is_empty()
                }
                Words::ToPeer(realm, kind, payload) => {
                    let said = Said { realm, kind, payload: payload.as_deref() };
                    hub.deliver(peer.id(), from.clone(), said, &owing).is_ok()
                }
            };
            if !is_delivered {
                self.rules.lock().was_not_delivered(from, peer.clone(), owing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{carry, open, say, two};
    use super::*;
    use crate::protocol::{Notice, Realm, ServerMessage};

    /// Its home lets it in on this node, so that it is on no other any more; and here it has ended meanwhile.
    #[test]
    fn a_member_of_another_node_that_is_let_in_here_too_late_is_gone() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        let carol = open(a);
        say(&carol, r#"{"type":"join","room":"hall"}"#);
        carry(&nodes, now);
        let alice = Address::from(PeerId::of(b.cluster.node()));
        let room = RoomKey { realm: Realm::V1, name: RoomName::new("hall").unwrap() };
        a.hub.set_elsewhere(&room, vec![(alice.clone(), b.cluster.node())]);
        let last = || std::iter::from_fn(|| carol.try_next()).last().map(|frame| frame.message().clone());
        let is_alice = |peer: &Address| *peer == alice;
        assert!(matches!(last(), Some(ServerMessage::Notice(Notice::PeerJoined { peer, .. })) if is_alice(&peer)));
        a.cluster.admit(0, &room, &alice, Vec::new());
        assert!(matches!(last(), Some(ServerMessage::Notice(Notice::PeerLeft { peer, .. })) if is_alice(&peer)));
    }
}
