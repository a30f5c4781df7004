//! One certificate: an account, an order, a proof for each name, and what comes of them (RFC 8555, 7).

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, ExternalAccountKey, Identifier,
    NewAccount, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rustls::pki_types::CertificateDer;
use tracing::info;

use super::authority::Authority;
use super::proof::Texts;
use super::store::Store;
use super::{Name, Settings};
use crate::tls::{ServedPair, challenge};

/// How long an authority may take to look at proofs, and then to issue. It is asked again in between.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.6).timeout(Duration::from_mins(2));

/// The profile under which Let's Encrypt has certificates for addresses.
const SHORT_LIVED: &str = "shortlived";

/// What an order needs.
pub(super) struct Office<'a> {
    pub(super) settings: &'a Settings,
    pub(super) authority: &'a Authority,
    pub(super) store: &'a Store,
    /// Where proofs are shown in TLS's handshake.
    pub(super) served: &'a ServedPair,
    /// Where they are shown over HTTP instead. None: they are not.
    pub(super) texts: Option<&'a Texts>,
}

/// Why there is no certificate.
pub(super) type Failure = Box<dyn StdError + Send + Sync>;

impl Office<'_> {
    /// The account at the authority, made if there is none.
    pub(super) async fn account(&self) -> Result<Account, Failure> {
        let builder = || Account::builder_with_http(Box::new(self.authority.clone()));
        if let Some(kept) = self.store.account() {
            return Ok(builder().from_credentials(kept).await?);
        }
        let Settings { directory, contact, external, .. } = self.settings;
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let external = external.as_ref().map(|(id, key)| ExternalAccountKey::new(id.clone(), key));
        let (account, kept) = builder().create(&new, directory.clone(), external.as_ref()).await?;
        self.store.keep_account(&kept)?;
        info!("ACME: made an account at {directory}");
        Ok(account)
    }

    /// The private key and the chain, in PEM. `replaces` is the certificate of before, for those authorities that are
    /// kinder to renewals.
    pub(super) async fn order(&self, replaces: Option<&CertificateDer<'_>>) -> Result<String, Failure> {
        let account = match self.account().await {
            // It has lost its memory, or its data were restored.
            Err(error) if is(&*error, "accountDoesNotExist") => {
                self.store.forget_account()?;
                self.account().await?
            }
            other => other?,
        };
        let mut order = match self.new_order(&account, replaces).await {
            Err(error) if is(&error, "accountDoesNotExist") => {
                self.store.forget_account()?;
                self.new_order(&self.account().await?, None).await?
            }
            // What can't be replaced can be ordered all the same.
            Err(error @ Error::Api(_)) if replaces.is_some() && !is(&error, "rateLimited") => {
                self.new_order(&account, None).await?
            }
            other => other?,
        };
        let shown = self.prove(&mut order).await;
        // Whatever came of them, they are for this order alone.
        self.show(HashMap::new(), HashMap::new());
        shown?;
        let key = order.finalize().await?;
        Ok(key + &order.poll_certificate(&PATIENCE).await?)
    }

    async fn new_order(&self, account: &Account, replaces: Option<&CertificateDer<'_>>) -> Result<Order, Error> {
        let identifiers: Vec<Identifier> = self.settings.names.iter().map(Name::identifier).collect();
        let mut new = NewOrder::new(&identifiers);
        let has_address = self.settings.names.iter().any(|name| matches!(name, Name::Address(_)));
        if has_address && account.profiles().any(|profile| profile.name == SHORT_LIVED) {
            new = new.profile(SHORT_LIVED);
        }
        let before = replaces.and_then(|leaf| CertificateIdentifier::try_from(leaf).ok());
        match before {
            Some(before) => match account.new_order(&new.replaces(before)).await {
                Err(Error::Unsupported(_)) => Box::pin(self.new_order(account, None)).await,
                other => other,
            },
            None => account.new_order(&new).await,
        }
    }

    /// Shows what the authority is to find, and waits until it has looked.
    async fn prove(&self, order: &mut Order) -> Result<(), Failure> {
        let kind = if self.texts.is_some() { ChallengeType::Http01 } else { ChallengeType::TlsAlpn01 };
        let (mut pairs, mut texts) = (HashMap::new(), HashMap::new());
        let mut open = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            // One of before may still count.
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let name: Name = authorization.identifier().to_string().parse()?;
            let Some(challenge) = authorization.challenge(kind.clone()) else {
                return Err(format!("the authority does not offer {kind:?} for {name}").into());
            };
            let proof = challenge.key_authorization();
            let pair = challenge::pair(&name.to_string(), proof.digest().as_ref());
            pairs.insert(name.in_handshake(), Arc::new(pair));
            texts.insert(challenge.token.clone(), proof.as_str().to_owned());
            open.push(name);
        }
        if open.is_empty() {
            info!("ACME: the authority still knows from before that the names are ours");
        } else {
            self.show(pairs, texts);
        }
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status != AuthorizationStatus::Valid
                && let Some(mut challenge) = authorization.challenge(kind.clone())
            {
                info!("ACME: asking the authority to look for the proof at {}", challenge.identifier());
                challenge.set_ready().await?;
            }
        }
        match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Invalid) | Err(Error::Api(_)) => Err(why_invalid(order).await),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn show(&self, pairs: challenge::Pairs, texts: HashMap<String, String>) {
        match self.texts {
            Some(shown) => shown.store(Arc::new(texts)),
            None => self.served.answer_challenges(pairs),
        }
    }
}

/// What the authority says of each name whose proof it did not find.
async fn why_invalid(order: &mut Order) -> Failure {
    let mut told = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        if authorization.refresh().await.is_err() {
            continue;
        }
        let name = authorization.identifier().to_string();
        let problems = authorization.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        told.extend(
            problems.map(|problem| format!("{name}: {}", problem.detail.as_deref().unwrap_or("no reason given"))),
        );
    }
    if told.is_empty() {
        return "the authority has refused the order without a reason".into();
    }
    format!("the authority did not find the proof at {}", told.join("; ")).into()
}

/// Whether an error is this problem of ACME (RFC 8555, 6.7).
fn is(error: &(dyn StdError + 'static), problem: &str) -> bool {
    match error.downcast_ref() {
        Some(Error::Api(said)) => said.r#type.as_deref() == Some(&*format!("urn:ietf:params:acme:error:{problem}")),
        _ => false,
    }
}
