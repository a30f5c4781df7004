//! Clients of STUN over a stream that ask for ever: they may, but an address has a number of them.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::server::{Server, Site};
use crate::{DEADLINE, within};

const BINDING: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

/// Shorter than a third of the deadline.
const PACE: Duration = Duration::from_millis(300);

const DEADLINES: [&str; 1] = ["--handshake-timeout=1.5"];
const TIMEOUT: Duration = Duration::from_millis(1500);

/// One Binding and its answer; false at the connection's end.
async fn ask(tcp: &mut TcpStream) -> bool {
    let asked = async {
        tcp.write_all(&BINDING).await?;
        let mut header = [0; 20];
        tcp.read_exact(&mut header).await?;
        let mut rest = vec![0; u16::from_be_bytes([header[2], header[3]]).into()];
        tcp.read_exact(&mut rest).await
    };
    within("an answer or the end", asked).await.is_ok()
}

/// Asks at this pace until the time has passed; gives back the connection if it is open then.
async fn ask_for(mut tcp: TcpStream, time: Duration) -> Option<TcpStream> {
    let (begin, mut pace) = (Instant::now(), interval(PACE));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while begin.elapsed() < time {
        pace.tick().await;
        if !ask(&mut tcp).await {
            return None;
        }
    }
    Some(tcp)
}

async fn turn(server: &Server) -> Site {
    Site { address: server.turn_access().await.tcp, ..(**server).clone() }
}

#[tokio::test]
async fn a_client_over_a_stream_that_asks_is_not_ended_and_one_that_stops_is() {
    let server = Server::start_turn(&DEADLINES);
    let [port, page] = [turn(&server).await.tcp().await, server.tcp().await];
    let (port, page) = tokio::join!(ask_for(port, 4 * TIMEOUT), ask_for(page, 4 * TIMEOUT));
    for open in [port, page] {
        let mut open = open.expect("requests are signs of life");
        let ended = within("its end once it is silent", open.read_to_end(&mut Vec::new())).await;
        assert!(ended.is_ok(), "{ended:?}");
    }
}

#[tokio::test]
async fn clients_over_streams_that_ask_for_ever_are_counted_by_their_address() {
    let server = Server::start_turn(&[DEADLINES[0], "--turn-allocations-per-address=2"]);
    let site = turn(&server).await;
    let mut many = JoinSet::new();
    for _ in 0..5 {
        many.spawn(ask_for(site.tcp_from([127, 0, 0, 2]).await, 4 * TIMEOUT));
    }
    let other = ask_for(site.tcp_from([127, 0, 0, 3]).await, 4 * TIMEOUT);
    let (many, other) = tokio::join!(within("all of them", many.join_all()), other);
    assert!(4 * TIMEOUT < DEADLINE);
    assert_eq!(many.iter().flatten().count(), 2, "as many as may have an allocation");
    assert!(other.is_some(), "another address has its own");
    // They did not cost those who come for an allocation anything.
    let mut client = server.turn_access().await.tcp_client().await;
    client.allocate().await;
    client.refresh(0).await;
}
