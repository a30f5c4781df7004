//! Resume tokens: who shows one takes its session back.
//!
//! A token is two random halves of 128 bits. The first finds the session and stays the same; the second proves that it
//! is one's own, is new with each `welcome`, and is compared in constant time.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::protocol::PeerId;

const HALF: usize = 16;

/// Finds a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Handle([u8; HALF]);

#[derive(Clone, Copy)]
struct Proof([u8; HALF]);

/// What a client shows to take its session back: 43 characters of `[A-Za-z0-9_-]`, or 64 where there are several nodes. Shown by nothing but `Display`.
#[derive(Clone, Copy)]
pub struct ResumeToken {
    pub(super) handle: Handle,
    proof: Proof,
    /// By which each node knows that one of them has issued it. None: there is one.
    seal: Option<Seal>,
}

/// Follows from a key that all nodes have, and from what is sealed.
pub type Seal = [u8; HALF];

/// The text is not one of our tokens.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAToken;

/// The tokens of one session.
///
/// Invariant: at most two are valid, and the older one only until the younger one's `welcome` is known to have arrived
/// (`a_token_is_spent_once_its_successor_is_confirmed`).
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) handle: Handle,
    confirmed: Option<Proof>,
    successor: Option<Proof>,
}

impl Tokens {
    /// None is valid yet.
    pub(super) fn new() -> Self {
        Self { handle: Handle(random()), confirmed: None, successor: None }
    }

    /// … of a session that other nodes have to find: by its id.
    pub(super) fn of(id: PeerId) -> Self {
        Self { handle: Handle(*id.as_bytes()), ..Self::new() }
    }

    /// Those of a session that comes from another node.
    pub(super) fn handed(id: PeerId, [confirmed, successor]: [Option<[u8; HALF]>; 2]) -> Self {
        Self { handle: Handle(*id.as_bytes()), confirmed: confirmed.map(Proof), successor: successor.map(Proof) }
    }

    /// What another node needs to know them.
    pub(super) fn proofs(&self) -> [Option<[u8; HALF]>; 2] {
        [self.confirmed, self.successor].map(|proof| proof.map(|proof| proof.0))
    }

    /// A token for the next `welcome`: a new one, or that of an earlier `welcome` which is not known to have arrived. It
    /// may have, and then its client, whose connection was taken over by an older attempt that was late, knows no other.
    pub(super) fn issue(&mut self) -> ResumeToken {
        let proof = *self.successor.get_or_insert_with(|| Proof(random()));
        ResumeToken { handle: self.handle, proof, seal: None }
    }

    /// The `welcome` with the token that was issued last has arrived.
    pub(super) fn confirm(&mut self) {
        if let Some(successor) = self.successor.take() {
            self.confirmed = Some(successor);
        }
    }

    /// Whether the token is valid.
    pub(super) fn accepts(&self, token: &ResumeToken) -> bool {
        [self.confirmed, self.successor].into_iter().flatten().any(|proof| proof.is(&token.proof))
    }

    /// A valid token is used. That it is known proves that its `welcome` arrived.
    pub(super) fn spend(&mut self, token: &ResumeToken) {
        if self.successor.is_some_and(|proof| proof.is(&token.proof)) {
            self.confirm();
        }
    }
}

impl ResumeToken {
    /// The session's id, where other nodes have to find it.
    #[must_use]
    pub fn id(&self) -> PeerId {
        PeerId::from_bytes(self.handle.0)
    }

    /// The half that proves it.
    #[must_use]
    pub fn proof(&self) -> &[u8; HALF] {
        &self.proof.0
    }

    /// By which another node knows it.
    #[must_use]
    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// The token of a session of this id, as another node has it.
    #[must_use]
    pub fn of(id: PeerId, proof: [u8; HALF]) -> Self {
        Self { handle: Handle(*id.as_bytes()), proof: Proof(proof), seal: None }
    }

    pub(super) fn sealed(self, seal: Seal) -> Self {
        Self { seal: Some(seal), ..self }
    }
}

impl Proof {
    fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [self.handle.0, self.proof.0].concat();
        bytes.extend(self.seal.iter().flatten());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for ResumeToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotAToken)?;
        let (parts, rest) = bytes.as_chunks();
        match (parts, rest) {
            ([handle, proof], []) => Ok(Self { handle: Handle(*handle), proof: Proof(*proof), seal: None }),
            ([handle, proof, seal], []) => {
                Ok(Self { handle: Handle(*handle), proof: Proof(*proof), seal: Some(*seal) })
            }
            _ => Err(NotAToken),
        }
    }
}

impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeToken")
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof")
    }
}

fn random() -> [u8; HALF] {
    let mut bytes = [0; HALF];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_shown() {
        let token = Tokens::new().issue();
        let text = token.to_string();
        assert_eq!(text.len(), 43);
        let read: ResumeToken = text.parse().unwrap();
        assert_eq!(read.to_string(), text);
        for other in ["", "short", &text[1..], &format!("{text}A"), &"=".repeat(43), &"é".repeat(43)] {
            assert!(other.parse::<ResumeToken>().is_err(), "{other}");
        }
    }

    #[test]
    fn a_token_is_spent_once_its_successor_is_confirmed() {
        let mut tokens = Tokens::new();
        let first = tokens.issue();
        assert!(tokens.accepts(&first));
        tokens.confirm();
        let second = tokens.issue();
        assert!(tokens.accepts(&first) && tokens.accepts(&second));
        tokens.confirm();
        assert!(!tokens.accepts(&first) && tokens.accepts(&second));
    }

    #[test]
    fn a_token_that_may_be_lost_is_issued_again_so_that_no_client_has_a_third() {
        let mut tokens = Tokens::new();
        let first = tokens.issue();
        tokens.confirm();
        let second = tokens.issue();
        tokens.spend(&first);
        assert_eq!(tokens.issue().to_string(), second.to_string());
        assert!(tokens.accepts(&first) && tokens.accepts(&second));
        tokens.spend(&second);
        assert_ne!(tokens.issue().to_string(), second.to_string());
        assert!(!tokens.accepts(&first) && tokens.accepts(&second));
    }

    #[test]
    fn to_use_a_successor_confirms_it() {
        let mut tokens = Tokens::new();
        let first = tokens.issue();
        tokens.confirm();
        let second = tokens.issue();
        tokens.spend(&second);
        assert!(!tokens.accepts(&first) && tokens.accepts(&second));
    }

    #[test]
    fn a_token_of_another_session_is_not_accepted_and_none_shows_itself() {
        let (mut one, mut other) = (Tokens::new(), Tokens::new());
        let token = other.issue();
        one.issue();
        assert!(!one.accepts(&token));
        assert_eq!(format!("{token:?}"), "ResumeToken");
    }
}
