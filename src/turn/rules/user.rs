//! Who sent a request: the long-term credentials of RFC 8489, 9.2, by secrets that are shared with the code that gave them.
//! Their expiry counts when an allocation is made, and no more after.

use std::net::SocketAddr;

use stun_types::attribute::{AttributeStaticType as _, ErrorCode, MessageIntegrity, Nonce, Realm, Username};
use stun_types::message::{IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageWrite as _};

use super::answer::{add, error};
use super::{Allocation, Now, Rules};
use crate::ice::credential::expiry;

/// Both what we call ourselves to clients and a part of every key.
pub(in crate::turn) const REALM: &str = "entremise";

/// Why a request is refused: RFC 8489, 14.8 and RFC 8656, 19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AuthenticationError(u16);

/// Who sent an authenticated request.
pub(super) struct User {
    pub(super) name: Box<str>,
    pub(super) key: IntegrityKey,
}

impl Rules {
    /// RFC 8489, 9.2.4, in its order.
    pub(super) fn authenticate<R>(
        &self,
        allocation: Option<&Allocation<R>>,
        client: SocketAddr,
        message: &Message<'_>,
        now: Now,
    ) -> Result<User, AuthenticationError> {
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
            let user = User { name: user.into(), key: own.key.clone() };
            return if is_signed_with(&own.key) { Ok(user) } else { Err(WRONG) };
        }
        let is_valid = realm.realm() == REALM && expiry(user).is_some_and(|expiry| expiry > now.wall);
        let mut keys = self.secrets.iter().map(|secret| key(user, &secret.password(user)));
        let key = if is_valid { keys.find(is_signed_with) } else { None };
        Ok(User { name: user.into(), key: key.ok_or(WRONG)? })
    }

    /// An error that says how to authenticate (RFC 8489, 9.2.4).
    pub(super) fn challenge(
        &self,
        message: &Message<'_>,
        reason: AuthenticationError,
        client: SocketAddr,
        now: Now,
    ) -> Vec<u8> {
        let mut answer = error(message, reason.0);
        if reason.0 != ErrorCode::BAD_REQUEST {
            add(&mut answer, &Realm::new(REALM).expect("a short realm"));
            add(&mut answer, &Nonce::new(&self.nonces.make(client, now.wall)).expect("a short nonce"));
        }
        answer.finish()
    }
}

fn key(user: &str, password: &str) -> IntegrityKey {
    LongTermKeyCredentials::new(user.to_owned(), password.to_owned(), REALM.to_owned())
        .make_key(IntegrityAlgorithm::Sha1)
}

#[cfg(test)]
mod tests {
    use stun_types::attribute::AttributeWrite;
    use stun_types::message::MessageClass;
    use turn_types::attribute::Lifetime;
    use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

    use super::super::super::fuzzing::{START, World};
    use super::super::answer::sign;
    use super::super::world::{PEER, allocated, bind, carries, connected, permit, raw, sends, udp};
    use super::*;
    use crate::ice::credential::{Credential, TurnSecret};

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
    fn a_refresh_has_to_be_signed_by_the_owner() {
        let mut world = allocated();
        world.credential.password = "wrong".into();
        assert_eq!(world.ask(REFRESH, &[&Lifetime::new(0)]).code, 401);
        assert!(world.allocation.is_some());
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
}
