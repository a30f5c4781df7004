//! Answers, and the errors among them.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeType, AttributeWrite, ErrorCode, UnknownAttributes, XorMappedAddress};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, Message, MessageWrite as _, MessageWriteExt as _, MessageWriteVec,
};

use crate::net::Family;

/// An error for a client that has shown who it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestError {
    Code(u16),
    Unknown(Vec<AttributeType>),
}

impl RequestError {
    /// Why a family could not be had, as the answer to an Allocate of both says it: RFC 8656, 18.12 has these two codes.
    pub(super) fn family_error(&self, family: Family) -> (Family, u16) {
        let code = match self {
            Self::Code(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED) => ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED,
            _ => ErrorCode::INSUFFICIENT_CAPACITY,
        };
        (family, code)
    }

    pub(super) fn write(&self, message: &Message<'_>, key: &IntegrityKey) -> Vec<u8> {
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

pub(super) fn code(code: u16) -> RequestError {
    RequestError::Code(code)
}

pub(super) fn mapped(message: &Message<'_>, client: SocketAddr) -> XorMappedAddress {
    XorMappedAddress::new(client, message.transaction_id())
}

pub(super) fn success(message: &Message<'_>, attributes: &[&dyn AttributeWrite], key: &IntegrityKey) -> Vec<u8> {
    let mut answer = Message::builder_success(message, MessageWriteVec::new());
    for attribute in attributes {
        add(&mut answer, *attribute);
    }
    sign(&mut answer, key);
    answer.finish()
}

pub(super) fn error(message: &Message<'_>, code: u16) -> MessageWriteVec {
    let mut answer = Message::builder_error(message, MessageWriteVec::new());
    add(&mut answer, &error_code(code));
    answer
}

pub(super) fn error_code(code: u16) -> ErrorCode {
    ErrorCode::builder(code).build().expect("a code from 300 to 699")
}

pub(super) fn add(answer: &mut MessageWriteVec, attribute: &dyn AttributeWrite) {
    answer.add_attribute(attribute).expect("each attribute is added once, before the integrity");
}

pub(super) fn sign(answer: &mut MessageWriteVec, key: &IntegrityKey) {
    answer.add_message_integrity_with_key(key, IntegrityAlgorithm::Sha1).expect("an answer is signed once");
}
