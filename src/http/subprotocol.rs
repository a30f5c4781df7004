//! What a client offers in `Sec-WebSocket-Protocol`. Pure.

use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue};

/// The protocol's name. It is the only one that is ever selected: the others are secrets, and never echoed.
pub(super) const V1: &str = "entremise.v1";

const BEARER: &str = "entremise.bearer.";
const RESUME: &str = "entremise.resume.";

/// What was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Nothing: a complete client, without resume.
    Plain,
    /// [`V1`].
    V1,
}

/// An offer that can't be met: 400.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadOffer;

impl Offer {
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, BadOffer> {
        let (mut v1, mut bearers, mut resumes, mut offered) = (0, 0, 0, false);
        for name in names(headers) {
            offered = true;
            match name? {
                V1 => v1 += 1,
                name if name.starts_with(BEARER) => bearers += 1,
                name if name.starts_with(RESUME) => resumes += 1,
                _ => {}
            }
        }
        match (v1, bearers, resumes) {
            (0, 0, 0) if !offered => Ok(Self::Plain),
            (1, 0 | 1, 0 | 1) => Ok(Self::V1),
            _ => Err(BadOffer),
        }
    }

    /// What is told to have been selected.
    pub(super) fn selected(&self) -> Option<HeaderValue> {
        match self {
            Self::Plain => None,
            Self::V1 => Some(HeaderValue::from_static(V1)),
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

    fn read(lists: &[&'static str]) -> Result<Offer, BadOffer> {
        let mut headers = HeaderMap::new();
        for list in lists {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(list));
        }
        Offer::read(&headers)
    }

    #[test]
    fn nothing_offered_is_a_complete_client() {
        assert_eq!(read(&[]), Ok(Offer::Plain));
    }

    #[test]
    fn v1_is_selected_whenever_it_is_offered() {
        assert_eq!(read(&["entremise.v1"]), Ok(Offer::V1));
        assert_eq!(read(&["chat, entremise.v1"]), Ok(Offer::V1));
        assert_eq!(read(&["chat", "entremise.v1,entremise.resume.x.0,entremise.bearer.a.b.c"]), Ok(Offer::V1));
    }

    #[test]
    fn no_known_protocol_is_a_bad_offer() {
        assert_eq!(read(&["chat"]), Err(BadOffer));
        assert_eq!(read(&[""]), Err(BadOffer));
        assert_eq!(read(&["entremise.v2"]), Err(BadOffer));
    }

    #[test]
    fn a_secret_without_v1_and_two_of_a_kind_are_bad_offers() {
        assert_eq!(read(&["entremise.bearer.x"]), Err(BadOffer));
        assert_eq!(read(&["entremise.resume.x.0"]), Err(BadOffer));
        assert_eq!(read(&["entremise.v1, entremise.v1"]), Err(BadOffer));
        assert_eq!(read(&["entremise.v1, entremise.bearer.x, entremise.bearer.y"]), Err(BadOffer));
        assert_eq!(read(&["entremise.v1, entremise.resume.x.0", "entremise.resume.y.0"]), Err(BadOffer));
    }
}
