//! The query of a URL, as clients of other dialects write what they want. Pure.

use axum::http::Uri;

/// The value of a parameter, and of several the last: decoded as forms are encoded (the URL standard, 5.1).
pub(super) fn last(uri: &Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.rsplit('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (decoded(key), value)).find(|(key, _)| key == name).map(|(_, value)| decoded(value))
}

/// `+` is a space, `%` and two digits a byte; what is no UTF-8 then is replaced.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'+', _) => (b' ', after),
            (b'%', [high, low, after @ ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (first, &rest[1..]),
            },
            _ => (first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<String> {
        last(&format!("/peerjs{query}").parse().unwrap(), "id")
    }

    #[test]
    fn of_several_values_the_last_one_counts() {
        assert_eq!(read("?id=a&key=b&id=c&token=d").as_deref(), Some("c"));
        assert_eq!(read("?i%64=a").as_deref(), Some("a"));
        assert_eq!(read("?id=a&id").as_deref(), Some(""));
        assert_eq!(read("?ids=a&xid=b"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_value_is_decoded_as_forms_are_encoded() {
        for (encoded, value) in [
            ("a%20b+c", "a b c"),
            ("a=b", "a=b"),
            ("%C3%a9", "é"),
            ("%ff%00", "\u{fffd}\0"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%+1", "%zz% 1"),
        ] {
            assert_eq!(read(&format!("?id={encoded}")).as_deref(), Some(value), "{encoded}");
        }
    }
}
