//! What a connection offers in `Sec-WebSocket-Protocol`. The server selects the first, and never echoes the others: they are secrets.
//! Pure.

use crate::conversation::Resumption;
use crate::protocol::Secret;

/// The value of the header, or None where the credentials can't stand in one.
pub(crate) fn offer(bearer: Option<&str>, resumption: Option<&Resumption>) -> Option<String> {
    let mut offer = "entremise.v1".to_owned();
    if let Some(bearer) = bearer {
        if bearer.is_empty() || !bearer.bytes().all(is_token) {
            return None;
        }
        offer += ", entremise.bearer.";
        offer += bearer;
    }
    if let Some(Resumption { token, received }) = resumption {
        let Secret(token) = token;
        offer += ", entremise.resume.";
        offer += token;
        offer += ".";
        offer += &received.to_string();
    }
    Some(offer)
}

/// RFC 9110, 5.6.2: what the name of a subprotocol is made of.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_the_protocol_first_then_the_credentials_then_the_session() {
        let resumption = Resumption { token: Secret("t0k".into()), received: 7 };
        assert_eq!(offer(None, None).as_deref(), Some("entremise.v1"));
        assert_eq!(
            offer(Some("a.b.c"), Some(&resumption)).as_deref(),
            Some("entremise.v1, entremise.bearer.a.b.c, entremise.resume.t0k.7")
        );
    }

    #[test]
    fn credentials_that_are_no_token_can_not_be_offered() {
        for bearer in ["", "a b", "a,b", "é", "a\r\nb"] {
            assert_eq!(offer(Some(bearer), None), None, "{bearer:?}");
        }
    }
}
