//! The operator's own page (`--page`): the files of a folder, in place of ours.
//!
//! HTTP's rules for files (types, tags, conditions, parts, `index.html`) are tower-http's; which paths are served, and how
//! a disk is read that may hang, is here. What is not in the folder, but beneath `/js/`, is our client.

mod disk;
mod path;
mod range;

use std::io;
use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tower_http::services::ServeDir;
use tower_http::services::fs::DefaultServeDirFallback;
use tracing::debug;

use super::{nothing, page};
use disk::Disk;

/// What is read of a file at once, and what a client that does not read holds of it.
const PIECE: usize = 32 * 1024;

/// The folder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Folder(ServeDir<DefaultServeDirFallback, Disk>);

/// Beside an answer whose content is the operator's: what it may load is not ours to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreign;

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self::on(Disk::new(root))
    }

    fn on(disk: Disk) -> Self {
        let files = ServeDir::with_backend("", disk);
        Self(files.with_buf_chunk_size(PIECE).ignore_multi_range_requests(true))
    }

    /// Answers GET and HEAD for a file of the folder, or of ours where it has none.
    pub(super) async fn answer(self, request: Request) -> Response {
        let (request, _) = request.into_parts();
        if request.method != Method::GET && request.method != Method::HEAD {
            return foreign((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response());
        }
        if !path::is_served(request.uri.path()) {
            return missing(&request);
        }
        match self.serve(&request).await {
            Ok(response) if response.status() == StatusCode::NOT_FOUND => missing(&request),
            Ok(response) => foreign(finished(response, &request.uri)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing(&request),
            Err(error) => foreign(unreadable(&request.uri, &error)),
        }
    }

    /// What the file says to the request; the whole of it where a part is due of another version alone.
    async fn serve(&self, request: &request::Parts) -> io::Result<Response> {
        let mut headers = request.headers.clone();
        let condition = range::condition(&request.method, &mut headers);
        let response = self.ask(request, headers.clone()).await?;
        if !condition.fails(response.status(), response.headers()) {
            return Ok(response);
        }
        headers.remove(header::RANGE);
        self.ask(request, headers).await
    }

    async fn ask(&self, request: &request::Parts, headers: HeaderMap) -> io::Result<Response> {
        let mut asked = Request::new(());
        (*asked.method_mut(), *asked.uri_mut()) = (request.method.clone(), request.uri.clone());
        *asked.headers_mut() = headers;
        Ok(self.0.clone().try_call(asked).await?.map(Body::new))
    }
}

fn foreign(mut response: Response) -> Response {
    response.extensions_mut().insert(Foreign);
    response
}

/// `no-cache` means to ask each time: an edited file is seen when the page is loaded again.
fn finished(mut response: Response, uri: &Uri) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let mime = headers.get(header::CONTENT_TYPE).and_then(|mime| mime.to_str().ok());
    // A MIME type without a charset leaves the accents of a page to the browser's guess.
    let text = mime.filter(|mime| mime.starts_with("text/") && !mime.contains("charset"));
    if let Some(Ok(mime)) = text.map(|mime| HeaderValue::from_str(&format!("{mime}; charset=utf-8"))) {
        headers.insert(header::CONTENT_TYPE, mime);
    }
    if headers.contains_key(header::LOCATION)
        && let Ok(location) = HeaderValue::from_str(&page::with_slash(uri.path(), uri.query()))
    {
        headers.insert(header::LOCATION, location);
    }
    response
}

/// Where the folder has no such file.
fn missing(request: &request::Parts) -> Response {
    match request.uri.path() {
        ours if ours.starts_with("/js/") => page::answer(&request.method, &request.uri, &request.headers),
        "/" => foreign((StatusCode::NOT_FOUND, "The folder of --page has no index.html.\n").into_response()),
        path => foreign(nothing::at(path)),
    }
}

fn unreadable(uri: &Uri, error: &io::Error) -> Response {
    debug!(%uri, %error, "a file of the page can't be read");
    match error.kind() {
        io::ErrorKind::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "The disk does not answer.\n").into_response(),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "This file can't be read.\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_said_without_waiting_for_it() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("index.html"), "").unwrap();
        for method in [Method::GET, Method::HEAD] {
            let request = Request::builder().method(method).uri("/index.html").body(Body::empty()).unwrap();
            let response = Folder::on(Disk::that_hangs(place.path())).answer(request).await;
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
    }
}
