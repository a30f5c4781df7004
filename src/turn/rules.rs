//! The rules of TURN (RFC 8656) and STUN Binding (RFC 8489) for one client: datagram in, answer out. Pure: no sockets,
//! and time is an argument. Opening a relay and asking the system is the caller's business, through [`Relays`].
//!
//! Nothing is remembered of a client before its credentials have been checked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use stun_types::attribute::{
    Attribute as _, AttributeExt as _, AttributeFromRaw as _, AttributeStaticType as _, AttributeType, AttributeWrite,
    ErrorCode, MessageIntegrity, Nonce, Realm, UnknownAttributes, Username, XorMappedAddress,
};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageHeader,
    MessageWrite as _, MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};
use turn_types::AddressFamily;
use turn_types::attribute::{
    AdditionalAddressFamily, AddressErrorCode, ChannelNumber, Data, EvenPort, Lifetime, RequestedAddressFamily,
    RequestedTransport, ReservationToken, XorPeerAddress, XorRelayedAddress,
};
use turn_types::channel::ChannelData;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

use super::filter::PeerFilter;
use super::nonce::Nonces;
use super::quota::{AllocationPermit, Quota};
use super::routes::{NoRoute, Routes};
use crate::ice::credential::{TurnSecret, expiry};
use crate::net::{self, Family};
use crate::token_bucket::{TokenBucket, TokenRate};

/// Both what we call ourselves to clients and a part of every key.
pub(super) const REALM: &str = "entremise";

/// RFC 8656, 7.2: at least ten minutes, and the most that it recommends.
const LIFETIMES: (Duration, Duration) = (Duration::from_mins(10), Duration::from_hours(1));

/// An allocation's age at most, however often it is refreshed: credentials are short-lived, and a call of a day isn't.
const AGE: Duration = Duration::from_hours(24);

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

/// A client's allocation. Dropping it ends it.
pub(super) struct Allocation<R> {
    pub(super) first: Relayed<R>,
    /// Of the other family, for a client that asked for both (RFC 8656, 7.2).
    pub(super) second: Option<Relayed<R>>,
    /// The family that could not be had, for a client that asked for both, and why.
    missing: Option<(Family, u16)>,
    user: Box<str>,
    pub(super) key: IntegrityKey,
    /// Of the request that made it: a retransmission gets the same answer.
    transaction: TransactionId,
    pub(super) routes: Arc<ArcSwap<Routes>>,
    born: Instant,
    pub(super) expires: Instant,
}

/// An open relay of an allocation. Dropping it closes it.
pub(super) struct Relayed<R> {
    pub(super) relay: R,
    advertised: SocketAddr,
    bucket: TokenBucket,
    _permit: AllocationPermit,
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

/// Why a request is refused: RFC 8489, 14.8 and RFC 8656, 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AuthenticationError(u16);

/// Who sent an authenticated request.
struct Caller {
    user: Box<str>,
    key: IntegrityKey,
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
        let Some(message) = message(bytes) else { return Outcome::Drop };
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

    /// Takes a ChannelData message: the path of nearly every packet, with neither a lock nor an allocation of memory.
    pub(super) fn take_channel_data<'a, R>(
        &self,
        allocation: &mut Allocation<R>,
        bytes: &'a [u8],
        now: Instant,
    ) -> Option<(SocketAddr, &'a [u8])> {
        let message = ChannelData::parse(bytes).ok()?;
        let (channel, length) = (message.id(), message.data().len());
        let peer = allocation.routes.load().peer(channel, now)?;
        self.may_carry(allocation, peer, length, now).then(|| (peer, &bytes[4..4 + length]))
    }

    fn send<'a, R>(
        &self,
        allocation: &mut Allocation<R>,
        message: &Message<'_>,
        bytes: &'a [u8],
        now: Now,
    ) -> Option<(SocketAddr, &'a [u8])> {
        // RFC 8489, 6.3.2: an indication with an unknown attribute that must be understood is dropped.
        if !unknown(message, &[XorPeerAddress::TYPE, Data::TYPE]).is_empty() {
            return None;
        }
        let peer = message.attribute::<XorPeerAddress>().ok()?.addr(message.transaction_id());
        let (offset, data) =
            message.raw_attribute_and_offset(Data::TYPE).map(|(offset, raw)| (offset, raw.length()))?;
        let data = bytes.get(offset + 4..offset + 4 + usize::from(data))?;
        let is_permitted = allocation.routes.load().permits(peer.ip(), now.instant);
        let may_carry = is_permitted && self.may_carry(allocation, peer, data.len(), now.instant);
        may_carry.then_some((peer, data))
    }

    fn may_carry<R>(&self, allocation: &mut Allocation<R>, peer: SocketAddr, length: usize, now: Instant) -> bool {
        if allocation.expires <= now || !self.filter.may_send(peer) {
            return false;
        }
        let Some(relayed) = allocation.relayed_mut(Family::of(peer.ip())) else { return false };
        self.bytes_per_second.is_none_or(|limit| relayed.bucket.spend(length, limit, now))
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
            Ok(caller) => match check_known(message, &[]) {
                Ok(()) => Outcome::Answer(success(message, &[&mapped(message, client)], &caller.key)),
                Err(error) => Outcome::Refuse(error.write(message, &caller.key)),
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
        let caller = match self.authenticate(current.as_ref(), client, message, now) {
            Ok(caller) => caller,
            Err(reason) => return Outcome::Challenge(self.challenge(message, reason, client, now)),
        };
        let key = caller.key.clone();
        let answered = match message.method() {
            ALLOCATE => self.allocate(current, caller, client, message, now, relays),
            method => self.change(current, &caller, method, message, now, relays),
        };
        answered.map_or_else(|error| Outcome::Refuse(error.write(message, &key)), Outcome::Answer)
    }

    /// RFC 8489, 9.2.4, in its order.
    fn authenticate<R>(
        &self,
        allocation: Option<&Allocation<R>>,
        client: SocketAddr,
        message: &Message<'_>,
        now: Now,
    ) -> Result<Caller, AuthenticationError> {
        const MISSING: AuthenticationError = AuthenticationError(ErrorCode::BAD_REQUEST);
        const WRONG: AuthenticationError = AuthenticationError(ErrorCode::UNAUTHORIZED);
        if !message.has_attribute(MessageIntegrity::TYPE) {
            return Err(WRONG);
        }
        let username = message.attribute::<Username>().map_err(|_| MISSING)?;
        let nonce = message.attribute::<Nonce>().map_err(|_| MISSING)?;
        let realm = message.attribute::<Realm>().map_err(|_| MISSING)?;
        if !self.nonces.is_fresh(nonce.nonce(), client, now.wall) {
            return Err(AuthenticationError(ErrorCode::STALE_NONCE));
        }
        let user = username.username();
        let is_signed_with = |key: &IntegrityKey| message.validate_integrity_with_key(key).is_ok();
        // Expiry counts when an allocation is made: a refresh keeps a long call alive.
        if let Some(own) = allocation.filter(|allocation| *allocation.user == *user) {
            let caller = Caller { user: user.into(), key: own.key.clone() };
            return if is_signed_with(&own.key) { Ok(caller) } else { Err(WRONG) };
        }
        let is_valid = realm.realm() == REALM && expiry(user).is_some_and(|expiry| expiry > now.wall);
        let mut keys = self.secrets.iter().map(|secret| key(user, &secret.password(user)));
        let key = if is_valid { keys.find(is_signed_with) } else { None };
        Ok(Caller { user: user.into(), key: key.ok_or(WRONG)? })
    }

    /// RFC 8656, 7.2, in its order.
    fn allocate<R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        caller: Caller,
        client: SocketAddr,
        message: &Message<'_>,
        now: Now,
        relays: &mut R,
    ) -> Result<Vec<u8>, RequestError> {
        if let Some(allocation) = current {
            let is_retransmitted = allocation.transaction == message.transaction_id();
            allocation.check_owner(&caller)?;
            return if is_retransmitted {
                Ok(allocation.describe(message, client, now.instant))
            } else {
                Err(code(ErrorCode::ALLOCATION_MISMATCH))
            };
        }
        check_known(message, &KNOWN_IN_ALLOCATE)?;
        let wish = Wish::read(message)?;
        let routes = Arc::default();
        let mut open = |family| self.open(&caller, client, family, wish.is_even, &routes, now, relays);
        let (first, second, missing) = match wish.families {
            Families::Usual => (open(None)?, None, None),
            Families::One(family) => (open(Some(family))?, None, None),
            Families::Both => match (open(Some(Family::V4)), open(Some(Family::V6))) {
                (Ok(first), Ok(second)) => (first, Some(second), None),
                (Ok(first), Err(error)) => (first, None, Some(error.family_error(Family::V6))),
                (Err(error), Ok(first)) => (first, None, Some(error.family_error(Family::V4))),
                (Err(error), Err(_)) => return Err(error),
            },
        };
        let allocation = current.insert(Allocation {
            first,
            second,
            missing,
            user: caller.user,
            key: caller.key,
            transaction: message.transaction_id(),
            routes,
            born: now.instant,
            expires: now.instant + lifetime(message),
        });
        Ok(allocation.describe(message, client, now.instant))
    }

    /// One relay, of the usual family if none is said.
    #[expect(clippy::too_many_arguments, reason = "what a relay depends on, of a request and of its allocation")]
    fn open<R: Relays>(
        &self,
        caller: &Caller,
        client: SocketAddr,
        family: Option<Family>,
        is_even: bool,
        routes: &Arc<ArcSwap<Routes>>,
        now: Now,
        relays: &mut R,
    ) -> Result<Relayed<R::Relay>, RequestError> {
        let family = family.unwrap_or_else(|| relays.usual());
        if !relays.has(family) {
            return Err(code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED));
        }
        let permit = self.quota.take(&caller.user, client.ip()).ok_or(code(ErrorCode::ALLOCATION_QUOTA_REACHED))?;
        let (relay, advertised) = relays.open(family, is_even, routes).ok_or(code(ErrorCode::INSUFFICIENT_CAPACITY))?;
        let bucket = TokenBucket::new(self.bytes_per_second.unwrap_or(TokenRate::even(0.0)), now.instant);
        Ok(Relayed { relay, advertised, bucket, _permit: permit })
    }

    /// What changes an allocation that is there.
    fn change<R: Relays>(
        &self,
        current: &mut Option<Allocation<R::Relay>>,
        caller: &Caller,
        method: Method,
        message: &Message<'_>,
        now: Now,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        let allocation = current.as_mut().ok_or(code(ErrorCode::ALLOCATION_MISMATCH))?;
        allocation.check_owner(caller)?;
        match method {
            CREATE_PERMISSION => self.create_permission(allocation, message, now.instant, relays),
            CHANNEL_BIND => self.bind_channel(allocation, message, now.instant, relays),
            _ => refresh(current, message, now.instant),
        }
    }

    /// RFC 8656, 10.2: all of them or none.
    fn create_permission<R: Relays>(
        &self,
        allocation: &Allocation<R::Relay>,
        message: &Message<'_>,
        now: Instant,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        check_known(message, &[XorPeerAddress::TYPE])?;
        let mut routes = Routes::clone(&allocation.routes.load());
        if !message.has_attribute(XorPeerAddress::TYPE) {
            return Err(code(ErrorCode::BAD_REQUEST));
        }
        for (_, raw) in message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorPeerAddress::TYPE) {
            let peer = XorPeerAddress::from_raw(raw).map_err(|_| code(ErrorCode::BAD_REQUEST))?;
            let ip = peer.addr(message.transaction_id()).ip();
            check_peer(allocation, ip, self.filter.may_permit(ip) && self.is_elsewhere(ip, relays))?;
            routes.permit(ip, now).map_err(route_error)?;
        }
        allocation.routes.store(Arc::new(routes));
        Ok(success(message, &[], &allocation.key))
    }

    /// RFC 8656, 12.2.
    fn bind_channel<R: Relays>(
        &self,
        allocation: &Allocation<R::Relay>,
        message: &Message<'_>,
        now: Instant,
        relays: &R,
    ) -> Result<Vec<u8>, RequestError> {
        check_known(message, &[XorPeerAddress::TYPE, ChannelNumber::TYPE])?;
        let bad = |_| code(ErrorCode::BAD_REQUEST);
        let channel = message.attribute::<ChannelNumber>().map_err(bad)?.channel();
        let peer = message.attribute::<XorPeerAddress>().map_err(bad)?.addr(message.transaction_id());
        if !(0x4000..=0x7fff).contains(&channel) {
            return Err(code(ErrorCode::BAD_REQUEST));
        }
        check_peer(allocation, peer.ip(), self.filter.may_send(peer) && self.is_elsewhere(peer.ip(), relays))?;
        let mut routes = Routes::clone(&allocation.routes.load());
        routes.bind(channel, peer, now).map_err(route_error)?;
        allocation.routes.store(Arc::new(routes));
        Ok(success(message, &[], &allocation.key))
    }

    /// Whether an address that is not known to be this host's is none of it.
    fn is_elsewhere(&self, ip: IpAddr, relays: &impl Relays) -> bool {
        self.filter.unknown(ip).all(|face| !relays.is_own(face))
    }

    /// An error that says how to authenticate (RFC 8489, 9.2.4).
    fn challenge(&self, message: &Message<'_>, reason: AuthenticationError, client: SocketAddr, now: Now) -> Vec<u8> {
        let mut answer = error(message, reason.0);
        if reason.0 != ErrorCode::BAD_REQUEST {
            add(&mut answer, &Realm::new(REALM).expect("a short realm"));
            add(&mut answer, &Nonce::new(&self.nonces.make(client, now.wall)).expect("a short nonce"));
        }
        answer.finish()
    }
}

impl<R> Allocation<R> {
    /// RFC 8656, 5: only who made it may change it.
    fn check_owner(&self, caller: &Caller) -> Result<(), RequestError> {
        if self.user == caller.user { Ok(()) } else { Err(code(ErrorCode::WRONG_CREDENTIALS)) }
    }

    /// All of its relays.
    pub(super) fn relays(&self) -> impl Iterator<Item = &Relayed<R>> {
        [&self.first].into_iter().chain(&self.second)
    }

    fn relayed_mut(&mut self, family: Family) -> Option<&mut Relayed<R>> {
        [&mut self.first].into_iter().chain(&mut self.second).find(|relayed| relayed.family() == family)
    }

    fn has(&self, family: Family) -> bool {
        self.relays().any(|relayed| relayed.family() == family)
    }

    /// The relay by which this peer is reached.
    pub(super) fn relay_to(&self, peer: SocketAddr) -> Option<&R> {
        let of_family = |relayed: &&Relayed<R>| relayed.family() == Family::of(peer.ip());
        self.relays().find(of_family).map(|relayed| &relayed.relay)
    }

    /// Closes the relay of the family, if there is another one.
    fn close(&mut self, family: Family) {
        let Some(second) = self.second.take() else { return };
        if second.family() != family {
            self.first = second;
        }
    }

    /// The answer to an Allocate.
    fn describe(&self, message: &Message<'_>, client: SocketAddr, now: Instant) -> Vec<u8> {
        let transaction = message.transaction_id();
        let address = |relayed: &Relayed<R>| XorRelayedAddress::new(relayed.advertised, transaction);
        let mut attributes: Vec<Box<dyn AttributeWrite>> =
            self.relays().map(|relayed| Box::new(address(relayed)) as Box<dyn AttributeWrite>).collect();
        attributes.push(Box::new(Lifetime::new(seconds(self.expires - now))));
        attributes.push(Box::new(mapped(message, client)));
        if let Some((family, reason)) = self.missing {
            // RFC 8656, 7.2: of two families, that which can't be had is named.
            attributes.push(Box::new(AddressErrorCode::new(family.into(), error_code(reason))));
        }
        let attributes: Vec<&dyn AttributeWrite> = attributes.iter().map(AsRef::as_ref).collect();
        success(message, &attributes, &self.key)
    }
}

impl<R> Relayed<R> {
    fn family(&self) -> Family {
        Family::of(self.advertised.ip())
    }
}

fn check_peer<R>(allocation: &Allocation<R>, ip: IpAddr, is_reachable: bool) -> Result<(), RequestError> {
    if !allocation.has(Family::of(ip)) {
        Err(code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH))
    } else if is_reachable {
        Ok(())
    } else {
        Err(code(ErrorCode::FORBIDDEN))
    }
}

/// RFC 8656, 8.2.
fn refresh<R>(
    current: &mut Option<Allocation<R>>,
    message: &Message<'_>,
    now: Instant,
) -> Result<Vec<u8>, RequestError> {
    check_known(message, &[Lifetime::TYPE, RequestedAddressFamily::TYPE])?;
    let allocation = current.as_mut().ok_or(code(ErrorCode::ALLOCATION_MISMATCH))?;
    let family = message.attribute::<RequestedAddressFamily>().ok().map(|asked| family_of(asked.family()));
    if family.is_some_and(|family| !allocation.has(family)) {
        return Err(code(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH));
    }
    let is_over = message.attribute::<Lifetime>().is_ok_and(|lifetime| lifetime.seconds() == 0);
    if let Some(family) = family.filter(|_| is_over && allocation.second.is_some()) {
        // Of two relays, the client needs one no more.
        allocation.close(family);
        return Ok(success(message, &[&Lifetime::new(0)], &allocation.key));
    }
    let until = (now + lifetime(message)).min(allocation.born + AGE);
    let left = if is_over { Duration::ZERO } else { until.saturating_duration_since(now) };
    let answer = success(message, &[&Lifetime::new(seconds(left))], &allocation.key);
    allocation.expires = now + left;
    if left.is_zero() {
        *current = None;
    }
    Ok(answer)
}

/// What an Allocate asks for.
struct Wish {
    families: Families,
    is_even: bool,
}

/// Of which families relays are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Families {
    /// The client says none.
    Usual,
    One(Family),
    Both,
}

/// What an Allocate may hold. DONT-FRAGMENT isn't here: this server can't set the bit, and says so (RFC 8656, 7.2).
const KNOWN_IN_ALLOCATE: [AttributeType; 6] = [
    RequestedTransport::TYPE,
    RequestedAddressFamily::TYPE,
    AdditionalAddressFamily::TYPE,
    EvenPort::TYPE,
    ReservationToken::TYPE,
    Lifetime::TYPE,
];

impl Wish {
    /// RFC 8656, 7.2, steps 4 to 9.
    fn read(message: &Message<'_>) -> Result<Self, RequestError> {
        let bad = || code(ErrorCode::BAD_REQUEST);
        let transport = message.attribute::<RequestedTransport>().map_err(|_| bad())?;
        if transport.protocol() != RequestedTransport::UDP {
            return Err(code(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL));
        }
        let has = |attribute| message.has_attribute(attribute);
        let (family, additional) = (has(RequestedAddressFamily::TYPE), has(AdditionalAddressFamily::TYPE));
        let (even, reservation) = (has(EvenPort::TYPE), has(ReservationToken::TYPE));
        if (reservation && (even || family || additional)) || (additional && (family || even)) {
            return Err(bad());
        }
        // No port is ever reserved, so no token is valid; and none can be.
        if reservation || message.attribute::<EvenPort>().is_ok_and(|even| even.requested()) {
            return Err(code(ErrorCode::INSUFFICIENT_CAPACITY));
        }
        if additional
            && message
                .attribute::<AdditionalAddressFamily>()
                .map_or(true, |asked| asked.family() != AddressFamily::IPV6)
        {
            return Err(bad());
        }
        let families = match message.attribute::<RequestedAddressFamily>() {
            Ok(asked) => Families::One(family_of(asked.family())),
            Err(_) if additional => Families::Both,
            Err(_) if family => return Err(code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)),
            Err(_) => Families::Usual,
        };
        Ok(Self { families, is_even: even })
    }
}

impl From<Family> for AddressFamily {
    fn from(family: Family) -> Self {
        match family {
            Family::V4 => Self::IPV4,
            Family::V6 => Self::IPV6,
        }
    }
}

/// The codec knows no other than these two.
fn family_of(family: AddressFamily) -> Family {
    match family {
        AddressFamily::IPV4 => Family::V4,
        AddressFamily::IPV6 => Family::V6,
    }
}

/// An error for a client that has shown who it is.
#[derive(Debug, PartialEq, Eq)]
enum RequestError {
    Code(u16),
    Unknown(Vec<AttributeType>),
}

impl RequestError {
    /// Why a family could not be had, as the answer to an Allocate of both says it: RFC 8656, 18.12 has these two codes.
    fn family_error(&self, family: Family) -> (Family, u16) {
        let code = match self {
            Self::Code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED) => ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
            _ => ErrorCode::INSUFFICIENT_CAPACITY,
        };
        (family, code)
    }

    fn write(&self, message: &Message<'_>, key: &IntegrityKey) -> Vec<u8> {
        let mut answer = match self {
            Self::Code(code) => error(message, *code),
            Self::Unknown(unknown) => {
                let mut answer = error(message, ErrorCode::UNKNOWN_ATTRIBUTE);
                add(&mut answer, &UnknownAttributes::new(unknown));
                answer
            }
        };
        sign(&mut answer, key);
        answer.finish()
    }
}

fn code(code: u16) -> RequestError {
    RequestError::Code(code)
}

fn route_error(reason: NoRoute) -> RequestError {
    match reason {
        NoRoute::Full => code(ErrorCode::INSUFFICIENT_CAPACITY),
        NoRoute::Taken => code(ErrorCode::BAD_REQUEST),
    }
}

/// RFC 8489, 14: an attribute's type and length.
const ATTRIBUTE_HEADER: usize = 4;

/// RFC 8489, 14: attributes below this must be understood.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// What every authenticated request holds.
const KNOWN: [AttributeType; 4] = [Username::TYPE, Realm::TYPE, Nonce::TYPE, MessageIntegrity::TYPE];

fn check_known(message: &Message<'_>, known: &[AttributeType]) -> Result<(), RequestError> {
    let unknown = unknown(message, known);
    if unknown.is_empty() { Ok(()) } else { Err(RequestError::Unknown(unknown)) }
}

/// The attributes that must be understood and aren't, at most eight of them, so that no answer is long.
fn unknown(message: &Message<'_>, known: &[AttributeType]) -> Vec<AttributeType> {
    let types = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    let is_unknown =
        |kind: &AttributeType| kind.value() < COMPREHENSION_OPTIONAL && !known.contains(kind) && !KNOWN.contains(kind);
    types.filter(is_unknown).take(8).collect()
}

/// A message that is as long as it says (RFC 8489, 6.3): of one that isn't, the codec would read what follows it too.
fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let length = bytes.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    if bytes.len() == MessageHeader::LENGTH + length { Message::from_bytes(bytes).ok() } else { None }
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

fn mapped(message: &Message<'_>, client: SocketAddr) -> XorMappedAddress {
    XorMappedAddress::new(client, message.transaction_id())
}

/// A Data indication (RFC 8656, 11.3): what a peer without a channel said. `None` where it would be longer than its own
/// length can say: the codec would write the remainder, and a stream would be out of step from there on.
pub(super) fn data_indication(peer: SocketAddr, data: &[u8]) -> Option<Vec<u8>> {
    let mut indication = Message::builder_indication(turn_types::message::DATA, MessageWriteVec::new());
    let transaction = indication.transaction_id();
    let peer = XorPeerAddress::new(peer, transaction);
    let length = peer.padded_len() + ATTRIBUTE_HEADER + data.len().next_multiple_of(4);
    u16::try_from(length).ok()?;
    add(&mut indication, &peer);
    add(&mut indication, &Data::new(data));
    Some(indication.finish())
}

fn success(message: &Message<'_>, attributes: &[&dyn AttributeWrite], key: &IntegrityKey) -> Vec<u8> {
    let mut answer = Message::builder_success(message, MessageWriteVec::new());
    for attribute in attributes {
        add(&mut answer, *attribute);
    }
    sign(&mut answer, key);
    answer.finish()
}

fn error(message: &Message<'_>, code: u16) -> MessageWriteVec {
    let mut answer = Message::builder_error(message, MessageWriteVec::new());
    add(&mut answer, &error_code(code));
    answer
}

fn error_code(code: u16) -> ErrorCode {
    ErrorCode::builder(code).build().expect("a code from 300 to 699")
}

fn add(answer: &mut MessageWriteVec, attribute: &dyn AttributeWrite) {
    answer.add_attribute(attribute).expect("each attribute is added once, before the integrity");
}

fn sign(answer: &mut MessageWriteVec, key: &IntegrityKey) {
    answer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).expect("an answer is signed once");
}

fn key(user: &str, password: &str) -> IntegrityKey {
    LongTermKeyCredentials::new(user.to_owned(), password.to_owned(), REALM.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}

fn lifetime(message: &Message<'_>) -> Duration {
    let asked =
        message.attribute::<Lifetime>().map_or(LIFETIMES.0, |asked| Duration::from_secs(asked.seconds().into()));
    asked.clamp(LIFETIMES.0, LIFETIMES.1)
}

fn seconds(duration: Duration) -> u32 {
    duration.as_secs().try_into().unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::{AttributeFromRaw, AttributeStaticType, RawAttribute};

    use super::super::fuzzing::{START, World};
    use super::super::quota::Quota;
    use super::super::routes::MOST;
    use super::*;
    use crate::ice::credential::Credential;
    use crate::turn::TurnLimits;

    const PEER: &str = "8.8.8.8:1000";

    /// An answer, looked at.
    #[derive(Debug)]
    struct Reply {
        /// 0 is success.
        code: u16,
        bytes: Vec<u8>,
    }

    impl Reply {
        fn attribute<A: AttributeStaticType + for<'a> AttributeFromRaw<'a>>(&self) -> Option<A> {
            let message = Message::from_bytes(&self.bytes).expect("an answer is STUN");
            let raw = message.raw_attribute(A::TYPE)?;
            Some(A::from_raw_ref(&raw).expect("an answer's attributes are right"))
        }

        fn transaction(&self) -> TransactionId {
            Message::from_bytes(&self.bytes).expect("an answer is STUN").transaction_id()
        }

        fn bytes(&self) -> &[u8] {
            &self.bytes
        }
    }

    impl World {
        /// A peer, in the next request.
        fn peer(&self, peer: &str) -> XorPeerAddress {
            XorPeerAddress::new(peer.parse().expect("an address"), self.transaction.into())
        }

        /// Sends a signed request.
        fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Reply {
            let request = self.signed(method, attributes);
            self.hand_in(&request)
        }

        /// Sends a request, and checks what holds for every answer.
        fn hand_in(&mut self, request: &[u8]) -> Reply {
            let had_allocation = self.allocation.is_some();
            let outcome = self.take(request);
            let (is_signed, bytes) = match outcome {
                Outcome::Answer(bytes) | Outcome::Refuse(bytes) => (true, bytes),
                Outcome::Challenge(bytes) | Outcome::Bound(bytes) => (false, bytes),
                other => panic!("no answer: {other:?}"),
            };
            let reply = {
                let (asked, message) =
                    (Message::from_bytes(request).expect("a request"), Message::from_bytes(&bytes).expect("an answer"));
                assert_eq!(
                    (message.method(), message.transaction_id()),
                    (asked.method(), asked.transaction_id()),
                    "an answer is to its request"
                );
                let code = match message.class() {
                    MessageClass::Success => 0,
                    MessageClass::Error => message.attribute::<ErrorCode>().expect("an error has a code").code(),
                    other => panic!("{other:?}"),
                };
                if is_signed {
                    // By the key that the allocation was made with, or else by the one that the request is signed with.
                    let key = self.allocation.as_ref().map_or_else(|| self.key(), |allocation| allocation.key.clone());
                    assert!(
                        message.validate_integrity_with_key(&key).is_ok()
                            || message.validate_integrity_with_key(&self.key()).is_ok(),
                        "an answer to an authenticated client is signed ({code})"
                    );
                } else {
                    assert!(had_allocation || self.allocation.is_none(), "nothing is remembered before authentication");
                    let tells = message.has_attribute(Nonce::TYPE) && message.has_attribute(Realm::TYPE);
                    assert_eq!(tells, matches!(code, 401 | 438), "401 and 438 say how to authenticate");
                }
                Reply { code, bytes: Vec::new() }
            };
            Reply { bytes, ..reply }
        }
    }

    fn udp() -> RequestedTransport {
        RequestedTransport::new(RequestedTransport::UDP)
    }

    /// A world in which the client has an allocation.
    fn allocated() -> World {
        let mut world = World::new();
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        world
    }

    /// And a permission and a channel for the peer.
    fn connected() -> World {
        let mut world = allocated();
        assert_eq!(bind(&mut world, 0x4000, PEER), 0);
        world
    }

    fn permit(world: &mut World, peer: &str) -> u16 {
        world.ask(CREATE_PERMISSION, &[&world.peer(peer)]).code
    }

    fn bind(world: &mut World, channel: u16, peer: &str) -> u16 {
        world.ask(CHANNEL_BIND, &[&ChannelNumber::new(channel), &world.peer(peer)]).code
    }

    fn raw(kind: u16, value: &[u8]) -> RawAttribute<'_> {
        RawAttribute::new(kind.into(), value)
    }

    fn seconds_of(reply: &Reply) -> u32 {
        reply.attribute::<Lifetime>().unwrap().seconds()
    }

    fn sends(world: &mut World, peer: &str, more: &[&dyn AttributeWrite]) -> bool {
        let (to, hello) = (world.peer(peer), Data::new(b"hello"));
        let attributes: Vec<&dyn AttributeWrite> =
            [&to as &dyn AttributeWrite, &hello].into_iter().chain(more.iter().copied()).collect();
        let message = world.plain(MessageClass::Indication, SEND, &attributes).finish();
        match world.take(&message) {
            Outcome::Relay(to, data) => {
                assert_eq!((to.to_string().as_str(), data), (peer, &b"hello"[..]));
                true
            }
            outcome => {
                assert_eq!(outcome, Outcome::Drop);
                false
            }
        }
    }

    fn channel_data(channel: u16, data: &[u8]) -> Vec<u8> {
        let mut message = vec![0; 4 + data.len()];
        ChannelData::new(channel, data).write_into_unchecked(&mut message);
        message
    }

    fn carries(world: &mut World, channel: u16) -> bool {
        world.take_channel_data(&channel_data(channel, b"hello")).is_some()
    }

    fn limits(world: &mut World, limits: TurnLimits) {
        world.rules.quota = Quota::new(limits);
    }

    const NO_LIMITS: TurnLimits = TurnLimits {
        allocations: None,
        allocations_per_user: None,
        allocations_per_address: None,
        bytes_per_second: None,
        refusals_per_second: std::num::NonZeroUsize::MIN,
        bindings_per_second: std::num::NonZeroUsize::MIN,
    };

    const ONE: Option<std::num::NonZeroUsize> = Some(std::num::NonZeroUsize::MIN);

    #[test]
    fn an_address_that_the_system_takes_itself_is_no_peer_whatever_its_interfaces_show() {
        let mut world = allocated();
        world.ports.own = vec!["8.8.8.8".parse().unwrap(), "192.0.2.1".parse().unwrap()];
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4000, PEER)), (403, 403));
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!((permit(&mut world, "8.8.4.4:1"), bind(&mut world, 0x4001, "8.8.4.4:1")), (0, 0));
        assert_eq!(bind(&mut world, 0x4002, "192.0.2.1:50001"), 0, "a relay on an interface's address");
    }

    #[test]
    fn a_request_without_integrity_is_told_how_to_authenticate() {
        for method in [ALLOCATE, REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
            let mut world = World::new();
            let request = world.plain(MessageClass::Request, method, &[&udp()]).finish();
            let reply = world.hand_in(&request);
            assert_eq!((reply.code, reply.attribute::<Realm>().unwrap().realm()), (401, REALM));
            world.nonce = reply.attribute::<Nonce>().unwrap().nonce().to_owned();
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "with the nonce that it was given");
        }
    }

    #[test]
    fn what_integrity_needs_must_be_there() {
        let mut world = World::new();
        let (key, name) = (world.key(), world.credential.username.clone());
        let name = Username::new(&name).unwrap();
        let (realm, nonce) = (Realm::new(REALM).unwrap(), Nonce::new(&world.nonce).unwrap());
        let all: [&dyn AttributeWrite; 3] = [&name, &realm, &nonce];
        for missing in 0..all.len() {
            let kept: Vec<_> = (0..all.len()).filter(|at| *at != missing).map(|at| all[at]).collect();
            let mut request = world.plain(MessageClass::Request, ALLOCATE, &kept);
            sign(&mut request, &key);
            assert_eq!(world.hand_in(&request.finish()).code, 400, "without the attribute {missing}");
        }
    }

    #[test]
    fn a_nonce_that_is_forged_old_or_of_another_client_is_stale() {
        let mut world = World::new();
        let elsewhere = ["198.51.100.7:40001", "198.51.100.8:40000"];
        let mut nonces: Vec<_> =
            elsewhere.iter().map(|client| world.rules.nonces.make(client.parse().unwrap(), START)).collect();
        nonces.push("forged".into());
        nonces.push(world.rules.nonces.make(world.client, START + 1));
        nonces.push(world.rules.nonces.make(world.client, START - 601));
        let good = world.nonce.clone();
        for nonce in nonces {
            world.nonce = nonce;
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 438, "{}", world.nonce);
        }
        world.nonce = good;
        world.wait(600);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
    }

    #[test]
    fn a_stale_nonce_is_found_before_a_wrong_user_and_a_wrong_user_before_a_wrong_attribute() {
        let mut world = World::new();
        (world.nonce, world.credential.password) = ("forged".into(), "wrong".into());
        assert_eq!(world.ask(ALLOCATE, &[&raw(0x7fff, b"")]).code, 438);
        world.nonce = world.rules.nonces.make(world.client, START);
        assert_eq!(world.ask(ALLOCATE, &[&raw(0x7fff, b"")]).code, 401);
    }

    #[test]
    fn a_user_who_has_expired_or_is_not_of_the_scheme_is_unauthorized() {
        let secret = TurnSecret::new(b"north");
        for name in [format!("{START}:alice"), format!("{}:alice", START - 1), "0:alice".into()] {
            let mut world = World::new();
            world.credential = Credential { password: secret.password(&name), username: name };
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401, "{}", world.credential.username);
        }
        for name in ["alice", "", ":", "alice:1999999999", "-1:alice", "99999999999999999999999:alice"] {
            let mut world = World::new();
            world.credential = Credential { password: secret.password(name), username: name.into() };
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401, "{name}");
        }
    }

    #[test]
    fn a_wrong_password_is_unauthorized() {
        let mut world = World::new();
        world.credential = Credential::mint(&TurnSecret::new(b"foreign"), "alice", START + 3600);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401, "of a secret that isn't ours");
        world.credential = Credential::mint(&TurnSecret::new(b"north"), "alice", START + 3600);
        world.credential.username = world.credential.username.replace("alice", "alicf");
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401, "of another user");
    }

    #[test]
    fn a_request_that_was_changed_after_signing_is_unauthorized() {
        let mut world = World::new();
        let request = world.signed(ALLOCATE, &[&udp(), &Lifetime::new(700)]);
        // Every byte of the transaction and of the two attributes.
        for at in (8..20).chain([24, 32, 33, 34, 35]) {
            let mut changed = request.clone();
            changed[at] ^= 1;
            assert_eq!(world.hand_in(&changed).code, 401, "{at}");
        }
        assert_eq!(world.hand_in(&request).code, 0);
    }

    #[test]
    fn another_realm_is_unauthorized() {
        let mut world = World::new();
        let key = LongTermKeyCredentials::new(
            world.credential.username.clone(),
            world.credential.password.clone(),
            "elsewhere".into(),
        );
        let (name, nonce) = (Username::new(&world.credential.username).unwrap(), Nonce::new(&world.nonce).unwrap());
        let realm = Realm::new("elsewhere").unwrap();
        let mut request = world.plain(MessageClass::Request, ALLOCATE, &[&udp(), &name, &realm, &nonce]);
        sign(&mut request, &key.make_key(IntegrityAlgorithm::Sha1));
        assert_eq!(world.hand_in(&request.finish()).code, 401);
    }

    #[test]
    fn every_secret_is_taken_so_that_it_can_be_rotated() {
        let mut world = World::new();
        world.credential = Credential::mint(&TurnSecret::new(b"south"), "alice", START + 3600);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        world.rules.secrets.truncate(1);
        assert_eq!(world.ask(REFRESH, &[]).code, 0, "what is there lives on");
        world.allocation = None;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401);
    }

    #[test]
    fn an_allocation_tells_its_addresses_and_its_lifetime() {
        let mut world = World::new();
        let reply = world.ask(ALLOCATE, &[&udp()]);
        let relayed = reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction());
        assert_eq!(relayed, "192.0.2.1:50001".parse().unwrap());
        assert_eq!(reply.attribute::<XorMappedAddress>().unwrap().addr(reply.transaction()), world.client);
        assert_eq!((seconds_of(&reply), world.ports.open()), (600, 1));
    }

    #[test]
    fn another_user_on_the_same_five_tuple_is_refused() {
        let mut world = connected();
        world.credential = Credential::mint(&TurnSecret::new(b"north"), "mallory", START + 3600);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 441);
        assert_eq!(world.ask(REFRESH, &[&Lifetime::new(0)]).code, 441);
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4000, PEER)), (441, 441));
        assert!(carries(&mut world, 0x4000), "and the owner's goes on");
    }

    #[test]
    fn another_user_with_the_same_transaction_is_refused_too() {
        let mut world = allocated();
        world.credential = Credential::mint(&TurnSecret::new(b"north"), "mallory", START + 3600);
        world.transaction = 1;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 441);
    }

    #[test]
    fn a_second_allocation_is_a_mismatch_and_a_retransmission_is_not() {
        let mut world = World::new();
        let request = world.signed(ALLOCATE, &[&udp()]);
        let first = world.hand_in(&request);
        assert_eq!(world.hand_in(&request).bytes(), first.bytes(), "the same success");
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 437);
        assert_eq!(world.ports.open(), 1);
    }

    #[test]
    fn what_needs_an_allocation_is_a_mismatch_without_one() {
        let mut world = World::new();
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4000, PEER)), (437, 437));
        assert_eq!(world.ask(REFRESH, &[]).code, 437);
        assert!(!carries(&mut world, 0x4000) && !sends(&mut world, PEER, &[]));
    }

    #[test]
    fn only_udp_is_relayed() {
        assert_eq!(World::new().ask(ALLOCATE, &[]).code, 400, "no transport");
        assert_eq!(World::new().ask(ALLOCATE, &[&raw(0x0019, b"")]).code, 400, "half a transport");
        for protocol in [0, 1, 6, 132, 255] {
            assert_eq!(World::new().ask(ALLOCATE, &[&RequestedTransport::new(protocol)]).code, 442, "{protocol}");
        }
    }

    #[test]
    fn a_family_that_the_host_does_not_have_is_refused() {
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        let mut world = World::new();
        let reply = world.ask(ALLOCATE, &[&udp(), &v6]);
        assert!(reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction()).is_ipv6());

        let mut world = World::new();
        world.ports.families = vec![Family::V4];
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 440);
        assert_eq!(
            world.ask(ALLOCATE, &[&udp(), &raw(0x0017, &[3, 0, 0, 0])]).code,
            440,
            "a family that does not exist"
        );
        let v4 = RequestedAddressFamily::new(AddressFamily::IPV4);
        world.ports.families = vec![Family::V6];
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v4]).code, 440);
    }

    #[test]
    fn where_nothing_is_said_ipv4_is_meant_or_ipv6_on_a_host_without_it() {
        let relayed = |world: &mut World| {
            let reply = world.ask(ALLOCATE, &[&udp()]);
            reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction())
        };
        assert!(relayed(&mut World::new()).is_ipv4());
        let mut world = World::new();
        world.ports.families = vec![Family::V6];
        assert!(relayed(&mut world).is_ipv6());
        world = World::new();
        world.ports.families.clear();
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 440);
    }

    #[test]
    fn of_two_families_one_is_given_and_the_other_told_to_be_missing() {
        let both = AdditionalAddressFamily::new(AddressFamily::IPV6);
        for (family, missing) in [(Family::V4, AddressFamily::IPV6), (Family::V6, AddressFamily::IPV4)] {
            let mut world = World::new();
            world.ports.families = vec![family];
            let request = world.signed(ALLOCATE, &[&udp(), &both]);
            let reply = world.hand_in(&request);
            let error = reply.attribute::<AddressErrorCode>().unwrap();
            assert_eq!((reply.code, error.family(), error.error().code()), (0, missing, 440));
            let relayed = reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction());
            assert_eq!((Family::of(relayed.ip()), world.ports.open()), (family, 1));
            assert_eq!(world.hand_in(&request).bytes(), reply.bytes(), "the same again");
        }
        let mut world = World::new();
        limits(&mut world, TurnLimits { allocations: ONE, ..NO_LIMITS });
        let reply = world.ask(ALLOCATE, &[&udp(), &both]);
        let error = reply.attribute::<AddressErrorCode>().unwrap();
        assert_eq!((reply.code, error.family(), error.error().code()), (0, AddressFamily::IPV6, 508), "over the quota");
        world = World::new();
        world.ports.families.clear();
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &both]).code, 440);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &raw(0x8000, &[1, 0, 0, 0])]).code, 400, "IPv4 is no addition");
    }

    const PEER_V6: &str = "[2606:4700::1]:1000";

    /// A world in which the client has a relay of each family.
    fn of_both_families() -> (World, Reply) {
        let mut world = World::new();
        let reply = world.ask(ALLOCATE, &[&udp(), &AdditionalAddressFamily::new(AddressFamily::IPV6)]);
        (world, reply)
    }

    #[test]
    fn of_two_families_both_are_given_and_peers_of_both_reached() {
        let (mut world, reply) = of_both_families();
        let message = Message::from_bytes(reply.bytes()).unwrap();
        let addresses = message.iter_attributes().filter(|(_, raw)| raw.get_type() == XorRelayedAddress::TYPE);
        let addresses = addresses.map(|(_, raw)| XorRelayedAddress::from_raw(raw).unwrap().addr(reply.transaction()));
        assert_eq!(addresses.map(|relayed| Family::of(relayed.ip())).collect::<Vec<_>>(), Family::ALL);
        assert!(!message.has_attribute(AddressErrorCode::TYPE));
        assert_eq!((world.ports.open(), world.rules.quota.allocations()), (2, 2), "each counts");
        assert_eq!((permit(&mut world, PEER), bind(&mut world, 0x4001, PEER_V6)), (0, 0));
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, PEER_V6, &[]) && carries(&mut world, 0x4001));
        let allocation = world.allocation.as_ref().unwrap();
        assert!(
            allocation.relay_to(PEER.parse().unwrap()).is_some()
                && allocation.relay_to(PEER_V6.parse().unwrap()).is_some()
        );
        assert_eq!(
            (world.ask(REFRESH, &[&Lifetime::new(0)]).code, world.ports.open()),
            (0, 0),
            "and they end together"
        );
    }

    #[test]
    fn of_two_relays_either_can_be_ended_alone() {
        for (ended, peer, other) in [(AddressFamily::IPV4, PEER, PEER_V6), (AddressFamily::IPV6, PEER_V6, PEER)] {
            let (mut world, _) = of_both_families();
            assert_eq!((permit(&mut world, peer), permit(&mut world, other)), (0, 0));
            let family = RequestedAddressFamily::new(ended);
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&family, &Lifetime::new(700)])), 700, "for both");
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&family, &Lifetime::new(0)])), 0);
            assert_eq!((world.ports.open(), world.rules.quota.allocations()), (1, 1));
            assert!(sends(&mut world, other, &[]) && !sends(&mut world, peer, &[]));
            assert_eq!(permit(&mut world, peer), 443);
            assert_eq!(world.ask(REFRESH, &[&family]).code, 443);
            assert_eq!((world.ask(REFRESH, &[&Lifetime::new(0)]).code, world.ports.open()), (0, 0));
        }
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
    fn a_peer_of_the_other_family_is_refused() {
        let mut world = allocated();
        let peer = "[2606:4700::1]:1000";
        assert_eq!((permit(&mut world, peer), bind(&mut world, 0x4000, peer)), (443, 443));
        assert!(!sends(&mut world, peer, &[]));
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        assert_eq!(world.ask(REFRESH, &[&v6]).code, 443);
        assert_eq!(world.ask(REFRESH, &[&RequestedAddressFamily::new(AddressFamily::IPV4)]).code, 0);

        let mut world = World::new();
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 0);
        assert_eq!((permit(&mut world, peer), permit(&mut world, PEER)), (0, 443));
    }

    #[test]
    fn a_quota_that_is_used_up_is_said() {
        for limit in [
            TurnLimits { allocations: ONE, ..NO_LIMITS },
            TurnLimits { allocations_per_user: ONE, ..NO_LIMITS },
            TurnLimits { allocations_per_address: ONE, ..NO_LIMITS },
        ] {
            let mut world = World::new();
            limits(&mut world, limit);
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
            let first = world.allocation.take();
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 486);
            assert_eq!(world.ports.open(), 1, "no port is opened for it");
            drop(first);
            assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "once the first is gone");
        }
    }

    #[test]
    fn a_forbidden_peer_gets_neither_permission_nor_channel() {
        let mut world = allocated();
        for peer in ["10.0.0.1:1000", "127.0.0.1:1000", "169.254.169.254:80", "224.0.0.1:1000", "0.0.0.0:1000"] {
            assert_eq!((permit(&mut world, peer), bind(&mut world, 0x4000, peer)), (403, 403), "{peer}");
        }
        let mut world = World::new();
        let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
        assert_eq!(world.ask(ALLOCATE, &[&udp(), &v6]).code, 0);
        for ip in ["::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:808:808::f5ff:fffe", "fd00::1"]
        {
            let peer = format!("[{ip}]:1000");
            assert_eq!((permit(&mut world, &peer), bind(&mut world, 0x4000, &peer)), (403, 403), "{peer}");
        }
    }

    #[test]
    fn of_this_host_only_the_relay_ports_get_a_channel() {
        let mut world = allocated();
        assert_eq!(permit(&mut world, "192.0.2.1:22"), 0, "a permission is for all ports");
        assert!(!sends(&mut world, "192.0.2.1:22", &[]) && sends(&mut world, "192.0.2.1:50002", &[]));
        assert_eq!(bind(&mut world, 0x4000, "192.0.2.1:22"), 403);
        assert_eq!(bind(&mut world, 0x4000, "192.0.2.1:50002"), 0);
    }

    #[test]
    fn what_the_filter_forbids_is_not_sent_even_with_a_permission() {
        let mut world = connected();
        let allocation = world.allocation.as_ref().unwrap();
        let mut routes = Routes::clone(&allocation.routes.load());
        let (now, forbidden) = (world.now.instant, "10.0.0.1:1000".parse().unwrap());
        routes.bind(0x4001, forbidden, now).unwrap();
        allocation.routes.store(Arc::new(routes));
        assert!(!carries(&mut world, 0x4001) && !sends(&mut world, "10.0.0.1:1000", &[]));
    }

    #[test]
    fn no_port_is_said() {
        let mut world = World::new();
        world.ports.is_full = true;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 508);
        assert_eq!(world.rules.quota.allocations(), 0, "and takes nothing of the quota");
    }

    #[test]
    fn an_even_port_is_given_and_none_is_reserved() {
        for _ in 0..2 {
            let mut world = World::new();
            let reply = world.ask(ALLOCATE, &[&udp(), &EvenPort::new(false)]);
            assert_eq!(reply.attribute::<XorRelayedAddress>().unwrap().addr(reply.transaction()).port() % 2, 0);
        }
        let token = ReservationToken::new(1);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &EvenPort::new(true)]).code, 508);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token]).code, 508);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &EvenPort::new(false)]).code, 400);
        let (v6, both) =
            (RequestedAddressFamily::new(AddressFamily::IPV6), AdditionalAddressFamily::new(AddressFamily::IPV6));
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &v6]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &token, &both]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &v6, &both]).code, 400);
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &EvenPort::new(true), &both]).code, 400);
    }

    #[test]
    fn an_attribute_that_must_be_understood_and_is_not_is_named() {
        const DONT_FRAGMENT: u16 = 0x001a;
        const UNHEARD: u16 = 0x7fff;
        let is_told = |reply: &Reply, kind: u16| {
            reply.code == 420 && reply.attribute::<UnknownAttributes>().unwrap().has_attribute(kind.into())
        };
        for kind in [DONT_FRAGMENT, UNHEARD] {
            let mut world = World::new();
            assert!(is_told(&world.ask(ALLOCATE, &[&udp(), &raw(kind, b"")]), kind));
            assert!(world.allocation.is_none());
            let mut world = allocated();
            for method in [REFRESH, CREATE_PERMISSION, CHANNEL_BIND] {
                assert!(is_told(&world.ask(method, &[&world.peer(PEER), &raw(kind, b"")]), kind), "{method}");
            }
        }
        assert_eq!(World::new().ask(ALLOCATE, &[&udp(), &raw(0xfff0, b"")]).code, 0, "but for those that needn't be");
    }

    #[test]
    fn lifetimes_are_clamped() {
        for (asked, given) in [(0, 600), (1, 600), (599, 600), (601, 601), (3600, 3600), (3601, 3600), (u32::MAX, 3600)]
        {
            let mut world = World::new();
            assert_eq!(seconds_of(&world.ask(ALLOCATE, &[&udp(), &Lifetime::new(asked)])), given, "{asked}");
            let expected = if asked == 0 { 0 } else { given };
            assert_eq!(seconds_of(&world.ask(REFRESH, &[&Lifetime::new(asked)])), expected, "{asked}");
        }
    }

    #[test]
    fn an_allocation_ends_with_its_lifetime() {
        let mut world = connected();
        world.wait(299);
        assert_eq!(permit(&mut world, PEER), 0);
        world.wait(299);
        assert_eq!(permit(&mut world, PEER), 0);
        world.wait(1);
        assert!(carries(&mut world, 0x4000) && sends(&mut world, PEER, &[]));
        world.wait(1);
        assert!(!carries(&mut world, 0x4000) && !sends(&mut world, PEER, &[]));
        world.nonce = world.rules.nonces.make(world.client, world.now.wall);
        assert_eq!(world.ask(REFRESH, &[]).code, 437);
        assert_eq!(world.ports.open(), 0);
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0, "and another may follow");
    }

    #[test]
    fn a_refresh_to_zero_ends_it() {
        let mut world = connected();
        assert_eq!(world.ask(REFRESH, &[&Lifetime::new(0)]).code, 0);
        assert_eq!((world.ports.open(), world.rules.quota.allocations()), (0, 0));
        assert!(!carries(&mut world, 0x4000));
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        assert!(!carries(&mut world, 0x4000), "nothing is left of the one before");
    }

    #[test]
    fn a_refresh_keeps_a_call_alive_after_its_credential_has_expired() {
        let mut world = allocated();
        for _ in 0..10 {
            world.wait(590);
            world.nonce = world.rules.nonces.make(world.client, world.now.wall);
            assert_eq!((world.ask(REFRESH, &[]).code, permit(&mut world, PEER)), (0, 0));
        }
        assert!(world.now.wall > START + 3600);
        world.allocation = None;
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 401);
    }

    #[test]
    fn a_wall_clock_that_jumps_costs_a_nonce_and_ends_no_relay() {
        let mut world = connected();
        // What is before 1970 is 0.
        for wall in [START - 1, START + 601, 0, u64::MAX, START] {
            world.now.wall = wall;
            assert_eq!(world.ask(REFRESH, &[]).code, 438, "{wall}");
            world.nonce = world.rules.nonces.make(world.client, wall);
            assert_eq!(world.ask(REFRESH, &[]).code, 0, "{wall}");
            assert!(carries(&mut world, 0x4000), "{wall}");
            // And newcomers come, with what they are given by this clock.
            let expiry = wall.saturating_add(3600);
            let mut other =
                World { credential: Credential::mint(&world.rules.secrets[0], "bob", expiry), ..World::new() };
            (other.now.wall, other.nonce) = (wall, other.rules.nonces.make(other.client, wall));
            assert_eq!(other.ask(ALLOCATE, &[&udp()]).code, if wall == u64::MAX { 401 } else { 0 }, "{wall}");
        }
    }

    #[test]
    fn a_refresh_has_to_be_signed_by_the_owner() {
        let mut world = allocated();
        world.credential.password = "wrong".into();
        assert_eq!(world.ask(REFRESH, &[&Lifetime::new(0)]).code, 401);
        assert!(world.allocation.is_some());
    }

    #[test]
    fn no_allocation_is_older_than_a_day() {
        let mut world = allocated();
        let mut age = 0;
        while age <= AGE.as_secs() {
            let reply = world.ask(REFRESH, &[&Lifetime::new(3600)]);
            if reply.code != 0 {
                assert_eq!(reply.code, 401, "another one would need another credential");
                break;
            }
            let step = u64::from(seconds_of(&reply)).min(500);
            world.wait(step);
            age += step;
            world.nonce = world.rules.nonces.make(world.client, world.now.wall);
        }
        assert_eq!(age, AGE.as_secs());
    }

    #[test]
    fn a_permission_is_needed_to_send_and_is_for_all_ports_of_an_address() {
        let mut world = allocated();
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!(permit(&mut world, "8.8.8.8:0"), 0);
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, "8.8.8.8:2", &[]));
        assert!(!sends(&mut world, "8.8.4.4:1000", &[]) && !sends(&mut world, "8.8.8.8:0", &[]));
        world.wait(300);
        assert!(!sends(&mut world, PEER, &[]));
    }

    #[test]
    fn permissions_are_given_all_or_none() {
        let mut world = allocated();
        for bad in [world.peer("10.0.0.1:1000"), world.peer("[2606:4700::1]:1000")] {
            let peers: [&dyn AttributeWrite; 3] = [&world.peer(PEER), &bad, &world.peer("8.8.4.4:1")];
            let reply = world.ask(CREATE_PERMISSION, &peers);
            assert!(matches!(reply.code, 403 | 443));
            assert!(!sends(&mut world, PEER, &[]));
        }
        let malformed = raw(0x0012, &[0, 9, 0, 0, 0, 0, 0, 0]);
        assert_eq!(world.ask(CREATE_PERMISSION, &[&world.peer(PEER), &malformed]).code, 400);
        assert_eq!(world.ask(CREATE_PERMISSION, &[]).code, 400, "for no peer");
        assert!(!sends(&mut world, PEER, &[]));
        assert_eq!(world.ask(CREATE_PERMISSION, &[&world.peer(PEER), &world.peer("8.8.4.4:1")]).code, 0);
        assert!(sends(&mut world, PEER, &[]) && sends(&mut world, "8.8.4.4:1", &[]));
    }

    #[test]
    fn permissions_and_channels_are_bounded_and_the_bound_is_said() {
        let mut world = allocated();
        for last in 0..MOST {
            assert_eq!(permit(&mut world, &format!("8.8.8.{last}:1")), 0);
        }
        assert_eq!(permit(&mut world, "8.8.4.4:1"), 508);
        assert_eq!(permit(&mut world, "8.8.8.1:1"), 0, "what is there is prolonged");
    }

    #[test]
    fn a_channel_is_from_0x4000_to_0x7fff() {
        for (channel, code) in
            [(0, 400), (0x3fff, 400), (0x4000, 0), (0x4fff, 0), (0x7fff, 0), (0x8000, 400), (0xffff, 400)]
        {
            assert_eq!(bind(&mut allocated(), channel, PEER), code, "{channel:#x}");
        }
        let mut world = allocated();
        assert_eq!(world.ask(CHANNEL_BIND, &[&world.peer(PEER)]).code, 400);
        assert_eq!(world.ask(CHANNEL_BIND, &[&ChannelNumber::new(0x4000)]).code, 400);
    }

    #[test]
    fn a_channel_is_for_one_peer_and_can_be_prolonged() {
        let mut world = connected();
        assert_eq!(bind(&mut world, 0x4000, "8.8.8.8:1001"), 400);
        assert_eq!(bind(&mut world, 0x4001, PEER), 400);
        assert_eq!(bind(&mut world, 0x4000, PEER), 0);
        let message = channel_data(0x4000, b"hello");
        assert_eq!(world.take_channel_data(&message), Some((PEER.parse().unwrap(), &b"hello"[..])));
        assert!(sends(&mut world, PEER, &[]), "it implies the permission");
        assert!(!carries(&mut world, 0x4001));
    }

    #[test]
    fn channel_data_is_what_it_says_and_padding_is_not() {
        let mut world = connected();
        let mut padded = channel_data(0x4000, b"hello");
        padded.extend([9; 3]);
        assert_eq!(world.take_channel_data(&padded).unwrap().1, b"hello");
        assert_eq!(world.take_channel_data(&padded[..8]), None, "cut off");
        assert_eq!(world.take_channel_data(&channel_data(0x4000, b"")).unwrap().1, b"");
    }

    #[test]
    fn a_send_indication_with_an_attribute_that_must_be_understood_is_dropped() {
        let mut world = connected();
        assert!(sends(&mut world, PEER, &[&raw(0xfff0, b"")]));
        assert!(!sends(&mut world, PEER, &[&raw(0x7fff, b"")]) && !sends(&mut world, PEER, &[&raw(0x001a, b"")]));
        for attributes in [&[&Data::new(b"x") as &dyn AttributeWrite][..], &[&world.peer(PEER)]] {
            let message = world.plain(MessageClass::Indication, SEND, attributes).finish();
            assert_eq!(world.take(&message), Outcome::Drop);
        }
    }

    #[test]
    fn an_allocation_carries_so_many_bytes_per_second_and_no_more() {
        let mut world = World::new();
        world.rules.bytes_per_second = Some(TokenRate::even(100.0));
        assert_eq!(world.ask(ALLOCATE, &[&udp()]).code, 0);
        assert_eq!(bind(&mut world, 0x4000, PEER), 0);
        let carried = |world: &mut World| (0..100).filter(|_| carries(world, 0x4000)).count();
        assert_eq!(carried(&mut world), 20, "of five bytes each");
        assert!(!sends(&mut world, PEER, &[]), "both ways of sending count");
        world.wait(1);
        assert_eq!(carried(&mut world), 20);
        world.wait(60);
        assert_eq!(carried(&mut world), 20, "what wasn't used is not saved up");
    }

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
    fn a_message_with_bytes_behind_it_is_dropped() {
        let mut world = connected();
        let requests = [
            world.plain(MessageClass::Request, BINDING, &[]).finish(),
            world.signed(REFRESH, &[&Lifetime::new(0)]),
            world.plain(MessageClass::Indication, SEND, &[&world.peer(PEER), &Data::new(b"hello")]).finish(),
        ];
        for request in requests {
            for more in [1, 4, 8] {
                let longer = [&request[..], &vec![0; more]].concat();
                assert_eq!(world.take(&longer), Outcome::Drop, "{more}");
            }
        }
        assert!(carries(&mut world, 0x4000));
    }

    #[test]
    fn a_data_indication_is_as_long_as_it_says_or_is_not_made() {
        for (peer, most) in [("8.8.8.8:1000", 65516), ("[2606:4700::1]:1000", 65504)] {
            let peer = peer.parse().unwrap();
            for length in [0, 1, 1200, most - 1, most] {
                let bytes = data_indication(peer, &vec![7; length]).unwrap();
                assert_eq!(message(&bytes).unwrap().attribute::<Data>().unwrap().data(), vec![7; length]);
            }
            for length in [most + 1, 65520, 65527] {
                assert_eq!(data_indication(peer, &vec![7; length]), None, "{length}");
            }
        }
    }

    #[test]
    fn an_attribute_behind_the_integrity_means_nothing() {
        let mut world = allocated();
        let mut request = world.signed(CREATE_PERMISSION, &[&world.peer(PEER)]);
        let mut more = vec![0; 12];
        world.peer("8.8.4.4:1000").write_into_unchecked(&mut more);
        request.extend(more);
        let length = u16::try_from(request.len() - 20).unwrap();
        request[2..4].copy_from_slice(&length.to_be_bytes());
        world.take(&request);
        assert!(!sends(&mut world, "8.8.4.4:1000", &[]), "it is not signed");
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
