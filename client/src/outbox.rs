//! Events on their way to the application.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use crate::Event;

/// So many may wait here while attempts to connect go on: each attempt tells a few.
const MANY: usize = 32;

/// Events that wait for room in the application's queue.
pub(crate) struct Outbox {
    /// Invariant: as long as it is not empty nothing is read from a connection, and as long as it is long no connection is opened. So
    /// it holds what one frame and a few attempts to connect tell.
    waiting: VecDeque<Event>,
    /// None: the application wants no events.
    queue: Option<mpsc::Sender<Event>>,
}

impl Outbox {
    pub(crate) fn new(queue: mpsc::Sender<Event>) -> Self {
        Self { waiting: VecDeque::new(), queue: Some(queue) }
    }

    pub(crate) fn tell(&mut self, event: Event) {
        match &self.queue {
            Some(queue) if self.waiting.is_empty() => match queue.try_send(event) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(event)) => self.waiting.push_back(event),
                Err(mpsc::error::TrySendError::Closed(_)) => self.queue = None,
            },
            Some(_) => self.waiting.push_back(event),
            None => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn is_long(&self) -> bool {
        self.waiting.len() >= MANY
    }

    /// Waits for room, and moves one. Cancel safe. Never returns while there is nothing to move.
    pub(crate) async fn deliver(&mut self) {
        let (Some(queue), false) = (&self.queue, self.waiting.is_empty()) else { return std::future::pending().await };
        if let Ok(permit) = queue.reserve().await {
            permit.send(self.waiting.pop_front().expect("there is one"));
        } else {
            self.queue = None;
            self.waiting.clear();
        }
    }

    /// Tells the last event, if there is room for all.
    pub(crate) fn tell_last(mut self, event: Event) {
        self.waiting.push_back(event);
        if let Some(queue) = &self.queue {
            // What the application did not read in time it has shown that it does not want.
            for event in self.waiting {
                queue.try_send(event).ok();
            }
        }
    }
}
