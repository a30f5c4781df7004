//! How long to wait before the next connection: full jitter, so that a crowd that lost its server does not come back as one. Pure.

use std::time::Duration;

use crate::cause::{Cause, Patience};

const BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(15);
/// What a server may ask for at most.
const LONGEST: Duration = Duration::from_hours(1);

/// The attempt at which to begin: up to 0.5 s, up to 2 s, up to the cap.
fn first(patience: Patience) -> u32 {
    match patience {
        Patience::Short => 0,
        Patience::Spread => 2,
        Patience::Long => 5,
    }
}

/// `attempt` counts from 0 since the last welcome; `random` is from 0 to 1.
pub(crate) fn reconnect_delay(attempt: u32, cause: &Cause, random: f64) -> Duration {
    let doublings = attempt.max(first(cause.patience)).min(5);
    let ceiling = CAP.min(BASE * 2_u32.pow(doublings));
    cause.retry_after.unwrap_or_default().min(LONGEST) + ceiling.mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(attempt: u32, cause: &Cause, random: f64) -> u128 {
        reconnect_delay(attempt, cause, random).as_millis()
    }

    #[test]
    fn it_is_full_jitter_anything_from_nothing_to_the_ceiling() {
        assert_eq!(millis(0, &Cause::lost(), 0.0), 0);
        assert_eq!(millis(0, &Cause::lost(), 1.0), 500);
        assert_eq!(millis(3, &Cause::lost(), 0.5), 2000);
    }

    #[test]
    fn its_ceiling_doubles_up_to_15_seconds() {
        let ceilings = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|attempt| millis(attempt, &Cause::lost(), 1.0));
        assert_eq!(ceilings, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
    }

    #[test]
    fn the_crowd_of_a_restarted_server_is_spread_over_two_seconds() {
        assert_eq!(millis(0, &Cause::of_close(1012), 1.0), 2000);
    }

    #[test]
    fn it_is_long_where_the_same_would_happen_again() {
        for code in [1001, 1002, 1003, 1007, 1008, 1009] {
            assert_eq!(millis(0, &Cause::of_close(code), 1.0), 15_000, "{code}");
        }
    }

    #[test]
    fn it_never_undercuts_what_the_server_asked_for_and_stays_within_an_hour() {
        let asked = |seconds| Cause { retry_after: Some(Duration::from_secs(seconds)), ..Cause::lost() };
        assert_eq!(millis(0, &asked(30), 0.0), 30_000);
        assert_eq!(millis(0, &asked(30), 1.0), 30_500);
        assert_eq!(millis(0, &asked(u64::MAX), 0.0), 3_600_000);
    }
}
