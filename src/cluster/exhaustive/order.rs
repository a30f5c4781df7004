//! The search: what happens in a case, in every order.
//!
//! It goes depth first and plays each order from its beginning, as nodes can't be copied. Events at different nodes can't tell
//! which of them was first: of orders that differ in that alone, one is played (sleep sets: Godefroid 1996).

use super::Case;
use super::world::World;

/// In one order: some ten are what a case needs.
const MAX_EVENTS: usize = 200;

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The first parcel that is on its way from one node to another arrives.
    Arrives(usize, usize),
    /// … or is lost.
    IsLost(usize, usize),
    /// The next step of a list is done, at a node.
    Happens(usize, usize),
}

impl Event {
    /// The node at which it happens: what it changes is there.
    fn node(self) -> usize {
        match self {
            Self::Arrives(_, to) | Self::IsLost(_, to) => to,
            Self::Happens(_, node) => node,
        }
    }

    /// Whether what comes out is the same, whichever is first.
    fn is_independent_of(self, other: Self) -> bool {
        let are_losses = matches!((self, other), (Self::IsLost(..), Self::IsLost(..)));
        self.node() != other.node() && !are_losses
    }
}

/// A point of the order that is played.
struct Moment {
    /// What need not be played from here, as it was with the same outcome.
    asleep: Vec<Event>,
    /// What is to be played from here.
    open: Vec<Event>,
    /// Which of these is played now.
    now: usize,
}

impl Moment {
    fn event(&self) -> Event {
        self.open[self.now]
    }

    /// What sleeps after the event.
    fn asleep_then(&self) -> Vec<Event> {
        let before = self.asleep.iter().chain(&self.open[..self.now]);
        before.copied().filter(|other| other.is_independent_of(self.event())).collect()
    }
}

/// Plays a case in every order. Gives how many there are.
pub(super) fn in_every_order(case: &Case<'_>) -> usize {
    let (mut path, mut orders): (Vec<Moment>, usize) = (Vec::new(), 0);
    loop {
        let mut world = World::new(case);
        for depth in 0.. {
            let possible = world.possible();
            if depth == path.len() {
                let asleep = path.last().map(Moment::asleep_then).unwrap_or_default();
                let open: Vec<Event> = possible.iter().copied().filter(|event| !asleep.contains(event)).collect();
                if possible.is_empty() {
                    orders += 1;
                    world.rest();
                    world.assert_well();
                }
                if open.is_empty() {
                    break;
                }
                path.push(Moment { asleep, open, now: 0 });
            }
            assert!(depth < MAX_EVENTS, "it comes to an end");
            let event = path[depth].event();
            assert!(possible.contains(&event), "the same happens again in the same order: {event:?}");
            world.happen(event);
        }
        loop {
            let Some(last) = path.last_mut() else { return orders };
            last.now += 1;
            if last.now < last.open.len() {
                break;
            }
            path.pop();
        }
    }
}
