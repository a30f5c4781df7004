//! The page: the files of `static/`, inside the binary. Each is compressed once, and sent so to those who take it.

mod coding;
mod path;

use std::fmt::Write as _;
use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use brotli::enc::BrotliEncoderParams;
use dashmap::DashMap;
use rust_embed::{Embed, EmbeddedFile};

use super::nothing;
pub(super) use coding::Coding;
use path::Meant;
pub(super) use path::with_slash;

#[derive(Embed)]
#[folder = "static/"]
struct Files;

/// What Brotli has made of the files, by their hashes, each from when it is first asked for. There are at most as many as
/// files, so it is a third of the page's size.
///
/// BREACH reads secrets out of the length of compressed answers that also repeat what a stranger has said. Here are neither:
/// the files are the same for all, and public.
static COMPRESSED: LazyLock<DashMap<[u8; 32], Content>> = LazyLock::new(DashMap::new);

/// The best there is, 11, takes a second for the whole page; where nothing is optimized it would be five.
const QUALITY: i32 = if cfg!(debug_assertions) { 5 } else { 11 };

/// What is sent of a file, in one coding.
#[derive(Clone)]
struct Content {
    bytes: Bytes,
    etag: String,
    coding: Coding,
}

/// Answers GET and HEAD for a file of the page, `/` being `index.html`.
pub(super) fn answer(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let meant = path::meant(path, |name| Files::get(name).is_some());
    if meant != Meant::Nothing && method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")]).into_response();
    }
    match meant {
        Meant::File(name) => Files::get(&name).map_or_else(|| nothing::at(path), |file| serve(&name, file, headers)),
        Meant::Folder => to_folder(uri),
        Meant::Nothing => nothing::at(path),
    }
}

/// `no-cache`: the next binary, or the operator's page, may have something else there.
fn to_folder(uri: &Uri) -> Response {
    let location = with_slash(uri.path(), uri.query());
    let headers = [(header::LOCATION, location), (header::CACHE_CONTROL, "no-cache".to_owned())];
    (StatusCode::PERMANENT_REDIRECT, headers).into_response()
}

/// The file, or 304 where the client has it: `no-cache` means to ask each time, so a new binary is a new page.
fn serve(name: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let mime = file.metadata.mimetype();
    // A MIME type without a charset leaves the accents of a page to the browser's guess.
    let content_type = if mime.starts_with("text/") { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    let is_text = is_text(mime);
    let content =
        if is_text && Coding::wished(headers) == Coding::Brotli { compressed(file) } else { Content::plain(file) };
    let mut response = content.answer(headers);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_TYPE, content_type.try_into().expect("a MIME type is a header's value"));
    if is_text {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    if name.starts_with("js/") {
        // The client is there to be imported by pages of any origin; it holds no secret.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    response
}

/// Whether it gets smaller: pictures, films and fonts are compressed already.
fn is_text(mime: &str) -> bool {
    mime.starts_with("text/") || mime.ends_with("+xml") || mime.ends_with("json") || mime == "application/wasm"
}

fn compressed(file: EmbeddedFile) -> Content {
    let hash = file.metadata.sha256_hash();
    // Meanwhile the file's shard is locked: others wait for what they would else do as well, ten milliseconds long.
    COMPRESSED.entry(hash).or_insert_with(|| Content::compressed(file)).clone()
}

impl Content {
    fn plain(file: EmbeddedFile) -> Self {
        let etag = etag(&file.metadata.sha256_hash());
        Self { bytes: Bytes::from_owner(file.data), etag, coding: Coding::Identity }
    }

    /// Plain, where Brotli adds more than it saves.
    fn compressed(file: EmbeddedFile) -> Self {
        let mut bytes = Vec::new();
        let params = BrotliEncoderParams { quality: QUALITY, ..Default::default() };
        let written = brotli::BrotliCompress(&mut &*file.data, &mut bytes, &params);
        written.expect("a Vec takes all that is written");
        if bytes.len() >= file.data.len() {
            return Self::plain(file);
        }
        Self { etag: etag(digest(&SHA256, &bytes).as_ref()), bytes: bytes.into(), coding: Coding::Brotli }
    }

    fn answer(self, headers: &HeaderMap) -> Response {
        let is_known = is_known(headers, &self.etag);
        let etag = [(header::ETAG, self.etag)];
        if is_known {
            return (StatusCode::NOT_MODIFIED, etag, Body::empty()).into_response();
        }
        let mut response = (etag, Body::from(self.bytes)).into_response();
        if self.coding == Coding::Brotli {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        response
    }
}

/// Of what is sent, and not of the file: a strong tag stands for bytes (RFC 9110, 8.8.1), so each coding has its own.
fn etag(hash: &[u8]) -> String {
    let mut etag = String::from("\"");
    // 128 bits of the hash tell any two files apart.
    for byte in &hash[..16] {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_already_is_not_compressed_again() {
        for mime in ["text/html", "text/javascript", "image/svg+xml", "application/json", "application/manifest+json"] {
            assert!(is_text(mime), "{mime}");
        }
        for mime in
            ["image/png", "image/webp", "font/woff2", "video/webm", "application/gzip", "application/octet-stream"]
        {
            assert!(!is_text(mime), "{mime}");
        }
    }

    #[test]
    fn who_asks_for_a_folder_without_its_slash_is_sent_to_where_its_own_links_are_right() {
        let answer = to_folder(&"/learn?lang=fr".parse().expect("a path"));
        let header = |name| answer.headers().get(name).expect("a header");
        assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(header(header::LOCATION), "./learn/?lang=fr");
        assert_eq!(header(header::CACHE_CONTROL), "no-cache");
    }

    #[test]
    fn a_file_is_compressed_once_and_kept_under_what_is_in_it() {
        let file = |name: &str| Files::get(name).expect("a file of the page");
        let first = compressed(file("index.html"));
        assert_eq!(first.bytes.as_ptr(), compressed(file("index.html")).bytes.as_ptr());
        for name in Files::iter() {
            compressed(file(&name));
        }
        assert!(COMPRESSED.len() <= Files::iter().count());
    }
}
