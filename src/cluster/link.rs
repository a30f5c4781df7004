//! One direction between two nodes: numbered parcels, in order, each once, or the link is over. Pure.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::envelope::{Envelope, Token};
use super::parcel::{self, FULL};
use crate::protocol::NodeId;

/// What may wait for the network, in bytes. Beyond, the link is over: what waits is old, and its senders are told.
pub(super) const MAX_WAITING: usize = 16 * 1024 * 1024;

/// The way to another node.
#[derive(Debug)]
pub(super) struct Outgoing {
    node: NodeId,
    link: u64,
    /// Of the next parcel.
    next: u64,
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Outgoing {
    /// A new one of this node's. Each has a higher number than those before.
    pub(super) fn new(node: NodeId, link: u64) -> Self {
        Self { node, link, next: 0, waiting: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn link(&self) -> u64 {
        self.link
    }

    /// Puts one behind all that waits.
    pub(super) fn push(&mut self, token: Token, envelope: &Envelope<'_>) {
        if self.waiting.back().is_none_or(|last| last.len() >= FULL) {
            self.begin();
        }
        if let Some(last) = self.waiting.back_mut() {
            let before = last.len();
            envelope.write(token, last);
            self.bytes += last.len() - before;
        }
    }

    /// … which is written already.
    pub(super) fn push_written(&mut self, envelope: &[u8]) {
        if self.waiting.back().is_none_or(|last| last.len() >= FULL) {
            self.begin();
        }
        if let Some(last) = self.waiting.back_mut() {
            last.extend(envelope);
            self.bytes += envelope.len();
        }
    }

    /// Has a parcel sent in any case: by its number, the other node notices that one before it was lost.
    pub(super) fn beat(&mut self) {
        if self.waiting.is_empty() {
            self.begin();
        }
    }

    fn begin(&mut self) {
        self.waiting.push_back(parcel::begin(self.node, self.link, self.next));
        self.next += 1;
    }

    /// What waits, in bytes.
    pub(super) fn waiting(&self) -> usize {
        self.bytes
    }

    /// Whether so much waits that it is over.
    pub(super) fn is_over(&self) -> bool {
        self.bytes > MAX_WAITING
    }

    /// Takes the parcels that wait.
    pub(super) fn take(&mut self) -> VecDeque<Vec<u8>> {
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}

/// The way from another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Incoming {
    link: u64,
    next: u64,
}

/// What a parcel is to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The next one.
    Next,
    /// It has come before, or is of an older link.
    Old,
    /// Some are missing before it.
    Gap,
    /// The first of a newer link.
    Newer,
}

impl Incoming {
    /// After the first parcel of a link.
    pub(super) fn begun(link: u64) -> Self {
        Self { link, next: 1 }
    }

    pub(super) fn link(self) -> u64 {
        self.link
    }

    /// Where a parcel belongs. A first one of any link is newer than none.
    pub(super) fn place(this: Option<Self>, link: u64, number: u64) -> Place {
        let Some(Self { link: current, next }) = this else {
            return if number == 0 { Place::Newer } else { Place::Old };
        };
        match link.cmp(&current) {
            Ordering::Greater if number == 0 => Place::Newer,
            Ordering::Equal if number == next => Place::Next,
            Ordering::Equal if number > next => Place::Gap,
            // Of a newer link whose first one was lost, too: the other node will begin another.
            _ => Place::Old,
        }
    }

    /// One has been taken in.
    pub(super) fn advance(&mut self) {
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::parcel::Content;
    use super::*;

    #[test]
    fn many_envelopes_share_a_parcel_and_parcels_are_numbered() {
        let mut out = Outgoing::new(NodeId::random(), 5);
        let payload = "x".repeat(FULL / 2);
        let room = crate::protocol::RoomKey {
            realm: crate::protocol::Realm::V1,
            name: crate::protocol::RoomName::new("hall").unwrap(),
        };
        let from = crate::protocol::Address::random();
        for _ in 0..4 {
            let (room, from) = ((&room).into(), (&from).into());
            out.push(1, &Envelope::Broadcast { room, from, payload: &payload, to: Vec::new(), origin: None });
        }
        let parcels = out.take();
        let numbers: Vec<u64> = parcels
            .iter()
            .map(|bytes| match parcel::read(bytes) {
                Ok((_, Content::Linked { link: 5, number, .. })) => number,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(numbers, [0, 1]);
        assert!(out.take().is_empty());
        out.push(0, &Envelope::Bye);
        assert_eq!(out.take().len(), 1);
    }

    #[test]
    fn a_link_that_the_network_does_not_take_is_over() {
        let mut out = Outgoing::new(NodeId::random(), 1);
        while !out.is_over() {
            out.push(0, &Envelope::Settled(vec![u64::MAX; 10_000]));
        }
        assert!(out.waiting.iter().map(Vec::len).sum::<usize>() < 2 * MAX_WAITING);
        out.take();
        assert!(!out.is_over());
    }

    #[test]
    fn parcels_are_taken_in_once_and_in_order() {
        let mut incoming = Incoming::begun(7);
        let place = |incoming, link, number| Incoming::place(Some(incoming), link, number);
        assert_eq!(Incoming::place(None, 7, 0), Place::Newer);
        assert_eq!(Incoming::place(None, 7, 3), Place::Old);
        assert_eq!(place(incoming, 7, 0), Place::Old, "again");
        assert_eq!(place(incoming, 7, 2), Place::Gap);
        assert_eq!(place(incoming, 7, 1), Place::Next);
        incoming.advance();
        assert_eq!(place(incoming, 7, 1), Place::Old);
        assert_eq!(place(incoming, 7, 2), Place::Next);
        assert_eq!(
            (place(incoming, 6, 0), place(incoming, 8, 0), place(incoming, 8, 1)),
            (Place::Old, Place::Newer, Place::Old)
        );
    }
}
