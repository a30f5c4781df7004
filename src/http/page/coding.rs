//! In which coding a client takes a file: `Accept-Encoding` (RFC 9110, 12.5.3). Pure.

use axum::http::header::{self, HeaderMap};

/// The codings that there are here. Browsers take Brotli over TLS, and it leaves a seventh less than gzip: one coding is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Coding {
    /// As the file is.
    Identity,
    Brotli,
}

/// A qvalue, in thousandths.
type Weight = u16;

const WHOLE: Weight = 1000;

impl Coding {
    /// The one that the client would rather have. A client that refuses both gets the file as it is, not a 406: 15.5.7
    /// leaves the choice, and a page is of more use to it.
    pub(in crate::http) fn wished(headers: &HeaderMap) -> Self {
        let lists = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|list| list.to_str().ok());
        let wishes: Vec<_> = lists.flat_map(|list| list.split(',')).filter_map(wish).collect();
        let weight =
            |name: &str| wishes.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name)).map(|(_, weight)| *weight);
        let others = weight("*");
        let brotli = weight("br").or(others).unwrap_or(0);
        // What is not named is taken too, but not wished for.
        let identity = weight("identity").or(others).unwrap_or(0);
        if brotli > 0 && brotli >= identity { Self::Brotli } else { Self::Identity }
    }
}

/// `br`, or `br;q=0.5`. What is no wish is passed over.
fn wish(element: &str) -> Option<(&str, Weight)> {
    let Some((coding, parameter)) = element.split_once(';') else { return Some((element.trim(), WHOLE)) };
    let (name, value) = parameter.trim().split_once('=')?;
    if name.eq_ignore_ascii_case("q") { Some((coding.trim(), weight(value)?)) } else { None }
}

/// Zero, one, or three digits between them (12.4.2).
fn weight(value: &str) -> Option<Weight> {
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    if digits.len() > 3 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{digits:0<3}").parse().ok(),
        "1" if digits.bytes().all(|digit| digit == b'0') => Some(WHOLE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn wished(lines: &[&str]) -> Coding {
        let lines = lines.iter().map(|line| (header::ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap()));
        Coding::wished(&lines.collect())
    }

    #[test]
    fn a_client_that_takes_br_gets_it() {
        for line in [
            "br",
            "br, deflate, gzip, zstd",
            "gzip;q=1.0, br;q=0.8, *;q=0.1",
            "BR",
            "br ; Q=0.001",
            "*",
            "*;q=0.5",
            "identity, br",
            "identity;q=0.5, br;q=0.500",
            "br;q=1.000, identity;q=0",
            "identity;q=0, *",
            ",, br ,",
            "gzip;q=2, br",
        ] {
            assert_eq!(wished(&[line]), Coding::Brotli, "{line}");
        }
        assert_eq!(wished(&["gzip", "br;q=0.9"]), Coding::Brotli, "a header of two lines is one list");
    }

    #[test]
    fn a_client_that_does_not_or_would_rather_have_the_file_as_it_is_gets_that() {
        for line in [
            "",
            "identity",
            "gzip, zstd",
            "br;q=0",
            "br;q=0.000, *",
            "*;q=0",
            "*, br;q=0",
            "identity;q=0, gzip",
            "br;q=0.5, identity",
            "br;q=0.5, *;q=0.6",
            "brew",
            "br;q=",
            "br;q=2",
            "br;q=1.001",
            "br;q=0.5555",
            "br;q=-1",
            "br;q=.5",
            "br;q= 1",
            "br;level=9",
            "br;q=1;q=1",
        ] {
            assert_eq!(wished(&[line]), Coding::Identity, "{line}");
        }
        assert_eq!(wished(&[]), Coding::Identity, "a client that says nothing may know none");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_is_written_no_client_gets_br_that_names_neither_it_nor_all(
            line in "(br|\\*|identity|gzip|;q=|[0-2]|\\.|,| |;|\\PC){0,16}"
        ) {
            if let Ok(list) = HeaderValue::from_bytes(line.as_bytes()) {
                let headers: HeaderMap = [(header::ACCEPT_ENCODING, list)].into_iter().collect();
                prop_assert!(Coding::wished(&headers) == Coding::Identity || line.contains("br") || line.contains('*'));
            }
        }
    }
}
