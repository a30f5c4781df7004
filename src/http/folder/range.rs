//! Which part of a file is asked for (RFC 9110, 14), where that is not plain from `Range` alone. Pure.

use axum::http::header::{ETAG, HeaderMap, HeaderValue, IF_RANGE, RANGE};
use axum::http::{Method, StatusCode};

/// On what the part depends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// On nothing.
    None,
    /// The file is as long as the end of it that is asked for. If it is shorter the whole is due (RFC 9110, 14.1.2).
    Long,
    /// The file has this tag still.
    Tag(HeaderValue),
}

/// Takes away a `Range` that asks for nothing that could be given: by a method that has no parts, in units that are not
/// known, or in a version of the file that can't be named so surely.
pub(super) fn condition(method: &Method, headers: &mut HeaderMap) -> Condition {
    let Some(range) = headers.remove(RANGE).as_ref().and_then(in_bytes).filter(|_| method == Method::GET) else {
        return Condition::None;
    };
    // Of no bytes there is no end.
    let is_some = |length: &[u8]| length.iter().any(|digit| (b'1'..=b'9').contains(digit));
    let is_end = range.as_bytes().strip_prefix(b"bytes=-").is_some_and(is_some);
    headers.insert(RANGE, range);
    match headers.remove(IF_RANGE) {
        None if is_end => Condition::Long,
        None => Condition::None,
        // A date is a second long, in which a file may change twice; a weak tag is no tag of bytes.
        Some(tag) if tag.as_bytes().starts_with(b"\"") => Condition::Tag(tag),
        Some(_) => {
            headers.remove(RANGE);
            Condition::None
        }
    }
}

/// A range of bytes, with its unit in the one case that is read further on.
fn in_bytes(range: &HeaderValue) -> Option<HeaderValue> {
    let (unit, ranges) = range.to_str().ok()?.split_once('=')?;
    if unit.eq_ignore_ascii_case("bytes") { HeaderValue::try_from(format!("bytes={ranges}")).ok() } else { None }
}

impl Condition {
    /// Whether a part was given although the whole is due.
    pub(super) fn fails(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let is_part = matches!(status, StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE);
        match self {
            Self::None => false,
            Self::Long => status == StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Tag(tag) => is_part && headers.get(ETAG) != Some(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(method: &Method, lines: &[(&'static str, &'static str)]) -> (Condition, bool) {
        let line = |(name, value): &(&'static str, &'static str)| {
            (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers: HeaderMap = lines.iter().map(line).collect();
        let condition = condition(method, &mut headers);
        (condition, headers.contains_key(RANGE))
    }

    #[test]
    fn a_range_counts_where_it_can_be_given_and_surely_is_of_the_same_file() {
        let range = ("range", "bytes=0-1");
        let tag = Condition::Tag(HeaderValue::from_static("\"a\""));
        assert_eq!(judged(&Method::GET, &[range]), (Condition::None, true));
        assert_eq!(judged(&Method::GET, &[("range", "BYTES=0-1")]), (Condition::None, true));
        assert_eq!(judged(&Method::GET, &[range, ("if-range", "\"a\"")]), (tag, true));
        for lines in [
            &[][..],
            &[("if-range", "\"a\"")],
            &[("range", "lines=0-1")],
            &[range, ("if-range", "W/\"a\"")],
            &[range, ("if-range", "Thu, 01 Jan 2026 00:00:00 GMT")],
        ] {
            assert_eq!(judged(&Method::GET, lines), (Condition::None, false), "{lines:?}");
        }
        assert_eq!(judged(&Method::HEAD, &[range]), (Condition::None, false));
    }
}
