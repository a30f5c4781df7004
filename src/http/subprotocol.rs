//! What a client offers in `Sec-WebSocket-Protocol`. Pure.

use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue};

use super::credentials::Token;

/// The protocol's name. It is the only one that is ever selected: the others are secrets, and never echoed.
pub(super) const V1: &str = "entremise.v1";

const BEARER: &str = "entremise.bearer.";
const RESUME: &str = "entremise.resume.";

/// What was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer<'a> {
    /// Nothing: a complete client, without resume.
    Plain,
    /// [`V1`].
    V1 {
        /// The credentials that came with it.
        bearer: Option<Token<'a>>,
    },
}

/// An offer that can't be met: 400.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadOffer;

impl<'a> Offer<'a> {
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, BadOffer> {
        let (mut v1, mut bearers, mut resumes, mut offered) = (0, Vec::new(), 0, false);
        for name in names(headers) {
            offered = true;
            let name = name?;
            if name == V1 {
                v1 += 1;
            } else if let Some(token) = name.strip_prefix(BEARER) {
                bearers.push(Token(token));
            } else if name.starts_with(RESUME) {
                resumes += 1;
            }
        }
        match (v1, &bearers[..], resumes) {
            (0, [], 0) if !offered => Ok(Self::Plain),
            (1, [], 0 | 1) => Ok(Self::V1 { bearer: None }),
            (1, [bearer], 0 | 1) => Ok(Self::V1 { bearer: Some(*bearer) }),
            _ => Err(BadOffer),
        }
    }

    /// The credentials that came with it.
    pub(super) fn bearer(&self) -> Option<Token<'a>> {
        match self {
            Self::Plain => None,
            Self::V1 { bearer } => *bearer,
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

fn names(headers: &HeaderMap) -> impl Iterator<Item = Result<&str, BadOffer>> {
    let lists = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    lists.flat_map(|list| match list.to_str() {
        Ok(list) => list.split(',').map(|name| Ok(name.trim())).collect(),
        Err(_) => vec![Err(BadOffer)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lists: &[&'static str]) -> HeaderMap {
        lists.iter().map(|list| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(list))).collect()
    }

    fn selects_v1(lists: &[&'static str]) -> bool {
        matches!(Offer::read(&headers(lists)), Ok(Offer::V1 { .. }))
    }

    fn is_bad(lists: &[&'static str]) -> bool {
        Offer::read(&headers(lists)) == Err(BadOffer)
    }

    #[test]
    fn nothing_offered_is_a_complete_client() {
        assert_eq!(Offer::read(&headers(&[])), Ok(Offer::Plain));
    }

    #[test]
    fn v1_is_selected_whenever_it_is_offered() {
        assert!(selects_v1(&["entremise.v1"]));
        assert!(selects_v1(&["chat, entremise.v1"]));
        assert!(selects_v1(&["chat", "entremise.v1,entremise.resume.x.0,entremise.bearer.a.b.c"]));
    }

    #[test]
    fn a_bearer_token_is_all_that_follows_the_second_dot() {
        for (offered, token) in [
            ("entremise.v1", None),
            ("entremise.v1, entremise.bearer.a.b.c", Some("a.b.c")),
            ("entremise.bearer.x ,entremise.v1", Some("x")),
            ("entremise.v1, entremise.bearer.", Some("")),
        ] {
            assert_eq!(Offer::read(&headers(&[offered])).unwrap().bearer(), token.map(Token), "{offered}");
        }
    }

    #[test]
    fn no_known_protocol_is_a_bad_offer() {
        assert!(is_bad(&["chat"]));
        assert!(is_bad(&[""]));
        assert!(is_bad(&["entremise.v2"]));
    }

    #[test]
    fn a_secret_without_v1_and_two_of_a_kind_are_bad_offers() {
        assert!(is_bad(&["entremise.bearer.x"]));
        assert!(is_bad(&["entremise.resume.x.0"]));
        assert!(is_bad(&["entremise.v1, entremise.v1"]));
        assert!(is_bad(&["entremise.v1, entremise.bearer.x, entremise.bearer.y"]));
        assert!(is_bad(&["entremise.v1, entremise.resume.x.0", "entremise.resume.y.0"]));
    }
}
