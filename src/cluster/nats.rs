//! Carries parcels between nodes by NATS: the one place that knows of it.
//!
//! Core NATS alone: what has to be agreed on is agreed on by the nodes themselves. One connection publishes and subscribes,
//! so that what one node publishes arrives in its order. What NATS loses, [`Cluster`] notices by the parcels' numbers.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, Message, ServerAddr, ServerError, Subscriber};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Cluster, Destination, FULL, Parcel, TICK};

/// Parcels that may wait for this node, each of [`FULL`] bytes and a message. Beyond, some are lost, and their links begin anew.
const MAX_UNREAD: usize = 4096;

/// Parcels that are taken in before anything is sent.
const AT_ONCE: usize = 64;

/// For a parcel to be taken by the connection.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// For a server to take a connection. Another one is tried then.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two attempts to connect, at most twice this: all nodes come back when NATS does.
const RECONNECT: Duration = Duration::from_millis(50);

/// What the last parcels have to leave.
const FAREWELL: Duration = Duration::from_millis(500);

/// The oldest server with which this has been tried.
const OLDEST: [u32; 2] = [2, 9];

/// How NATS is reached.
pub struct NatsSettings {
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
    prefix: String,
    /// The largest message that peers may send.
    max_message_bytes: usize,
}

/// Why these are no settings.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NatsProblem {
    /// Not the address of a NATS server.
    #[error("{0} is not the address of a NATS server: give nats://host:4222 or tls://host:4222")]
    Address(String),
    /// The credentials are none that are known.
    #[error("the file has neither a user's JWT and seed (.creds) nor the seed of a user's NKey")]
    Credentials,
}

impl NatsSettings {
    /// By these servers, under a prefix that is a word of NATS's subjects.
    ///
    /// # Errors
    ///
    /// Where an address is none.
    pub fn new(servers: &[String], prefix: &str, name: &str, max_message_bytes: usize) -> Result<Self, NatsProblem> {
        let address = |text: &String| match text.parse::<ServerAddr>() {
            Ok(address) if matches!(address.scheme(), "nats" | "tls") && !address.host().is_empty() => Ok(address),
            _ => Err(NatsProblem::Address(without_password(text))),
        };
        let servers = servers.iter().map(address).collect::<Result<_, _>>()?;
        let options = ConnectOptions::new()
            .name(format!("entremise {name}"))
            .retry_on_initial_connect()
            .subscription_capacity(MAX_UNREAD)
            .ping_interval(Duration::from_secs(5))
            .connection_timeout(CONNECT_TIMEOUT)
            .reconnect_delay_callback(|attempts| RECONNECT + jitter(attempts));
        Ok(Self { servers, options, prefix: prefix.to_owned(), max_message_bytes })
    }

    /// With the credentials that a file has.
    ///
    /// # Errors
    ///
    /// Where it has none.
    pub fn credentials(mut self, text: &str) -> Result<Self, NatsProblem> {
        self.options = if text.contains("-----BEGIN NATS USER JWT-----") {
            // Its last line has to end, though it may be the file's last.
            self.options.credentials(&format!("{text}\n")).map_err(|_| NatsProblem::Credentials)?
        } else {
            self.options.nkey(seed(text).ok_or(NatsProblem::Credentials)?.to_owned())
        };
        Ok(self)
    }

    /// With the authorities that have signed the servers' certificates, in a PEM file.
    #[must_use]
    pub fn authorities(mut self, path: std::path::PathBuf) -> Self {
        self.options = self.options.add_root_certificates(path);
        self
    }
}

impl fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSettings").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The seed of a user's NKey: `SU`, and base32 of 35 bytes in all.
fn seed(text: &str) -> Option<&str> {
    let lines = text.lines().map(str::trim);
    let is_seed = |line: &&str| {
        line.len() == 58
            && line.starts_with("SU")
            && line.bytes().all(|letter| letter.is_ascii_uppercase() || (b'2'..=b'7').contains(&letter))
    };
    lines.into_iter().find(is_seed)
}

/// What may be shown of an address.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, host)) => format!("{}…@{host}", before.split_inclusive("://").next().unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// So that nodes do not all come back at once. Longer after many attempts in vain.
fn jitter(attempts: usize) -> Duration {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let most = RECONNECT * u32::try_from(attempts.clamp(1, 20)).unwrap_or(1);
    Duration::from_micros(u64::from(now.subsec_nanos()) % u64::try_from(most.as_micros()).unwrap_or(1).max(1))
}

/// Carries parcels until it is told to end: after the last sessions have.
pub async fn run(settings: NatsSettings, cluster: Arc<Cluster>, over: CancellationToken) {
    let NatsSettings { servers, options, prefix, max_message_bytes } = settings;
    let (tell, mut events) = mpsc::channel(64);
    let options = options.event_callback(move |event| {
        let tell = tell.clone();
        async move {
            // One more of those that are waited for is no news.
            let _ = tell.try_send(event);
        }
    });
    // It connects by and by, and again: it gives up what no configuration can mean alone.
    let client = match options.connect(servers).await {
        Ok(client) => client,
        Err(error) => return warn!("--cluster: cannot connect to NATS ({error}); local peers are served alone"),
    };
    let mine = format!("{prefix}.node.{}", cluster.node());
    let all = format!("{prefix}.nodes");
    let subscriptions = (client.subscribe(mine).await, client.subscribe(all.clone()).await);
    let (Ok(mine), Ok(others)) = subscriptions else {
        return warn!("--cluster: NATS takes no subscription; local peers are served alone");
    };
    let mut carrier =
        Carrier { client, cluster, prefix, all, max_message_bytes, is_connected: false, is_warned: false };
    carrier.carry(mine, others, &mut events, over).await;
    carrier.part().await;
}

const NOT_LET_IN: &str = "NATS does not let us in: look at --cluster-credentials-file";

/// What to look at where there is no connection.
fn advice(error: &str) -> String {
    if ["authorization", "nonce"].iter().any(|word| error.contains(word)) {
        return NOT_LET_IN.to_owned();
    }
    format!("NATS cannot be reached, or trusted ({error}): look at --cluster, and at --cluster-ca-file for tls://")
}

struct Carrier {
    client: Client,
    cluster: Arc<Cluster>,
    prefix: String,
    all: String,
    max_message_bytes: usize,
    is_connected: bool,
    /// Whether it was said since the last connection what is wrong.
    is_warned: bool,
}

impl Carrier {
    async fn carry(
        &mut self,
        mine: Subscriber,
        others: Subscriber,
        events: &mut mpsc::Receiver<Event>,
        over: CancellationToken,
    ) {
        let mut parcels = pin!(futures_util::stream::select(mine, others));
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Order: what is known of the connection first; and a node that was stopped finds out by its tick before it
                // takes in what has waited meanwhile, or the other way round: both tell the time.
                biased;
                () = over.cancelled() => return,
                Some(event) = events.recv() => self.hear(event),
                _ = ticks.tick() => {
                    self.cluster.tick(Instant::now());
                    if self.is_connected && self.cluster.is_deaf() {
                        self.reconnect("NATS carries nothing any more").await;
                    }
                }
                Some(Message { payload, .. }) = parcels.next() => {
                    self.cluster.receive(&payload, Instant::now());
                    // What has come at once is answered at once.
                    for _ in 0..AT_ONCE {
                        let Some(Some(Message { payload, .. })) = parcels.next().now_or_never() else { break };
                        self.cluster.receive(&payload, Instant::now());
                    }
                }
                () = self.cluster.pending() => {}
            }
            self.send().await;
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Connected => {
                let server = self.client.server_info();
                info!(server = server.server_name, version = server.version, "NATS: connected");
                self.look(&server.version);
                (self.is_connected, self.is_warned) = (true, false);
                self.cluster.connected(Instant::now());
            }
            Event::Disconnected if self.is_connected => {
                warn!("NATS: the connection is lost; local peers are served alone until it is back");
                self.lose();
            }
            Event::ServerError(ServerError::AuthorizationViolation) => self.warn(NOT_LET_IN),
            Event::SlowConsumer(_) => self.warn("more comes from other nodes than this one can take in"),
            Event::ServerError(error) => self.warn(&format!("NATS: {error}")),
            Event::ClientError(error) => self.warn(&advice(&error.to_string())),
            _ => {}
        }
    }

    /// Once for each connection.
    fn warn(&mut self, what: &str) {
        if !std::mem::replace(&mut self.is_warned, true) {
            warn!("{what}");
        }
    }

    /// What the server can't do that is needed.
    fn look(&self, version: &str) {
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let version_is = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
        if version_is < OLDEST {
            warn!(version, "NATS: this server is older than 2.9, with which this has not been tried");
        }
        let (needed, most) = (FULL + self.max_message_bytes + 4096, self.client.max_payload());
        if needed > most {
            warn!(
                needed,
                max_payload = most,
                "NATS: its max_payload is too small for --max-message-bytes: large messages do not reach other nodes"
            );
        }
    }

    fn lose(&mut self) {
        self.is_connected = false;
        self.cluster.disconnected(Instant::now());
    }

    async fn send(&mut self) {
        if !self.is_connected {
            return;
        }
        for Parcel { to, bytes } in self.cluster.take() {
            let subject = match to {
                Destination::All => self.all.clone(),
                Destination::Node(node) => format!("{}.node.{node}", self.prefix),
            };
            match timeout(WRITE_TIMEOUT, self.client.publish(subject, bytes.into())).await {
                Ok(Ok(())) => {}
                // Too large, for one: its link begins anew, and those that it concerns are told.
                Ok(Err(error)) => self.warn(&format!("NATS takes no message: {error}")),
                Err(_) => return self.reconnect("NATS takes nothing more").await,
            }
        }
    }

    /// To any of the servers.
    async fn reconnect(&mut self, why: &str) {
        self.warn(&format!("{why}: the connection is made anew"));
        let _ = timeout(WRITE_TIMEOUT, self.client.force_reconnect()).await;
        self.lose();
    }

    /// Says that this node ends.
    async fn part(&mut self) {
        self.cluster.leave(Instant::now());
        self.send().await;
        let _ = timeout(FAREWELL, self.client.flush()).await;
        let _ = timeout(FAREWELL, self.client.drain()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: &str) -> Result<NatsSettings, NatsProblem> {
        NatsSettings::new(&[server.to_owned()], "entremise", "a", 65_536)
    }

    #[test]
    fn addresses_of_nats_servers_are_taken_and_others_named() {
        for good in
            ["nats://a:4222", "tls://a:4222", "nats://a", "nats://user:word@a:4222", "nats://[::1]:4222", "a:4222"]
        {
            assert!(settings(good).is_ok(), "{good}");
        }
        for bad in ["", "http://a", "nats://", "nats://a:port"] {
            assert!(settings(bad).is_err(), "{bad}");
        }
        let error = settings("http://user:word@a").unwrap_err().to_string();
        assert!(error.contains("http://…@a") && !error.contains("word"), "{error}");
    }

    #[test]
    fn a_file_has_the_seed_of_a_user_or_no_credentials() {
        let seed = format!("SU{}", "A".repeat(56));
        assert_eq!(super::seed(&format!("\n{seed}\n")), Some(&*seed));
        for bad in ["", "SUAA", &seed.to_lowercase(), &seed.replace("SU", "SA")] {
            let refused = settings("nats://a").unwrap().credentials(bad).err();
            assert_eq!(refused, Some(NatsProblem::Credentials), "{bad}");
        }
    }
}
