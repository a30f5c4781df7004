//! The rules of TURN (RFC 8656) and STUN Binding (RFC 8489) for one client: datagram in, answer out. Pure: no sockets,
//! and time is an argument. Opening a relay and asking the system is the caller's business, through [`Relays`].
//!
//! `message` reads, `user` says who sent it, `request` what an Allocate asks for; `allocation`, `peer` and `packet` do it,
//! and `answer` says so. Nothing is remembered of a client before its credentials have been checked.

mod allocation;
mod answer;
mod message;
mod packet;
mod peer;
mod request;
mod user;
#[cfg(test)]
mod world;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use stun_types::attribute::{AttributeStaticType as _, ErrorCode, MessageIntegrity, UnknownAttributes};
use stun_types::message::{BINDING, Message, MessageClass, MessageWrite as _, MessageWriteVec, Method};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

pub(super) use allocation::Allocation;
pub(super) use packet::data_indication;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) use user::REALM;

use super::filter::PeerFilter;
use super::nonce::Nonces;
use super::quota::Quota;
use super::routes::Routes;
use crate::ice::credential::TurnSecret;
use crate::net::{self, Family};
use crate::token_bucket::TokenRate;
use allocation::refresh;
use answer::{RequestError, add, code, error, mapped, success};
use message::{check_known, unknown};
use user::User;

/// The longest message: a UDP datagram's payload over IPv4, in a stream too.
const MAX_BYTES: usize = 65507;

/// What the clocks say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// For lifetimes.
    pub(super) instant: Instant,
    /// Seconds since 1970, for nonces and credentials.
    pub(super) wall: u64,
}

impl Now {
    /// What the system's clocks say.
    pub(super) fn read() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { instant: Instant::now(), wall }
    }
}

/// Opens relays, and knows the host: what the rules ask of the outside.
pub(super) trait Relays {
    /// An open relay. Dropping it closes it.
    type Relay;

    /// Opens a relay, on an even port if asked for; its packets pass as the routes say. Gives back its advertised
    /// address. `None`: there is no port.
    fn open(
        &mut self,
        family: Family,
        is_even: bool,
        routes: &Arc<ArcSwap<Routes>>,
    ) -> Option<(Self::Relay, SocketAddr)>;

    /// Whether a relay of the family can be had.
    fn has(&self, family: Family) -> bool;

    /// The family of a relay for a client that says none.
    fn usual(&self) -> Family;

    /// Whether the system takes what is sent there itself, whatever its interfaces show. Asked when a route is made, and
    /// for no packet.
    fn is_own(&self, ip: IpAddr) -> bool {
        net::is_own(ip)
    }
}

/// What every allocation is ruled by.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) secrets: Vec<TurnSecret>,
    pub(super) nonces: Nonces,
    pub(super) filter: PeerFilter,
    pub(super) quota: Quota,
    /// None: no limit.
    pub(super) bytes_per_second: Option<TokenRate>,
    pub(super) stun: Stun,
}

/// Whose Binding requests are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stun {
    /// All.
    Open,
    /// Those of clients that have an allocation, or sign with their credentials.
    WithCredentials,
}

/// What to do with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// Nothing.
    Drop,
    /// Tell the client its address.
    Bound(Vec<u8>),
    /// Do what it asked, and say so.
    Answer(Vec<u8>),
    /// Refuse what it asked.
    Refuse(Vec<u8>),
    /// Refuse a client that has shown no credentials, or wrong ones: who it really is, is unknown.
    Challenge(Vec<u8>),
    /// Send this to a peer.
    Relay(SocketAddr, &'a [u8]),
}

/// An answer that a client gets without credentials, of which an address has a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForStrangers {
    Binding,
    Challenge,
}

impl Outcome<'_> {
    /// Whether it is an answer that has a rate. Packets on their way to peers have none here.
    pub(super) fn for_strangers(&self) -> Option<ForStrangers> {
        match self {
            Self::Bound(_) => Some(ForStrangers::Binding),
            Self::Challenge(_) => Some(ForStrangers::Challenge),
            Self::Drop | Self::Answer(_) | Self::Refuse(_) | Self::Relay(..) => None,
        }
    }
}

impl Rules {
    /// Takes a STUN message from a client at this address.
    pub(super) fn take<'a, R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        client: SocketAddr,
        bytes: &'a [u8],
        now: Now,
        relays: &mut R,
    ) -> Outcome<'a> {
        // The codec's check of the integrity can't count further than 16 bits (`a_message_as_long_as_a_stream_can_bring_it_does_no_harm`).
        if bytes.len() > MAX_BYTES {
            return Outcome::Drop;
        }
        let Some(message) = message::read(bytes) else { return Outcome::Drop };
        match (message.class(), message.method()) {
            (MessageClass::Request, BINDING) => self.binding(current.as_ref(), &message, client, now),
            (MessageClass::Request, ALLOCATE | REFRESH | CREATE_PERMISSION | CHANNEL_BIND)
                if !self.secrets.is_empty() =>
            {
                self.request(current, client, &message, now, relays)
            }
            (MessageClass::Indication, SEND) => {
                let sent = current.as_mut().and_then(|allocation| self.send(allocation, &message, bytes, now));
                sent.map_or(Outcome::Drop, |(peer, data)| Outcome::Relay(peer, data))
            }
            _ => Outcome::Drop,
        }
    }

    fn binding<R>(
        &self,
        allocation: Option<&Allocation<R>>,
        message: &Message<'_>,
        client: SocketAddr,
        now: Now,
    ) -> Outcome<'static> {
        let is_known = self.stun == Stun::Open || allocation.is_some_and(|allocation| allocation.expires > now.instant);
        if is_known {
            return binding(message, client);
        }
        // Without credentials there is no answer at all, because any would go to whom the request says that it is from.
        if !message.has_attribute(MessageIntegrity::TYPE) || self.secrets.is_empty() {
            return Outcome::Drop;
        }
        match self.authenticate(allocation, client, message, now) {
            Ok(user) => match check_known(message, &[]) {
                Ok(()) => Outcome::Answer(success(message, &[&mapped(message, client)], &user.key)),
                Err(error) => Outcome::Refuse(error.write(message, &user.key)),
            },
            Err(reason) => Outcome::Challenge(self.challenge(message, reason, client, now)),
        }
    }

    fn request<R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        client: SocketAddr,
        message: &Message<'_>,
        now: Now,
        relays: &mut R,
    ) -> Outcome<'static> {
        if current.as_ref().is_some_and(|allocation| allocation.expires <= now.instant) {
            *current = None;
        }
        let user = match self.authenticate(current.as_ref(), client, message, now) {
            Ok(user) => user,
            Err(reason) => return Outcome::Challenge(self.challenge(message, reason, client, now)),
        };
        let key = user.key.clone();
        let answered = match message.method() {
            ALLOCATE => self.allocate(current, user, client, message, now, relays),
            method => self.change(current, &user, method, message, now, relays),
        };
        answered.map_or_else(|error| Outcome::Refuse(error.write(message, &key)), Outcome::Answer)
    }

    /// What changes an allocation that is there.
    fn change<R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        user: &User,
        method: Method,
        message: &Message<'_>,
        now: Now,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        let allocation = current.as_mut().ok_or(code(ErrorCode::ALLOCATION_MISMATCH))?;
        allocation.check_owner(user)?;
        match method {
            CREATE_PERMISSION => self.create_permission(allocation, message, now.instant, relays),
            CHANNEL_BIND => self.bind_channel(allocation, message, now.instant, relays),
            _ => refresh(current, message, now.instant),
        }
    }
}

fn binding(message: &Message<'_>, client: SocketAddr) -> Outcome<'static> {
    let unknown = unknown(message, &[]);
    if !unknown.is_empty() {
        let mut answer = error(message, ErrorCode::UNKNOWN_ATTRIBUTE);
        add(&mut answer, &UnknownAttributes::new(&unknown));
        return Outcome::Challenge(answer.finish());
    }
    let mut answer = Message::builder_success(message, MessageWriteVec::new());
    add(&mut answer, &mapped(message, client));
    Outcome::Bound(answer.finish())
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::XorMappedAddress;

    use super::super::fuzzing::World;
    use super::world::{PEER, bind, carries, connected, permit, raw, sends, udp};
    use super::*;

    #[test]
    fn a_binding_tells_the_address_and_needs_no_credentials() {
        let mut world = World::new();
        world.rules.secrets.clear();
        let request = world.plain(MessageClass::Request, BINDING, &[]).finish();
        let reply = world.hand_in(&request);
        assert_eq!(reply.attribute::<XorMappedAddress>().unwrap().addr(reply.transaction()), world.client);
        let request = world.plain(MessageClass::Request, BINDING, &[&raw(0x7fff, b"")]).finish();
        assert_eq!(world.hand_in(&request).code, 420);
    }

    #[test]
    fn where_stun_is_not_open_a_binding_needs_an_allocation_or_credentials() {
        let mut world = World::new();
        world.rules.stun = Stun::WithCredentials;
        let binding = world.plain(MessageClass::Request, BINDING, &[]).finish();
        assert_eq!(world.take(&binding), Outcome::Drop);
        assert_eq!(world.ask(BINDING, &[]).code, 0, "signed");
        let password = std::mem::replace(&mut world.credential.password, "wrong".into());
        assert_eq!(world.ask(BINDING, &[]).code, 401);
        world.credential.password = password;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "TURN goes on");
        assert_eq!(world.hand_in(&binding).code, 0, "of a client with an allocation");
        world.wait(601);
        assert_eq!(world.take(&binding), Outcome::Drop, "which has run out");
        world.rules.secrets.clear();
        let signed = world.signed(BINDING, &[]);
        assert_eq!(world.take(&signed), Outcome::Drop);
    }

    #[test]
    fn without_a_secret_there_is_no_turn() {
        let mut world = World::new();
        world.rules.secrets.clear();
        for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
            let signed = world.signed(method, &[&udp()]);
            assert_eq!(world.take(&signed), Outcome::Drop);
            let plain = world.plain(MessageClass::Request, method, &[&udp()]).finish();
            assert_eq!(world.take(&plain), Outcome::Drop);
        }
    }

    #[test]
    fn what_is_no_request_of_ours_is_dropped() {
        let mut world = connected();
        for class in [MessageClass::Success, MessageClass::Error, MessageClass::Indication] {
            for method in [BINDING, ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
                let message = world.plain(class, method, &[]).finish();
                assert_eq!(world.take(&message), Outcome::Drop, "{class:?} {method}");
            }
        }
        for method in [turn_types::message::DATA, SEND, Method::new(0xfff)] {
            let message = world.plain(MessageClass::Request, method, &[]).finish();
            assert_eq!(world.take(&message), Outcome::Drop, "{method}");
        }
    }

    #[test]
    fn what_needs_an_allocation_is_a_mismatch_without_one() {
        let mut world = World::new();
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4000, PEER)), (437, 437));
        assert_eq!(world.ask(REFRESH, &[]).code, 437);
        assert!(!carries(&mut world, 0x4000) && !sends(&mut world, PEER, &[]));
    }

    #[test]
    fn a_request_cut_anywhere_is_dropped() {
        let mut world = World::new();
        let request = world.signed(ALLOCATE, &[&udp()]);
        for cut in 0..request.len() {
            assert_eq!(world.take(&request[..cut]), Outcome::Drop, "{cut}");
        }
        assert!(world.allocation.is_none());
    }

    #[test]
    fn a_message_as_long_as_a_stream_can_bring_it_does_no_harm() {
        for fill in [65400, 65420, 65424, 65428, 65432, 65436] {
            let mut world = World::new();
            let mut request = world.signed(ALLOCATE, &[]);
            let integrity = request.split_off(request.len() - 24);
            // Something that need not be understood, up to the longest length that a message can say.
            let room = (65532 - (request.len() - 20) - 24 - 4).min(fill);
            request.extend([0xff, 0xf0]);
            request.extend(u16::try_from(room).unwrap().to_be_bytes());
            request.resize(request.len() + room, 0);
            request.extend(integrity);
            let length = u16::try_from(request.len() - 20).unwrap();
            request[2..4].copy_from_slice(&length.to_be_bytes());
            assert!(!matches!(world.take(&request), Outcome::Answer(_)), "{fill}");
        }
    }
}
