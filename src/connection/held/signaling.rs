//! What socket.io's clients are served here: the events of the tutorial, between the peers of the hub.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Application, Sign};
use tracing::Span;
use tracing::field::display;

use crate::auth::{Denied, Grant, NO_TOKEN, Verifier};
use crate::connection::life::{Terms, deadline};
use crate::dialect::socketio::event::{self, Call, NotACall};
use crate::dialect::socketio::message::{self, Body, Event, MAIN};
use crate::dialect::socketio::namespace::{Namespaces, Offered, Verdict};
use crate::dialect::socketio::packet::{Message, Outgoing};
use crate::dialect::socketio::sid::Sid;
use crate::hub::{Allowance, Ask, Claim, Frame, MESSAGE_UNITS, Next, Session};
use crate::protocol::{Address, ClientMessage, End, ErrorCode, Notice, Realm, Request, ServerMessage, Unreadable};

const REALM: Realm = Realm::SocketIo;

/// Answers that may wait until a client is read no further, and their bytes.
const MAX_ANSWERS: usize = 16;
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// The most that one packet has for an answer: a greeting.
const ANSWERS_AT_ONCE: usize = 2;

/// What a client has shown, and by what it is judged.
pub(crate) struct Credentials {
    /// None: no client is asked for any.
    pub(crate) verifier: Option<Arc<Verifier>>,
    /// What its first request had.
    pub(crate) sent: Option<Result<Grant, Denied>>,
}

/// What a client can hand over with its CONNECT.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
}

impl Credentials {
    /// What the client may do, or the text that it is refused with. What comes with CONNECT counts first: it is the newest.
    fn judge(&self, auth: Option<&RawValue>) -> Result<Option<Grant>, &'static str> {
        let Some(verifier) = &self.verifier else { return Ok(None) };
        let token = auth.and_then(|auth| serde_json::from_str::<Auth<'_>>(auth.get()).ok()?.token);
        let judged = match token {
            Some(token) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                Some(verifier.verify(&token, now))
            }
            None => self.sent.clone(),
        };
        judged.ok_or(NO_TOKEN)?.map(Some).map_err(Denied::message)
    }
}

/// One client: first without a peer, then as one.
pub(crate) struct Signaling {
    terms: Arc<Terms>,
    credentials: Credentials,
    namespaces: Namespaces,
    /// What it may say besides calls, for which its session has an allowance of its own.
    allowance: Allowance,
    session: Option<Session>,
    /// Whether it had a session and has left it.
    has_left: bool,
    // Invariant: at most `MAX_ANSWERS`, and less than `MAX_ANSWER_BYTES` without those to the last packet
    // (`a_client_is_not_heard_while_its_answers_wait`).
    answers: VecDeque<Outgoing>,
    answer_bytes: usize,
    /// When the client's credentials expire.
    expires: Option<Instant>,
}

impl Signaling {
    pub(crate) fn new(terms: &Arc<Terms>, credentials: Credentials, now: Instant) -> Self {
        Self {
            terms: Arc::clone(terms),
            credentials,
            namespaces: Namespaces::new(Arc::new(Offered::default())),
            allowance: Allowance::new(terms.limits.allowance, now),
            session: None,
            has_left: false,
            answers: VecDeque::new(),
            answer_bytes: 0,
            expires: None,
        }
    }

    fn answer(&mut self, packet: Outgoing) {
        self.answer_bytes += packet.len();
        self.answers.push_back(packet);
    }

    fn take_answer(&mut self) -> Option<Outgoing> {
        let answer = self.answers.pop_front()?;
        self.answer_bytes -= answer.len();
        if self.answers.is_empty() {
            self.answers = VecDeque::new();
        }
        Some(answer)
    }

    /// Whether the client may say this, so many bytes of it.
    fn afford(&mut self, units: usize, bytes: usize, now: Instant) -> Result<bool, End> {
        let is_affordable = self.allowance.spend(units, bytes, now);
        if is_affordable { Ok(true) } else { self.count_abuse(now) }
    }

    fn count_abuse(&mut self, now: Instant) -> Result<bool, End> {
        if self.allowance.is_lost(now) { Err(End::Abuse) } else { Ok(false) }
    }

    /// Lets the client in as a new peer, or says why not.
    fn connect(&mut self, auth: Option<&RawValue>, now: Instant) -> Result<(), End> {
        match self.credentials.judge(auth) {
            Ok(grant) => {
                self.expires = grant.as_ref().and_then(|grant| deadline(grant.expires));
                let (session, id) = self.claim(grant.as_ref());
                self.session = Some(session);
                self.namespaces.join(MAIN);
                self.answer(message::connected(MAIN, &id));
                self.answer(event::greeting(&id));
                Ok(())
            }
            Err(reason) => {
                self.terms.metrics.refused(REALM.as_str(), "unauthorized");
                self.answer(message::refused(MAIN, reason, Some(r#"{"code":"unauthorized"}"#)));
                self.count_abuse(now).map(drop)
            }
        }
    }

    /// A name that no peer has had.
    fn claim(&self, grant: Option<&Grant>) -> (Session, String) {
        loop {
            let id = Sid::of(self.terms.hub.node()).to_string();
            let address = Address::named(REALM, &id).expect("20 characters are a name");
            if let Ok(session) = self.terms.hub.claim(Claim { realm: REALM, address, secret: None }, grant.cloned()) {
                Span::current().record("peer", display(session.id()));
                return (session, id);
            }
        }
    }

    fn hear_event(&mut self, event: &Event<'_>, ack: Option<u64>, bytes: usize, now: Instant) -> Result<(), End> {
        let outcome = match Call::read(event) {
            Ok(call) => self.call(&call, bytes, now)?,
            Err(NotACall::Unknown) => {
                self.count("unknown", "ignored");
                let is_affordable = self.afford(MESSAGE_UNITS, bytes, now)?;
                Err(if is_affordable { ErrorCode::BadMessage } else { ErrorCode::RateLimited })
            }
            Err(NotACall::BadArgument) => {
                let unreadable = Err(Unreadable { reference: None });
                self.ask("unreadable", unreadable, bytes, now)?
            }
        };
        if let Some(ack) = ack {
            self.answer(event::outcome(ack, outcome));
        }
        Ok(())
    }

    /// Says it to each addressee. The outcome is the first that is bad.
    fn call(&mut self, call: &Call<'_>, bytes: usize, now: Instant) -> Result<Result<(), ErrorCode>, End> {
        let own = self.session.as_ref().and_then(|session| session.address().name().map(str::to_owned));
        let others: Vec<_> = call.to.iter().filter(|to| own.as_deref() != Some(&***to)).collect();
        let (kind, payload) = (call.kind, call.payload.map(RawValue::get));
        if others.is_empty() {
            // As in the original, it is for none, and no error.
            self.count(kind.as_str(), "ok");
            return Ok(if self.afford(MESSAGE_UNITS, bytes, now)? { Ok(()) } else { Err(ErrorCode::RateLimited) });
        }
        let mut outcome = Ok(());
        for to in others {
            let message = ClientMessage::Relay { kind, to: Cow::Borrowed(to), payload };
            // Each of them is a copy.
            let said = self.ask(kind.as_str(), Ok(Request { reference: None, message }), bytes, now)?;
            outcome = outcome.and(said);
        }
        Ok(outcome)
    }

    fn ask(
        &self,
        kind: &'static str,
        request: Result<Request<'_>, Unreadable>,
        bytes: usize,
        now: Instant,
    ) -> Result<Result<(), ErrorCode>, End> {
        // Without a permit for what may have to be said of it, the client does not read what it is told.
        let permit = self.session.as_ref().and_then(|session| Some((session, session.answer_permit()?)));
        let Some((session, permit)) = permit else {
            self.count(kind, ErrorCode::PeerBusy.as_str());
            return Ok(Err(ErrorCode::PeerBusy));
        };
        let verdict = session.hear(Ask::Frame(request, permit), bytes, now, Vec::new);
        self.count(kind, verdict.refused.map_or("ok", ErrorCode::as_str));
        if verdict.is_over { Err(End::Abuse) } else { Ok(verdict.refused.map_or(Ok(()), Err)) }
    }

    fn count(&self, kind: &'static str, result: &'static str) {
        self.terms.metrics.message(REALM.as_str(), kind, result);
    }

    /// What a message of the hub is to the client, if it is something.
    fn written_as(&self, frame: &Frame) -> Option<Outgoing> {
        if let Some(waited) = frame.waited(Instant::now()) {
            self.terms.metrics.relayed_after(waited.as_secs_f64());
        }
        packet(frame.message())
    }
}

fn packet(message: &ServerMessage) -> Option<Outgoing> {
    match message {
        ServerMessage::Relayed { from, kind, payload } if event::has_event(*kind) => {
            Some(event::relayed(*kind, payload.as_deref(), &from.to_string()))
        }
        ServerMessage::Notice(Notice::Error(error))
            if matches!(error.code, ErrorCode::PeerUnavailable | ErrorCode::Undelivered) =>
        {
            error.to.as_deref().map(event::unavailable)
        }
        // An acknowledgement says it, where the page has asked for one.
        _ => None,
    }
}

impl Application for Signaling {
    fn has_room(&self) -> bool {
        let is_answerable = self.session.as_ref().is_none_or(|session| session.answer_permit().is_some());
        is_answerable && self.answers.len() + ANSWERS_AT_ONCE <= MAX_ANSWERS && self.answer_bytes < MAX_ANSWER_BYTES
    }

    fn hear(&mut self, message: Message<'_>, bytes: usize, now: Instant) -> Result<(), End> {
        match self.namespaces.judge(message) {
            Verdict::Said(packet) => match packet.body {
                Body::Event(event) => self.hear_event(&event, packet.ack, bytes, now),
                _ => self.afford(MESSAGE_UNITS, bytes, now).map(drop),
            },
            // A peer that came anew would have a new allowance. Its client connects again by itself.
            Verdict::Connect { .. } if self.has_left => Err(End::ClientClosed),
            Verdict::Connect { auth, .. } if self.afford(MESSAGE_UNITS, bytes, now)? => self.connect(auth, now),
            Verdict::Answer(packet) if self.afford(MESSAGE_UNITS, bytes, now)? => {
                self.answer(packet);
                Ok(())
            }
            Verdict::Left(_) => {
                (self.session, self.has_left) = (None, true);
                self.afford(MESSAGE_UNITS, bytes, now).map(drop)
            }
            Verdict::Connect { .. } | Verdict::Answer(_) => Ok(()),
            // There are no attachments here.
            Verdict::Wait | Verdict::SaidBinary(_) | Verdict::Close => Err(End::ProtocolError),
        }
    }

    fn notice(&mut self, sign: Sign, bytes: usize, now: Instant) -> Result<(), End> {
        let units = if sign == Sign::Control { MESSAGE_UNITS } else { 0 };
        self.afford(units, bytes, now).map(drop)
    }

    fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    fn try_next(&mut self) -> Option<Outgoing> {
        if let Some(answer) = self.take_answer() {
            return Some(answer);
        }
        loop {
            let frame = self.session.as_ref()?.try_next()?;
            if let Some(packet) = self.written_as(&frame) {
                return Some(packet);
            }
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Outgoing> {
        if let Some(answer) = self.take_answer() {
            return Poll::Ready(answer);
        }
        loop {
            let Some(session) = &self.session else { return Poll::Pending };
            // Its name has no secret, so no other client can want it.
            let Next::Write(frame) = ready!(session.poll_next(cx)) else { continue };
            if let Some(packet) = self.written_as(&frame) {
                return Poll::Ready(packet);
            }
        }
    }

    fn written(&mut self) {
        if let Some(session) = &self.session {
            session.written();
        }
    }

    fn expires(&self) -> Option<Instant> {
        self.expires
    }

    fn end(&mut self, reason: &'static str) {
        self.session = None;
        self.answers = VecDeque::new();
        self.terms.metrics.ended(REALM.as_str(), reason);
    }
}
