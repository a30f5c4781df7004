//! What a flag's value may be, where the type alone does not say it. Each error is a sentence that says what to give.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::http::uri::Authority;

use crate::protocol::RoomName;

/// A time that is neither nothing nor for ever.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    const YEAR: f64 = 365.0 * 24.0 * 3600.0;
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= YEAR => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("give a number of seconds above 0, such as 10 or 0.5".into()),
    }
}

pub(super) fn seconds_or_none(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { seconds(text) }
}

pub(super) fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first, last)) if 0 < first && first <= last => Ok(first..=last),
        _ => Err("give two ports, such as 49152-65535".into()),
    }
}

pub(super) fn host(text: &str) -> Result<Authority, String> {
    let authority: Option<Authority> = text.parse().ok().filter(|_| !text.contains('@') && !text.ends_with(':'));
    authority.ok_or_else(|| "give a host, or host:port, such as example.org".into())
}

pub(super) fn room(text: &str) -> Result<String, String> {
    RoomName::new(text).map(|room| room.to_string()).ok_or_else(|| "a room's name has 1 to 128 bytes".into())
}

pub(super) fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate >= 0.0 && rate.is_finite() => Ok(rate),
        _ => Err("give a number that is not below 0, such as 50 or 0.5".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_take_fractions_and_refuse_zero() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for text in ["0", "-1", "inf", "NaN", "1e30", "", "10s"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
