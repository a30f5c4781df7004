//! The frames that a client may not have got: numbered, in order, until it acknowledges them. Pure.

use std::collections::VecDeque;

/// What has been taken from a session's queue and not yet been acknowledged.
#[derive(Debug)]
pub(super) struct Window<F> {
    /// Numbers `acknowledged + 1` to `taken`.
    frames: VecDeque<F>,
    acknowledged: u64,
    taken: u64,
    /// The last one that was given to the connection of the moment.
    written: u64,
}

/// The client acknowledges what it was never sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NeverSent;

impl<F> Window<F> {
    pub(super) fn new() -> Self {
        Self { frames: VecDeque::new(), acknowledged: 0, taken: 0, written: 0 }
    }

    /// The next frame that the connection of the moment has not been given, with its number from 1.
    pub(super) fn again(&mut self) -> Option<(u64, &F)> {
        let frame = self.frames.get(usize::try_from(self.written - self.acknowledged).ok()?)?;
        self.written += 1;
        Some((self.written, frame))
    }

    /// A new frame, on its way to the connection. Only when there is nothing to give [`again`](Self::again).
    pub(super) fn take(&mut self, frame: F) -> (u64, &F) {
        debug_assert_eq!(self.written, self.taken, "frames leave in order");
        self.frames.push_back(frame);
        self.taken += 1;
        self.written = self.taken;
        (self.taken, self.frames.back().expect("it was just put there"))
    }

    /// The client has got this many: those frames are released. What it said before may come again.
    pub(super) fn acknowledge(&mut self, count: u64, release: impl FnMut(F)) -> Result<(), NeverSent> {
        if count > self.written {
            return Err(NeverSent);
        }
        let news = count.saturating_sub(self.acknowledged);
        self.frames.drain(..usize::try_from(news).expect("no more than there are")).for_each(release);
        self.acknowledged += news;
        shrink(&mut self.frames);
        Ok(())
    }

    /// Whether acknowledging this many would say something new.
    pub(super) fn is_news(&self, count: u64) -> bool {
        (self.acknowledged + 1..=self.written).contains(&count)
    }

    /// All that was given to the connection is as good as got: for a client that does not acknowledge.
    pub(super) fn settle(&mut self, release: impl FnMut(F)) {
        self.acknowledge(self.written, release).expect("it was written");
    }

    /// Whether a connection can go on after this many frames.
    pub(super) fn reaches(&self, received: u64) -> bool {
        (self.acknowledged..=self.taken).contains(&received)
    }

    /// A new connection, whose client has got this many. Call it only where the window [`reaches`](Self::reaches).
    pub(super) fn rewind(&mut self, received: u64, release: impl FnMut(F)) {
        self.written = received;
        self.acknowledge(received, release).expect("the window reaches it");
    }

    /// As another node had it: none of these has been given to a connection of this one.
    pub(super) fn handed(acknowledged: u64, frames: VecDeque<F>) -> Self {
        let taken = acknowledged + frames.len() as u64;
        Self { frames, acknowledged, taken, written: acknowledged }
    }

    /// How many are acknowledged, and the others: for another node.
    pub(super) fn hand_over(&mut self) -> (u64, VecDeque<F>) {
        (self.acknowledged, std::mem::take(&mut self.frames))
    }

    /// All that is not acknowledged.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = &F> {
        self.frames.iter()
    }
}

/// More room than this for what is no longer there is given back.
const KEPT: usize = 4;

/// Gives back the room of what is no longer in a queue: an idle session holds nothing, and one that was flooded no more
/// than four times what it still has.
pub(super) fn shrink<F>(frames: &mut VecDeque<F>) {
    if frames.capacity() > KEPT.max(4 * frames.len()) {
        frames.shrink_to(2 * frames.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(taken: u64) -> Window<u64> {
        let mut window = Window::new();
        for number in 1..=taken {
            assert_eq!(window.take(number), (number, &number));
        }
        window
    }

    fn replay(window: &mut Window<u64>) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| window.again().map(|(number, frame)| (number, *frame))).collect()
    }

    #[test]
    fn frames_follow_what_was_received_each_once_and_in_order() {
        let mut window = window(5);
        assert!(window.reaches(2));
        window.rewind(2, drop);
        assert_eq!(replay(&mut window), [(3, 3), (4, 4), (5, 5)]);
        assert_eq!(window.take(6), (6, &6));
        window.rewind(6, drop);
        assert_eq!(window.again(), None);
    }

    #[test]
    fn what_was_acknowledged_is_released_and_cannot_be_asked_for() {
        let mut window = window(5);
        assert!(window.is_news(3));
        let mut released = Vec::new();
        assert_eq!(window.acknowledge(3, |frame| released.push(frame)), Ok(()));
        assert_eq!(released, [1, 2, 3]);
        assert!(!window.is_news(3) && !window.is_news(6));
        let again = window.acknowledge(1, |frame| panic!("{frame} was released before"));
        assert_eq!(again, Ok(()), "an old acknowledgement that was sent again");
        assert_eq!(window.unacknowledged().copied().collect::<Vec<_>>(), [4, 5]);
        assert!(!window.reaches(2) && window.reaches(3));
    }

    #[test]
    fn what_was_never_sent_can_be_neither_acknowledged_nor_received() {
        let mut window = window(5);
        assert_eq!(window.acknowledge(6, drop), Err(NeverSent));
        assert!(!window.reaches(6));
        window.rewind(2, drop);
        assert_eq!(window.acknowledge(3, drop), Err(NeverSent), "not over this connection");
    }

    #[test]
    fn a_cut_in_the_middle_of_a_replay_loses_nothing() {
        let mut window = window(4);
        window.rewind(1, drop);
        assert_eq!(window.again(), Some((2, &2)));
        window.rewind(1, drop);
        assert_eq!(replay(&mut window).len(), 3);
    }

    #[test]
    fn a_window_holds_little_more_than_what_is_in_it() {
        let mut window = window(1000);
        window.acknowledge(900, drop).unwrap();
        assert!(window.frames.capacity() <= 400);
        window.settle(drop);
        assert!(window.frames.capacity() <= KEPT);
    }
}
