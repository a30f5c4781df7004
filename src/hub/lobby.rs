//! Groups that wait for members: of each room one for each size that is asked for. Pure: what a member is, and how it is told,
//! is the session's business.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroUsize;

use crate::protocol::{Realm, RoomName};

/// Which group is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) realm: Realm,
    pub(super) room: RoomName,
    /// How many members it is to have.
    pub(super) size: NonZeroUsize,
}

/// What a member of a group has in hand: by it, it leaves.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    key: Key,
    /// The room of its group's members.
    pub(super) group: RoomName,
    /// Whether it is not known to be there.
    is_in_doubt: bool,
}

impl Ticket {
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }
}

/// The groups that wait. A group that has its members is none of them: from then on its room alone knows of it.
// Invariant: a group that waits has at least one member, and fewer than its size: `a_group_waits_while_it_has_some_members`.
#[derive(Debug, Default)]
pub(super) struct Lobby {
    groups: HashMap<Key, Group>,
}

#[derive(Debug)]
struct Group {
    name: RoomName,
    members: usize,
    /// Of these, those that may be gone.
    in_doubt: usize,
}

impl Lobby {
    /// One more member. It completes the group that waits, or begins one.
    pub(super) fn enter(&mut self, key: Key) -> Ticket {
        let size = key.size.get();
        let mut entry = match self.groups.entry(key.clone()) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => {
                entry.insert_entry(Group { name: RoomName::unguessable(), members: 0, in_doubt: 0 })
            }
        };
        let group = entry.get_mut();
        group.members += 1;
        let name = group.name.clone();
        if group.members >= size {
            entry.remove();
            self.tidy();
        }
        Ticket { key, group: name, is_in_doubt: false }
    }

    /// A member leaves. Whether its group still waited: a group that had its members does not wait again.
    pub(super) fn leave(&mut self, ticket: &Ticket) -> bool {
        if !self.is_waiting(ticket) {
            return false;
        }
        if let Entry::Occupied(mut entry) = self.groups.entry(ticket.key.clone()) {
            entry.get_mut().members -= 1;
            entry.get_mut().in_doubt -= usize::from(ticket.is_in_doubt);
            if entry.get().members == 0 {
                entry.remove();
                self.tidy();
            }
        }
        true
    }

    /// Whether a member of the group that waits may be gone.
    pub(super) fn is_in_doubt(&self, key: &Key) -> bool {
        self.groups.get(key).is_some_and(|group| group.in_doubt > 0)
    }

    /// A member may be gone.
    pub(super) fn doubt(&mut self, ticket: &mut Ticket) {
        if let Some(group) = self.group_of(ticket).filter(|_| !ticket.is_in_doubt) {
            group.in_doubt += 1;
            ticket.is_in_doubt = true;
        }
    }

    /// It is there.
    pub(super) fn trust(&mut self, ticket: &mut Ticket) {
        let was_in_doubt = std::mem::take(&mut ticket.is_in_doubt);
        if let Some(group) = self.group_of(ticket) {
            group.in_doubt -= usize::from(was_in_doubt);
        }
    }

    fn group_of(&mut self, ticket: &Ticket) -> Option<&mut Group> {
        self.groups.get_mut(&ticket.key).filter(|group| group.name == ticket.group)
    }

    /// Whether a member's group still waits.
    pub(super) fn is_waiting(&self, ticket: &Ticket) -> bool {
        self.groups.get(&ticket.key).is_some_and(|group| group.name == ticket.group)
    }

    /// Holds no memory where none waits.
    fn tidy(&mut self) {
        if self.groups.is_empty() {
            self.groups = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(size: usize) -> Key {
        let size = NonZeroUsize::new(size).unwrap();
        Key { realm: Realm::Matchbox, room: RoomName::new("hall").unwrap(), size }
    }

    #[test]
    fn who_completes_a_group_empties_the_lobby() {
        let mut lobby = Lobby::default();
        let [first, second, third] = [(); 3].map(|()| lobby.enter(key(2)));
        assert_eq!(first.group, second.group);
        assert_ne!(first.group, third.group);
        assert_eq!([&first, &third].map(|ticket| lobby.is_waiting(ticket)), [false, true]);
    }

    #[test]
    fn who_asks_for_one_is_alone() {
        let mut lobby = Lobby::default();
        let [first, second] = [(); 2].map(|()| lobby.enter(key(1)));
        assert_ne!(first.group, second.group);
        assert_eq!(lobby.groups.len(), 0);
    }

    #[test]
    fn another_size_is_another_group() {
        let mut lobby = Lobby::default();
        let [of_two, of_three] = [2, 3].map(|size| lobby.enter(key(size)));
        assert_ne!(of_two.group, of_three.group);
        assert!(lobby.is_waiting(&of_two) && lobby.is_waiting(&of_three));
    }

    #[test]
    fn a_seat_that_is_left_is_free_again() {
        let mut lobby = Lobby::default();
        let [first, second] = [(); 2].map(|()| lobby.enter(key(3)));
        assert!(lobby.leave(&first));
        let third = lobby.enter(key(3));
        assert!(lobby.is_waiting(&second), "two of three");
        assert!(lobby.leave(&second) && lobby.leave(&third));
        assert_eq!(lobby.groups.capacity(), 0);
    }

    #[test]
    fn a_group_is_in_doubt_while_one_of_its_members_is() {
        let mut lobby = Lobby::default();
        let [mut first, mut second] = [(); 2].map(|()| lobby.enter(key(3)));
        lobby.doubt(&mut first);
        lobby.doubt(&mut first);
        lobby.doubt(&mut second);
        lobby.trust(&mut first);
        assert!(lobby.is_in_doubt(&key(3)) && !lobby.is_in_doubt(&key(2)));
        lobby.leave(&second);
        assert!(!lobby.is_in_doubt(&key(3)));
    }

    /// Enter a group of a size; leave, be doubted or trusted with one of the tickets that there are.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(usize),
        Leave(usize),
        Doubt(usize),
        Trust(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let which = 0..100_usize;
        prop_oneof![
            3 => (1..4_usize).prop_map(Step::Enter),
            2 => which.clone().prop_map(Step::Leave),
            2 => which.clone().prop_map(Step::Doubt),
            1 => which.prop_map(Step::Trust),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_group_waits_while_it_has_some_members(
            steps in proptest::collection::vec(step(), 0..100),
        ) {
            let mut lobby = Lobby::default();
            let mut here: Vec<Ticket> = Vec::new();
            // How many ever entered each group.
            let mut entered: HashMap<RoomName, usize> = HashMap::new();
            let mut complete: HashMap<RoomName, bool> = HashMap::new();
            for step in steps {
                match step {
                    Step::Enter(size) => {
                        let ticket = lobby.enter(key(size));
                        prop_assert_ne!(complete.get(&ticket.group), Some(&true), "none enters a group that is complete");
                        let present = here.iter().filter(|other| other.group == ticket.group).count() + 1;
                        prop_assert!(present <= size);
                        *entered.entry(ticket.group.clone()).or_default() += 1;
                        complete.insert(ticket.group.clone(), present == size);
                        here.push(ticket);
                    }
                    Step::Leave(which) if !here.is_empty() => {
                        let ticket = here.swap_remove(which % here.len());
                        prop_assert_eq!(lobby.leave(&ticket), !complete[&ticket.group]);
                    }
                    Step::Doubt(which) if !here.is_empty() => {
                        let which = which % here.len();
                        lobby.doubt(&mut here[which]);
                    }
                    Step::Trust(which) if !here.is_empty() => {
                        let which = which % here.len();
                        lobby.trust(&mut here[which]);
                    }
                    Step::Leave(_) | Step::Doubt(_) | Step::Trust(_) => {}
                }
                for (name, is_complete) in &complete {
                    let tickets = || here.iter().filter(|ticket| ticket.group == *name);
                    let present = [tickets().count(), tickets().filter(|ticket| ticket.is_in_doubt).count()];
                    let waits = lobby.groups.values().find(|group| group.name == *name);
                    let expected = (!is_complete && present[0] > 0).then_some(present);
                    prop_assert_eq!(waits.map(|group| [group.members, group.in_doubt]), expected);
                }
            }
            for ticket in here {
                lobby.leave(&ticket);
            }
            prop_assert_eq!(lobby.groups.capacity(), 0);
        }
    }
}
