//! Which nodes are seen, and which of them is a room's home. Pure.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256};

use super::envelope::number;
use crate::protocol::{NodeId, PeerId, RoomKey};

/// A number for a set of nodes: the same everywhere, and another for another set.
pub(super) fn nodes_number(nodes: &BTreeSet<NodeId>) -> u64 {
    let mut digest = Context::new(&SHA256);
    for node in nodes {
        digest.update(node.as_bytes());
    }
    first(digest)
}

/// The home of a room: each node finds the same one (rendezvous hashing), and where a node is lost, only its rooms move.
pub(super) fn home(nodes: &BTreeSet<NodeId>, room: &RoomKey) -> Option<NodeId> {
    let weight = |node: &NodeId| {
        let mut digest = Context::new(&SHA256);
        digest.update(node.as_bytes());
        digest.update(&[number(room.realm)]);
        digest.update(room.name.as_str().as_bytes());
        first(digest)
    };
    nodes.iter().copied().max_by_key(weight)
}

/// The node that says who may have the id of a peer whose node is gone.
pub(super) fn arbiter(nodes: &BTreeSet<NodeId>, id: PeerId) -> Option<NodeId> {
    let weight = |node: &NodeId| {
        let mut digest = Context::new(&SHA256);
        digest.update(node.as_bytes());
        digest.update(id.as_bytes());
        first(digest)
    };
    nodes.iter().copied().max_by_key(weight)
}

fn first(digest: Context) -> u64 {
    let digest = digest.finish();
    u64::from_le_bytes(*digest.as_ref().first_chunk().expect("32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Realm, RoomName};

    fn room(number: usize) -> RoomKey {
        RoomKey { realm: Realm::V1, name: RoomName::new(&number.to_string()).unwrap() }
    }

    #[test]
    fn where_a_node_is_lost_only_its_rooms_move() {
        let nodes: BTreeSet<NodeId> = (0..5).map(|_| NodeId::random()).collect();
        let lost = *nodes.first().unwrap();
        let rest: BTreeSet<NodeId> = nodes.iter().copied().filter(|node| *node != lost).collect();
        let (mut moved, rooms) = (0, 500);
        for number in 0..rooms {
            let [before, after] = [&nodes, &rest].map(|nodes| home(nodes, &room(number)).unwrap());
            moved += usize::from(before == lost);
            assert!(before == after || before == lost);
        }
        assert!((50..150).contains(&moved), "a fifth of them: {moved}");
    }

    #[test]
    fn a_set_has_a_number_of_its_own() {
        let nodes: BTreeSet<NodeId> = (0..3).map(|_| NodeId::random()).collect();
        let mut fewer = nodes.clone();
        fewer.pop_last();
        assert_ne!(nodes_number(&nodes), nodes_number(&fewer));
        assert_eq!(nodes_number(&nodes), nodes_number(&nodes.clone()));
    }
}
