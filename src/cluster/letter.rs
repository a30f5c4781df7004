//! What waits for a session's client, as it goes to another node with the session. Pure.

use serde::{Deserialize, Serialize};

use super::envelope::{At, addresses, code, code_number, kind, kind_number};
use crate::protocol::{Address, ErrorNotice, IceServer, Notice, Reference, RoomName, ServerMessage};

/// A message for a client of our own protocol. The only one whose sessions outlive their nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Letter<'a> {
    Relayed {
        #[serde(borrow)]
        from: At<'a>,
        kind: u8,
        payload: Option<&'a str>,
    },
    Broadcast {
        room: &'a str,
        #[serde(borrow)]
        from: At<'a>,
        payload: &'a str,
    },
    Ack {
        reference: &'a str,
        parked: bool,
    },
    Joined {
        room: &'a str,
        #[serde(borrow)]
        peers: Vec<At<'a>>,
        reference: Option<&'a str>,
    },
    Left {
        room: &'a str,
        reference: Option<&'a str>,
    },
    PeerJoined {
        room: &'a str,
        #[serde(borrow)]
        peer: At<'a>,
    },
    PeerLeft {
        room: &'a str,
        #[serde(borrow)]
        peer: At<'a>,
    },
    IceServers {
        servers: Vec<Server<'a>>,
        reference: Option<&'a str>,
    },
    Error {
        code: u8,
        to: Option<&'a str>,
        room: Option<&'a str>,
        #[serde(borrow)]
        peers: Vec<At<'a>>,
        reference: Option<&'a str>,
    },
}

/// Its URLs, a user and a password.
type Server<'a> = (Vec<&'a str>, Option<&'a str>, Option<&'a str>);

fn text(reference: Option<&Reference>) -> Option<&str> {
    reference.map(Reference::as_str)
}

impl<'a> Letter<'a> {
    /// None: it is not of our own protocol.
    pub(super) fn of(message: &'a ServerMessage) -> Option<Self> {
        Some(match message {
            ServerMessage::Relayed { from, kind, payload } => {
                Self::Relayed { from: At::from(from), kind: kind_number(*kind), payload: payload.as_deref() }
            }
            ServerMessage::Broadcast { room, from, payload } => {
                Self::Broadcast { room: room.as_str(), from: At::from(from), payload }
            }
            ServerMessage::Notice(notice) => return Self::notice(notice),
            ServerMessage::InSession { .. } | ServerMessage::Published(_) => return None,
        })
    }

    fn notice(notice: &'a Notice) -> Option<Self> {
        let ats = |peers: &'a [Address]| peers.iter().map(At::from).collect();
        Some(match notice {
            Notice::Ack { reference, parked } => Self::Ack { reference: reference.as_str(), parked: *parked },
            Notice::Joined { room, peers, reference } => {
                Self::Joined { room: room.as_str(), peers: ats(peers), reference: text(reference.as_ref()) }
            }
            Notice::Left { room, reference } => Self::Left { room: room.as_str(), reference: text(reference.as_ref()) },
            Notice::PeerJoined { room, peer } => Self::PeerJoined { room: room.as_str(), peer: At::from(peer) },
            Notice::PeerLeft { room, peer } => Self::PeerLeft { room: room.as_str(), peer: At::from(peer) },
            Notice::IceServers { ice_servers, reference } => Self::IceServers {
                servers: ice_servers.iter().map(server).collect(),
                reference: text(reference.as_ref()),
            },
            Notice::Error(error) => Self::Error {
                code: code_number(error.code),
                to: error.to.as_deref(),
                room: error.room.as_ref().map(RoomName::as_str),
                peers: ats(&error.peers),
                reference: text(error.reference.as_ref()),
            },
            Notice::Exchange(_) => return None,
        })
    }

    /// None: it can't be read here.
    pub(super) fn message(self) -> Option<ServerMessage> {
        let reference = |text: Option<&str>| text.map(Reference::new);
        let notice = match self {
            Self::Relayed { from, kind: number, payload } => {
                let (from, kind) = (from.address()?, kind(number)?);
                return Some(ServerMessage::Relayed { from, kind, payload: payload.map(Into::into) });
            }
            Self::Broadcast { room, from, payload } => {
                let (room, from) = (RoomName::new(room)?, from.address()?);
                return Some(ServerMessage::Broadcast { room, from, payload: payload.into() });
            }
            Self::Ack { reference, parked } => Notice::Ack { reference: Reference::new(reference), parked },
            Self::Joined { room, peers, reference: text } => {
                Notice::Joined { room: RoomName::new(room)?, peers: addresses(&peers), reference: reference(text) }
            }
            Self::Left { room, reference: text } => {
                Notice::Left { room: RoomName::new(room)?, reference: reference(text) }
            }
            Self::PeerJoined { room, peer } => Notice::PeerJoined { room: RoomName::new(room)?, peer: peer.address()? },
            Self::PeerLeft { room, peer } => Notice::PeerLeft { room: RoomName::new(room)?, peer: peer.address()? },
            Self::IceServers { servers, reference: text } => Notice::IceServers {
                ice_servers: servers.into_iter().map(ice_server).collect(),
                reference: reference(text),
            },
            Self::Error { code: number, to, room, peers, reference: text } => {
                let mut error = ErrorNotice::new(code(number), reference(text)).peers(addresses(&peers));
                (error.to, error.room) = (to.map(Into::into), room.and_then(RoomName::new));
                Notice::Error(Box::new(error))
            }
        };
        Some(ServerMessage::Notice(notice))
    }
}

fn server(server: &IceServer) -> Server<'_> {
    let urls = server.urls.iter().map(String::as_str).collect();
    (urls, server.username.as_deref(), server.credential.as_deref())
}

fn ice_server((urls, username, credential): Server<'_>) -> IceServer {
    IceServer {
        urls: urls.into_iter().map(str::to_owned).collect(),
        username: username.map(str::to_owned),
        credential: credential.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ErrorCode, Kind};

    #[test]
    fn what_waits_for_a_client_is_the_same_on_another_node() {
        let (peer, room) = (Address::random(), RoomName::new("hall").unwrap());
        let reference = || Some(Reference::new("\"1\""));
        let ice_servers = vec![IceServer {
            urls: vec!["turn:a".into(), "turn:b".into()],
            username: Some("user".into()),
            credential: Some("word".into()),
        }];
        let error = ErrorNotice::new(ErrorCode::PeerBusy, reference()).room(room.clone()).peers(vec![peer.clone()]);
        let messages = [
            ServerMessage::Relayed { from: peer.clone(), kind: Kind::Bye, payload: None },
            ServerMessage::Broadcast { room: room.clone(), from: peer.clone(), payload: "{}".into() },
            ServerMessage::Notice(Notice::Ack { reference: Reference::new("7"), parked: true }),
            ServerMessage::Notice(Notice::Joined { room: room.clone(), peers: vec![peer.clone()], reference: None }),
            ServerMessage::Notice(Notice::Left { room: room.clone(), reference: reference() }),
            ServerMessage::Notice(Notice::PeerJoined { room: room.clone(), peer: peer.clone() }),
            ServerMessage::Notice(Notice::PeerLeft { room, peer: peer.clone() }),
            ServerMessage::Notice(Notice::IceServers { ice_servers, reference: reference() }),
            ServerMessage::Notice(Notice::Error(Box::new(error))),
            ServerMessage::Notice(Notice::Error(Box::new(ErrorNotice::new(ErrorCode::Undelivered, None).to("x")))),
        ];
        for message in messages {
            let bytes = postcard::to_stdvec(&Letter::of(&message).unwrap()).unwrap();
            let again = postcard::from_bytes::<Letter<'_>>(&bytes).unwrap().message().unwrap();
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
        }
    }
}
