//! Who may come in, where the operator asks for credentials: a token (a JWT, RFC 7519) that her own application signs says
//! who its bearer is, which rooms it opens, and until when. Pure but for [`KeyRing`]: time is an argument, in seconds
//! since 1970.
//!
//! `key` is what a token is verified by, `ring` the keys of the moment, `claims` what a token says. Where a token is found in a request is `http`'s
//! business, what a [`Grant`] allows the session's.

mod claims;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod key;
mod ring;

use std::collections::HashSet;
use std::sync::Arc;

use jsonwebtoken::{Validation, decode};
use serde_json::value::RawValue;

pub use claims::{Audience, Claims};
pub use key::{Key, KeyProblem, Secret};
pub use ring::{KeyRing, Source};

use crate::protocol::RoomName;

/// How far ahead of ours the clock of a token's issuer may be, in seconds. Ours alone says when a token has expired.
const LEEWAY: u64 = 30;

/// Decides about tokens.
#[derive(Debug)]
pub struct Verifier {
    keys: Arc<KeyRing>,
    audience: Option<String>,
    issuer: Option<String>,
}

/// What a token allows. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom.
    pub subject: Arc<str>,
    /// Which rooms. None: all.
    pub rooms: Option<Arc<HashSet<RoomName>>>,
    /// Until when, in seconds since 1970: from then on it allows nothing.
    pub expires: u64,
}

impl Grant {
    /// Whether it lets its subject into this room.
    #[must_use]
    pub fn allows(&self, room: &RoomName) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.contains(room))
    }
}

/// Why a token allows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// It isn't a token, or not signed by our key with the algorithm of that key.
    NotGenuine,
    /// It is signed, but a claim is missing or of the wrong kind.
    Malformed,
    /// It is for another audience.
    WrongAudience,
    /// It is from another issuer.
    WrongIssuer,
    /// Its time has passed.
    Expired,
    /// Its time has not come.
    NotYetValid,
}

/// What a client without a token is told.
pub(crate) const NO_TOKEN: &str = "this needs credentials: a bearer token";

impl Denied {
    /// What its client is told: no more than it has to know.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Expired => "the credentials have expired",
            _ => "the credentials are not valid here and now",
        }
    }
}

impl Verifier {
    /// One that takes tokens signed by one of these keys, if they are for this audience and from this issuer.
    #[must_use]
    pub fn new(keys: impl Into<KeyRing>, audience: Option<String>, issuer: Option<String>) -> Self {
        Self { keys: Arc::new(keys.into()), audience, issuer }
    }

    /// The keys, to have them read again.
    #[must_use]
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// What a token allows at this time, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// All that is wrong with it is a [`Denied`]; what is signed is looked at only once the signature is right.
    pub fn verify(&self, token: &str, now: u64) -> Result<Grant, Denied> {
        let claims = self.signed(token)?;
        let claims: Claims = serde_json::from_str(claims.get()).map_err(|_| Denied::Malformed)?;
        // RFC 7519, 4.1.3: a token that names its audience is for that alone, so not for a server without a name either.
        if !claims.is_for(self.audience.as_deref()) {
            return Err(Denied::WrongAudience);
        }
        if self.issuer.is_some() && claims.issuer != self.issuer {
            return Err(Denied::WrongIssuer);
        }
        if claims.expires <= now {
            return Err(Denied::Expired);
        }
        if claims.not_before.is_some_and(|begin| begin > now.saturating_add(LEEWAY)) {
            return Err(Denied::NotYetValid);
        }
        claims.grant().ok_or(Denied::Malformed)
    }

    /// The claims of a token with a good signature of one of the keys.
    fn signed(&self, token: &str) -> Result<Box<RawValue>, Denied> {
        let keys = self.keys.current();
        keys.iter().find_map(|key| signed_by(key, token)).ok_or(Denied::NotGenuine)
    }
}

/// The claims of a token with a good signature of this key. Invariant: the algorithm is the key's, whatever the token
/// says (`a_token_cannot_choose_its_algorithm`).
fn signed_by(key: &Key, token: &str) -> Option<Box<RawValue>> {
    let mut validation = Validation::new(key.algorithm);
    // The claims are ours to look at: the crate looks at the system's clock.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let token = decode::<Box<RawValue>>(token, &key.decoding, &validation).ok()?;
    // RFC 7515, 4.1.11: what must be understood, and isn't.
    token.header.crit.is_none().then_some(token.claims)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
    use aws_lc_rs::{hmac, rand, signature};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

    use super::*;

    const NOW: u64 = 1_795_000_000;
    const SECRET: &[u8] = b"a secret of thirty-two bytes ...";
    const CLAIMS: &str = r#"{"sub":"alice","exp":1795000060}"#;

    fn verifier() -> Verifier {
        Verifier::new(Key::shared(&Secret::new(SECRET).unwrap()), None, None)
    }

    fn text(header: &str, claims: &str) -> String {
        format!("{}.{}", BASE64.encode(header), BASE64.encode(claims))
    }

    fn signed_with(secret: &[u8], header: &str, claims: &str) -> String {
        let text = text(header, claims);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        format!("{text}.{}", BASE64.encode(tag))
    }

    fn signed(claims: &str) -> String {
        signed_with(SECRET, r#"{"alg":"HS256","typ":"JWT"}"#, claims)
    }

    fn verify(claims: &str) -> Result<Grant, Denied> {
        verifier().verify(&signed(claims), NOW)
    }

    #[test]
    fn a_token_says_who_its_bearer_is_and_until_when() {
        let grant = verify(CLAIMS).unwrap();
        assert_eq!((&*grant.subject, grant.expires), ("alice", NOW + 60));
        assert!(grant.allows(&RoomName::new("any").unwrap()));
    }

    #[test]
    fn a_token_is_worth_nothing_from_its_expiry_on() {
        let token = signed(CLAIMS);
        assert!(verifier().verify(&token, NOW + 59).is_ok());
        assert_eq!(verifier().verify(&token, NOW + 60), Err(Denied::Expired));
        assert_eq!(verify(r#"{"sub":"alice","exp":1794999999.9}"#), Err(Denied::Expired));
        assert_eq!(verify(r#"{"sub":"alice","exp":-5}"#), Err(Denied::Expired));
        assert_eq!(verify(r#"{"sub":"alice","exp":1e300}"#).unwrap().expires, u64::MAX);
    }

    #[test]
    fn a_token_is_worth_nothing_before_its_time_but_for_clocks_that_differ() {
        let begins = |at: u64| verify(&format!(r#"{{"sub":"alice","exp":1795009999,"nbf":{at}}}"#));
        assert!(begins(NOW).is_ok() && begins(NOW + LEEWAY).is_ok());
        assert_eq!(begins(NOW + LEEWAY + 1), Err(Denied::NotYetValid));
    }

    #[test]
    fn a_claim_that_is_missing_or_of_the_wrong_kind_is_not_taken_for_a_permission() {
        for claims in [
            r#"{"exp":1795000060}"#,
            r#"{"sub":"","exp":1795000060}"#,
            r#"{"sub":7,"exp":1795000060}"#,
            r#"{"sub":"alice"}"#,
            r#"{"sub":"alice","exp":"1795000060"}"#,
            r#"{"sub":"alice","exp":null}"#,
            r#"{"sub":"alice","exp":1e999}"#,
            r#"{"sub":"alice","exp":1795000060,"exp":1795009999}"#,
            r#"{"sub":"alice","exp":1795000060,"nbf":null}"#,
            r#"{"sub":"alice","exp":1795000060,"nbf":"soon"}"#,
            r#"{"sub":"alice","exp":1795000060,"rooms":null}"#,
            r#"{"sub":"alice","exp":1795000060,"rooms":"lobby"}"#,
            r#"{"sub":"alice","exp":1795000060,"rooms":[""]}"#,
            r#"{"sub":"alice","exp":1795000060,"rooms":["lobby",7]}"#,
            r#"{"sub":"alice","exp":1795000060,"aud":null}"#,
            r#"["alice"]"#,
        ] {
            let denied = verify(claims).unwrap_err();
            assert!(matches!(denied, Denied::Malformed | Denied::NotGenuine), "{claims}: {denied:?}");
        }
    }

    #[test]
    fn rooms_that_are_named_are_the_only_ones() {
        let grant = verify(r#"{"sub":"alice","exp":1795000060,"rooms":["lobby","héron"]}"#).unwrap();
        let allows = |name| grant.allows(&RoomName::new(name).unwrap());
        assert!(allows("lobby") && allows("héron"));
        assert!(!allows("Lobby") && !allows("hall"));
        let none = verify(r#"{"sub":"alice","exp":1795000060,"rooms":[]}"#).unwrap();
        assert!(!none.allows(&RoomName::new("lobby").unwrap()));
    }

    #[test]
    fn an_audience_and_an_issuer_are_asked_for_where_they_are_configured() {
        let key = || Key::shared(&Secret::new(SECRET).unwrap());
        let strict = Verifier::new(key(), Some("calls".into()), Some("https://id.example".into()));
        let verify = |claims: &str| {
            let token = signed(&format!(r#"{{"sub":"alice","exp":1795000060{claims}}}"#));
            strict.verify(&token, NOW).map(drop)
        };
        assert_eq!(verify(r#","aud":"calls","iss":"https://id.example""#), Ok(()));
        assert_eq!(verify(r#","aud":["shop","calls"],"iss":"https://id.example""#), Ok(()));
        assert_eq!(verify(r#","aud":"shop","iss":"https://id.example""#), Err(Denied::WrongAudience));
        assert_eq!(verify(r#","aud":[],"iss":"https://id.example""#), Err(Denied::WrongAudience));
        assert_eq!(verify(r#","iss":"https://id.example""#), Err(Denied::WrongAudience));
        assert_eq!(verify(r#","aud":"calls","iss":"https://evil.example""#), Err(Denied::WrongIssuer));
        assert_eq!(verify(r#","aud":"calls""#), Err(Denied::WrongIssuer));
    }

    #[test]
    fn a_token_for_another_audience_is_refused_where_we_have_no_name_too() {
        assert_eq!(verify(r#"{"sub":"alice","exp":1795000060,"aud":"shop"}"#), Err(Denied::WrongAudience));
        assert!(verify(r#"{"sub":"alice","exp":1795000060,"iss":"any"}"#).is_ok());
    }

    #[test]
    fn what_is_not_signed_by_the_key_is_not_genuine() {
        let good = signed(CLAIMS);
        let (unsigned, tag) = good.rsplit_once('.').unwrap();
        let changed = signed(r#"{"sub":"mallory","exp":1795000060}"#);
        let changed = format!("{}.{tag}", changed.rsplit_once('.').unwrap().0);
        let other = signed_with(b"another secret of thirty-two ...", r#"{"alg":"HS256"}"#, CLAIMS);
        for token in
            ["", ".", "..", "...", "a.b.c", unsigned, &format!("{unsigned}."), &format!("{good}.x"), &changed, &other]
        {
            assert_eq!(verifier().verify(token, NOW), Err(Denied::NotGenuine), "{token}");
        }
    }

    #[test]
    fn a_token_cannot_choose_its_algorithm() {
        let header = |alg: &str| format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        for alg in ["none", "None", "HS512", "RS256", "ES256", "EdDSA", ""] {
            let token = signed_with(SECRET, &header(alg), CLAIMS);
            assert_eq!(verifier().verify(&token, NOW), Err(Denied::NotGenuine), "{alg}");
            let unsigned = format!("{}.", text(&header(alg), CLAIMS));
            assert_eq!(verifier().verify(&unsigned, NOW), Err(Denied::NotGenuine), "{alg}");
        }
        for header in ["{}", r#"{"typ":"JWT"}"#, r#"{"alg":null}"#, r#"{"alg":"HS256","crit":["b64"],"b64":false}"#] {
            let token = signed_with(SECRET, header, CLAIMS);
            assert_eq!(verifier().verify(&token, NOW), Err(Denied::NotGenuine), "{header}");
        }
    }

    /// A key pair: the public key's PEM, the name of its algorithm, and how it signs.
    type Pair = (String, &'static str, Box<dyn Fn(&[u8]) -> Vec<u8>>);

    /// RFC 5280's `SubjectPublicKeyInfo`, from its parts in DER.
    fn pem_of(algorithm: &[u8], key: &[u8]) -> String {
        fn der(tag: u8, content: &[u8]) -> Vec<u8> {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82][..], &length, content].concat()
        }
        let key = der(3, &[&[0][..], key].concat());
        let info = der(0x30, &[der(0x30, algorithm), key].concat());
        pem::encode(&pem::Pem::new("PUBLIC KEY", info))
    }

    fn pairs() -> [Pair; 3] {
        let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let rsa_pem = pem_of(b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", rsa.public_key().as_ref());
        let p256 = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let p256_pem = pem_of(
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
            p256.public_key().as_ref(),
        );
        let edwards = Ed25519KeyPair::generate().unwrap();
        let edwards_pem = pem_of(b"\x06\x03\x2b\x65\x70", edwards.public_key().as_ref());
        let random = rand::SystemRandom::new();
        let sign_rsa = {
            let random = random.clone();
            move |text: &[u8]| {
                let mut tag = vec![0; rsa.public_modulus_len()];
                rsa.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut tag).unwrap();
                tag
            }
        };
        [
            (rsa_pem, "RS256", Box::new(sign_rsa)),
            (p256_pem, "ES256", Box::new(move |text: &[u8]| p256.sign(&random, text).unwrap().as_ref().to_vec())),
            (edwards_pem, "EdDSA", Box::new(move |text: &[u8]| edwards.sign(text).as_ref().to_vec())),
        ]
    }

    #[test]
    fn a_public_keys_kind_says_the_algorithm() {
        for (pem, own, sign) in pairs() {
            let verifier = Verifier::new(Key::public(pem.as_bytes()).unwrap(), None, None);
            for alg in ["RS256", "RS384", "PS256", "ES256", "ES384", "EdDSA", "HS256", "none"] {
                let text = text(&format!(r#"{{"alg":"{alg}"}}"#), CLAIMS);
                let token = format!("{text}.{}", BASE64.encode(sign(text.as_bytes())));
                assert_eq!(verifier.verify(&token, NOW).is_ok(), alg == own, "{alg} of a key for {own}");
            }
        }
    }

    #[test]
    fn a_public_key_is_no_secret() {
        for (pem, own, _) in pairs() {
            let verifier = Verifier::new(Key::public(pem.as_bytes()).unwrap(), None, None);
            let key = pem::parse(&pem).unwrap();
            for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), key.contents()] {
                for alg in ["HS256", own] {
                    let token = signed_with(secret, &format!(r#"{{"alg":"{alg}"}}"#), CLAIMS);
                    assert_eq!(verifier.verify(&token, NOW), Err(Denied::NotGenuine), "{alg}");
                }
            }
        }
    }

    #[test]
    fn a_token_of_either_of_two_keys_is_genuine() {
        let keys = || {
            let shared = |secret| Key::shared(&Secret::new(secret).unwrap());
            Ok(vec![shared(b"a newer secret of thirty-two ..."), shared(SECRET)])
        };
        let verifier = Verifier::new(KeyRing::open(Box::new(keys)).unwrap(), None, None);
        let newer = signed_with(b"a newer secret of thirty-two ...", r#"{"alg":"HS256"}"#, CLAIMS);
        for token in [newer, signed(CLAIMS)] {
            assert!(verifier.verify(&token, NOW).is_ok());
        }
        let other = signed_with(b"another secret of thirty-two ...", r#"{"alg":"HS256"}"#, CLAIMS);
        assert_eq!(verifier.verify(&other, NOW), Err(Denied::NotGenuine));
    }

    #[test]
    fn what_is_minted_is_taken() {
        let claims = Claims {
            subject: "alice".into(),
            rooms: Some(vec!["lobby".into()]),
            audience: Some("calls".into()),
            issuer: Some("us".into()),
            ..Claims::new("alice", NOW + 60)
        };
        let secret = Secret::new(SECRET).unwrap();
        let verifier = Verifier::new(Key::shared(&secret), Some("calls".into()), Some("us".into()));
        let grant = verifier.verify(&claims.mint(&secret), NOW).unwrap();
        assert_eq!((&*grant.subject, grant.expires), ("alice", NOW + 60));
        assert!(grant.allows(&RoomName::new("lobby").unwrap()) && !grant.allows(&RoomName::new("hall").unwrap()));
    }

    #[test]
    fn nothing_here_shows_a_secret() {
        let secret = Secret::new(SECRET).unwrap();
        let shown = format!("{secret:?} {:?}", Verifier::new(Key::shared(&secret), None, None));
        assert_eq!(shown, "Secret Verifier { keys: [Key(HS256)], audience: None, issuer: None }");
    }
}
