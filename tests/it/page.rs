//! The page's files, and what HTTP says of them.

use std::collections::BTreeSet;
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

/// All files of the page, by their paths.
fn names() -> Vec<(String, Vec<u8>)> {
    let name = |file: &Path| file.strip_prefix(STATIC).expect("it is in there").to_str().expect("text").to_owned();
    files(Path::new(STATIC)).iter().map(|file| (name(file), fs::read(file).expect("it can be read"))).collect()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    brotli::BrotliDecompress(&mut &*bytes, &mut plain).expect("Brotli");
    plain
}

/// How many bytes a release makes of it: it takes the time for Brotli's best quality, which is the default.
fn packed(mut plain: &[u8]) -> usize {
    let mut bytes = Vec::new();
    brotli::BrotliCompress(&mut plain, &mut bytes, &brotli::enc::BrotliEncoderParams::default()).expect("Brotli");
    bytes.len()
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
async fn every_file_of_the_page_is_sent_compressed_to_a_client_that_takes_it_so() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    for (path, file) in names() {
        let path = format!("/{path}");
        let plain = exchange(&mut tls, &server.head("GET", &path, &[])).await;
        let get = exchange(&mut tls, &server.head("GET", &path, &["Accept-Encoding: br, deflate, gzip, zstd"])).await;
        let head = exchange(&mut tls, &server.head("HEAD", &path, &["Accept-Encoding: br"])).await;
        let is_text = get.header("content-type").starts_with("text/") || get.header("content-type") == "image/svg+xml";
        if !is_text {
            assert!(get.header("content-encoding").is_empty() && get.body == file, "{path} is compressed already");
            continue;
        }
        assert_eq!((get.status, get.header("content-encoding")), (200, "br"), "{path}");
        assert!(get.body.len() < file.len() && unpacked(&get.body) == file, "{path}");
        assert_secure(&get);
        for name in
            ["content-length", "content-type", "content-encoding", "etag", "vary", "access-control-allow-origin"]
        {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
        assert_eq!((plain.header("content-encoding"), plain.header("content-type")), ("", get.header("content-type")));
        assert_eq!((plain.header("vary"), get.header("vary")), ("accept-encoding", "accept-encoding"), "{path}");
        assert_ne!(plain.header("etag"), get.header("etag"), "{path}: other bytes are another strong tag");
    }
}

#[tokio::test]
async fn a_coding_that_a_client_does_not_take_is_not_sent_to_it() {
    let server = Server::start(&[]);
    for (wish, coding) in [
        ("br;q=0", ""),
        ("br;q=0, *", ""),
        ("gzip", ""),
        ("identity;q=0", ""),
        ("br;q=0.1, identity", ""),
        ("*", "br"),
        ("*;q=0.5, identity;q=0", "br"),
        ("gzip;q=1, BR;q=0.2", "br"),
    ] {
        let answer = server.request("GET", "/", &[&format!("Accept-Encoding: {wish}")]).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, coding), "{wish}");
    }
    let lines = ["Accept-Encoding: gzip", "Accept-Encoding: br"];
    assert_eq!(server.request("GET", "/", &lines).await.header("content-encoding"), "br");
}

#[tokio::test]
async fn a_compressed_file_that_the_browser_has_is_not_sent_again_and_is_not_taken_for_the_plain_one() {
    let server = Server::start(&[]);
    let plain = server.get("/").await.header("etag").to_owned();
    let br = server.request("GET", "/", &["Accept-Encoding: br"]).await.header("etag").to_owned();
    for (known, wish, status) in
        [(&br, "br", 304), (&br, "identity", 200), (&plain, "br", 200), (&plain, "identity", 304)]
    {
        let headers = [format!("If-None-Match: {known}"), format!("Accept-Encoding: {wish}")];
        let answer = server.request("GET", "/", &headers.each_ref().map(String::as_str)).await;
        let etag = if wish == "br" { &br } else { &plain };
        assert_eq!((answer.status, answer.header("etag")), (status, &**etag), "{known} and {wish}");
        assert_eq!((answer.header("vary"), answer.header("cache-control")), ("accept-encoding", "no-cache"));
        assert_eq!(answer.body.is_empty(), status == 304);
        assert!(status == 200 || answer.header("content-encoding").is_empty(), "there is nothing that has a coding");
    }
}

/// What a page's text loads besides itself: attributes of HTML, imports of modules. What JSDoc alone imports is not loaded.
fn loaded(path: &str, text: &str) -> BTreeSet<String> {
    let quoted = |line: &str, before: &str, quote| -> Vec<String> {
        line.split(before).skip(1).filter_map(|rest| rest.split(quote).next()).map(str::to_owned).collect()
    };
    let of_line = |line: &str| match path.rsplit_once('.') {
        Some((_, "html")) => [quoted(line, " href=\"", '"'), quoted(line, " src=\"", '"')].concat(),
        Some((_, "js")) if !line.trim_start().starts_with(['/', '*']) => {
            [quoted(line, " from '", '\''), quoted(line, "import '", '\''), quoted(line, "import('", '\'')].concat()
        }
        _ => Vec::new(),
    };
    let is_ours = |link: &String| !link.is_empty() && !link.starts_with('#') && !link.contains(':');
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    text.lines().flat_map(of_line).filter(is_ours).map(|link| joined(folder, &link)).collect()
}

/// `page/../call.js` in the folder `js` is `js/call.js`.
fn joined(folder: &str, link: &str) -> String {
    let mut parts = Vec::new();
    for part in folder.split('/').chain(link.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().expect("it stays on the page")),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Our promise to a phone on a slow network.
const MOST: usize = 150 * 1024;

#[tokio::test]
async fn the_page_and_all_that_it_loads_stay_under_150_kilobytes_as_a_release_sends_them() {
    let server = Server::start(&[]);
    let mut tls = server.tls().await;
    let mut open = vec!["index.html".to_owned()];
    let mut sizes = Vec::new();
    let mut seen = BTreeSet::new();
    while let Some(path) = open.pop() {
        // The tutorial is another page, to which a link leads.
        if path.starts_with("learn") || !seen.insert(path.clone()) {
            continue;
        }
        let answer = exchange(&mut tls, &server.head("GET", &format!("/{path}"), &["Accept-Encoding: br"])).await;
        assert_eq!((answer.status, answer.header("content-encoding")), (200, "br"), "{path}");
        let text = unpacked(&answer.body);
        sizes.push((packed(&text), path.clone()));
        open.extend(loaded(&path, &String::from_utf8(text).expect("text")));
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let whole: usize = sizes.iter().map(|(size, _)| size).sum();
    println!("the page is {whole} bytes in {} files; the largest: {:?}", sizes.len(), &sizes[..5]);
    for path in ["style.css", "favicon.svg", "js/app.js", "js/client.js", "js/protocol.js"] {
        assert!(seen.contains(path), "{path} was not found: {seen:?}");
    }
    assert!(whole < MOST, "{whole} bytes: {sizes:?}");
}

#[test]
fn what_a_page_loads_is_found_in_its_text() {
    let html = "<link href=\"style.css\"> <a href=\"#\">\n<use href=\"#icon\"/><script src=\"js/app.js\"> <a href=\"https://x.example\">";
    assert_eq!(loaded("index.html", html).into_iter().collect::<Vec<_>>(), ["js/app.js", "style.css"]);
    let js = "/** @import { A } from './a.js' */\n * import('./b.js')\nimport {\n  C,\n} from '../c.js';\nimport './d.js';\n\
              const e = await import('./e/f.js');\nexport { G } from './g.js';";
    let found: Vec<_> = loaded("js/page/x.js", js).into_iter().collect();
    assert_eq!(found, ["js/c.js", "js/page/d.js", "js/page/e/f.js", "js/page/g.js"]);
}

#[tokio::test]
async fn a_folder_of_the_page_is_its_index_and_its_pages_need_no_suffix() {
    for base in ["", "/signal"] {
        let server = Server::start(&[&format!("--base-path={base}")]);
        let is_document = |path: &str| Path::new(path).extension().is_some_and(|suffix| suffix == "html");
        for (path, file) in names().into_iter().filter(|(path, _)| path.contains('/') && is_document(path)) {
            let (folder, name) = path.rsplit_once('/').expect("a folder");
            let plain = if name == "index.html" { format!("{folder}/") } else { path.replace(".html", "") };
            for path in [&plain, &path] {
                let answer = server.get(&format!("{base}/{path}")).await;
                assert_eq!((answer.status, answer.header("content-type")), (200, mime(".html")), "{base}/{path}");
                assert!(answer.body == file, "{base}/{path}");
                assert_secure(&answer);
            }
            if name == "index.html" {
                let answer = server.get(&format!("{base}/{folder}?a=1")).await;
                let last = folder.rsplit('/').next().expect("a name");
                // Relative: whatever a proxy has put before it stays there.
                assert_eq!(
                    (answer.status, answer.header("location")),
                    (308, &*format!("./{last}/?a=1")),
                    "{base}/{folder}"
                );
                assert_secure(&answer);
                let post = server.request("POST", &format!("{base}/{folder}"), &["Content-Length: 0"]).await;
                assert_eq!((post.status, post.header("allow")), (405, "GET, HEAD"), "{base}/{folder}");
            }
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
