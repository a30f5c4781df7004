//! Sees to it that what is served never ends.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use instant_acme::{CertificateIdentifier, Error};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::authority::{Authority, chain};
use super::order::{Failure, Office};
use super::proof::{Answers, Texts};
use super::schedule::{Ledger, Life, pause, renewal, renewal_in};
use super::store::Store;
use super::{Name, Settings};
use crate::error::{StartError, listen_advice};
use crate::net::{answer_all, listen};
use crate::tls::{Pair, ServedPair};

/// How long it sleeps at most: a clock that is set, or a machine that was suspended, is noticed by then.
const SLEEP: Duration = Duration::from_mins(10);

/// For one order, whatever the authority does.
const ORDER: Duration = Duration::from_mins(10);

/// The longest time between two questions for when to renew.
const LONGEST: i64 = 24 * 3600;

/// By how much this machine's clock may be behind the authority's before it is to be set, in seconds.
const CLOCK: i64 = 3600;

/// As much of what an authority says as is logged, in characters.
const TEXT: usize = 1000;

/// How long before its end a certificate that is not renewed is a reason to say so at each start.
const LATE: i64 = 3 * 24 * 3600;

/// Orders certificates, and serves them.
pub(crate) struct Keeper {
    settings: Settings,
    authority: Authority,
    store: Store,
    ledger: Ledger,
    served: Arc<ServedPair>,
    /// Where the page is.
    page: SocketAddr,
    /// Where an authority comes over HTTP, if that was asked for, and what it is to find there.
    plain: Option<TcpListener>,
    texts: Option<Texts>,
    /// The certificate that is served, if it is the authority's.
    life: Option<Life>,
    /// When a new one is wanted.
    renew_at: i64,
    /// When to ask the authority for that.
    ask_at: i64,
    /// Failures in a row, and until when nothing is tried for them.
    failures: usize,
    rest_until: i64,
}

impl Keeper {
    /// Takes what there is from the last run, or makes something to serve until the first certificate comes. Where the
    /// start is only tried, nothing is made in the state directory.
    ///
    /// # Errors
    ///
    /// Where the state directory can't be used, or the port for HTTP can't be had.
    pub(crate) fn open(settings: Settings, page: SocketAddr, is_rehearsal: bool) -> Result<Self, StartError> {
        let unusable = |error: std::io::Error| StartError::Acme {
            what: format!("--state-dir {}", settings.state.display()),
            problem: format!("cannot be used ({error}); give a folder that this process may write to"),
        };
        let store = Store::of(&settings.state, &settings.directory);
        if is_rehearsal { store.look() } else { store.open() }.map_err(unusable)?;
        let plain = match settings.http_listen {
            Some(address) => Some(listen(address).map_err(|error| StartError::Acme {
                what: format!("--acme-http-listen {address}"),
                problem: listen_advice(&error),
            })?),
            None => None,
        };
        let kept = kept(&store, &settings.names);
        let names: Vec<String> = settings.names.iter().map(Name::to_string).collect();
        let life = kept.as_ref().map(life);
        let served = kept.unwrap_or_else(|| Pair::provisional(&names));
        let mut keeper = Self {
            authority: settings.authority(),
            ledger: store.ledger(),
            store,
            served: Arc::new(ServedPair::new(served)),
            page,
            texts: plain.as_ref().map(|_| Texts::default()),
            plain,
            life,
            renew_at: 0,
            ask_at: 0,
            failures: 0,
            rest_until: 0,
            settings,
        };
        keeper.plan();
        keeper.say_what_there_is();
        Ok(keeper)
    }

    /// What is served.
    pub(crate) fn served(&self) -> &Arc<ServedPair> {
        &self.served
    }

    /// Orders when it is time to, until it is told to stop.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let answers = self.answer_over_http();
        let keep = async {
            loop {
                self.step().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = answers => {}
            never = keep => match never {},
        }
    }

    /// Answers an authority that comes over HTTP. Never ready.
    fn answer_over_http(&mut self) -> impl Future<Output = ()> + use<> {
        let listener = self.plain.take().map(tokio::net::TcpListener::from_std).transpose();
        let listener = listener.inspect_err(|error| warn!(%error, "--acme-http-listen: nothing is answered there"));
        let texts = self.texts.clone().unwrap_or_default();
        let routes = Answers { texts, names: self.settings.names.clone(), page: self.page }.routes();
        async move {
            match listener {
                Ok(Some(listener)) => answer_all(listener, routes).await,
                Ok(None) | Err(_) => std::future::pending().await,
            }
        }
    }

    /// Does what is due, or waits for it.
    async fn step(&mut self) {
        let now = now();
        let order_at = self.order_at(now);
        if order_at <= now {
            return self.renew(now).await;
        }
        if self.life.is_some() && self.ask_at <= now {
            return self.ask(now).await;
        }
        let next = if self.life.is_some() { order_at.min(self.ask_at) } else { order_at };
        let wait = Duration::from_secs(u64::try_from(next - now).unwrap_or(0)).min(SLEEP);
        tokio::select! {
            () = self.served.asked() => self.hurry(now),
            () = tokio::time::sleep(wait) => {}
        }
    }

    /// When the next order is to be made.
    fn order_at(&self, now: i64) -> i64 {
        self.renew_at.max(self.rest_until).max(self.ledger.open_from(now))
    }

    /// The operator has asked for it (SIGHUP): pauses of ours end, the authority's limits do not.
    fn hurry(&mut self, now: i64) {
        self.rest_until = 0;
        let order_at = self.order_at(now);
        if order_at > now {
            info!("ACME: the next certificate is ordered {}", at(order_at));
        }
    }

    /// When it is renewed as long as the authority has not said: two thirds of its life.
    fn plan(&mut self) {
        self.renew_at = self.life.map_or(0, |life| renewal(life, luck()));
    }

    /// Asks the authority when it wants the certificate to be renewed.
    async fn ask(&mut self, now: i64) {
        let (window, again) = match timeout(ORDER, self.suggestion()).await {
            Ok(Ok((window, again))) => (Some(window), i64::try_from(again.as_secs()).unwrap_or(LONGEST)),
            Ok(Err(error)) => {
                debug!("ACME: no suggestion for the renewal: {}", chain(&*error));
                (None, LONGEST / 4)
            }
            Err(_) => (None, LONGEST),
        };
        let shortest = i64::try_from(self.settings.question.as_secs()).unwrap_or(LONGEST);
        self.ask_at = now + again.clamp(shortest, LONGEST.max(shortest));
        // The same suggestion is no reason to throw the dice anew.
        if let Some(window) = window.filter(|window| !(window.begin..=window.end).contains(&self.renew_at)) {
            self.renew_at = self.life.map_or(0, |life| renewal_in(window, life, luck()));
            info!(
                "ACME: the authority wants the certificate to be renewed; it is ordered {}",
                at(self.renew_at.max(now))
            );
        }
    }

    async fn suggestion(&self) -> Result<(Life, Duration), Failure> {
        let leaf = self.served.certificate();
        let id = CertificateIdentifier::try_from(&leaf)?;
        let account = self.office().account().await?;
        let (info, again) = account.renewal_info(&id).await?;
        let window = info.suggested_window;
        Ok((Life { begin: window.start.unix_timestamp(), end: window.end.unix_timestamp() }, again))
    }

    fn office(&self) -> Office<'_> {
        Office {
            settings: &self.settings,
            authority: &self.authority,
            store: &self.store,
            served: &self.served,
            texts: self.texts.as_ref(),
        }
    }

    /// Orders a certificate, and serves it.
    async fn renew(&mut self, now: i64) {
        info!("ACME: ordering a certificate for {} from {}", self.settings.named(), self.settings.directory);
        // Order: written down before it is made, so that a process that dies of it does not come again and again.
        self.ledger.order(now);
        self.keep_ledger();
        let leaf = self.life.map(|_| self.served.certificate());
        let ordered = timeout(ORDER, self.office().order(leaf.as_ref())).await;
        let ordered = ordered.unwrap_or_else(|_| Err("the authority has not finished it within ten minutes".into()));
        // An order takes seconds, or minutes.
        let now = self::now();
        match ordered.and_then(|pem| Ok((Pair::from_pem(pem.as_bytes())?, pem))) {
            Ok((pair, pem)) => self.take(pair, &pem, now),
            Err(error) => self.fail(&*error, now),
        }
        self.keep_ledger();
    }

    /// Serves what has come.
    fn take(&mut self, pair: Pair, pem: &str, now: i64) {
        if let Err(error) = self.store.keep_certificate(pem) {
            warn!(%error, "--state-dir: the certificate can't be kept, and is ordered anew at the next start");
        }
        let life = life(&pair);
        self.served.replace(pair);
        (self.life, self.failures, self.rest_until, self.ask_at) = (Some(life), 0, 0, 0);
        self.ledger.issue(now);
        self.plan();
        if (life.begin - CLOCK..life.end).contains(&now) {
            info!("ACME: serving a certificate for {}, valid to {}", self.settings.named(), day(life.end));
            return;
        }
        // To order another would change nothing, and use up what the authority allows.
        self.renew_at = now + LONGEST;
        warn!(
            "ACME: the certificate that has just been issued is valid from {} to {} and not now, by this machine's clock \
             ({}); set the clock",
            day(life.begin),
            day(life.end),
            day(now)
        );
    }

    fn fail(&mut self, error: &(dyn std::error::Error + 'static), now: i64) {
        self.failures += 1;
        self.rest_until = now + pause(self.failures);
        if let Some(seconds) = self.authority.take_closed_for() {
            self.ledger.close(now, i64::try_from(seconds).unwrap_or(i64::MAX));
        }
        let next = at(self.order_at(now));
        let still = match self.life {
            Some(life) => format!("the one of before is still served, valid to {}", day(life.end)),
            None => "one that no browser trusts is served".into(),
        };
        let hint = self.hint(error);
        self.served.has_trouble(format!("no certificate for {}: {}", self.settings.named(), text(error)));
        warn!(
            "ACME: no certificate for {}: {}; {hint}{still}; the next try is {next}",
            self.settings.named(),
            text(error)
        );
    }

    /// What to look at.
    fn hint(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let port = self.texts.as_ref().map_or("443, on which the page is to be reached", |_| "80");
        if text(error).contains("did not find the proof") {
            return format!("does DNS lead each name to this machine, and do firewalls let port {port} through? ");
        }
        let hints = [
            ("externalAccountRequired", "give --acme-eab-kid and --acme-eab-key-file, by which it knows you; "),
            (
                "UnknownIssuer",
                "are the authorities of this system there (Debian: ca-certificates)? --acme-ca-file is for a private one; ",
            ),
            ("Expired", "is this machine's clock right? "),
            ("NotValidYet", "is this machine's clock right? "),
        ];
        let said = text(error);
        hints.iter().find(|(sign, _)| said.contains(sign)).map_or(String::new(), |(_, hint)| (*hint).to_owned())
    }

    fn keep_ledger(&self) {
        if let Err(error) = self.store.keep_ledger(&self.ledger) {
            warn!(%error, "--state-dir: what was asked of the authority can't be kept");
        }
    }

    fn say_what_there_is(&self) {
        let now = now();
        match self.life {
            Some(life) if life.end <= now => {
                warn!(
                    "ACME: the certificate of the last run has expired, on {}; browsers refuse it until another has come",
                    day(life.end)
                );
            }
            Some(life) if life.end - now < LATE && self.renew_at < now => {
                warn!("ACME: the certificate of the last run ends on {}, and is renewed now", day(life.end));
            }
            Some(life) => info!("ACME: serving the certificate of the last run, valid to {}", day(life.end)),
            None => info!(
                "ACME: no certificate for {} yet: one that no browser trusts is served until it has come. The authority \
                 reaches this machine by its name, on port {}",
                self.settings.named(),
                if self.texts.is_some() { 80 } else { 443 },
            ),
        }
        let order_at = self.order_at(now);
        if self.renew_at <= now && order_at > now {
            warn!(
                "ACME: what was asked of the authority before this start leaves nothing for now: the next order is {}, or                  sooner with another --acme-directory, such as one to try things out",
                at(order_at)
            );
        }
    }
}

/// What the last run has left, if it is for all of these names.
fn kept(store: &Store, names: &[Name]) -> Option<Pair> {
    let pem = store.certificate()?;
    let pair = Pair::from_pem(&pem).inspect_err(|error| warn!("--state-dir: the certificate there: {error}")).ok()?;
    names.iter().all(|name| pair.is_for(&name.to_string())).then_some(pair)
}

fn life(pair: &Pair) -> Life {
    let validity = pair.validity();
    Life { begin: validity.not_before.timestamp(), end: validity.not_after.timestamp() }
}

/// An error in one line.
fn text(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref() {
        Some(Error::Api(problem)) => {
            let kind = problem.r#type.as_deref().unwrap_or_default();
            let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or(kind);
            format!("the authority says: {} ({kind})", problem.detail.as_deref().unwrap_or("no reason given"))
        }
        _ => chain(error),
    }
    .replace(['\r', '\n'], " ")
    .chars()
    .take(TEXT)
    .collect()
}

/// When something is to happen, for people.
fn at(time: i64) -> String {
    format!("at {}", day(time))
}

/// A moment, as x509-parser writes those of certificates.
fn day(time: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(time).map_or_else(
        |_| time.to_string(),
        |time| {
            let (date, clock) = (time.date(), time.time());
            format!("{date} {:02}:{:02}:{:02} UTC", clock.hour(), clock.minute(), clock.second())
        },
    )
}

/// In seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// From 0 to 1.
fn luck() -> f64 {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}
