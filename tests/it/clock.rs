//! A wall clock that jumps: no session is lost by it, and newcomers are served.

use std::fs;
use std::path::{Path, PathBuf};

use entremise::ice::credential::Credential;

use crate::client::{message_from, message_to};
use crate::pair::{Pair, replace};
use crate::park::assert_parked;
use crate::program::Program;
use crate::turn_client::{TurnAccess, TurnClient};

const YEAR: i64 = 365 * 24 * 3600;

/// What lies to a program about the time: Debian's package faketime.
pub(crate) fn faketime() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").expect("Linux").filter_map(Result::ok);
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists()).expect("faketime is installed: apt-get install faketime")
}

/// The credential that is handed out now, and when it expires, by the program's clock.
async fn credential(program: &Program) -> (Credential, i64) {
    let ice = program.ice().await;
    let turn = ice["iceServers"].as_array().and_then(|servers| servers.last()).expect("TURN is on");
    let text = |name: &str| turn[name].as_str().expect("text").to_owned();
    let username = text("username");
    let expiry = username.split_once(':').and_then(|(expiry, _)| expiry.parse().ok()).expect("expiry:name");
    (Credential { username, password: text("credential") }, expiry)
}

/// A TURN client over TLS on the page's port.
async fn turn_client(program: &Program, credential: Credential) -> TurnClient {
    let access = TurnAccess { udp: program.address, tcp: program.address, credential };
    access.stream_client(program.tls().await)
}

fn set_clock(file: &Path, seconds: i64) {
    replace(file, format!("{seconds:+}\n"));
}

#[tokio::test]
#[ignore = "needs faketime: make test-clock"]
async fn a_clock_that_jumps_ends_no_session_and_newcomers_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = folder.path().join("clock");
    set_clock(&clock, 0);
    let flags = ["--turn", "--resume-window=60", "--turn-relay-ports=49990-49999"];
    let program = Program::start_with(Pair::new(), &flags, |command| {
        command.env("LD_PRELOAD", faketime()).env("FAKETIME_TIMESTAMP_FILE", &clock);
        command.env("FAKETIME_NO_CACHE", "1").env("DONT_FAKE_MONOTONIC", "1");
        command.env("ENTREMISE_STUN_PORT", "0");
    })
    .await;
    let mut alice = program.connect_v1().await;
    let mut bob = program.connect().await;
    let (first_credential, begin) = credential(&program).await;
    let mut relay = turn_client(&program, first_credential).await;
    relay.allocate().await;

    for jump in [YEAR, -20 * YEAR, 50 * YEAR, 0] {
        let parked = program.connect_v1().await;
        let (ticket, id) = (parked.ticket(), parked.id.clone());
        drop(parked);
        let waiting = assert_parked(&mut bob, &id).await;

        set_clock(&clock, jump);
        let (credential, expiry) = credential(&program).await;
        let seen = expiry - begin;
        assert!((jump..jump + 300).contains(&seen), "the program believes it: {jump}, {seen}");

        // Those who are here stay: none is taken for silent or slow.
        for number in 0..20 {
            let number = number.to_string();
            alice.say(message_to(&bob.id, &number, "1")).await;
            alice.hears(r#"{"type":"ack","ref":1}"#).await;
            bob.hears(message_from(&alice.id, &number)).await;
        }
        alice.acknowledge().await;
        // Those who come back are known, and newcomers are let in: TLS resumes sessions from before the jump.
        program.resume(&ticket).await.fence_after(waiting).await;
        program.connect().await.fence().await;
        turn_client(&program, credential).await.allocate().await;
        // A relay's user is told that its nonce is stale, and goes on with a new one.
        relay.introduce().await;
        assert_eq!(relay.refresh(600).await, 0);
        assert_eq!(program.get("/healthz").await.status, 200);
    }
    assert!(!program.log().contains("ERROR") && !program.log().contains("panicked"), "{}", program.log());
}
