//! From polling to a WebSocket.

use super::{FENCE, Polling, Socket, call, called, start, text};

fn websocket(session: &Polling) -> String {
    session.path.replace("transport=polling", "transport=websocket")
}

/// A WebSocket that is tried, and has been answered.
async fn probe(session: &Polling) -> Socket {
    let mut socket = Socket::open(&session.site, &websocket(session)).await;
    socket.says("2probe").await;
    socket.hears("3probe").await;
    socket
}

#[tokio::test]
async fn a_session_goes_on_over_a_websocket_and_no_packet_is_lost_on_the_way() {
    let server = start(&[]);
    let [(alice, from), (bob, id)] = [Polling::connect(&server).await, Polling::connect(&server).await];
    let poll = bob.poll().await;
    alice.says(&call("offer", "1", &id)).await;
    assert_eq!(poll.packets().await, called("offer", "1", &from));
    let open = bob.poll().await;
    let mut socket = probe(&bob).await;
    assert_eq!(open.packets().await, "6", "it is let go, so that the client can say `5`");
    for n in 2..5 {
        alice.says(&call("candidate", &n.to_string(), &id)).await;
    }
    socket.says("5").await;
    for n in 2..5 {
        socket.hears(&called("candidate", &n.to_string(), &from)).await;
    }
    socket.says(&call("answer", "5", &from)).await;
    assert_eq!(alice.poll().await.packets().await, called("answer", "5", &id));
}

#[tokio::test]
async fn while_a_websocket_is_tried_packets_leave_by_a_poll() {
    let server = start(&[]);
    let [(alice, from), (mut bob, id)] = [Polling::connect(&server).await, Polling::connect(&server).await];
    let mut socket = probe(&bob).await;
    alice.says(&call("offer", "1", &id)).await;
    bob.hears(&called("offer", "1", &from)).await;
    socket.says("5").await;
    socket.fence().await;
}

#[tokio::test]
async fn after_the_upgrade_polling_is_refused_and_the_session_lives() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let mut socket = probe(&alice).await;
    socket.says("5").await;
    socket.fence().await;
    for answer in [alice.polled().await, alice.post("40/x").await] {
        assert_eq!((answer.status, &*text(&answer)), (400, r#"{"code":3,"message":"Bad request"}"#));
    }
    let mut another = Socket::open(&server, &websocket(&alice)).await;
    assert_eq!(another.closed().await, None, "with the 101, and without a code");
    socket.fence().await;
}

#[tokio::test]
async fn a_second_websocket_that_is_tried_is_closed_and_the_first_is_not() {
    let server = start(&[]);
    let (alice, _) = Polling::connect(&server).await;
    let mut first = probe(&alice).await;
    let mut second = Socket::open(&server, &websocket(&alice)).await;
    assert_eq!(second.closed().await, None);
    first.says("5").await;
    first.fence().await;
}

#[tokio::test]
async fn a_websocket_that_says_something_else_is_closed_and_polling_goes_on() {
    let server = start(&[]);
    let (mut alice, _) = Polling::connect(&server).await;
    for packet in ["40/x", "2", "1", "x"] {
        let mut socket = Socket::open(&server, &websocket(&alice)).await;
        socket.says(packet).await;
        assert_eq!(socket.closed().await, None, "{packet}");
    }
    drop(probe(&alice).await);
    alice.says("40/fence").await;
    // A client polls until its WebSocket is its session's.
    while alice.hear().await != FENCE {}
}

#[tokio::test]
async fn a_websocket_alone_needs_no_upgrade() {
    let server = start(&[]);
    let [(mut alice, from), (mut bob, to)] = [Socket::connect(&server).await, Socket::connect(&server).await];
    alice.says(&call("offer", r#"{"sdp":"v=0"}"#, &to)).await;
    bob.hears(&called("offer", r#"{"sdp":"v=0"}"#, &from)).await;
}

#[tokio::test]
async fn what_ends_a_websocket() {
    let server = start(&["--max-message-bytes=1000"]);
    let end = |frame: String| {
        let server = &server;
        async move {
            let (mut socket, _) = Socket::connect(server).await;
            socket.says(&frame).await;
            socket.closed().await
        }
    };
    assert_eq!(end("x".repeat(1001)).await, Some(1009));
    for frame in ["2", "9", "48", "40", "40[\"x\"]", "42[\"connect\"]", "451-[\"offer\",{}]x", "41x"] {
        assert_eq!(end(frame.to_owned()).await, None, "{frame}");
    }
    let mut early = Socket::begin(&server).await;
    early.says(&call("offer", "1", "x")).await;
    assert_eq!(early.closed().await, None, "an event before its CONNECT");
}

#[tokio::test]
async fn what_is_out_of_place_over_a_websocket_has_no_effect() {
    let server = start(&[]);
    let (mut alice, _) = Socket::connect(&server).await;
    for packet in ["0", "1", "3", "5", "6"] {
        alice.says(packet).await;
    }
    alice.fence().await;
}
