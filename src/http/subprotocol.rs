//! What a client requests in `Sec-WebSocket-Protocol`. Pure.

use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue};

use super::bearer::Token;
use crate::hub::ResumeRequest;

/// The protocol's name. It is the only one that is ever selected: the others are secrets, and never echoed.
pub(super) const V1: &str = "entremise.v1";

const BEARER: &str = "entremise.bearer.";
const RESUME: &str = "entremise.resume.";

/// What was requested.
#[derive(Debug)]
pub(super) enum Subprotocol<'a> {
    /// Nothing: a complete client, without resume.
    Plain,
    /// [`V1`].
    V1 {
        /// The credentials that came with it.
        bearer: Option<Token<'a>>,
        /// The earlier session to go on with. A malformed wish is none.
        resume: Option<ResumeRequest>,
    },
}

/// A request that can't be met: 400.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadSubprotocol;

impl<'a> Subprotocol<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, BadSubprotocol> {
        let (mut v1, mut bearers, mut wishes, mut is_requested) = (0, Vec::new(), Vec::new(), false);
        for name in names(headers) {
            is_requested = true;
            let name = name?;
            if name == V1 {
                v1 += 1;
            } else if let Some(token) = name.strip_prefix(BEARER) {
                bearers.push(Token(token));
            } else if let Some(wish) = name.strip_prefix(RESUME) {
                wishes.push(wish);
            }
        }
        match (v1, &bearers[..], &wishes[..]) {
            (0, [], []) if !is_requested => Ok(Self::Plain),
            (1, [] | [_], [] | [_]) => {
                let resume = wishes.first().and_then(|wish| resume_offer(wish));
                Ok(Self::V1 { bearer: bearers.first().copied(), resume })
            }
            _ => Err(BadSubprotocol),
        }
    }

    /// The credentials that came with it.
    pub(super) fn bearer(&self) -> Option<Token<'a>> {
        match self {
            Self::Plain => None,
            Self::V1 { bearer, .. } => *bearer,
        }
    }

    /// The earlier session to go on with.
    pub(super) fn resume(&self) -> Option<&ResumeRequest> {
        match self {
            Self::Plain => None,
            Self::V1 { resume, .. } => resume.as_ref(),
        }
    }

    /// What is told to have been selected.
    pub(super) fn selected(&self) -> Option<HeaderValue> {
        match self {
            Self::Plain => None,
            Self::V1 { .. } => Some(HeaderValue::from_static(V1)),
        }
    }
}

/// `<token>.<received>`: the latter decimal, without a sign.
fn resume_offer(wish: &str) -> Option<ResumeRequest> {
    let (token, received) = wish.split_once('.')?;
    let is_decimal = received.bytes().all(|byte| byte.is_ascii_digit());
    let received = if is_decimal { received.parse().ok()? } else { return None };
    Some(ResumeRequest { token: token.parse().ok()?, received })
}

fn names(headers: &HeaderMap) -> impl Iterator<Item = Result<&str, BadSubprotocol>> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    lists.flat_map(|list| match list.to_str() {
        Ok(list) => list.split(',').map(|name| Ok(name.trim())).collect(),
        Err(_) => vec![Err(BadSubprotocol)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn headers(lists: &[&str]) -> HeaderMap {
        lists.iter().map(|list| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(list).unwrap())).collect()
    }

    /// What is made of these: `plain`, `v1`, the number received in a resume, or `bad`.
    fn read(lists: &[&str]) -> String {
        match Subprotocol::read(&headers(lists)) {
            Ok(Subprotocol::Plain) => "plain".into(),
            Ok(Subprotocol::V1 { resume: None, .. }) => "v1".into(),
            Ok(Subprotocol::V1 { resume: Some(ResumeRequest { token, received }), .. }) => {
                assert_eq!(token.to_string(), TOKEN);
                received.to_string()
            }
            Err(BadSubprotocol) => "bad".into(),
        }
    }

    #[test]
    fn nothing_requested_is_a_complete_client() {
        assert_eq!(read(&[]), "plain");
    }

    #[test]
    fn v1_is_selected_whenever_it_is_requested() {
        assert_eq!(read(&["entremise.v1"]), "v1");
        assert_eq!(read(&["chat, entremise.v1"]), "v1");
        assert_eq!(read(&["chat", "entremise.v1,entremise.resume.x.0,entremise.bearer.a.b.c"]), "v1");
    }

    #[test]
    fn a_bearer_token_is_all_that_follows_the_second_dot() {
        for (requested, token) in [
            ("entremise.v1", None),
            ("entremise.v1, entremise.bearer.a.b.c", Some("a.b.c")),
            ("entremise.bearer.x ,entremise.v1", Some("x")),
            ("entremise.v1, entremise.bearer.", Some("")),
        ] {
            assert_eq!(Subprotocol::read(&headers(&[requested])).unwrap().bearer(), token.map(Token), "{requested}");
        }
    }

    #[test]
    fn a_wish_to_resume_is_read_and_a_malformed_one_is_none() {
        assert_eq!(read(&[&format!("entremise.v1, entremise.resume.{TOKEN}.17")]), "17");
        assert_eq!(read(&[&format!("entremise.resume.{TOKEN}.0"), "entremise.v1"]), "0");
        for wish in [
            "",
            ".",
            "x.1",
            TOKEN,
            &format!("{TOKEN}."),
            &format!("{TOKEN}.+1"),
            &format!("{TOKEN}.-1"),
            &format!("{TOKEN}.1.0"),
            &format!("{TOKEN}.99999999999999999999"),
            &format!("{TOKEN}A.1"),
        ] {
            assert_eq!(read(&[&format!("entremise.v1, entremise.resume.{wish}")]), "v1", "{wish}");
        }
    }

    #[test]
    fn no_known_protocol_is_bad() {
        for other in ["chat", "", "entremise.v2"] {
            assert_eq!(read(&[other]), "bad", "{other}");
        }
    }

    #[test]
    fn a_secret_without_v1_and_two_of_a_kind_are_bad() {
        assert_eq!(read(&["entremise.bearer.x"]), "bad");
        assert_eq!(read(&["entremise.resume.x.0"]), "bad");
        assert_eq!(read(&["entremise.v1, entremise.v1"]), "bad");
        assert_eq!(read(&["entremise.v1, entremise.bearer.x, entremise.bearer.y"]), "bad");
        assert_eq!(read(&["entremise.v1, entremise.resume.x.0", "entremise.resume.y.0"]), "bad");
    }
}
