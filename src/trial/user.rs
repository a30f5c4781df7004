//! A client of STUN and TURN, as far as a trial needs one: Binding, Allocate, a permission, Send and Data.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeWrite, ErrorCode, Nonce, Realm, Username, XorMappedAddress};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWrite as _,
    MessageWriteExt as _, MessageWriteVec, Method, TransactionId,
};
use turn_types::attribute::{Data, Lifetime, RequestedTransport, XorPeerAddress, XorRelayedAddress};
use turn_types::message::{ALLOCATE, CREATE_PERMISSION, REFRESH, SEND};

use super::in_words;
use super::target::Transport;
use super::wire::Wire;
use crate::ice::credential::Credential;

/// What one relay says to the other.
const HELLO: &[u8] = b"entremise ice";

/// The client.
pub(super) struct User {
    wire: Wire,
    credential: Option<Credential>,
    /// What the server asked to be signed with.
    challenge: Option<(String, String)>,
}

impl User {
    pub(super) fn new(wire: Wire, credential: Option<Credential>) -> Self {
        Self { wire, credential, challenge: None }
    }

    /// By which address the server sees this client.
    pub(super) fn bind(&mut self) -> Result<SocketAddr, String> {
        let answer = self.ask(BINDING, |_| Vec::new())?;
        let (message, transaction) = read(&answer)?;
        message.attribute::<XorMappedAddress>().map(|mapped| mapped.addr(transaction)).map_err(|_| unreadable())
    }

    /// A relay's advertised address.
    pub(super) fn allocate(&mut self) -> Result<SocketAddr, String> {
        let answer = self.ask(ALLOCATE, |_| vec![Box::new(RequestedTransport::new(RequestedTransport::UDP))])?;
        let (message, transaction) = read(&answer)?;
        message.attribute::<XorRelayedAddress>().map(|relayed| relayed.addr(transaction)).map_err(|_| unreadable())
    }

    /// Gives the relay back. That it can't be is no matter: it runs out.
    pub(super) fn leave(&mut self) {
        let _ = self.ask(REFRESH, |_| vec![Box::new(Lifetime::new(0))]);
    }

    fn permit(&mut self, peer: SocketAddr) -> Result<(), String> {
        self.ask(CREATE_PERMISSION, |transaction| vec![Box::new(XorPeerAddress::new(peer, transaction))]).map(drop)
    }

    fn say(&mut self, peer: SocketAddr) -> Result<(), String> {
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let transaction = TransactionId::generate();
        let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
        add(&mut message, &XorPeerAddress::new(peer, transaction));
        add(&mut message, &Data::new(HELLO));
        self.wire.send(&message.finish()).map_err(|error| in_words(Transport::Udp, &error))
    }

    /// Whether the other relay is heard, from its advertised address.
    fn hears(&mut self, peer: SocketAddr) -> bool {
        let received = self.wire.receive();
        received.is_ok_and(|bytes| {
            Message::from_bytes(&bytes).is_ok_and(|message| {
                let from = message.attribute::<XorPeerAddress>().map(|peer| peer.addr(message.transaction_id()));
                from.is_ok_and(|from| from == peer)
                    && message.attribute::<Data>().is_ok_and(|data| data.data() == HELLO)
            })
        })
    }

    /// Asks, and once more with credentials where they are asked for. Gives back a success.
    fn ask(&mut self, method: Method, attributes: impl Fn(TransactionId) -> Attributes) -> Result<Vec<u8>, String> {
        let answer = self.exchange(method, &attributes)?;
        let (message, _) = read(&answer)?;
        let code = code(&message);
        let (Some(ErrorCode::UNAUTHORIZED | ErrorCode::STALE_NONCE), Some(_), Ok(realm), Ok(nonce)) =
            (code, &self.credential, message.attribute::<Realm>(), message.attribute::<Nonce>())
        else {
            return code.map_or(Ok(answer.clone()), |code| Err(explain(code)));
        };
        self.challenge = Some((realm.realm().to_owned(), nonce.nonce().to_owned()));
        let answer = self.exchange(method, &attributes)?;
        let (message, _) = read(&answer)?;
        code_of_success(&message)?;
        Ok(answer)
    }

    fn exchange(
        &mut self,
        method: Method,
        attributes: &impl Fn(TransactionId) -> Attributes,
    ) -> Result<Vec<u8>, String> {
        let transaction = TransactionId::generate();
        let request = self.request(method, transaction, &attributes(transaction))?;
        let mut last = unreadable();
        for _ in 0..self.wire.tries() {
            match self.wire.send(&request).and_then(|()| self.wire.receive()) {
                Ok(answer) if read(&answer).is_ok_and(|(_, answered)| answered == transaction) => return Ok(answer),
                Ok(_) => last = unreadable(),
                Err(error) => last = in_words(Transport::Udp, &error),
            }
        }
        Err(last)
    }

    fn request(&self, method: Method, transaction: TransactionId, attributes: &Attributes) -> Result<Vec<u8>, String> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut message = Message::builder(kind, transaction, MessageWriteVec::new());
        for attribute in attributes {
            add(&mut message, attribute.as_ref());
        }
        if let (Some(credential), Some((realm, nonce))) = (&self.credential, &self.challenge) {
            add(&mut message, &Username::new(&credential.username).map_err(|_| unreadable())?);
            add(&mut message, &Realm::new(realm).map_err(|_| unreadable())?);
            add(&mut message, &Nonce::new(nonce).map_err(|_| unreadable())?);
            let Credential { username, password } = credential.clone();
            let key = LongTermKeyCredentials::new(username, password, realm.clone()).make_key(IntegrityAlgorithm::Sha1);
            message.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).expect("it is signed once");
        }
        Ok(message.finish())
    }
}

type Attributes = Vec<Box<dyn AttributeWrite>>;

/// Whether two relays reach each other, both ways, by their advertised addresses.
pub(super) fn meet(alice: (&mut User, SocketAddr), bob: (&mut User, SocketAddr)) -> Result<(), String> {
    let ((alice, at_alice), (bob, at_bob)) = (alice, bob);
    alice.permit(at_bob)?;
    bob.permit(at_alice)?;
    alice.say(at_bob)?;
    let forth = bob.hears(at_alice);
    bob.say(at_alice)?;
    let back = alice.hears(at_bob);
    if forth && back {
        return Ok(());
    }
    Err(format!(
        "two relays, {at_alice} and {at_bob}, do not reach each other: is the address of this machine that they are on the \
         right one (--turn-relay-address, --turn-external-ip)?"
    ))
}

fn add(message: &mut MessageWriteVec, attribute: &dyn AttributeWrite) {
    message.add_attribute(attribute).expect("each attribute is added once, before the integrity");
}

fn read(bytes: &[u8]) -> Result<(Message<'_>, TransactionId), String> {
    let message = Message::from_bytes(bytes).map_err(|_| unreadable())?;
    let transaction = message.transaction_id();
    Ok((message, transaction))
}

fn unreadable() -> String {
    "the answer is not STUN: another program has the port".into()
}

/// The code of an error.
fn code(message: &Message<'_>) -> Option<u16> {
    message.has_class(MessageClass::Error).then(|| message.attribute::<ErrorCode>().map_or(0, |error| error.code()))
}

fn code_of_success(message: &Message<'_>) -> Result<(), String> {
    code(message).map_or(Ok(()), |code| Err(explain(code)))
}

/// What an error code means to an operator.
fn explain(code: u16) -> String {
    let meaning = match code {
        ErrorCode::UNAUTHORIZED => "the credentials are refused: is it another server's port, or its clock wrong?",
        ErrorCode::FORBIDDEN => "the relay may not reach the other relay's advertised address",
        ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED => "this machine has no address for a relay",
        ErrorCode::ALLOCATION_QUOTA_REACHED => "there are as many relays as the flags allow",
        ErrorCode::INSUFFICIENT_CAPACITY => {
            "no port is free for a relay (--turn-relay-ports), or the server is stopping"
        }
        _ => "the request is refused",
    };
    format!("{meaning} (code {code})")
}
