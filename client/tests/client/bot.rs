//! The examples: what the README shows is what is run here.

use entremise_client::Event;

use crate::server::Server;
use crate::within;

#[path = "../../examples/bot.rs"]
#[expect(dead_code, reason = "`main` is called by no test")]
mod example;

#[tokio::test]
async fn the_bot_greets_those_that_are_there_and_those_that_come() {
    let server = Server::start(&[]);
    let mut alice = server.peer().await;
    alice.client.join("lobby").await.expect("there is room");
    let (client, events) = server.builder().connect().expect("the settings are right");
    let handle = client.clone();
    let bot = async { example::run(&client, events, "lobby").await.map_err(|error| error.to_string()) };
    let visit = async {
        assert!(matches!(alice.hear().await, Event::PeerJoined { .. }));
        assert_eq!(alice.message().await, r#""hello""#);
        let mut bob = server.peer().await;
        assert_eq!(bob.client.join("lobby").await.expect("there is room").len(), 2);
        assert_eq!(bob.message().await, r#""hello""#);
        handle.close().await;
    };
    let (ended, ()) = within("the visit", futures_util::future::join(bot, visit)).await;
    ended.expect("it is closed");
}

#[test]
fn the_readme_shows_the_bot_as_it_is() {
    let bot = include_str!("../../examples/bot.rs");
    let readme = include_str!("../../README.md");
    let (_, code) = bot.split_once("\n\n").expect("a line on what it is");
    assert!(readme.contains(&format!("```rust\n{code}```\n")), "README.md should have:\n{code}");
}
