//! How much a client may say, how much may wait for it, and how many may be in a room or hear a topic.

use std::num::{NonZeroU32, NonZeroUsize};

use crate::cli::Cli;
use crate::error::StartError;
use crate::hub::{self, AllowanceLimits, HubLimits, MailboxLimits, TopicLimits};
use crate::protocol::Rate;

pub(super) fn hub_limits(cli: &Cli) -> Result<HubLimits, StartError> {
    let mailbox = MailboxLimits { messages: cli.queues.mailbox_messages.get(), bytes: cli.queues.mailbox_bytes.get() };
    let queued_bytes = cli.queues.queued_bytes.get();
    at_least("--mailbox-messages", mailbox.messages, 2, "one message and the answer to one's own")?;
    let one_message = hub::largest_weight(cli.messages.max_message_bytes.get());
    at_least("--mailbox-bytes", mailbox.bytes, one_message, "one message of --max-message-bytes")?;
    at_least("--queued-bytes", queued_bytes, mailbox.bytes, "one full mailbox of --mailbox-bytes")?;
    Ok(HubLimits {
        allowance: AllowanceLimits {
            rate: rate(cli.messages.messages_per_second, cli.messages.message_burst),
            bytes_per_second: NonZeroU32::new(cli.messages.bytes_per_second),
            refused_messages: NonZeroU32::new(cli.messages.refused_messages),
        },
        mailbox,
        queued_bytes,
        rooms_per_peer: NonZeroUsize::new(cli.rooms.rooms_per_peer),
        peers_per_room: NonZeroUsize::new(cli.rooms.peers_per_room),
        topics: TopicLimits {
            per_peer: NonZeroUsize::new(cli.rooms.topics_per_peer),
            subscribers: NonZeroUsize::new(cli.rooms.peers_per_topic),
        },
    })
}

fn rate(messages: f64, burst: u32) -> Option<Rate> {
    (messages > 0.0).then_some(Rate { messages, burst })
}

fn at_least(flag: &'static str, value: usize, least: usize, holds: &str) -> Result<(), StartError> {
    if value >= least {
        return Ok(());
    }
    Err(StartError::TooSmall { flag, value, reason: format!("it has to hold {holds}, which takes {least}") })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::tests::config;
    use crate::hub::{Ask, Hub, Lifetime, Session};
    use crate::protocol::{ClientMessage, Realm, Request, RoomName};

    #[test]
    fn a_queue_that_cannot_hold_one_message_is_refused_and_named() {
        for (flags, named) in [
            (&["--mailbox-messages=1"][..], "--mailbox-messages 1"),
            (&["--mailbox-bytes=65536"], "--mailbox-bytes 65536"),
            (&["--max-message-bytes=2000000"], "--mailbox-bytes 1048576"),
            (&["--queued-bytes=100000"], "--queued-bytes 100000"),
        ] {
            let error = config(flags).unwrap_err();
            assert!(error.contains(named) && error.contains("has to hold"), "{error}");
        }
    }

    #[test]
    fn all_members_of_all_rooms_of_a_peer_may_leave_at_once() {
        let limits = config(&[]).unwrap().hub;
        let (rooms, members) = (limits.rooms_per_peer.unwrap().get(), limits.peers_per_room.unwrap().get());
        let hub = Hub::new(limits);
        let enter_all = || {
            let session = hub.open(Realm::V1, Lifetime::Connection, None);
            for number in 0..rooms {
                let room = RoomName::new(&format!("room {number}")).unwrap();
                let join = Request { reference: None, message: ClientMessage::Join(room) };
                let ask = Ask::Frame(Ok(join), session.answer_permit().unwrap());
                assert_eq!(session.hear(ask, 0, Instant::now(), Vec::new).refused, None);
            }
            session
        };
        let read_all = |session: &Session| {
            let told = std::iter::from_fn(|| session.try_next()).count();
            session.written();
            told
        };
        let stays = enter_all();
        let mut others = Vec::new();
        while others.len() < members - 1 {
            others.push(enter_all());
            for session in others.iter().chain([&stays]) {
                read_all(session);
            }
        }
        drop(others);
        assert_eq!(read_all(&stays), rooms * (members - 1));
    }
}
