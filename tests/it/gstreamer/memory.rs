//! What clients of GStreamer can make the built program hold: the bound that it prints at its start is kept.

use super::{PRODUCER, Party, end, field};
use crate::attack::memory::{assert_bounded, fill, with_half_a_message};
use crate::park::WIDE;
use crate::program::Program;
use crate::raw::Raw;
use crate::within;

/// Members that hoard.
const HOARDERS: usize = 12;

/// As many sessions as two members may have with each other.
const SESSIONS: usize = 8;

fn start(peer: &str) -> String {
    format!(r#"{{"type":"startSession","peerId":"{peer}"}}"#)
}

/// A member that reads no more, and what it has said before: a meta as long as it may be, sessions with these others, and with
/// Carol all but one, which is hers to start. It listens, and can be called.
async fn hoard(program: &Program, others: &[String], carol: &mut Party) -> (Raw, String) {
    let mut raw = program.raw_at(program.narrow_tls().await, "/gstreamer").await;
    let id = field(&raw.text().await, "peerId");
    let (roles, meta) = (r#"["listener","consumer"]"#, "x".repeat(65_400));
    let status = format!(r#"{{"type":"setPeerStatus","roles":{roles},"meta":{{"name":"{meta}"}}}}"#);
    let with_carol = vec![start(&carol.id); SESSIONS - 1];
    let sessions = others.iter().flat_map(|other| vec![start(other); SESSIONS]).chain(with_carol);
    raw.write(&with_half_a_message([status].into_iter().chain(sessions))).await;
    for _ in 1..SESSIONS {
        let started = carol.guest.hear().await;
        assert_eq!([field(&started, "type"), field(&started, "peerId")], ["startSession", &*id]);
    }
    (raw, id)
}

impl Party {
    /// Whether a message of this size found room, in this session with a consumer or in a new one.
    async fn put(&mut self, to: &str, session: &mut Option<String>, size: usize) -> bool {
        if session.is_none() {
            let answer = self.guest.ask(start(to)).await;
            if field(&answer, "type") == "error" {
                return false;
            }
            *session = Some(field(&answer, "sessionId"));
        }
        let current = session.as_deref().expect("it is there by now");
        let sdp = "x".repeat(size);
        self.guest
            .say(format!(r#"{{"type":"peer","sessionId":"{current}","sdp":{{"type":"offer","sdp":"{sdp}"}}}}"#))
            .await;
        let answer = self.guest.ask(r#"{"type":"list"}"#).await;
        let is_over = answer == end(current);
        if is_over {
            *session = None;
            self.guest.hear().await;
        }
        !is_over
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_do_not_read_take_no_more_than_the_bound() {
    let flags = [&WIDE[..], &["--dialect=gstreamer", "--heartbeat=60", "--write-timeout=60"]].concat();
    let program = Program::start(&flags).await;
    let mut carol = program.party_with(PRODUCER).await;
    let before = program.resident_bytes();
    let (mut hoarders, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..HOARDERS {
        let (raw, id) = hoard(&program, &ids, &mut carol).await;
        hoarders.push(raw);
        ids.push(id);
    }
    for id in &ids {
        let mut session = None;
        within("a full queue", fill(async |size| carol.put(id, &mut session, size).await)).await;
    }
    // A queue, and a meta.
    assert_bounded(program, before, hoarders, 1088 * 1024).await;
}
