//! HTTP: the route table, and what holds for every answer.
//!
//! `/ws` is signaling, `/ice` the ICE servers for those who bring their own, the paths of other servers' clients are theirs
//! where the operator asks for them, and everything else is the page, ours or the operator's; all of them in a folder of the
//! host, if the operator says so. A request in plain text is sent to https and
//! nothing else, unless a proxy ends TLS for us.

mod admit;
mod base_path;
mod bearer;
mod caller;
mod carried;
mod cors;
mod dialects;
mod engine_io;
mod folder;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handshake;
mod hsts;
mod ice;
mod nothing;
mod origin;
mod page;
mod query;
mod refusal;
mod removed;
mod request;
pub(crate) mod status;
mod subprotocol;
mod upgrade;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{self, HeaderName};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use tracing::{Instrument as _, Span};

pub use base_path::{BasePath, NotABasePath};
pub use dialects::{Dialects, PeerJsSettings};
pub use engine_io::Mount;
pub(crate) use hsts::Hsts;
pub use origin::{AllowedOrigin, NotAnOrigin};

use crate::accept::{Arrival, Transport};
use crate::admission::{Admission, AdmissionLimits};
use crate::auth::Verifier;
use crate::connection::Terms;
use crate::ice::IceConfig;
use crate::net::{Cidr, TlsEnd};
use caller::Proxies;
use folder::{Folder, Foreign};
use origin::Origins;
use removed::Removals;
use request::Target;

/// An answer is for one moment and one client.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What every answer carries, but the first of it none of the operator's page, whose policy is its own. Our page loads
/// nothing from elsewhere, runs nothing inline, and may not be framed; camera and microphone are for either page itself.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
        ),
    ),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static("camera=(self), microphone=(self)")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// What the routes share. Cheap to clone.
#[derive(Clone)]
struct Shared(Arc<Parts>);

/// What the routes stand on.
pub(crate) struct Parts {
    /// The connections of the moment.
    pub(crate) admission: Admission,
    /// Whose pages may connect.
    origins: Origins,
    /// Who is believed about others.
    proxies: Proxies,
    /// By whom tokens have to be signed.
    verifier: Option<Arc<Verifier>>,
    /// What proxies have taken away.
    removals: Removals,
    /// What holds for every connection.
    terms: Arc<Terms>,
    /// What browsers are told to use.
    ice: Arc<IceConfig>,
    base_path: BasePath,
    dialects: Dialects,
    peerjs: PeerJsSettings,
    tls_end: TlsEnd,
    /// The operator's own page. None: ours.
    folder: Option<Folder>,
}

impl Shared {
    /// Answers for a file of the page, or says what is missing where there is none.
    async fn page(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let answer = match self.0.folder.clone() {
            Some(folder) => folder.answer(request).await,
            None => page::answer(request.method(), request.uri(), request.headers()),
        };
        let is_nothing = answer.status() == StatusCode::NOT_FOUND;
        let hint = if is_nothing { dialects::hint(&self.0.dialects, &path) } else { None };
        hint.unwrap_or(answer)
    }
}

impl Parts {
    pub(crate) fn new(config: HttpConfig, terms: Arc<Terms>, ice: Arc<IceConfig>) -> Self {
        Self {
            admission: Admission::new(config.admission, Instant::now()),
            origins: Origins::new(config.allowed_origins, config.public_host.as_ref()),
            proxies: Proxies::new(config.trusted_proxies),
            verifier: config.verifier.map(Arc::new),
            removals: Removals::new(Instant::now()),
            terms,
            ice,
            base_path: config.base_path,
            dialects: config.dialects,
            peerjs: config.peerjs,
            tls_end: config.tls_end,
            folder: config.page.as_deref().map(Folder::new),
        }
    }
}

/// Who is let in, and where they find us.
#[derive(Debug)]
pub struct HttpConfig {
    /// How many may connect.
    pub admission: AdmissionLimits,
    /// How many sessions may wait for their client to come back.
    pub parked: AdmissionLimits,
    /// Whose pages may connect, besides our own.
    pub allowed_origins: Vec<AllowedOrigin>,
    /// The name by which clients reach us, where their requests may have another.
    pub public_host: Option<Authority>,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<Cidr>,
    /// The keys by which tokens have to be signed. None: no client is asked for a token.
    pub verifier: Option<Verifier>,
    /// The folder on the host that is ours.
    pub base_path: BasePath,
    /// Which clients are served besides our own.
    pub dialects: Dialects,
    /// What is asked of PeerJS's clients.
    pub peerjs: PeerJsSettings,
    /// Applications besides signaling. None but in programs that try Engine.IO's protocol.
    pub mounts: Vec<Mount>,
    /// For how long browsers come over TLS alone once they have; none: they are not told.
    pub hsts: Duration,
    /// Who ends TLS: without a proxy that does, a request in plain text is not served.
    pub tls_end: TlsEnd,
    /// The folder of the operator's own page. None: ours is served.
    pub page: Option<PathBuf>,
}

/// The router.
pub(crate) fn router(parts: Parts, mounts: Vec<Mount>, hsts: Option<Hsts>) -> Router {
    let (base_path, tls_end) = (parts.base_path.clone(), parts.tls_end);
    let dialects = dialects::routes(&parts.dialects, &parts.peerjs, &parts.terms);
    let mounts = mounts.into_iter().fold(Router::new(), |routes, mount| routes.merge(mount.routes(&parts.terms)));
    let status = status::routes(parts.terms.tasks.notice().clone(), Arc::clone(&parts.terms.hub));
    let routes = Router::new()
        .route("/ws", get(upgrade::answer).options(upgrade::answer_preflight))
        .route("/ice", get(ice::answer).options(ice::answer_preflight))
        .merge(status)
        .merge(dialects)
        .merge(mounts)
        .fallback(|State(shared): State<Shared>, request: Request| async move { shared.page(request).await })
        .with_state(Shared(Arc::new(parts)));
    // One layer for all of it: each is a box and a copy of the routes for every request.
    let hsts = hsts.map(Arc::new);
    beneath(&base_path, routes).layer(middleware::from_fn(move |request: Request, next: Next| {
        let strict = hsts.as_ref().and_then(|hsts| hsts.header(host(&request)?));
        let span = request.extensions().get().map_or_else(Span::none, Arrival::span);
        async move { with_headers(only_well_formed(request, tls_end, next).await, strict) }.instrument(span)
    }))
}

/// Before all else: what HTTP itself asks of a request.
pub(crate) fn well_formed(routes: Router, tls_end: TlsEnd) -> Router {
    routes.layer(middleware::from_fn(move |request: Request, next: Next| only_well_formed(request, tls_end, next)))
}

/// And that it came by TLS, where that ends here.
async fn only_well_formed(mut request: Request, tls_end: TlsEnd, next: Next) -> Response {
    let is_astray = tls_end == TlsEnd::Here && is_plain(&request);
    match request::admit(&mut request) {
        Ok(Target::Resource) if is_astray => to_https(&request),
        Ok(Target::Resource) => next.run(request).await,
        Ok(Target::Server) => (StatusCode::NO_CONTENT, [(header::ALLOW, "GET, HEAD, OPTIONS")]).into_response(),
        Err(bad) => {
            let hint = if is_astray { " Here is https only." } else { "" };
            (StatusCode::BAD_REQUEST, format!("{}{hint}\n", bad.as_str())).into_response()
        }
    }
}

/// The routes in a folder of the host; the rest of it is not ours.
fn beneath(base: &BasePath, routes: Router) -> Router {
    if *base == BasePath::default() {
        return routes;
    }
    let page = base.to_string();
    let to_page = move |uri: Uri| async move {
        let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
        // Without the host: a proxy may know us by another name than the client does.
        (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, format!("{page}{query}"))])
    };
    Router::new()
        .route(base.as_str(), any(to_page))
        .nest(&base.to_string(), routes)
        .fallback(|| async { (StatusCode::NOT_FOUND, nothing::HERE) })
}

/// Under which name it was asked for.
fn host(request: &Request) -> Option<&str> {
    request.headers().get(header::HOST)?.to_str().ok().filter(|_| !is_plain(request))
}

fn with_headers(mut response: Response, strict: Option<HeaderValue>) -> Response {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // There is nothing to be shown.
        return response;
    }
    let ours = if response.extensions().get::<Foreign>().is_some() { &HEADERS[1..] } else { &HEADERS[..] };
    for (name, value) in ours.iter().cloned() {
        response.headers_mut().entry(name).or_insert(value);
    }
    if let Some(strict) = strict {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, strict);
    }
    response
}

fn is_plain(request: &Request) -> bool {
    request.extensions().get().is_some_and(|arrival: &Arrival| arrival.transport == Transport::Plain)
}

/// To the same on https. HTTP/1.0 may have no host to be sent to.
fn to_https(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match request.headers().get(header::HOST).and_then(|host| host.to_str().ok()) {
        Some(host) => {
            let location = format!("https://{host}{path}");
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)], "Here is https only.\n").into_response()
        }
        None => (StatusCode::BAD_REQUEST, "Here is https only, and the request has no Host.\n").into_response(),
    }
}
