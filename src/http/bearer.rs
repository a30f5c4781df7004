//! Where a client's token is: in `Authorization: Bearer`, or, since browsers can't send that with a WebSocket, among
//! the requested subprotocols. In the URL, which ends up in the logs of proxies, only for clients of other dialects, which
//! can send it nowhere else. Pure.

use std::fmt;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};

use super::request::{Repeated, single};

/// A token as the client sent it: anything. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a>(pub(super) &'a str);

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Credentials that differ from each other, or two lines of them: 400.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Contradiction;

/// The request's one token, if it has any.
pub(super) fn token<'a>(
    headers: &'a HeaderMap,
    requested: Option<Token<'a>>,
) -> Result<Option<Token<'a>>, Contradiction> {
    let line = single(headers, &AUTHORIZATION).map_err(|Repeated| Contradiction)?;
    let sent = line.and_then(|line| bearer(line.to_str().ok()?));
    match (sent, requested) {
        (Some(sent), Some(requested)) if sent != requested => Err(Contradiction),
        (sent, requested) => Ok(sent.or(requested)),
    }
}

/// A token in the query of a URL (RFC 6750, 2.3). It has no character that would be encoded there.
pub(super) fn requested(uri: &Uri) -> Result<Option<Token<'_>>, Contradiction> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let mut tokens = pairs.filter_map(|pair| pair.strip_prefix("access_token="));
    match (tokens.next(), tokens.next()) {
        (token, None) => Ok(token.map(Token)),
        _ => Err(Contradiction),
    }
}

/// RFC 6750, 2.1; the scheme's case is free (RFC 9110, 11.1). Other schemes are not for us.
fn bearer(line: &str) -> Option<Token<'_>> {
    let (scheme, token) = line.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Token(token.trim_start()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read<'a>(lines: &[&'static str], requested: Option<&'a str>) -> Result<Option<String>, Contradiction> {
        let lines = lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_static(line)));
        let headers: HeaderMap = lines.collect();
        token(&headers, requested.map(Token::<'a>)).map(|token| token.map(|Token(token)| token.to_owned()))
    }

    #[test]
    fn a_token_in_a_query_is_there_once() {
        let read = |query: &str| {
            let uri: Uri = format!("/peerjs{query}").parse().unwrap();
            requested(&uri).map(|token| token.map(|Token(token)| token.to_owned()))
        };
        assert_eq!(read("?key=a&access_token=a.b.c&id=x"), Ok(Some("a.b.c".to_owned())));
        assert_eq!(read("?access_tokens=a"), Ok(None));
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("?access_token=a&access_token=a"), Err(Contradiction));
    }

    #[test]
    fn a_token_comes_by_either_way() {
        let token = Ok(Some("a.b.c".to_owned()));
        assert_eq!(read(&["Bearer a.b.c"], None), token);
        assert_eq!(read(&["bearer   a.b.c "], None), token);
        assert_eq!(read(&[], Some("a.b.c")), token);
        assert_eq!(read(&["Bearer a.b.c"], Some("a.b.c")), token);
        assert_eq!(read(&["Basic eDp5"], Some("a.b.c")), token);
    }

    #[test]
    fn what_is_no_bearer_is_no_token() {
        assert_eq!(read(&[], None), Ok(None));
        for line in ["", "Bearer", "Basic eDp5", "Bearera.b.c"] {
            assert_eq!(read(&[line], None), Ok(None), "{line}");
        }
    }

    #[test]
    fn credentials_that_differ_contradict_each_other() {
        assert_eq!(read(&["Bearer a"], Some("b")), Err(Contradiction));
        assert_eq!(read(&["Bearer a", "Bearer b"], None), Err(Contradiction));
        assert_eq!(read(&["Bearer a", "Bearer a"], Some("a")), Err(Contradiction), "there is one line of them");
        assert_eq!(read(&["Basic eDp5", "Bearer a"], None), Err(Contradiction), "whatever they are");
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert_eq!(format!("{:?}", Token("secret")), "Token");
    }
}
