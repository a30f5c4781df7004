//! Greets each peer that enters a room: `cargo run --example bot -- wss://localhost:8443/ws lobby certs/cert.pem`

use std::error::Error;

use entremise_client::{Client, Event, Events, PeerId};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, room, trusted @ ..] = &arguments[..] else { return Err("usage: bot URL ROOM [CERTIFICATE]".into()) };
    let mut builder = Client::builder(url);
    for file in trusted {
        builder = builder.root_certificates(std::fs::read(file)?);
    }
    let (client, events) = builder.connect()?;
    run(&client, events, room).await
}

/// Until the client is closed.
pub(crate) async fn run(client: &Client, mut events: Events, room: &str) -> Result<(), Box<dyn Error>> {
    while let Some(event) = events.next().await {
        match event {
            // The first session, or one after a restart of the server: it is in no room yet.
            Event::Welcome(_) => {
                for peer in client.join(room).await? {
                    greet(client, &peer).await;
                }
            }
            Event::PeerJoined { peer, .. } => greet(client, &peer).await,
            Event::Message { from, message, .. } => println!("{from} says {}", message.as_json()),
            Event::State(state) => eprintln!("{state:?}"),
            _ => {}
        }
    }
    Ok(())
}

async fn greet(client: &Client, peer: &PeerId) {
    // It may have left meanwhile.
    if let Err(error) = client.message(peer, "hello").await {
        eprintln!("{peer}: {error}");
    }
}
