//! What a message holds: as many bytes as it says, and attributes, of which those below 0x8000 must be understood.

use stun_types::attribute::{
    Attribute as _, AttributeStaticType as _, AttributeType, MessageIntegrity, Nonce, Realm, Username,
};
use stun_types::message::{Message, MessageHeader};

use super::answer::RequestError;

/// RFC 8489, 14: attributes below this must be understood.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// What every authenticated request holds.
const KNOWN: [AttributeType; 4] = [Username::TYPE, Realm::TYPE, Nonce::TYPE, MessageIntegrity::TYPE];

pub(super) fn check_known(message: &Message<'_>, known: &[AttributeType]) -> Result<(), RequestError> {
    let unknown = unknown(message, known);
    if unknown.is_empty() { Ok(()) } else { Err(RequestError::Unknown(unknown)) }
}

/// The attributes that must be understood and aren't, at most eight of them, so that no answer is long.
pub(super) fn unknown(message: &Message<'_>, known: &[AttributeType]) -> Vec<AttributeType> {
    let types = message.iter_attributes().map(|(_, attribute)| attribute.get_type());
    let is_unknown =
        |kind: &AttributeType| kind.value() < COMPREHENSION_OPTIONAL && !known.contains(kind) && !KNOWN.contains(kind);
    types.filter(is_unknown).take(8).collect()
}

/// A message that is as long as it says (RFC 8489, 6.3): of one that isn't, the codec would read what follows it too.
pub(super) fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let length = bytes.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])))?;
    if bytes.len() == MessageHeader::LENGTH + length { Message::from_bytes(bytes).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::UnknownAttributes;
    use stun_types::message::{BINDING, MessageClass, MessageWrite as _};
    use turn_types::attribute::{Data, Lifetime};
    use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH, SEND};

    use super::super::super::fuzzing::World;
    use super::super::Outcome;
    use super::super::world::{PEER, Reply, allocated, carries, connected, raw, udp};

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
}
