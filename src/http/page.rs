//! The page: the files of `static/`, inside the binary.

use std::fmt::Write as _;

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use super::nothing;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

/// Answers GET and HEAD for a file of the page, `/` being `index.html`.
pub(super) fn answer(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let path = if path.is_empty() { "index.html" } else { path };
    let Some(file) = Files::get(path) else {
        return nothing::at(path);
    };
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    let mut response = serve(&file, headers);
    if path.starts_with("js/") {
        // The client is there to be imported by pages of any origin; it holds no secret.
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    response
}

/// The file, or 304 where the client has it: `no-cache` means to ask each time, so a new binary is a new page.
fn serve(file: &EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = etag(file);
    let status = if is_known(headers, &etag) { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
    let body = match status {
        StatusCode::OK => Body::from(Bytes::from_owner(file.data.clone())),
        _ => Body::empty(),
    };
    let caching = [(header::ETAG, etag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    let mime = file.metadata.mimetype();
    // A MIME type without a charset leaves the accents of a page to the browser's guess.
    let content_type = if mime.starts_with("text/") { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    (status, caching, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

fn etag(file: &EmbeddedFile) -> String {
    let mut etag = String::from("\"");
    // 128 bits of the hash tell any two files apart.
    for byte in &file.metadata.sha256_hash()[..16] {
        write!(etag, "{byte:02x}").expect("a String takes all that is written");
    }
    etag + "\""
}

/// RFC 9110, 13.1.2: the weak comparison of the client's list with ours.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == etag || tag == "*")
}
