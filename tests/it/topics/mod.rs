//! Clients that meet on topics: y-webrtc's and Trystero's.

mod attack;
mod door;
mod memory;
mod recollection;
mod told;

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::server::Site;
use crate::within;

const Y_WEBRTC: &str = "--dialect=y-webrtc";
const TRYSTERO: &str = "--dialect=trystero";

/// A client of either kind.
struct Topical(WebSocketStream<TlsStream<TcpStream>>);

impl Site {
    /// A WebSocket on this path, if the server agrees.
    async fn try_topical(&self, path: &str, tls: TlsStream<TcpStream>) -> Result<Topical, Error> {
        let request = format!("wss://{}{path}", self.address).into_client_request()?;
        let (socket, _) = within("the upgrade", Box::pin(client_async(request, tls))).await?;
        Ok(Topical(socket))
    }

    async fn topical(&self, path: &str) -> Topical {
        self.try_topical(path, self.tls().await).await.expect("the server opens a WebSocket")
    }

    async fn y_webrtc(&self) -> Topical {
        self.topical("/y-webrtc").await
    }

    /// One that hears this topic.
    async fn y_webrtc_on(&self, topic: &str) -> Topical {
        let mut client = self.y_webrtc().await;
        client.say(json!({"type": "subscribe", "topics": [topic]})).await;
        client.fence().await;
        client
    }

    async fn trystero(&self) -> Topical {
        self.topical("/trystero").await
    }
}

impl Topical {
    async fn send(&mut self, message: Message) {
        within("the frame to be sent", self.0.send(message)).await.expect("the connection is open");
    }

    async fn say(&mut self, frame: impl ToString) {
        self.send(Message::text(frame.to_string())).await;
    }

    async fn next(&mut self, what: &str) -> Message {
        loop {
            match within(what, self.0.next()).await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return message,
                end => panic!("the connection ended before {what}: {end:?}"),
            }
        }
    }

    async fn hear(&mut self) -> String {
        match self.next("a text frame").await {
            Message::Text(text) => text.to_string(),
            other => panic!("expected a text frame: {other:?}"),
        }
    }

    async fn hears(&mut self, frame: impl ToString) {
        assert_eq!(self.hear().await, frame.to_string());
    }

    /// What the server has done until now, it has told before this answer. Of y-webrtc's clients only.
    async fn fence(&mut self) {
        self.say(r#"{"type":"ping"}"#).await;
        self.hears(r#"{"type":"pong"}"#).await;
    }

    /// The same for Trystero's, which have no ping.
    async fn trystero_fence(&mut self) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let topic = format!("fence {}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.say(json!({"type": "subscribe", "topic": topic})).await;
        self.say(json!({"type": "publish", "topic": topic, "payload": 0})).await;
        self.hears(format!(r#"{{"topic":"{topic}","payload":0}}"#)).await;
        self.say(json!({"type": "unsubscribe", "topic": topic})).await;
    }

    /// The code with which the server closes, whatever it says before.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next("a close frame").await {
                return frame.expect("a close by the server has a code").code.into();
            }
        }
    }
}

/// Waits for something that the server comes to.
async fn comes_to(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    within(what, wait).await;
}
