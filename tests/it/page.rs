//! The page's files, and what HTTP says of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::http::{Answer, exchange};
use crate::server::Server;

const STATIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/static");

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the page's folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn mime(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        other => panic!("no test knows the MIME type of {other:?}"),
    }
}

/// The headers that hold for every answer.
fn assert_secure(answer: &Answer) {
    let csp = answer.header("content-security-policy");
    assert!(csp.starts_with("default-src 'none'") && !csp.contains("unsafe"), "{csp}");
    assert!(csp.contains("frame-ancestors 'none'"), "{csp}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("permissions-policy"), "camera=(self), microphone=(self)");
}

#[tokio::test]
async fn every_file_of_the_page_is_served_as_it_is_with_its_mime_type() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    let all = files(Path::new(STATIC));
    assert!(all.len() > 5);
    for file in all {
        let path = file.strip_prefix(STATIC).expect("it is in there").to_str().expect("a name of text");
        let answer = exchange(&mut tls, &server.head("GET", &format!("/{path}"), &[])).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body == fs::read(&file).expect("it can be read"), "{path}");
        assert_eq!(answer.header("content-type"), mime(path), "{path}");
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        let is_module = path.starts_with("js/");
        assert_eq!(answer.header("access-control-allow-origin"), if is_module { "*" } else { "" }, "{path}");
        assert_secure(&answer);
    }
}

#[tokio::test]
async fn the_root_is_the_page() {
    let server = Server::start(&[]);
    let (root, index) = (server.get("/").await, server.get("/index.html").await);
    assert_eq!((root.status, root.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(root.body, index.body);
    assert_eq!(server.get("/?x=1").await.body, index.body);
}

#[tokio::test]
async fn a_file_that_the_browser_has_is_not_sent_again() {
    let server = Server::start(&[]);
    let etag = server.get("/").await.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 16, "{etag}");
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let answer = server.request("GET", "/", &[&format!("If-None-Match: {known}")]).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{known}");
        assert_eq!((answer.header("etag"), answer.header("cache-control")), (&*etag, "no-cache"), "{known}");
    }
    let answer = server.request("GET", "/", &["If-None-Match: \"other\""]).await;
    assert_eq!((answer.status, answer.header("etag")), (200, &*etag));
    assert_ne!(server.get("/js/client.js").await.header("etag"), etag, "two files are two tags");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    for path in ["/", "/js/client.js"] {
        let head = exchange(&mut tls, &server.head("HEAD", path, &[])).await;
        // On the same connection: a body would be taken for the next answer.
        let get = exchange(&mut tls, &server.head("GET", path, &[])).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        for name in ["content-length", "content-type", "etag", "access-control-allow-origin"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_not_allowed_405() {
    let server = Server::start(&[]);
    for path in
        ["/nothing", "/js", "/js/", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/js/../../Cargo.toml", "/index.html/"]
    {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_secure(&answer);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = server.request(method, "/", &["Content-Length: 0"]).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
        assert_secure(&answer);
    }
}

#[tokio::test]
async fn refusals_of_a_websocket_are_secure_too() {
    let server = Server::start(&[]);
    assert_secure(&server.get("/ws").await);
}
