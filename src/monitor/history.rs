//! The last hour of what monitors are told, so that a page can show it where none looks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::time::MissedTickBehavior;

use super::Exposition;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(10);

/// An hour of looks.
const LOOKS: usize = 360;

/// One look: rates are of the time since the last one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Look {
    /// In seconds since 1970.
    at: f64,
    connections: f64,
    /// Messages of clients, each second.
    messages: f64,
    /// … that were refused, with requests that were; each second.
    errors: f64,
    /// In which time half of all messages left their queue, in seconds. None: there were none.
    median: Option<f64>,
    /// … and 99 of 100.
    slowest: Option<f64>,
    relays: f64,
    /// In bytes.
    memory: f64,
}

/// What has been counted since the start.
#[derive(Clone, Debug, Default)]
struct Counted {
    at: f64,
    messages: f64,
    errors: f64,
    /// How many messages left their queue within a time, by it.
    within: Vec<(f64, f64)>,
}

/// The looks of the last hour. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Arc<Mutex<VecDeque<Look>>>);

impl History {
    /// All of them, the oldest first.
    pub(super) fn looks(&self) -> Vec<Look> {
        self.0.lock().iter().cloned().collect()
    }

    /// Looks from time to time. Never ready.
    pub(super) async fn remember(&self, exposition: &Exposition) {
        let mut looks = tokio::time::interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            looks.tick().await;
            let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
            let (look, counted) = look(&exposition.text(), at, last.as_ref());
            last = Some(counted);
            self.keep(look);
        }
    }

    fn keep(&self, look: Look) {
        let mut kept = self.0.lock();
        if kept.len() == LOOKS {
            kept.pop_front();
        }
        kept.push_back(look);
    }
}

/// What this text says, and what has happened since the last one.
fn look(text: &str, at: f64, last: Option<&Counted>) -> (Look, Counted) {
    let mut look = Look { at, ..Look::default() };
    let mut counted = Counted { at, ..Counted::default() };
    for line in text.lines().filter_map(|line| line.strip_prefix("entremise_")) {
        let Some((series, Ok(value))) = line.rsplit_once(' ').map(|(series, value)| (series, value.parse::<f64>()))
        else {
            continue;
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        match name {
            "connections" => look.connections = value,
            "relays" => look.relays = value,
            "memory_bytes" => look.memory = value,
            "messages_total" => {
                counted.messages += value;
                counted.errors += if labels.contains(r#"result="ok""#) { 0.0 } else { value };
            }
            "refusals_total" => counted.errors += value,
            "relay_seconds_bucket" => counted.within.extend(bound(labels).map(|bound| (bound, value))),
            _ => {}
        }
    }
    if let Some(last) = last.filter(|last| last.at < at) {
        let seconds = at - last.at;
        look.messages = (counted.messages - last.messages).max(0.0) / seconds;
        look.errors = (counted.errors - last.errors).max(0.0) / seconds;
        look.median = share(&counted.within, &last.within, 0.5);
        look.slowest = share(&counted.within, &last.within, 0.99);
    }
    (look, counted)
}

/// The upper end of a bucket.
fn bound(labels: &str) -> Option<f64> {
    let bound = labels.split_once(r#"le=""#)?.1.split_once('"')?.0;
    if bound == "+Inf" { Some(f64::INFINITY) } else { bound.parse().ok() }
}

/// Within which time this share of those between two looks was; the longest that is measured, where it took longer.
fn share(now: &[(f64, f64)], before: &[(f64, f64)], share: f64) -> Option<f64> {
    let since = |index: usize| now[index].1 - before.get(index).map_or(0.0, |(_, count)| *count);
    let all = now.len().checked_sub(1).map(since).filter(|all| *all > 0.0)?;
    let index = (0..now.len()).find(|index| since(*index) >= share * all)?;
    let longest = now.iter().rev().map(|(bound, _)| *bound).find(|bound| bound.is_finite())?;
    Some(now[index].0.min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(messages: u64, refused: u64, within: [u64; 3]) -> String {
        let [first, second, all] = within;
        format!(
            "# HELP entremise_connections Connections.\nentremise_connections 3.0\nentremise_relays 2.0\n\
             entremise_messages_total{{dialect=\"v1\",kind=\"offer\",result=\"ok\"}} {messages}\n\
             entremise_messages_total{{dialect=\"v1\",kind=\"offer\",result=\"peer-busy\"}} {refused}\n\
             entremise_refusals_total{{dialect=\"v1\",reason=\"origin\"}} {refused}\n\
             entremise_relay_seconds_bucket{{le=\"0.001\"}} {first}\nentremise_relay_seconds_bucket{{le=\"0.01\"}} {second}\n\
             entremise_relay_seconds_bucket{{le=\"+Inf\"}} {all}\nentremise_memory_bytes 1024.0\n# EOF\n"
        )
    }

    #[test]
    fn rates_are_of_the_time_since_the_last_look() {
        let (first, counted) = look(&text(100, 1, [90, 99, 100]), 1000.0, None);
        assert_eq!((first.connections, first.relays, first.memory), (3.0, 2.0, 1024.0));
        assert_eq!((first.messages, first.median), (0.0, None), "over which time it was is unknown");
        let (second, _) = look(&text(198, 2, [180, 199, 200]), 1010.0, Some(&counted));
        assert_eq!((second.messages, second.errors), (9.9, 0.2));
        assert_eq!((second.median, second.slowest), (Some(0.001), Some(0.01)));
    }

    #[test]
    fn what_took_longer_than_is_measured_is_the_longest_that_is() {
        let (_, before) = look(&text(0, 0, [0, 0, 0]), 0.0, None);
        let (after, _) = look(&text(1, 0, [0, 0, 1]), 1.0, Some(&before));
        assert_eq!((after.median, after.slowest), (Some(0.01), Some(0.01)));
        let (calm, _) = look(&text(0, 0, [0, 0, 0]), 1.0, Some(&before));
        assert_eq!((calm.median, calm.messages), (None, 0.0));
    }

    #[test]
    fn no_more_than_an_hour_is_kept() {
        let history = History::default();
        (0..400_u16).for_each(|at| history.keep(Look { at: at.into(), ..Look::default() }));
        let looks = history.looks();
        assert_eq!((looks.len(), looks[0].at), (LOOKS, 40.0));
    }
}
