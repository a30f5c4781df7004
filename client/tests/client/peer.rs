//! A client and what it hears.

use entremise_client::{Builder, Cause, Client, Event, Events, PeerId, State, Welcome};

use crate::within;

pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) id: PeerId,
}

impl Peer {
    /// A new one, welcomed.
    pub(crate) async fn welcomed(builder: Builder) -> Self {
        let (client, events) = builder.connect().expect("the settings are right");
        let id = within("a session", client.ready()).await.expect("it is not closed");
        let mut peer = Self { client, events, id };
        assert_eq!(peer.welcome().await.id, peer.id);
        peer
    }

    /// The next event that is no state of the connection.
    pub(crate) async fn hear(&mut self) -> Event {
        loop {
            match within("an event", self.events.next()).await.expect("it is not closed") {
                Event::State(_) => {}
                event => return event,
            }
        }
    }

    /// … which must be a welcome.
    pub(crate) async fn welcome(&mut self) -> Welcome {
        match self.hear().await {
            Event::Welcome(welcome) => welcome,
            other => panic!("expected a welcome: {other:?}"),
        }
    }

    /// … which must be a message, as JSON text.
    pub(crate) async fn message(&mut self) -> String {
        match self.hear().await {
            Event::Message { message, .. } => message.as_json().to_owned(),
            other => panic!("expected a message: {other:?}"),
        }
    }

    /// Why the connection is gone, as soon as it is.
    pub(crate) async fn cause(&mut self) -> Cause {
        loop {
            match within("the loss", self.events.next()).await.expect("it is not closed") {
                Event::State(State::Waiting { cause, .. }) => return cause,
                Event::State(_) => {}
                other => panic!("expected a loss: {other:?}"),
            }
        }
    }

    /// Proves that nothing else was on its way here.
    pub(crate) async fn fence(&mut self) {
        let said = within("the fence", self.client.message(&self.id, &"fence")).await;
        said.expect("the server answers");
        assert_eq!(self.message().await, r#""fence""#);
    }
}
