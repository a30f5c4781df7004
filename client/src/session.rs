//! One session's account: how many frames went each way over all its connections, and what was said that the server may not have
//! processed yet. It knows no socket, no clock and no meaning; [`conversation`](crate::conversation) has those. Pure.

use std::collections::VecDeque;

/// Well under the server's default burst of 400 messages, so that all may be sent again at once.
pub(crate) const MOST_MESSAGES: usize = 256;
pub(crate) const MOST_BYTES: usize = 1 << 20;

#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Frames that were put on a connection, numbered as the server counts them: what it never saw gives its number back.
    sent: u64,
    /// What was said and may not have been processed, in order.
    ///
    /// Invariant: at most `MOST_MESSAGES` and `MOST_BYTES`: `it_refuses_what_is_beyond_its_bounds_and_forgets_nothing`.
    kept: VecDeque<Said>,
    /// How many of these, the first ones, are on their way over the present connection.
    under_way: usize,
    bytes: usize,
    received: u64,
    /// Of the frames received: how many the server knows of.
    acknowledged: u64,
}

#[derive(Debug)]
struct Said {
    /// By which its answer is known.
    reference: u64,
    text: String,
    /// As the server counts it, once it is on its way.
    number: u64,
}

/// There is no room for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Session {
    /// Frames that came, `welcome` left out.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    pub(crate) fn unacknowledged(&self) -> u64 {
        self.received - self.acknowledged
    }

    pub(crate) fn keep(&mut self, reference: u64, text: String) -> Result<(), Full> {
        if self.kept.len() >= MOST_MESSAGES || self.bytes + text.len() > MOST_BYTES {
            return Err(Full);
        }
        self.bytes += text.len();
        self.kept.push_back(Said { reference, text, number: 0 });
        Ok(())
    }

    /// What is to be put on the connection now, in order.
    pub(crate) fn next(&mut self) -> Vec<String> {
        let next = self.kept.iter_mut().skip(self.under_way);
        let texts = next.map(|said| {
            self.sent += 1;
            said.number = self.sent;
            said.text.clone()
        });
        let texts = texts.collect();
        self.under_way = self.kept.len();
        texts
    }

    /// An answer has come: what it answers was processed, and so was all before it.
    pub(crate) fn settle(&mut self, reference: u64) {
        if let Some(index) = self.index(reference) {
            self.forget_first(index + 1);
        }
    }

    /// What said it no longer waits: it is not sent again.
    pub(crate) fn withdraw(&mut self, reference: u64) {
        let Some(index) = self.index(reference) else { return };
        let said = self.kept.remove(index).expect("it is there");
        self.bytes -= said.text.len();
        self.under_way -= usize::from(index < self.under_way);
    }

    /// A frame has come that is no `welcome`.
    pub(crate) fn count(&mut self) {
        self.received += 1;
    }

    /// The count for the `received` frame that is now put on the connection.
    pub(crate) fn acknowledge(&mut self) -> u64 {
        self.sent += 1;
        self.acknowledged = self.received;
        self.received
    }

    /// A new connection goes on with the session, of which the server has processed so many frames; without a number, all that were
    /// sent, as nothing may arrive twice. What it never saw is to be sent again, but for `received` frames: the offer of this connection
    /// has said the same.
    pub(crate) fn resume(&mut self, accepted: Option<u64>) {
        let accepted = accepted.unwrap_or(self.sent);
        let seen = self.kept.iter().take(self.under_way).rposition(|said| said.number <= accepted);
        self.forget_first(seen.map_or(0, |index| index + 1));
        self.under_way = 0;
        self.sent = accepted;
        self.acknowledged = self.received;
    }

    fn index(&self, reference: u64) -> Option<usize> {
        self.kept.iter().position(|said| said.reference == reference)
    }

    fn forget_first(&mut self, count: usize) {
        self.bytes -= self.kept.drain(..count).map(|said| said.text.len()).sum::<usize>();
        self.under_way = self.under_way.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn keep(session: &mut Session, reference: u64) {
        session.keep(reference, reference.to_string()).unwrap();
    }

    /// With so many messages on their way.
    fn session_with(count: u64) -> Session {
        let mut session = Session::default();
        (1..=count).for_each(|reference| keep(&mut session, reference));
        session.next();
        session
    }

    #[test]
    fn what_was_said_goes_out_once_on_a_connection_in_order() {
        let mut session = Session::default();
        for reference in [1, 2] {
            keep(&mut session, reference);
        }
        assert_eq!(session.next(), ["1", "2"]);
        keep(&mut session, 3);
        assert_eq!(session.next(), ["3"]);
        assert!(session.next().is_empty());
    }

    #[test]
    fn it_goes_out_again_from_what_the_server_has_not_processed_on() {
        let mut session = session_with(4);
        session.resume(Some(2));
        assert_eq!(session.next(), ["3", "4"]);
    }

    #[test]
    fn it_goes_out_behind_it_if_it_was_said_while_there_was_no_connection() {
        let mut session = session_with(2);
        keep(&mut session, 3);
        session.resume(Some(1));
        assert_eq!(session.next(), ["2", "3"]);
    }

    #[test]
    fn it_is_known_to_have_been_processed_by_an_answer_to_it_or_to_a_later_message() {
        let mut session = session_with(4);
        session.settle(3);
        session.resume(Some(0));
        assert_eq!(session.next(), ["4"]);
    }

    #[test]
    fn it_is_numbered_with_the_acknowledgements_that_go_between_as_the_server_counts_those_too() {
        let mut session = session_with(1);
        session.count();
        session.acknowledge();
        keep(&mut session, 2);
        session.next();
        session.resume(Some(2));
        assert_eq!(session.next(), ["2"]);
        session.resume(Some(3));
        assert!(session.next().is_empty());
    }

    #[test]
    fn it_is_not_sent_again_if_nothing_waits_for_it_any_more() {
        let mut session = session_with(3);
        session.withdraw(2);
        keep(&mut session, 4);
        assert_eq!(session.next(), ["4"]);
        session.resume(Some(0));
        assert_eq!(session.next(), ["1", "3", "4"]);
    }

    #[test]
    fn it_goes_out_in_time_when_what_was_before_it_was_given_up_before_it_went_out() {
        let mut session = session_with(1);
        for reference in [2, 3] {
            keep(&mut session, reference);
        }
        session.withdraw(2);
        assert_eq!(session.next(), ["3"]);
    }

    #[test]
    fn it_is_taken_for_processed_if_the_server_resumes_without_a_number() {
        let mut session = session_with(2);
        keep(&mut session, 3);
        session.resume(None);
        assert_eq!(session.next(), ["3"]);
    }

    #[test]
    fn it_refuses_what_is_beyond_its_bounds_and_forgets_nothing() {
        let mut many = session_with(MOST_MESSAGES as u64);
        assert_eq!(many.keep(1000, String::new()), Err(Full));
        many.resume(Some(0));
        assert_eq!(many.next().len(), MOST_MESSAGES);
        let mut large = Session::default();
        assert_eq!(large.keep(1, "x".repeat(MOST_BYTES)), Ok(()));
        assert_eq!(large.keep(2, "x".into()), Err(Full));
        large.next();
        large.settle(1);
        assert_eq!(large.keep(2, "x".repeat(MOST_BYTES)), Ok(()));
    }

    #[test]
    fn what_was_received_is_unacknowledged_until_the_server_is_told() {
        let mut session = Session::default();
        (0..3).for_each(|_| session.count());
        assert_eq!((session.received(), session.unacknowledged()), (3, 3));
        assert_eq!(session.acknowledge(), 3);
        assert_eq!(session.unacknowledged(), 0);
        session.count();
        session.resume(Some(0));
        assert_eq!((session.received(), session.unacknowledged()), (4, 0), "the offer has said so");
    }

    /// What went over a connection: a message, or an acknowledgement.
    fn connection(session: &mut Session, chance: &mut Chance, said: &mut u64) -> Vec<Option<String>> {
        let mut wire = Vec::new();
        for _ in 0..10 {
            if chance.below(2) == 0 {
                *said += 1;
                keep(session, *said);
            } else {
                session.count();
            }
            if chance.below(10) < 6 {
                wire.extend(session.next().into_iter().map(Some));
            }
            if session.unacknowledged() > 0 && chance.below(10) < 3 {
                session.acknowledge();
                wire.push(None);
            }
        }
        wire.extend(session.next().into_iter().map(Some));
        wire
    }

    #[test]
    fn a_session_and_a_server_that_sees_a_random_part_of_each_connection_agree_on_all_that_was_said() {
        for seed in 1..=500 {
            let mut chance = Chance::new(seed);
            let mut session = Session::default();
            let mut processed = Vec::new();
            let (mut accepted, mut said) = (0, 0);
            for last in [[false; 11].as_slice(), &[true]].concat() {
                let wire = connection(&mut session, &mut chance, &mut said);
                let seen = if last { wire.len() } else { chance.below(wire.len() + 1) };
                accepted += seen as u64;
                processed.extend(wire.into_iter().take(seen).flatten());
                let answered = chance.below(processed.len() + 1);
                if answered > 0 {
                    session.settle(processed[answered - 1].parse().unwrap());
                }
                if !last {
                    session.resume(Some(accepted));
                }
            }
            let all: Vec<String> = (1..=said).map(|number: u64| number.to_string()).collect();
            assert_eq!(processed, all, "seed {seed}");
        }
    }
}
