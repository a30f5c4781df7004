//! Why there is no connection, in a code and in words, and how patiently to try again. Pure.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// Why there is no connection. What `code` can be is in `docs/rust-client.md`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cause {
    /// A word for programs: the server's own where it refused, else one of the client's.
    pub code: Cow<'static, str>,
    /// For people, in English.
    pub message: Cow<'static, str>,
    pub(crate) patience: Patience,
    /// How long the server asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The server keeps nothing to come back to.
    pub(crate) ends_session: bool,
}

/// How patiently to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It may be back at once.
    Short,
    /// All clients come back together, so take more room.
    Spread,
    /// The same will most likely happen again.
    Long,
}

use Patience::{Long, Short, Spread};

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Cause {
    fn new(code: &'static str, message: impl Into<Cow<'static, str>>, patience: Patience) -> Self {
        Self { code: code.into(), message: message.into(), patience, retry_after: None, ends_session: false }
    }

    fn ending(code: &'static str, message: &'static str, patience: Patience) -> Self {
        Self { ends_session: true, ..Self::new(code, message, patience) }
    }

    /// The connection broke, or showed no sign of life.
    pub(crate) fn lost() -> Self {
        Self::new("lost", "the connection was lost", Short)
    }

    /// There is no way to the server.
    pub(crate) fn unreachable(why: &std::io::Error) -> Self {
        Self::new("unreachable", format!("the server cannot be reached: {why}"), Short)
    }

    /// Its certificate is not trusted here, or what answers speaks no TLS.
    pub(crate) fn no_tls(why: &std::io::Error) -> Self {
        Self::new("tls-failed", format!("no TLS with the server: {why}"), Long)
    }

    /// The application's callback failed, or gave what can't be offered.
    pub(crate) fn no_credentials(why: &str) -> Self {
        Self::new("no-credentials", format!("the application gave no credentials that can be offered: {why}"), Long)
    }

    pub(crate) fn not_signaling() -> Self {
        let message = "what answers at this address is no signaling server: its path is /ws";
        Self::new("not-signaling", message, Long)
    }

    pub(crate) fn proxy_without_websockets() -> Self {
        let message = "the server answers, but a proxy before it passes no WebSockets on: the headers Upgrade, Connection and \
                       Sec-WebSocket-Protocol have to reach it";
        Self::new("proxy-without-websockets", message, Spread)
    }

    /// Why an open connection was closed.
    pub(crate) fn of_close(code: u16) -> Self {
        match code {
            1000 => Self::ending("ended", "the server ended the session", Spread),
            1001 => Self::ending("shut-down", "the server is shutting down", Long),
            1002 => Self::ending("protocol", "the server saw a breach of the WebSocket protocol", Long),
            1003 => Self::ending("protocol", "the server takes no binary frames", Long),
            1007 => Self::ending("protocol", "the server takes only UTF-8", Long),
            1008 => Self::ending("policy", "the server ended the connection: too many refused messages", Long),
            1009 => Self::ending("message-too-large", "a message was too large for the server", Long),
            1011 => Self::ending("server-error", "the server had an internal error", Spread),
            1012 => Self::new("restarting", "the server is restarting", Spread),
            1013 => Self::ending("server-full", "the server is full", Spread),
            4000 => Self::new("taken-over", "an earlier attempt of ours to connect has taken the session over", Short),
            4001 => Self::new("too-slow", "this connection was too slow", Short),
            4002 => Self::new("silent", "the server saw no sign of life", Short),
            4003 => Self::new("credentials-expired", "the credentials have expired", Short),
            _ => Self::lost(),
        }
    }

    /// Why a WebSocket was refused: `status`, the body as far as it has come, and the header `Retry-After`.
    pub(crate) fn of_refusal(status: u16, body: &[u8], retry_after: Option<&str>) -> Self {
        if status == 426 {
            return Self::proxy_without_websockets();
        }
        let patience = if matches!(status, 429 | 503) { Spread } else { Long };
        let Ok(refused) = serde_json::from_slice::<Refused>(body) else {
            let seconds = retry_after.and_then(|seconds| seconds.parse().ok());
            return Self { retry_after: seconds.map(Duration::from_secs), ..Self::of_status(status) };
        };
        Self {
            code: refused.code.into(),
            message: refused.message.into(),
            patience,
            retry_after: refused.retry_after.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            ends_session: false,
        }
    }

    /// Not one of the server's answers, or only its head has come.
    fn of_status(status: u16) -> Self {
        match status {
            401 => Self::new("unauthorized", "the server asks for credentials", Long),
            429 => Self::new("too-many-connections", "too many connections from this address", Spread),
            503 => Self::new("server-full", "the server has no room at the moment", Spread),
            200 | 404 => Self::not_signaling(),
            _ => Self::new("unreachable", format!("the server cannot be reached: HTTP status {status}"), Short),
        }
    }
}

/// The body of a refusal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    code: String,
    message: String,
    /// In seconds.
    retry_after: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_close_code_of_the_protocol_page_has_a_cause_that_keeps_or_ends_the_session_as_it_says() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md")).unwrap();
        let (_, table) = page.split_once("\n## Closing\n").expect("a section");
        let (table, _) = table.split_once("\n## ").expect("it ends");
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
        let mut codes = 0;
        for row in rows {
            let Some(Ok(code)) = row.get(1).map(|code| code.trim_end_matches(", none").parse::<u16>()) else {
                continue;
            };
            let ends = row[3] == "ends" || row[3] == "is gone";
            let cause = Cause::of_close(code);
            assert_eq!(cause.ends_session, ends, "{code}");
            assert_ne!(cause.code, "lost", "{code}");
            codes += 1;
        }
        assert_eq!(codes, 14);
    }

    #[test]
    fn a_refusal_is_told_in_the_servers_words_with_the_time_that_it_asks_for() {
        let body = br#"{"code":"draining","message":"the server is stopping","retryAfter":2.5}"#;
        let cause = Cause::of_refusal(503, body, Some("3"));
        assert_eq!((&*cause.code, &*cause.message), ("draining", "the server is stopping"));
        assert_eq!(cause.retry_after, Some(Duration::from_millis(2500)));
        assert_eq!(cause.patience, Spread);
    }

    #[test]
    fn a_refusal_whose_body_has_not_come_is_known_by_its_status() {
        let codes = [401, 404, 426, 429, 503, 502].map(|status| Cause::of_refusal(status, b"<html>", Some("7")).code);
        let expected = [
            "unauthorized",
            "not-signaling",
            "proxy-without-websockets",
            "too-many-connections",
            "server-full",
            "unreachable",
        ];
        assert_eq!(codes, expected);
        assert_eq!(Cause::of_refusal(503, b"", Some("7")).retry_after, Some(Duration::from_secs(7)));
        assert_eq!(Cause::of_refusal(503, b"", Some("Wed, 21 Oct")).retry_after, None);
    }

    #[test]
    fn a_time_that_is_none_is_not_waited_for() {
        for seconds in ["-5", "1e300"] {
            let body = format!(r#"{{"code":"draining","message":"","retryAfter":{seconds}}}"#);
            assert_eq!(Cause::of_refusal(503, body.as_bytes(), None).retry_after, None, "{seconds}");
        }
    }
}
