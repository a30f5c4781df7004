//! What a peer is, apart from the socket that it speaks through: an id, a mailbox, and its rooms.
//!
//! A connection holds one session, hands it what the client asks for and writes what comes out of it. When the
//! connection is lost the session can be parked, and a newer connection takes it over, mailbox and all.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use parking_lot::MutexGuard;

use super::peer::{Epoch, Peer, State};
use super::{AnswerPermit, Frame, Hub, Next, ResumeToken, Revoked};
use crate::protocol::{Address, PeerId, Realm};

/// A session in one of its epochs. Dropping it ends the session: no peer can address it any more, and it leaves its rooms.
///
/// There may be older epochs, of connections that do not know yet that they are over: they do nothing.
#[derive(Debug)]
pub struct Session {
    pub(super) hub: Arc<Hub>,
    pub(super) peer: Arc<Peer>,
    epoch: Epoch,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, peer: Arc<Peer>, epoch: Epoch) -> Self {
        Self { hub, peer, epoch }
    }

    /// The peer's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.peer.address
    }

    /// The key of the peer's address.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.peer.id()
    }

    /// A token for the next `welcome`, and how many of the client's frames have been processed. `None` where the
    /// session can't be resumed.
    #[must_use]
    pub fn issue_token(&self) -> Option<(ResumeToken, u64)> {
        let mut state = self.held()?;
        let tokens = state.tokens()?;
        let (handle, mut token) = (tokens.handle, tokens.issue());
        if let Some(elsewhere) = &self.hub.elsewhere {
            token = token.sealed(elsewhere.seal(self.id(), token.proof(), state.subject()));
        }
        self.hub.handles.entry(handle).or_insert_with(|| Arc::clone(&self.peer));
        Some((token, state.accepted))
    }

    /// The next thing for this peer's connection to do, as soon as there is one. Cancel safe.
    pub async fn next(&self) -> Next {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next message for this peer, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<Frame> {
        self.held()?.try_next(&self.peer.mailbox)
    }

    /// The same, where one waits for something else besides.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Next> {
        let Some(mut state) = self.held() else { return Poll::Pending };
        if state.take_probe() {
            return Poll::Ready(Next::Probe);
        }
        state.poll_next(&self.peer.mailbox, cx).map(Next::Write)
    }

    /// All that [`next`](Self::next) gave has been written.
    pub fn written(&self) {
        if let Some(mut state) = self.held() {
            state.written(&self.peer.mailbox);
        }
    }

    /// A permit for the answer to the client's next frame, or `None` while this peer's own queue has no room.
    #[must_use]
    pub fn answer_permit(&self) -> Option<AnswerPermit> {
        self.peer.mailbox.answer_permit()
    }

    /// Whether so much is unacknowledged that nothing more can be sent.
    #[must_use]
    pub fn is_window_full(&self) -> bool {
        self.peer.mailbox.is_window_full()
    }

    /// Waits until this epoch is over, or the hub closes. Borrows nothing.
    pub fn revoked(&self) -> impl Future<Output = Revoked> + use<> {
        Arc::clone(&self.peer).revoked(Arc::clone(&self.hub), self.epoch)
    }

    /// Whether its group still waits for members.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let state = self.held();
        let ticket = state.as_ref().and_then(|state| state.ticket.as_ref());
        ticket.is_some_and(|ticket| self.hub.lobby.lock().is_waiting(ticket))
    }

    /// Hands the session over to the epoch that is given back, which waits for a newer connection. `None`: it ends with its
    /// connection, because of its lifetime, or because who waits in the lobby has to be there.
    #[must_use]
    pub fn park(&self) -> Option<Self> {
        if self.is_waiting() {
            return None;
        }
        let epoch = self.peer.park(self.epoch)?;
        Some(Self { hub: Arc::clone(&self.hub), peer: Arc::clone(&self.peer), epoch })
    }

    /// Whether it can be parked: it may outlive its connection, and no newer one has it.
    #[must_use]
    pub fn may_be_parked(&self) -> bool {
        self.held().is_some_and(|state| state.may_be_parked())
    }

    pub(super) fn held(&self) -> Option<MutexGuard<'_, State>> {
        self.peer.held(self.epoch)
    }

    /// Ends the session, in one step: nothing more is accepted, no peer reaches it, its rooms know, and so does every peer
    /// that said what it has not acknowledged. Gives back what its connection could still be told. An older epoch ends
    /// nothing.
    pub fn end(&mut self) -> Vec<Frame> {
        let Some(mut state) = self.held() else { return Vec::new() };
        self.peer.mailbox.close();
        if let Some(elsewhere) = &self.hub.elsewhere {
            // Order: before another one can have the same name here.
            elsewhere.ended(self.id());
        }
        self.hub.peers.remove(&self.peer.id());
        if let Some(tokens) = state.tokens() {
            self.hub.handles.remove(&tokens.handle);
        }
        self.take_along(&mut state);
        let has_ticket = state.ticket.is_some();
        let lobby = self.stop_waiting(&mut state);
        let is_of_group = has_ticket && lobby.is_none();
        for room in std::mem::take(&mut state.rooms) {
            if self.peer.realm.has_topics() {
                self.unsubscribe_from(&room);
            } else if is_of_group {
                self.depart_from_group(&room);
            } else {
                self.depart(&room, None);
            }
        }
        drop(lobby);
        if self.peer.realm == Realm::GStreamer {
            self.leave_exchange();
        }
        let (senders, rest) = state.finish(&self.peer.mailbox);
        self.report_undelivered(senders);
        // Order: what is owed to them is given up once they are told.
        state.settle(&self.peer.mailbox);
        drop(state);
        // Who waits for a sign of life waits no longer.
        self.peer.notify();
        rest
    }

    /// What an older connection was given and has not written is lost with it.
    pub(super) fn lose_unwritten(&self) {
        let Some(mut state) = self.held() else { return };
        self.report_undelivered(state.unsettled());
        // Order: as in `end`.
        state.settle(&self.peer.mailbox);
    }

    fn report_undelivered(&self, senders: HashSet<Address>) {
        if self.hub.is_closing() {
            return;
        }
        for sender in senders {
            let is_here = self.hub.tell_undelivered(sender.id(), &self.peer.address);
            if !is_here && let Some(elsewhere) = &self.hub.elsewhere {
                elsewhere.undelivered(&sender, &self.peer.address);
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.end());
    }
}
