//! What a request under `/socket.io/` is about, and what it is told where it is about nothing. It comes before any
//! session: the origin, credentials and limits are judged elsewhere.

use super::engine::Transport;
use super::sid::Sid;

/// A request's method, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A poll, or the first request.
    Get,
    /// A client's packets.
    Post,
    /// All others.
    Other,
}

/// Whether a request asks for a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It does not.
    Plain,
    /// It does.
    Upgrade,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A new session.
    Open(Transport),
    /// Packets of this session.
    Poll(Sid),
    /// Packets for this session.
    Post(Sid),
    /// This session is to go on over the WebSocket.
    Probe(Sid),
}

/// Why there is no answer of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `transport` is missing, or names none of ours.
    UnknownTransport,
    /// There is no session with this `sid`, or no longer.
    UnknownSid,
    /// Sessions begin with a GET.
    BadHandshakeMethod,
    /// The request does not fit its session.
    BadRequest,
    /// Who asks may not.
    Forbidden,
    /// `EIO` is missing, or not 4.
    UnsupportedVersion,
    /// A session has neither PUT nor DELETE nor HEAD nor OPTIONS.
    BadMethod,
}

impl Refusal {
    /// The HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Forbidden => 403,
            Self::BadMethod => 405,
            _ => 400,
        }
    }

    /// A word for metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTransport => "unknown-transport",
            Self::UnknownSid => "unknown-sid",
            Self::BadHandshakeMethod => "bad-handshake-method",
            Self::BadRequest => "bad-request",
            Self::Forbidden => "origin-not-allowed",
            Self::UnsupportedVersion => "bad-version",
            Self::BadMethod => "bad-method",
        }
    }

    /// The bare text, for the answer to a request for a WebSocket.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSid => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedVersion => "Unsupported protocol version",
            Self::BadMethod => "Method not allowed",
        }
    }

    /// The JSON text, for all other answers. `None`: the status says it all.
    #[must_use]
    pub fn body(self) -> Option<String> {
        let code = match self {
            Self::UnknownTransport => 0,
            Self::UnknownSid => 1,
            Self::BadHandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden => 4,
            Self::UnsupportedVersion => 5,
            Self::BadMethod => return None,
        };
        Some(format!(r#"{{"code":{code},"message":"{}"}}"#, self.text()))
    }
}

/// The fields of a query that matter here. Others are the application's, and `t`, which only keeps caches away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Query<'a> {
    version: Option<&'a str>,
    transport: Option<&'a str>,
    sid: Option<&'a str>,
}

impl<'a> Query<'a> {
    /// Of a field that is there twice, the last counts. Values are compared as they are written: none that is valid here
    /// needs percent-encoding.
    fn read(query: &'a str) -> Self {
        let mut read = Self::default();
        for field in query.split('&') {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            match name {
                "EIO" => read.version = Some(value),
                "transport" => read.transport = Some(value),
                "sid" => read.sid = Some(value),
                _ => {}
            }
        }
        // As in the original, an empty `sid` is none.
        read.sid = read.sid.filter(|sid| !sid.is_empty());
        read
    }
}

/// What a request is about.
///
/// `transport_of` looks a session up: what it runs over now, or that it is not there.
///
/// # Errors
///
/// [`Refusal`], the first that applies in the order in which engine.io checks.
pub fn judge(
    method: Method,
    form: Form,
    query: &str,
    transport_of: impl FnOnce(Sid) -> Option<Transport>,
) -> Result<Purpose, Refusal> {
    let query = Query::read(query);
    let transport = match query.transport {
        Some("polling") => Transport::Polling,
        Some("websocket") => Transport::WebSocket,
        _ => return Err(Refusal::UnknownTransport),
    };
    match query.sid {
        None => opening(method, form, transport, query.version),
        Some(sid) => {
            let sid = sid.parse().map_err(|_| Refusal::UnknownSid)?;
            let current = transport_of(sid).ok_or(Refusal::UnknownSid)?;
            if query.version != Some("4") {
                return Err(Refusal::BadRequest);
            }
            following(method, form, transport, current, sid)
        }
    }
}

fn opening(method: Method, form: Form, transport: Transport, version: Option<&str>) -> Result<Purpose, Refusal> {
    if method != Method::Get {
        return Err(Refusal::BadHandshakeMethod);
    }
    if (transport == Transport::WebSocket) != (form == Form::Upgrade) {
        return Err(Refusal::BadRequest);
    }
    if version != Some("4") {
        return Err(Refusal::UnsupportedVersion);
    }
    Ok(Purpose::Open(transport))
}

fn following(
    method: Method,
    form: Form,
    transport: Transport,
    current: Transport,
    sid: Sid,
) -> Result<Purpose, Refusal> {
    match (form, transport) {
        // A session that has a WebSocket is for the engine to judge: the 101 comes all the same.
        (Form::Upgrade, Transport::WebSocket) if method == Method::Get => Ok(Purpose::Probe(sid)),
        (Form::Plain, Transport::Polling) if current == Transport::Polling => match method {
            Method::Get => Ok(Purpose::Poll(sid)),
            Method::Post => Ok(Purpose::Post(sid)),
            Method::Other => Err(Refusal::BadMethod),
        },
        _ => Err(Refusal::BadRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SID: &str = "-_v7-_v7-_v7-_v7-_v7";

    fn sid() -> Sid {
        SID.parse().unwrap()
    }

    fn asked(method: Method, form: Form, query: &str) -> Result<Purpose, Refusal> {
        judge(method, form, query, |asked| (asked == sid()).then_some(Transport::Polling))
    }

    fn after_the_upgrade(method: Method, form: Form, query: &str) -> Result<Purpose, Refusal> {
        judge(method, form, query, |_| Some(Transport::WebSocket))
    }

    #[test]
    fn a_session_begins_with_a_get_or_with_a_websocket() {
        let polling = asked(Method::Get, Form::Plain, "EIO=4&transport=polling&t=abc");
        assert_eq!(polling, Ok(Purpose::Open(Transport::Polling)));
        let websocket = asked(Method::Get, Form::Upgrade, "EIO=4&transport=websocket");
        assert_eq!(websocket, Ok(Purpose::Open(Transport::WebSocket)));
        assert_eq!(asked(Method::Get, Form::Plain, "EIO=4&transport=polling&sid="), polling, "an empty sid is none");
    }

    #[test]
    fn a_session_is_polled_posted_to_and_upgraded() {
        let polling = format!("EIO=4&transport=polling&t=x&sid={SID}&a=b");
        assert_eq!(asked(Method::Get, Form::Plain, &polling), Ok(Purpose::Poll(sid())));
        assert_eq!(asked(Method::Post, Form::Plain, &polling), Ok(Purpose::Post(sid())));
        let websocket = format!("EIO=4&transport=websocket&sid={SID}");
        assert_eq!(asked(Method::Get, Form::Upgrade, &websocket), Ok(Purpose::Probe(sid())));
    }

    #[test]
    fn a_transport_that_is_missing_or_not_ours_is_unknown() {
        for query in ["", "EIO=4", "EIO=4&transport=abc", "EIO=4&transport=webtransport", "EIO=4&transport"] {
            for form in [Form::Plain, Form::Upgrade] {
                assert_eq!(asked(Method::Get, form, query), Err(Refusal::UnknownTransport), "{query}");
            }
        }
    }

    #[test]
    fn a_sid_that_is_not_there_is_unknown() {
        for unknown in ["x", "AAAAAAAAAAAAAAAAAAAA", "..%2f"] {
            let query = format!("EIO=4&transport=polling&sid={unknown}");
            assert_eq!(asked(Method::Get, Form::Plain, &query), Err(Refusal::UnknownSid));
            assert_eq!(asked(Method::Other, Form::Plain, &query), Err(Refusal::UnknownSid));
        }
    }

    #[test]
    fn a_first_request_that_is_no_get_is_a_bad_handshake() {
        for method in [Method::Post, Method::Other] {
            let refused = asked(method, Form::Plain, "EIO=4&transport=polling");
            assert_eq!(refused, Err(Refusal::BadHandshakeMethod));
        }
    }

    #[test]
    fn what_does_not_fit_is_a_bad_request() {
        let first = "EIO=4&transport=websocket";
        assert_eq!(asked(Method::Get, Form::Plain, first), Err(Refusal::BadRequest), "a plain GET");
        let refused = asked(Method::Get, Form::Upgrade, "EIO=4&transport=polling");
        assert_eq!(refused, Err(Refusal::BadRequest), "an upgrade to polling");
        for version in ["", "EIO=3&", "EIO=abc&"] {
            let query = format!("{version}transport=polling&sid={SID}");
            assert_eq!(asked(Method::Get, Form::Plain, &query), Err(Refusal::BadRequest), "{query}");
        }
        let websocket = format!("EIO=4&transport=websocket&sid={SID}");
        assert_eq!(asked(Method::Get, Form::Plain, &websocket), Err(Refusal::BadRequest));
        assert_eq!(asked(Method::Post, Form::Plain, &websocket), Err(Refusal::BadRequest));
    }

    #[test]
    fn after_the_upgrade_polling_is_a_bad_request_and_another_websocket_is_not() {
        let polling = format!("EIO=4&transport=polling&sid={SID}");
        for method in [Method::Get, Method::Post] {
            assert_eq!(after_the_upgrade(method, Form::Plain, &polling), Err(Refusal::BadRequest));
        }
        let websocket = format!("EIO=4&transport=websocket&sid={SID}");
        assert_eq!(after_the_upgrade(Method::Get, Form::Plain, &websocket), Err(Refusal::BadRequest));
        assert_eq!(after_the_upgrade(Method::Get, Form::Upgrade, &websocket), Ok(Purpose::Probe(sid())));
    }

    #[test]
    fn only_version_4_of_the_protocol_is_spoken() {
        for query in ["transport=polling", "EIO=3&transport=polling", "EIO=abc&transport=polling"] {
            assert_eq!(asked(Method::Get, Form::Plain, query), Err(Refusal::UnsupportedVersion), "{query}");
        }
        let websocket = asked(Method::Get, Form::Upgrade, "EIO=3&transport=websocket");
        assert_eq!(websocket, Err(Refusal::UnsupportedVersion));
    }

    #[test]
    fn a_session_has_no_other_methods() {
        let query = format!("EIO=4&transport=polling&sid={SID}");
        let refusal = asked(Method::Other, Form::Plain, &query).unwrap_err();
        assert_eq!((refusal, refusal.status(), refusal.body()), (Refusal::BadMethod, 405, None));
    }

    #[test]
    fn each_refusal_has_the_answer_of_the_original() {
        let table = [
            (Refusal::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refusal::UnknownSid, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refusal::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (Refusal::UnsupportedVersion, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ];
        for (refusal, status, body) in table {
            assert_eq!((refusal.status(), refusal.body().as_deref()), (status, Some(body)));
        }
    }

    #[test]
    fn the_last_of_a_repeated_field_counts() {
        let query = "EIO=3&transport=abc&EIO=4&transport=polling";
        assert_eq!(asked(Method::Get, Form::Plain, query), Ok(Purpose::Open(Transport::Polling)));
    }
}
