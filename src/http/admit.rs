//! Who is let in: one check for every route that gives a client something.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::header::{self, HeaderMap, HeaderValue};

use super::Shared;
use super::bearer::{Token, token};
use super::caller::Caller;
use super::refusal::Refusal;
use super::request::single;
use crate::admission::{Overload, Permit};
use crate::auth::Grant;
use crate::hub::ResumeRequest;
use crate::ice::IceContext;

impl Shared {
    /// All that a WebSocket has to pass once it is one. Takes nothing.
    pub(super) fn check(&self, caller: &Caller, headers: &HeaderMap) -> Result<(), Refusal> {
        self.admit(caller, headers, token(headers, None)?)?;
        Ok(self.0.admission.check(caller.address, Instant::now())?)
    }

    /// Who is let in, whatever the limits say. Order: the protocol's.
    pub(super) fn admit(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        token: Option<Token<'_>>,
    ) -> Result<Option<Grant>, Refusal> {
        let origin = single(headers, &header::ORIGIN)?;
        if self.0.terms.tasks.stop().is_cancelled() {
            return Err(Refusal::Draining);
        }
        if !self.is_allowed(caller, origin) {
            return Err(Refusal::OriginNotAllowed);
        }
        let Some(verifier) = &self.0.verifier else { return Ok(None) };
        let Token(token) = token.ok_or(Refusal::NoCredentials)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        verifier.verify(token, now).map(Some).map_err(Refusal::Denied)
    }

    /// Whether a page of this origin may connect.
    pub(super) fn is_allowed(&self, caller: &Caller, origin: Option<&HeaderValue>) -> bool {
        let page = origin.map(|origin| origin.to_str().unwrap_or_default());
        self.0.origins.admit(page, caller.host.as_ref(), caller.transport)
    }

    /// The origin that may read what is not for all.
    pub(super) fn reader<'a>(&self, caller: &Caller, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        single(headers, &header::ORIGIN).ok()?.filter(|origin| self.is_allowed(caller, Some(origin)))
    }

    /// A permit for a connection. A client that resumes has its old connection's.
    pub(super) fn permit(
        &self,
        client: IpAddr,
        resume: Option<&ResumeRequest>,
        grant: Option<&Grant>,
    ) -> Result<Permit, Overload> {
        if resume.is_some_and(|request| self.0.terms.hub.can_resume(request, grant)) {
            return Ok(self.0.admission.enter_regardless(client));
        }
        self.0.admission.enter(client, Instant::now())
    }

    /// Which ICE servers this client is told of.
    pub(super) fn ice_context(&self, caller: &Caller) -> IceContext {
        let (client, tls_end) = (caller.address, caller.tls_end);
        IceContext { config: Arc::clone(&self.0.ice), host: caller.host.clone(), client, tls_end }
    }
}
