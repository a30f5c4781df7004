//! Who enters and leaves rooms, between the nodes of peers and the homes of rooms: the rules of both.

use std::collections::HashMap;

use super::envelope::{At, Envelope, Member, Outcome, Room, Token};
use super::home::News;
use super::questions::{Question, What};
use super::rules::{Rules, Stage};
use super::view::home;
use crate::hub::Unanswered;
use crate::protocol::{Address, ErrorCode, NodeId, RoomKey};

/// A wish to enter a room that has to wait at its home.
#[derive(Debug)]
pub(super) struct Held {
    node: NodeId,
    token: Token,
    room: RoomKey,
    peer: Address,
}

impl Rules {
    /// Asks the home of a room to let a peer in, now or as soon as it can be asked.
    pub(super) fn join(&mut self, room: RoomKey, unanswered: Unanswered) {
        if !self.is_connected || self.stage == Stage::Leaving {
            return unanswered.refuse(ErrorCode::ClusterUnavailable);
        }
        let token = self.ask(What::Join { room, unanswered });
        self.ask_home(token);
    }

    fn ask_home(&mut self, token: Token) {
        let Some(What::Join { room, unanswered, .. }) = self.questions.get(token).map(|it| &it.what) else { return };
        let (room, peer) = (room.clone(), unanswered.asker().clone());
        let Some(home) = home(&self.seen, &room) else { return };
        let Some(round) = self.standing(home).reported_round(self.view) else { return };
        self.say(home, token, &Envelope::Join { round, room: Room::from(&room), peer: At::from(&peer) });
    }

    /// Tells the home of a room that a peer has left it.
    pub(super) fn leave_room(&mut self, room: &RoomKey, peer: &Address) {
        let Some(home) = home(&self.seen, room) else { return };
        // A home that knows nothing yet will be told of what is then.
        let Some(round) = self.standing(home).round(self.view) else { return };
        self.say(home, 0, &Envelope::Leave { round, room: Room::from(room), peer: At::from(peer) });
    }

    /// The homes that have to be told of our members.
    pub(super) fn due_reports(&self) -> Vec<(NodeId, u64)> {
        if !self.is_settled() {
            return Vec::new();
        }
        let due = |node: &NodeId| {
            let standing = self.standing(*node);
            let round = standing.round(self.view)?;
            standing.reported_round(self.view).is_none().then_some((*node, round))
        };
        self.seen.iter().filter_map(due).collect()
    }

    /// Tells a home of our members of a room, if it is one of these.
    pub(super) fn report(&mut self, homes: &[(NodeId, u64)], room: &RoomKey, members: &[Address], has_others: bool) {
        let Some(home) = home(&self.seen, room) else { return };
        let Some((home, round)) = homes.iter().find(|(due, _)| *due == home).copied() else { return };
        let members = members.iter().map(At::from).collect();
        self.say(home, 0, &Envelope::Report { round, room: Room::from(room), members, has_others });
    }

    /// … and of those that were given on, until it has been told so: a home that opens meanwhile keeps their places.
    pub(super) fn report_given(&mut self, homes: &[(NodeId, u64)]) {
        let mut given = HashMap::<RoomKey, Vec<Address>>::new();
        for (id, (_, rooms)) in &self.gave {
            for room in rooms {
                given.entry(room.clone()).or_default().push(Address::from(*id));
            }
        }
        for (room, members) in given {
            self.report(homes, &room, &members, true);
        }
    }

    /// These homes have been told of all our members.
    pub(super) fn reported(&mut self, homes: &[(NodeId, u64)]) {
        let own = self.view.round;
        for (node, round) in homes {
            self.say(*node, 0, &Envelope::Reported { round: *round, report: own });
            let standing = match self.nodes.get_mut(node) {
                Some(remote) => &mut remote.standing,
                None if *node == self.node => &mut self.own,
                None => continue,
            };
            standing.reported = Some((*round, own));
        }
        let waiting: Vec<Token> = self.questions.iter().map(|(token, _)| token).collect();
        let is_due = |this: &Self, token: Token| match this.questions.get(token) {
            Some(Question { what: What::Join { room, .. }, .. }) => {
                home(&this.seen, room).is_some_and(|home| homes.iter().any(|(due, _)| *due == home))
            }
            _ => false,
        };
        for token in waiting {
            if is_due(self, token) {
                self.ask_home(token);
            }
        }
    }

    /// Whether what a node says as a home counts: it is in the round that we know, and knows our members.
    pub(super) fn is_home(&self, node: NodeId, round: u64) -> bool {
        self.standing(node).reported_round(self.view) == Some(round)
    }

    /// Whether a peer that is let in is in what the home knows: it may have been told anew of our members meanwhile, and then it
    /// is asked again.
    pub(super) fn is_admitted(&self, node: NodeId, round: u64, report: u64) -> bool {
        self.is_home(node, round) && report == self.view.round
    }

    /// Takes the question of a peer that is let in. None: it was given up.
    pub(super) fn take_admitted(&mut self, token: Token) -> Option<Unanswered> {
        match self.questions.remove(token)?.what {
            What::Join { unanswered, .. } => Some(unanswered),
            _ => None,
        }
    }

    /// A node's peer wants to enter a room of ours.
    pub(super) fn hear_join(&mut self, node: NodeId, token: Token, round: u64, room: RoomKey, peer: Address) {
        if round != self.view.round {
            // It will ask again in this one.
            return;
        }
        if !self.home.is_open() {
            return self.held.push(Held { node, token, room, peer });
        }
        if self.home.asks_for(node, &room, &peer) {
            // It has left meanwhile, and comes again.
            let news = self.home.leave(node, &room, &peer);
            self.tell(news);
        }
        match self.home.join(node, &room, &peer, self.peers_per_room) {
            Ok((elsewhere, news)) => {
                let elsewhere = Member::each(&elsewhere);
                let (room, peer, report) = (Room::from(&room), At::from(&peer), self.home.report_of(node));
                self.say(node, 0, &Envelope::Admitted { token, round, report, room, peer, elsewhere });
                self.tell(news);
            }
            Err(_) => self.say(node, 0, &Envelope::Answer { token, outcome: Outcome::refused(ErrorCode::RoomFull) }),
        }
    }

    pub(super) fn hear_leave(&mut self, node: NodeId, round: u64, room: &RoomKey, peer: &Address) {
        if round == self.view.round {
            let news = self.home.leave(node, room, peer);
            self.tell(news);
        }
    }

    pub(super) fn hear_report(&mut self, node: NodeId, round: u64, room: RoomKey, members: Vec<Address>, others: bool) {
        if round == self.view.round {
            self.home.report(node, room, members, others);
        }
    }

    pub(super) fn hear_reported(&mut self, node: NodeId, round: u64, report: u64) {
        if round != self.view.round {
            return;
        }
        let news = self.home.reported(node, report, &self.seen);
        self.tell(news);
        if self.home.is_open() {
            for Held { node, token, room, peer } in std::mem::take(&mut self.held) {
                self.hear_join(node, token, round, room, peer);
            }
        }
    }

    pub(super) fn tell(&mut self, news: Vec<(NodeId, News)>) {
        let round = self.view.round;
        for (node, news) in news {
            match &news {
                News::Came(room, peer, of) => {
                    self.say(node, 0, &Envelope::Came { round, room: Room::from(room), peer: Member::of(peer, *of) });
                }
                News::Went(room, peer) => {
                    self.say(node, 0, &Envelope::Went { round, room: Room::from(room), peer: At::from(peer) });
                }
                News::Members(room, elsewhere) => {
                    let elsewhere = Member::each(elsewhere);
                    self.say(node, 0, &Envelope::Members { round, room: Room::from(room), elsewhere });
                }
            }
        }
    }
}
