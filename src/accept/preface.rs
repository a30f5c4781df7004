//! HTTP/1 is all that is spoken here. The HTTP library looks for HTTP/2 by itself, waits without a deadline for the rest
//! of a preface that has begun, and serves it without our limits: so it gets a connection only once its first bytes can't
//! be that preface any more. Pure.

/// RFC 9113, 3.4.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Too little to tell.
    Undecided,
    /// HTTP/2.
    Http2,
    /// Anything else.
    Other,
}

/// Looks at what has come of a connection so far.
pub(super) fn look(bytes: &[u8]) -> Front {
    if bytes.starts_with(PREFACE) {
        Front::Http2
    } else if PREFACE.starts_with(bytes) {
        Front::Undecided
    } else {
        Front::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_known_at_its_last_byte_and_what_is_none_at_its_first_other() {
        for cut in 0..PREFACE.len() {
            assert_eq!(look(&PREFACE[..cut]), Front::Undecided, "{cut}");
            let mut other = PREFACE[..=cut].to_vec();
            other[cut] ^= 1;
            assert_eq!(look(&other), Front::Other, "{cut}");
        }
        assert_eq!(look(PREFACE), Front::Http2);
        assert_eq!(look(&[PREFACE, b"\0\0\0\x04"].concat()), Front::Http2);
        for request in [&b"POST / HTTP/1.1"[..], b"PRI /", b"PROPFIND", b"GET"] {
            assert_eq!(look(request), Front::Other);
        }
    }
}
