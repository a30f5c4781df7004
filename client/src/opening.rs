//! From a URL to a connection that has been welcomed.

use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::handshake::client::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::{RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};

use crate::Cause;
use crate::connection::{Bytes, Connection, Sign};
use crate::conversation::Resumption;
use crate::protocol::{self, Frame, Greeting};
use crate::server_url::ServerUrl;
use crate::subprotocol;

/// From the first packet to the welcome. The system would wait for minutes.
const WELCOME_DEADLINE: Duration = Duration::from_secs(15);
/// The largest frame that is taken: far over what a server lets its clients send, and what a roster of 100,000 members has.
const MAX_FRAME_BYTES: usize = 8 << 20;

/// Any error of the application's.
pub(crate) type AnyError = Box<dyn StdError + Send + Sync>;
/// Asked for before each connection.
pub(crate) type Credentials = dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, AnyError>> + Send>> + Send + Sync;

/// All that stays the same from one connection to the next.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) url: ServerUrl,
    /// With `wss:`.
    pub(crate) trust: Option<Arc<ClientConfig>>,
    pub(crate) credentials: Option<Arc<Credentials>>,
}

/// A connection that has been welcomed.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) greeting: Box<Greeting>,
}

/// A connection that is being opened; dropping it gives it up.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, Cause>> + Send>>;

impl Target {
    /// Opens a connection that goes on with a session, if the server agrees.
    pub(crate) fn open(&self, resumption: Option<Resumption>) -> Opening {
        let target = self.clone();
        Box::pin(async move {
            let opened = timeout(WELCOME_DEADLINE, target.opened(resumption.as_ref())).await;
            opened.unwrap_or_else(|_| Err(Cause::lost()))
        })
    }

    async fn opened(&self, resumption: Option<&Resumption>) -> Result<Opened, Cause> {
        let bearer = self.bearer().await?;
        let request = self.request(bearer.as_deref(), resumption)?;
        let stream = self.dial().await?;
        let mut config = WebSocketConfig::default();
        config.max_message_size = Some(MAX_FRAME_BYTES);
        config.max_frame_size = Some(MAX_FRAME_BYTES);
        let upgraded = client_async_with_config(request, stream, Some(config)).await;
        let (socket, _) = upgraded.map_err(|error| cause_of(&error))?;
        let mut connection = Connection::new(socket);
        let greeting = welcome(&mut connection).await?;
        Ok(Opened { connection, greeting })
    }

    async fn bearer(&self) -> Result<Option<String>, Cause> {
        let Some(credentials) = &self.credentials else { return Ok(None) };
        credentials().await.map(Some).map_err(|error| Cause::no_credentials(&error.to_string()))
    }

    fn request(&self, bearer: Option<&str>, resumption: Option<&Resumption>) -> Result<Request, Cause> {
        let offer = subprotocol::offer(bearer, resumption).and_then(|offer| HeaderValue::try_from(offer).ok());
        let mut offer = offer.ok_or_else(|| Cause::no_credentials("it is no token of RFC 9110"))?;
        offer.set_sensitive(true);
        let mut request = self.url.href.as_str().into_client_request().expect("the url was checked");
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offer);
        Ok(request)
    }

    async fn dial(&self) -> Result<Box<dyn Bytes>, Cause> {
        let ServerUrl { host, port, .. } = &self.url;
        let tcp = TcpStream::connect((&**host, *port)).await.map_err(|error| Cause::unreachable(&error))?;
        // A second small message would else wait for the first one's acknowledgement.
        tcp.set_nodelay(true).map_err(|error| Cause::unreachable(&error))?;
        let Some(trust) = &self.trust else { return Ok(Box::new(tcp)) };
        let name = host.clone().try_into().map_err(|error| Cause::no_tls(&io::Error::other(error)))?;
        let tls = TlsConnector::from(Arc::clone(trust)).connect(name, tcp).await;
        tls.map(|tls| Box::new(tls) as Box<dyn Bytes>).map_err(|error| no_tls(&error))
    }
}

/// A connection that breaks in the handshake says nothing of the certificate.
fn no_tls(error: &io::Error) -> Cause {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => Cause::no_tls(error),
        _ => Cause::unreachable(error),
    }
}

/// The first frame of a connection.
async fn welcome(connection: &mut Connection) -> Result<Box<Greeting>, Cause> {
    loop {
        if let Sign::Text(text) = connection.next().await? {
            return match protocol::read(&text) {
                Some(Frame::Welcome(greeting)) => Ok(greeting),
                _ => Err(Cause::not_signaling()),
            };
        }
    }
}

/// Why there is no WebSocket.
fn cause_of(error: &tungstenite::Error) -> Cause {
    match error {
        tungstenite::Error::Http(response) => refusal(response),
        // What selects none of the subprotocols that are offered, or leaves `Upgrade` out, has not got or not passed on the header.
        tungstenite::Error::Protocol(
            ProtocolError::SecWebSocketSubProtocolError(_)
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingConnectionUpgradeHeader,
        ) => Cause::proxy_without_websockets(),
        tungstenite::Error::Protocol(ProtocolError::HandshakeIncomplete) | tungstenite::Error::Io(_) => Cause::lost(),
        _ => Cause::not_signaling(),
    }
}

fn refusal(response: &Response) -> Cause {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let body = response.body().as_deref().unwrap_or_default();
    Cause::of_refusal(response.status().as_u16(), body, retry_after)
}
