//! The rooms whose home this node is: who enters and leaves them, in one order. Pure.
//!
//! Each room has one home, which follows from its name and from the nodes that are seen. Where these change, a new round
//! begins: the home knows nothing, until each node has reported its own members, and lets no peer in before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZeroUsize;

use crate::protocol::{Address, NodeId, RoomKey};

/// What a node is told of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// This peer of another node has entered it.
    Came(RoomKey, Address, NodeId),
    /// … or has left it.
    Went(RoomKey, Address),
    /// These are its members on other nodes.
    Members(RoomKey, Held),
}

/// The room has as many members as it may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RoomFull;

type Members = HashSet<Address>;

/// Peers, each with its node.
pub(super) type Held = Vec<(Address, NodeId)>;

/// What nodes are told.
pub(super) type Told = Vec<(NodeId, News)>;

/// A node's own members of a room, as it reports them.
#[derive(Debug, Default)]
struct Report {
    members: Members,
    /// Whether it knows of others, which may be there no more.
    has_others: bool,
}

impl Report {
    /// A member is another node's, from where it is known to this one.
    fn give(&mut self, peer: &Address) {
        self.has_others |= self.members.remove(peer);
    }
}

/// What is known in this round.
#[derive(Debug, Default)]
pub(super) struct Home {
    rooms: HashMap<RoomKey, BTreeMap<NodeId, Report>>,
    /// Reports that are not complete.
    coming: HashMap<NodeId, HashMap<RoomKey, Report>>,
    /// Members that one node gave to another, which is asked for them. They keep their places.
    given: HashMap<RoomKey, HashMap<Address, NodeId>>,
    /// The nodes whose reports are, each with its report's number.
    reported: BTreeMap<NodeId, u64>,
    is_open: bool,
}

impl Home {
    /// Another round.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// Whether it lets peers in.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// How many rooms it knows.
    #[cfg(test)]
    pub(super) fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// The number of a node's last report.
    pub(super) fn report_of(&self, node: NodeId) -> u64 {
        self.reported.get(&node).copied().unwrap_or_default()
    }

    /// A part of a node's report: there may be two of a room.
    pub(super) fn report(&mut self, node: NodeId, room: RoomKey, members: Vec<Address>, has_others: bool) {
        let report = self.coming.entry(node).or_default().entry(room).or_default();
        report.members.extend(members);
        report.has_others |= has_others;
    }

    /// A node's report is complete. All that it said before is replaced. `nodes` are those that have to report.
    pub(super) fn reported(&mut self, node: NodeId, report: u64, nodes: &BTreeSet<NodeId>) -> Told {
        let mut coming = self.coming.remove(&node).unwrap_or_default();
        let before: Vec<RoomKey> =
            self.rooms.iter().filter(|(_, room)| room.contains_key(&node)).map(|(key, _)| key.clone()).collect();
        let mut news = Vec::new();
        for key in before {
            let now = coming.remove(&key).unwrap_or_default();
            self.replace(node, &key, now, &mut news);
        }
        for (key, now) in coming {
            self.replace(node, &key, now, &mut news);
        }
        self.reported.insert(node, report);
        if self.is_open {
            return news;
        }
        self.is_open = nodes.iter().all(|node| self.reported.contains_key(node));
        if self.is_open { self.all() } else { Vec::new() }
    }

    fn replace(&mut self, node: NodeId, key: &RoomKey, now: Report, news: &mut Told) {
        let room = self.rooms.entry(key.clone()).or_default();
        let before = room.remove(&node).unwrap_or_default().members;
        // What another node has reported meanwhile has moved there.
        let gone: Vec<&Address> = before.difference(&now.members).filter(|it| !is_in(room, it)).collect();
        for other in room.keys() {
            news.extend(now.members.difference(&before).map(|it| (*other, News::Came(key.clone(), it.clone(), node))));
            news.extend(gone.iter().map(|it| (*other, News::Went(key.clone(), (*it).clone()))));
        }
        if now.has_others || !room.is_empty() {
            news.push((node, News::Members(key.clone(), elsewhere(room, node))));
        }
        if !now.members.is_empty() {
            room.insert(node, now);
        }
        self.tidy(key);
    }

    /// What each node has to know once all have reported.
    fn all(&self) -> Told {
        let mut news = Vec::new();
        for (key, room) in &self.rooms {
            for (node, report) in room {
                if room.len() > 1 || report.has_others {
                    news.push((*node, News::Members(key.clone(), elsewhere(room, *node))));
                }
            }
        }
        news
    }

    /// Lets a peer in: gives the members on other nodes than its own, and what these are told. It may be a member already.
    pub(super) fn join(
        &mut self,
        node: NodeId,
        key: &RoomKey,
        peer: &Address,
        limit: Option<NonZeroUsize>,
    ) -> Result<(Held, Told), RoomFull> {
        let on_their_way = self.given.get(key).map_or(0, HashMap::len);
        let room = self.rooms.entry(key.clone()).or_default();
        let is_member = room.get(&node).is_some_and(|report| report.members.contains(peer));
        let size = on_their_way + room.values().map(|report| report.members.len()).sum::<usize>();
        if !is_member && limit.is_some_and(|limit| size >= limit.get()) {
            self.tidy(key);
            return Err(RoomFull);
        }
        // A node that was out of sight may have the same peer still.
        room.iter_mut().filter(|(other, _)| **other != node).for_each(|(_, report)| report.give(peer));
        let others = elsewhere(room, node);
        let told =
            if is_member { Vec::new() } else { told(room, Some(node), &News::Came(key.clone(), peer.clone(), node)) };
        room.entry(node).or_default().members.insert(peer.clone());
        Ok((others, told))
    }

    /// A peer has left, or was not there when its node was asked for it.
    pub(super) fn leave(&mut self, node: NodeId, key: &RoomKey, peer: &Address) -> Told {
        if let Some(report) = self.coming.get_mut(&node).and_then(|report| report.get_mut(key)) {
            report.members.remove(peer);
        }
        let was_given = self.take_given(node, key, peer);
        let Some(room) = self.rooms.get_mut(key) else { return Vec::new() };
        let was_there = room.get_mut(&node).is_some_and(|report| report.members.remove(peer));
        room.retain(|_, report| !report.members.is_empty());
        let told = if self.is_open && (was_there || was_given) && !is_in(room, peer) {
            // Of one that was given to it, and had left before this was known here, it may have heard that it came.
            let knows = (!was_given).then_some(node);
            told(room, knows, &News::Went(key.clone(), peer.clone()))
        } else {
            Vec::new()
        };
        self.tidy(key);
        told
    }

    /// A member is on this node from now on, wherever it was. Gives what nodes are told: this one all.
    pub(super) fn moved(&mut self, node: NodeId, key: &RoomKey, peer: &Address) -> Told {
        // Wherever it was thought to be on its way to.
        self.forget_given(key, peer);
        let room = self.rooms.entry(key.clone()).or_default();
        for report in room.values_mut() {
            report.give(peer);
        }
        let report = room.entry(node).or_default();
        report.members.insert(peer.clone());
        // What it knows of the others it knows from the node on which the member was.
        report.has_others = true;
        room.retain(|_, report| !report.members.is_empty());
        if !self.is_open {
            return Vec::new();
        }
        let mut news = told(room, Some(node), &News::Came(key.clone(), peer.clone(), node));
        news.push((node, News::Members(key.clone(), elsewhere(room, node))));
        news
    }

    /// A node has a member no more, which is on another one: none is told. Whether that one is to be asked: it has not said so
    /// yet, and may not have been able to.
    pub(super) fn gave(&mut self, node: NodeId, key: &RoomKey, peer: &Address, to: NodeId) -> bool {
        let coming = self.coming.get_mut(&node).and_then(|report| report.get_mut(key));
        let known = self.rooms.get_mut(key).and_then(|room| room.get_mut(&node));
        [coming, known].into_iter().flatten().for_each(|report| report.give(peer));
        let Some(room) = self.rooms.get_mut(key) else { return false };
        room.retain(|_, report| !report.members.is_empty());
        // Before all have reported, too: that one may have done so already.
        let is_asked = !is_in(room, peer);
        self.tidy(key);
        is_asked && self.given.entry(key.clone()).or_default().insert(peer.clone(), to) != Some(to)
    }

    /// Whether a node is asked for a member that was given to it, and has not answered yet.
    pub(super) fn asks_for(&self, node: NodeId, key: &RoomKey, peer: &Address) -> bool {
        self.given.get(key).is_some_and(|given| given.get(peer) == Some(&node))
    }

    /// Whether a node was asked for this member, which was given to it.
    fn take_given(&mut self, node: NodeId, key: &RoomKey, peer: &Address) -> bool {
        let was_given = self.asks_for(node, key, peer);
        if was_given {
            self.forget_given(key, peer);
        }
        was_given
    }

    fn forget_given(&mut self, key: &RoomKey, peer: &Address) {
        if let Some(given) = self.given.get_mut(key) {
            given.remove(peer);
            if given.is_empty() {
                self.given.remove(key);
            }
        }
    }

    fn tidy(&mut self, key: &RoomKey) {
        if self.rooms.get(key).is_some_and(BTreeMap::is_empty) {
            self.rooms.remove(key);
        }
    }
}

fn is_in(room: &BTreeMap<NodeId, Report>, peer: &Address) -> bool {
    room.values().any(|report| report.members.contains(peer))
}

fn elsewhere(room: &BTreeMap<NodeId, Report>, node: NodeId) -> Held {
    let others = room.iter().filter(|(other, _)| **other != node);
    others.flat_map(|(other, report)| report.members.iter().map(|peer| (peer.clone(), *other))).collect()
}

fn told(room: &BTreeMap<NodeId, Report>, but: Option<NodeId>, news: &News) -> Told {
    room.keys().filter(|node| Some(**node) != but).map(|node| (*node, news.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{PeerId, Realm, RoomName};

    fn hall() -> RoomKey {
        RoomKey { realm: Realm::V1, name: RoomName::new("hall").unwrap() }
    }

    fn peer(node: NodeId) -> Address {
        PeerId::of(node).into()
    }

    fn open(nodes: [NodeId; 3]) -> (Home, BTreeSet<NodeId>) {
        let (mut home, all) = (Home::default(), nodes.into_iter().collect());
        for node in nodes {
            assert!(!home.is_open());
            home.reported(node, 1, &all);
        }
        assert!(home.is_open());
        (home, all)
    }

    #[test]
    fn of_two_that_enter_exactly_one_hears_of_the_other() {
        let nodes @ [a, b, _] = [(); 3].map(|()| NodeId::random());
        let (mut home, _) = open(nodes);
        let [first, second] = [peer(a), peer(b)];
        assert_eq!(home.join(a, &hall(), &first, None), Ok((vec![], vec![])));
        let came = News::Came(hall(), second.clone(), b);
        assert_eq!(home.join(b, &hall(), &second, None), Ok((vec![(first, a)], vec![(a, came)])));
        assert_eq!(home.leave(b, &hall(), &second), [(a, News::Went(hall(), second.clone()))]);
        assert_eq!(home.leave(b, &hall(), &second), []);
    }

    #[test]
    fn a_room_is_full_over_all_nodes() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, _) = open(nodes);
        let limit = NonZeroUsize::new(2);
        let second = peer(b);
        assert!(home.join(a, &hall(), &peer(a), limit).is_ok() && home.join(b, &hall(), &second, limit).is_ok());
        assert_eq!(home.join(c, &hall(), &peer(c), limit), Err(RoomFull));
        assert!(home.join(b, &hall(), &second, limit).is_ok(), "it is there already");
        home.leave(a, &hall(), &peer(a));
        assert_eq!(home.join(c, &hall(), &peer(c), limit), Err(RoomFull), "a stranger's leaving makes no room");
    }

    #[test]
    fn a_member_that_is_on_its_way_to_another_node_keeps_its_place() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, _) = open(nodes);
        let (limit, mover) = (NonZeroUsize::new(1), peer(b));
        home.join(b, &hall(), &mover, limit).unwrap();
        assert!(home.gave(b, &hall(), &mover, c), "it is asked for");
        assert_eq!(home.join(a, &hall(), &peer(a), limit), Err(RoomFull));
        home.moved(a, &hall(), &mover);
        assert_eq!(home.join(b, &hall(), &peer(b), limit), Err(RoomFull));
        home.leave(a, &hall(), &mover);
        assert!(home.join(b, &hall(), &peer(b), limit).is_ok() && home.given.is_empty());
    }

    /// Defect 3 of others: the room was deleted for all.
    #[test]
    fn the_last_member_of_a_node_leaves_and_the_others_stay() {
        let nodes @ [a, b, _] = [(); 3].map(|()| NodeId::random());
        let (mut home, _) = open(nodes);
        let [first, second] = [peer(a), peer(b)];
        home.join(a, &hall(), &first, None).unwrap();
        home.join(b, &hall(), &second, None).unwrap();
        home.leave(a, &hall(), &first);
        assert_eq!(home.join(a, &hall(), &first, None).unwrap().0, [(second, b)]);
    }

    /// Defect 2 of others: a node that did not know the room threw all others out.
    #[test]
    fn a_node_that_knows_nothing_of_a_room_takes_none_out_of_it() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open(nodes);
        let [first, second] = [peer(a), peer(b)];
        home.join(a, &hall(), &first, None).unwrap();
        home.join(b, &hall(), &second, None).unwrap();
        assert_eq!(home.reported(c, 1, &all), []);
        assert_eq!(home.join(c, &hall(), &peer(c), None).unwrap().0.len(), 2);
    }

    #[test]
    fn a_new_round_knows_what_all_nodes_report_and_nothing_before() {
        let [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open([a, b, c]);
        let [first, second, gone] = [peer(a), peer(b), peer(c)];
        home.join(c, &hall(), &gone, None).unwrap();
        home.begin();
        assert!(!home.is_open() && home.rooms() == 0);
        home.report(a, hall(), vec![first.clone()], true);
        assert_eq!(home.reported(a, 1, &all), []);
        home.report(b, hall(), vec![second.clone(), gone.clone()], false);
        home.leave(b, &hall(), &gone);
        assert_eq!(home.reported(b, 1, &all), []);
        let mut news = home.reported(c, 1, &all);
        news.sort_by_key(|(node, _)| *node != a);
        assert_eq!(news, [(a, News::Members(hall(), vec![(second, b)])), (b, News::Members(hall(), vec![(first, a)]))]);
    }

    #[test]
    fn who_reports_again_replaces_what_it_said_and_others_hear_of_the_difference() {
        let nodes @ [a, b, _] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open(nodes);
        let [first, second, third] = [peer(a), peer(b), peer(b)];
        home.join(a, &hall(), &first, None).unwrap();
        home.join(b, &hall(), &second, None).unwrap();
        home.report(b, hall(), vec![third.clone()], true);
        let news = home.reported(b, 1, &all);
        let expected = [
            (a, News::Came(hall(), third, b)),
            (a, News::Went(hall(), second)),
            (b, News::Members(hall(), vec![(first, a)])),
        ];
        assert_eq!(news, expected);
    }

    #[test]
    fn a_member_that_moves_to_another_node_neither_comes_nor_goes() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open(nodes);
        let [first, mover] = [peer(a), peer(b)];
        home.join(a, &hall(), &first, None).unwrap();
        home.join(b, &hall(), &mover, None).unwrap();
        let news = home.moved(c, &hall(), &mover);
        assert_eq!(
            news,
            [(a, News::Came(hall(), mover.clone(), c)), (c, News::Members(hall(), vec![(first.clone(), a)])),]
        );
        assert!(!home.gave(b, &hall(), &mover, c));
        assert_eq!(home.join(a, &hall(), &first, None).unwrap().0, [(mover.clone(), c)]);
        // A report from before does not bring it back.
        home.report(b, hall(), vec![mover.clone()], false);
        assert!(!home.gave(b, &hall(), &mover, c));
        home.reported(b, 1, &all);
        assert_eq!(home.leave(c, &hall(), &mover), [(a, News::Went(hall(), mover.clone()))]);
        assert_eq!(home.join(a, &hall(), &first, None).unwrap().0, []);
    }

    #[test]
    fn a_member_that_another_node_has_reported_is_not_gone_where_its_former_node_reports_it_no_more() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open(nodes);
        let [first, mover] = [peer(a), peer(b)];
        home.join(a, &hall(), &first, None).unwrap();
        home.join(b, &hall(), &mover, None).unwrap();
        home.report(c, hall(), vec![mover.clone()], true);
        assert!(home.reported(c, 1, &all).contains(&(a, News::Came(hall(), mover.clone(), c))));
        let news = home.reported(b, 1, &all);
        assert!(!news.iter().any(|(_, news)| matches!(news, News::Went(..))), "{news:?}");
        assert_eq!(home.leave(b, &hall(), &mover), []);
        assert_eq!(home.leave(c, &hall(), &mover), [(a, News::Went(hall(), mover))]);
    }

    #[test]
    fn a_node_is_asked_for_a_member_that_was_given_to_it_and_of_which_it_has_said_nothing() {
        let nodes @ [a, b, c] = [(); 3].map(|()| NodeId::random());
        for has_left in [false, true] {
            let (mut home, _) = open(nodes);
            let [first, mover] = [peer(a), peer(b)];
            home.join(a, &hall(), &first, None).unwrap();
            home.join(b, &hall(), &mover, None).unwrap();
            assert!(home.gave(b, &hall(), &mover, c));
            let news = if has_left { home.leave(c, &hall(), &mover) } else { home.moved(c, &hall(), &mover) };
            let told = if has_left { News::Went(hall(), mover.clone()) } else { News::Came(hall(), mover.clone(), c) };
            assert_eq!(news[0], (a, told));
            assert!(home.given.is_empty() && home.leave(b, &hall(), &mover).is_empty());
        }
    }

    #[test]
    fn a_node_that_heard_of_a_member_which_had_left_it_is_told_that_it_left() {
        let nodes @ [_, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = open(nodes);
        let [first, mover] = [peer(c), peer(b)];
        home.join(c, &hall(), &first, None).unwrap();
        // It came to this node and left before its former node had said that it had it.
        home.moved(c, &hall(), &mover);
        home.leave(c, &hall(), &mover);
        home.report(b, hall(), vec![mover.clone()], true);
        assert!(home.reported(b, 1, &all).contains(&(c, News::Came(hall(), mover.clone(), b))));
        assert!(home.gave(b, &hall(), &mover, c));
        assert_eq!(home.leave(c, &hall(), &mover), [(c, News::Went(hall(), mover))]);
    }

    #[test]
    fn a_member_that_is_given_on_before_all_have_reported_is_asked_for() {
        let [a, b, c] = [(); 3].map(|()| NodeId::random());
        let (mut home, all) = (Home::default(), [a, b, c].into_iter().collect());
        let mover = peer(a);
        home.reported(b, 1, &all);
        // It went on from one to the other, and what they say of that has overtaken each other.
        home.moved(b, &hall(), &mover);
        home.moved(c, &hall(), &mover);
        assert!(home.gave(c, &hall(), &mover, b) && home.asks_for(b, &hall(), &mover));
        assert_eq!(home.moved(b, &hall(), &mover), [], "it is not open");
        home.reported(c, 1, &all);
        assert_eq!(home.reported(a, 1, &all), [(b, News::Members(hall(), vec![]))]);
    }
}
