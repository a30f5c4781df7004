//! One peer as the registry knows it: what others see of it, and, behind one lock, all that outlives a connection.
//!
//! Order of locks: a peer's state is locked first, before any room; no thread holds two states.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::allowance::Allowance;
use super::awaited::Awaiting;
use super::budget::Budget;
use super::handover::{Kept, NotHandedOver};
use super::letter::Waiting;
use super::lobby::Ticket;
use super::mailbox::Mailbox;
use super::probe::{Probe, Standing};
use super::recollection::{KeptTopics, Recollection, Trail};
use super::token::Tokens;
use super::window::Window;
use super::{Frame, Hub, Lifetime, ResumeRequest};
use crate::auth::Grant;
use crate::protocol::{Address, PeerId, Realm, RoomKey, RoomName, Secret};
use crate::token_bucket::{TokenBucket, TokenRate};

/// What a client with a name may be told before its silence says nothing: a line so slow that it needs longer than a minute
/// for the burst is given up by the deadline of a write.
const TOLD: TokenRate = TokenRate { per_second: 4096.0, burst: 262_144.0 };

/// What others see of a session: its address and its mailbox.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: Address,
    /// Where its address and its rooms mean something.
    pub(super) realm: Realm,
    pub(super) mailbox: Mailbox,
    /// Whether its connection is lost at the moment. Written with the state locked.
    parked: AtomicBool,
    /// Whether its session has just come from another node, to which messages for it may be on their way.
    pub(super) has_just_come: AtomicBool,
    state: Mutex<State>,
    /// Notified when the holder of the session may hold it no longer, or gives a sign of life that others wait for.
    changed: Notify,
}

/// Which of a session's holders is meant: each epoch is newer than the one before, and only the newest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// What outlives a connection.
#[derive(Debug)]
pub(super) struct State {
    epoch: Epoch,
    has_ended: bool,
    window: Window<Waiting>,
    /// By which its client proves that its name is its own.
    secret: Option<Box<Secret>>,
    /// None: the session can't be resumed.
    tokens: Option<Tokens>,
    lifetime: Lifetime,
    /// By which it waits in the lobby, or has waited.
    pub(super) ticket: Option<Box<Ticket>>,
    /// What its credentials allow, where they are asked for.
    grant: Option<Box<Grant>>,
    /// What the client may still say: over all connections, or each new one would bring a new burst.
    pub(super) allowance: Allowance,
    /// Frames of the client that were processed, over all connections.
    pub(super) accepted: u64,
    /// Invariant: the session is a member of exactly these (`a_session_that_ends_leaves_its_rooms`).
    pub(super) rooms: BTreeSet<RoomName>,
    /// Of a client that won't subscribe again.
    trail: Option<Box<Trail>>,
    /// For which absent names it waits, where its clients do.
    awaiting: Option<Box<Awaiting>>,
    /// What a client with a name has been told lately, as bytes.
    told: Option<Box<TokenBucket>>,
    /// When its client was last asked for a sign of life, by others that want its name.
    probe: Option<Box<Probe>>,
}

/// Who a peer is.
pub(super) struct Identity {
    pub(super) address: Address,
    pub(super) realm: Realm,
    /// By which it proves later that its name is its own.
    pub(super) secret: Option<Secret>,
    /// By which it is taken up again. None: it is not.
    pub(super) tokens: Option<Tokens>,
}

/// What becomes of a claim on the name of a peer that is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reclaim {
    /// The session is its own, and goes on with it.
    Done(Epoch),
    /// It is another's.
    Refused,
    /// The session has ended.
    Ended,
}

/// What a client that wants the name of a peer learns of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The session has ended.
    Gone,
    /// Its client is there.
    Alive,
    /// Its client is asked for a sign of life, in this epoch.
    Waits(Epoch),
}

/// Why a session is no longer held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// A newer connection has it.
    TakenOver,
    /// The process stops.
    Closing,
}

impl Peer {
    /// A new peer, and the first epoch of its session.
    pub(super) fn new(
        identity: Identity,
        mailbox: Mailbox,
        lifetime: Lifetime,
        grant: Option<Grant>,
        allowance: Allowance,
    ) -> (Arc<Self>, Epoch) {
        let (epoch, Identity { address, realm, secret, tokens }) = (Epoch(0), identity);
        let state = State {
            epoch,
            has_ended: false,
            window: Window::new(),
            secret: secret.map(Box::new),
            tokens,
            lifetime,
            ticket: None,
            grant: grant.map(Box::new),
            allowance,
            accepted: 0,
            rooms: BTreeSet::new(),
            trail: None,
            awaiting: None,
            told: realm.awaits().then(|| Box::new(TokenBucket::new(TOLD, Instant::now()))),
            probe: None,
        };
        let (parked, state) = (AtomicBool::new(false), Mutex::new(state));
        let has_just_come = AtomicBool::new(false);
        (Arc::new(Self { address, realm, mailbox, parked, has_just_come, state, changed: Notify::new() }), epoch)
    }

    /// The key of its address.
    pub(super) fn id(&self) -> PeerId {
        self.address.id()
    }

    /// The room that it means by a name.
    pub(super) fn room(&self, name: &RoomName) -> RoomKey {
        RoomKey { realm: self.realm, name: name.clone() }
    }

    /// The session's state, for who holds it.
    pub(super) fn held(&self, epoch: Epoch) -> Option<MutexGuard<'_, State>> {
        let state = self.state.lock();
        (state.epoch == epoch && !state.has_ended).then_some(state)
    }

    /// The session's state, in whichever epoch, as long as it has not ended.
    pub(super) fn lives(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.state.lock();
        (!state.has_ended).then_some(state)
    }

    /// Takes the session from its holder, for a connection of the same subject; `None` where it is another's, or
    /// the token or the number of frames is not valid.
    pub(super) fn take_over(&self, request: &ResumeRequest, grant: Option<&Grant>) -> Option<Epoch> {
        let mut state = self.state.lock();
        if !state.can_resume(request, grant) {
            return None;
        }
        state.tokens.as_mut()?.spend(&request.token);
        state.window.rewind(request.received, self.mailbox.release());
        state.grant = grant.cloned().map(Box::new);
        Some(self.pass_on(&mut state, false))
    }

    /// Whether [`take_over`](Self::take_over) would succeed now. Takes and spends nothing.
    pub(super) fn can_take_over(&self, request: &ResumeRequest, grant: Option<&Grant>) -> bool {
        self.state.lock().can_resume(request, grant)
    }

    /// Takes the session from its holder, for a client that claims its name with the secret that it was claimed with.
    pub(super) fn reclaim(&self, secret: Option<&Secret>, grant: Option<&Grant>) -> Reclaim {
        let mut state = self.state.lock();
        if state.has_ended {
            return Reclaim::Ended;
        }
        if !state.is_claimed_by(secret, grant.map(|grant| &*grant.subject)) {
            return Reclaim::Refused;
        }
        state.grant = grant.cloned().map(Box::new);
        Reclaim::Done(self.pass_on(&mut state, false))
    }

    /// Whether [`reclaim`](Self::reclaim) would be done now. Changes nothing.
    pub(super) fn is_claimed_by(&self, secret: Option<&Secret>, subject: Option<&str>) -> bool {
        self.state.lock().is_claimed_by(secret, subject)
    }

    /// Whether it is known what has become of the client that was asked in this epoch.
    pub(super) fn is_settled(&self, epoch: Epoch) -> bool {
        self.state.lock().is_settled(epoch)
    }

    /// Has its client asked for a sign of life.
    pub(super) fn ask(&self, now: Instant) -> Asked {
        let mut state = self.state.lock();
        if state.has_ended {
            return Asked::Gone;
        }
        match Probe::ask(&mut state.probe, now) {
            Standing::Alive => Asked::Alive,
            Standing::Asked { is_new } => {
                if is_new {
                    self.mailbox.wake_reader();
                }
                Asked::Waits(state.epoch)
            }
        }
    }

    /// Waits until it gives a sign of life, which may be a newer connection of its client, or its session ends.
    pub(super) async fn settled(&self, epoch: Epoch) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Order: as in `revoked`.
            changed.as_mut().enable();
            if self.is_settled(epoch) {
                return;
            }
            changed.await;
        }
    }

    /// Takes the session from a client that was asked in this epoch and gave no sign of life.
    pub(super) fn evict(&self, epoch: Epoch, now: Instant) -> Option<Epoch> {
        let mut state = self.held(epoch)?;
        let is_silent = state.probe.as_ref().is_some_and(|probe| probe.is_silent(now)) && !state.is_told_much(now);
        is_silent.then(|| self.pass_on(&mut state, false))
    }

    /// Takes the session from its holder.
    pub(super) fn seize(&self) -> Option<Epoch> {
        let mut state = self.lives()?;
        Some(self.pass_on(&mut state, false))
    }

    /// A sign of life of its client.
    pub(super) fn hear(&self, state: &mut State) {
        if state.probe.as_mut().is_some_and(|probe| probe.hear()) {
            self.notify();
        }
    }

    /// From a connection to the task that keeps the session while there is none; `None` if it can't be resumed.
    pub(super) fn park(&self, epoch: Epoch) -> Option<Epoch> {
        let mut state = self.held(epoch)?;
        state.may_be_parked().then(|| self.pass_on(&mut state, true))
    }

    fn pass_on(&self, state: &mut State, parked: bool) -> Epoch {
        state.epoch.0 += 1;
        self.parked.store(parked, Ordering::Relaxed);
        self.notify();
        state.epoch
    }

    /// The session is to be given to another node, by this token, or without being asked. Its state stays locked until it is.
    pub(super) fn begin_hand_over(
        &self,
        request: Option<(&ResumeRequest, Option<&str>)>,
    ) -> Result<MutexGuard<'_, State>, NotHandedOver> {
        let mut state = self.state.lock();
        state.can_be_handed_over(request, &self.mailbox)?;
        if let (Some((request, _)), Some(tokens)) = (request, &mut state.tokens) {
            tokens.spend(&request.token);
        }
        Ok(state)
    }

    /// Whether it would be.
    pub(super) fn can_be_handed_over(
        &self,
        request: Option<(&ResumeRequest, Option<&str>)>,
    ) -> Result<(), NotHandedOver> {
        self.state.lock().can_be_handed_over(request, &self.mailbox)
    }

    /// Gives all that it has: here it has ended.
    pub(super) fn hand_over(&self, state: &mut State) -> Kept<Waiting> {
        self.mailbox.close();
        let (acknowledged, frames) = state.window.hand_over();
        let mut frames: Vec<Waiting> = frames.into();
        frames.extend(std::iter::from_fn(|| self.mailbox.take_left()));
        for waiting in &frames {
            self.mailbox.let_go(waiting);
        }
        let proofs = state.tokens.as_ref().map(Tokens::proofs).unwrap_or_default();
        let (grant, accepted, spent) =
            (state.grant.as_deref().cloned(), state.accepted, state.allowance.spent(Instant::now()));
        state.has_ended = true;
        self.pass_on(state, false);
        Kept { proofs, grant, spent, accepted, acknowledged, frames }
    }

    /// Takes in what another node had of the session, before it is known here.
    pub(super) fn take_in(&self, kept: Kept<Waiting>) {
        let mut state = self.state.lock();
        let Kept { proofs, grant, accepted, acknowledged, frames, .. } = kept;
        for waiting in &frames {
            self.mailbox.hold(waiting);
        }
        state.tokens = Some(Tokens::handed(self.id(), proofs));
        (state.grant, state.accepted) = (grant.map(Box::new), accepted);
        state.window = Window::handed(acknowledged, frames.into());
        self.parked.store(true, Ordering::Relaxed);
        self.has_just_come.store(true, Ordering::Relaxed);
    }

    /// Whether its connection is lost at the moment.
    pub(super) fn is_parked(&self) -> bool {
        self.parked.load(Ordering::Relaxed)
    }

    /// Has the session's holder look again whether it still may hold it.
    pub(super) fn notify(&self) {
        self.changed.notify_waiters();
    }

    /// Waits until this epoch is over, or the hub closes.
    #[expect(clippy::manual_async_fn, reason = "the future of an async function has its arguments twice")]
    pub(super) fn revoked(self: Arc<Self>, hub: Arc<Hub>, epoch: Epoch) -> impl Future<Output = Revoked> {
        async move {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                // Order: listen first, then look, or a change in between would be missed.
                changed.as_mut().enable();
                if self.state.lock().epoch != epoch {
                    // Other nodes have it, because this one stops.
                    return if hub.is_emptied() { Revoked::Closing } else { Revoked::TakenOver };
                }
                if hub.is_closing() {
                    return Revoked::Closing;
                }
                changed.await;
            }
        }
    }
}

impl State {
    /// Whether it may outlive its connection.
    pub(super) fn may_be_parked(&self) -> bool {
        self.lifetime != Lifetime::Connection
    }

    fn can_resume(&self, request: &ResumeRequest, grant: Option<&Grant>) -> bool {
        let is_valid = self.tokens.as_ref().is_some_and(|tokens| tokens.accepts(&request.token)) && self.is_of(grant);
        is_valid && !self.has_ended && self.window.reaches(request.received)
    }

    fn can_be_handed_over(
        &self,
        request: Option<(&ResumeRequest, Option<&str>)>,
        mailbox: &Mailbox,
    ) -> Result<(), NotHandedOver> {
        let tokens = self.tokens.as_ref().filter(|_| !self.has_ended).ok_or(NotHandedOver::Absent)?;
        let own = self.grant.as_ref().map(|grant| &*grant.subject);
        let is_accepted = request.is_none_or(|(request, subject)| {
            tokens.accepts(&request.token) && self.window.reaches(request.received) && own == subject
        });
        match is_accepted {
            false => Err(NotHandedOver::Refused),
            true if mailbox.is_awaiting() => Err(NotHandedOver::NotNow),
            true => Ok(()),
        }
    }

    /// Whose it is, where credentials are asked for.
    pub(super) fn subject(&self) -> Option<&str> {
        self.grant.as_ref().map(|grant| &*grant.subject)
    }

    /// Whether these credentials are of the subject whose session it is.
    fn is_of(&self, grant: Option<&Grant>) -> bool {
        let subject = |grant: &Grant| Arc::clone(&grant.subject);
        self.grant.as_deref().map(subject) == grant.map(subject)
    }

    /// Whether it is known what has become of the client that was asked in this epoch.
    fn is_settled(&self, epoch: Epoch) -> bool {
        self.has_ended || self.epoch != epoch || self.probe.as_ref().is_some_and(|probe| probe.is_answered())
    }

    /// Whether these claim the session's name rightfully.
    fn is_claimed_by(&self, secret: Option<&Secret>, subject: Option<&str>) -> bool {
        let (Some(own), Some(shown)) = (&self.secret, secret) else { return false };
        verify_slices_are_equal(own.0.as_bytes(), shown.0.as_bytes()).is_ok() && self.subject() == subject
    }

    /// Whether the connection has to ask its client for a sign of life: said once.
    pub(super) fn take_probe(&mut self) -> bool {
        self.probe.as_mut().is_some_and(|probe| probe.take())
    }

    /// For which absent names it waits.
    pub(super) fn awaiting(&mut self) -> &mut Awaiting {
        self.awaiting.get_or_insert_default()
    }

    /// … if it ever did.
    pub(super) fn awaits(&self) -> Option<&Awaiting> {
        self.awaiting.as_deref()
    }

    /// … at its end.
    pub(super) fn take_awaited(&mut self) -> Vec<Address> {
        self.awaiting.take().map_or_else(Vec::new, |mut awaiting| awaiting.take_all())
    }

    /// The next frame for the connection: first those that an earlier one may have lost.
    pub(super) fn poll_next(&mut self, mailbox: &Mailbox, cx: &mut Context<'_>) -> Poll<Frame> {
        if let Some(again) = self.window.again() {
            return Poll::Ready(again.into());
        }
        mailbox.poll_take(cx).map(|waiting| self.take(waiting))
    }

    /// The next frame, if there is one.
    pub(super) fn try_next(&mut self, mailbox: &Mailbox) -> Option<Frame> {
        if let Some(again) = self.window.again() {
            return Some(again.into());
        }
        mailbox.take_now().map(|waiting| self.take(waiting))
    }

    fn take(&mut self, waiting: Waiting) -> Frame {
        if let Some(told) = &mut self.told {
            told.spend_more(waiting.weight(), TOLD, Instant::now());
        }
        self.window.take(waiting).into()
    }

    /// Whether so much is on its way to the client that its answer to a ping may be late, because the ping is behind it: what
    /// could not be written yet is before the ping in any case.
    fn is_told_much(&mut self, now: Instant) -> bool {
        let is_stuck = self.window.unacknowledged().next().is_some();
        is_stuck || self.told.as_mut().is_some_and(|told| !told.wait(0, TOLD, now).is_zero())
    }

    /// One more of the client's frames is processed, whatever comes of it. It is also a sign of life.
    pub(super) fn process(&mut self) {
        self.accepted += 1;
        self.confirm();
    }

    /// A sign of life: the `welcome` has arrived, and its token's predecessor is spent.
    pub(super) fn confirm(&mut self) {
        if let Some(tokens) = &mut self.tokens {
            tokens.confirm();
        }
    }

    /// The client's `received`. False: it was never sent that many.
    pub(super) fn acknowledge(&mut self, mailbox: &Mailbox, count: u64) -> bool {
        self.tokens.is_some() && self.window.acknowledge(count, mailbox.release()).is_ok()
    }

    /// What was given to the connection has been written. A client that can't resume won't acknowledge it either.
    pub(super) fn written(&mut self, mailbox: &Mailbox) {
        if self.tokens.is_none() {
            self.window.settle(mailbox.release());
        }
    }

    /// Whether its credentials, if they are asked for, let it into this room.
    pub(super) fn may_enter(&self, room: &RoomName) -> bool {
        self.grant.as_ref().is_none_or(|grant| grant.allows(room))
    }

    /// Whether the client would say something new by acknowledging this many.
    pub(super) fn is_news(&self, count: u64) -> bool {
        self.tokens.is_some() && self.window.is_news(count)
    }

    /// The session's handle, as long as there is something to resume.
    pub(super) fn tokens(&mut self) -> Option<&mut Tokens> {
        self.tokens.as_mut()
    }

    /// The client hears a topic that has to be kept for it.
    pub(super) fn subscribed(&mut self, topic: &RoomName) {
        self.trail().subscribed(topic);
    }

    /// The client hears a topic no longer.
    pub(super) fn unsubscribed(&self, topic: &RoomName) {
        if let Some(trail) = &self.trail {
            trail.unsubscribed(topic);
        }
    }

    /// The client says its name on a topic; gives back the topics that it is to be subscribed to again.
    pub(super) fn announce(&mut self, recollection: &Arc<Recollection>, name: &str, topic: &RoomName) -> Vec<RoomName> {
        self.trail().announce(recollection, name, topic)
    }

    /// The client has said its name on this topic.
    pub(super) fn announced(&mut self, topic: &RoomName) {
        self.trail().announced(topic);
    }

    fn trail(&mut self) -> &mut Trail {
        let grant = &self.grant;
        self.trail.get_or_insert_with(|| Box::new(Trail::new(grant.as_ref().map(|grant| Arc::clone(&grant.subject)))))
    }

    /// What is kept for the client when its connection is lost.
    pub(super) fn keep_topics(&mut self, budget: &Arc<Budget>) -> Option<KeptTopics> {
        self.trail.take()?.keep(budget)
    }

    /// The end. The mailbox has to be closed before. Gives back the senders of what is not acknowledged, and what the
    /// connection has not been given yet.
    pub(super) fn finish(&mut self, mailbox: &Mailbox) -> (HashSet<Address>, Vec<Frame>) {
        self.has_ended = true;
        self.trail = None;
        let mut rest = Vec::new();
        while let Some(again) = self.window.again() {
            rest.push(again.into());
        }
        while let Some(waiting) = mailbox.take_left() {
            rest.push(self.window.take(waiting).into());
        }
        (self.unsettled(), rest)
    }

    /// The senders of what is not acknowledged.
    pub(super) fn unsettled(&self) -> HashSet<Address> {
        self.window.unacknowledged().filter_map(|waiting| waiting.letter.message.sender().cloned()).collect()
    }

    /// Nothing more is owed for what was given to a connection and not acknowledged, which is over.
    pub(super) fn settle(&mut self, mailbox: &Mailbox) {
        self.window.settle(mailbox.release());
    }
}
