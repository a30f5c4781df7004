//! The one answer to a client's message, on its way into the client's own queue.

use super::mailbox::{AnswerPermit, Mailbox, Seat};
use crate::protocol::{ErrorCode, ErrorNotice, Notice, Reference};

/// Where the answer goes, and what it says which message it is about.
pub(super) struct Reply<'a> {
    mailbox: &'a Mailbox,
    permit: AnswerPermit,
    reference: Option<Reference>,
    seat: Option<Seat>,
}

impl<'a> Reply<'a> {
    pub(super) fn new(mailbox: &'a Mailbox, permit: AnswerPermit, reference: Option<Reference>) -> Self {
        Self { mailbox, permit, reference, seat: None }
    }

    /// From now on the answer is ahead of all else, such as what the addressee replies. Without a `ref` only an error
    /// is due, and an error means that there is nothing to reply to.
    pub(super) fn keep_seat(&mut self) {
        self.seat = self.reference.is_some().then(|| self.mailbox.keep_seat());
    }

    /// By which the client wants to find the answer again, which another node is to give.
    pub(super) fn take_reference(&mut self) -> Option<Reference> {
        self.reference.take()
    }

    /// By which the client wants to find the answer again, which another node is to give, and its seat.
    pub(super) fn wait(self) -> (Option<Reference>, Option<Seat>) {
        let Self { mailbox, reference, seat, .. } = self;
        let seat = match seat {
            Some(seat) => Some(mailbox.await_in(seat)),
            None => reference.is_some().then(|| mailbox.await_answer()),
        };
        (reference, seat)
    }

    /// Says that it is done, if the client wants to know.
    pub(super) fn ack(mut self, parked: bool) {
        if let Some(reference) = self.reference.take() {
            self.give(Notice::Ack { reference, parked });
        }
    }

    /// Says what the answer is.
    pub(super) fn say(mut self, notice: impl FnOnce(Option<Reference>) -> Notice) {
        let notice = notice(self.reference.take());
        self.give(notice);
    }

    /// Says what went wrong. Gives back its code.
    pub(super) fn refuse(mut self, code: ErrorCode, about: impl FnOnce(ErrorNotice) -> ErrorNotice) -> ErrorCode {
        let error = about(ErrorNotice::new(code, self.reference.take()));
        self.give(Notice::Error(Box::new(error)));
        code
    }

    fn give(self, notice: Notice) {
        match self.seat {
            Some(seat) => self.mailbox.fill(seat, notice),
            None => self.mailbox.answer(self.permit, notice),
        }
    }
}
