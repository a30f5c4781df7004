//! One's own page: the files of a folder in place of ours (`--page`).

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::{Answer, exchange, read_head};
use crate::program::Program;
use crate::raw::{HANDSHAKE, Raw};
use crate::server::Server;
use crate::within;

const INDEX: &str = "<!doctype html><title>Théâtre</title>";

/// A folder with a page, beside which there are other files.
struct Site {
    place: TempDir,
}

impl Site {
    fn new() -> Self {
        let this = Self { place: tempfile::tempdir().expect("a folder") };
        this.write("index.html", INDEX);
        fs::write(this.place.path().join("secret"), "a secret").expect("writable");
        this
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join("page").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    fn flag(&self) -> String {
        format!("--page={}", self.path("").display())
    }

    fn serve(&self, flags: &[&str]) -> Server {
        Server::start(&[&[&*self.flag()], flags].concat())
    }
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("text")
}

/// Our headers, but none that says what a page may load.
fn assert_has_our_headers_without_a_policy(answer: &Answer, what: &str) {
    assert_eq!(answer.header("content-security-policy"), "", "{what}");
    assert_eq!(answer.header("permissions-policy"), "camera=(self), microphone=(self)", "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
}

#[tokio::test]
async fn the_files_of_the_folder_are_served_as_they_are_instead_of_ours() {
    let site = Site::new();
    let files = [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("sub/a.css", "text/css; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("with space é.png", "image/png"),
        ("what is it", "application/octet-stream"),
        ("empty.js", "text/javascript; charset=utf-8"),
    ];
    for (name, _) in files {
        site.write(name, if name.starts_with("empty") { "" } else { name });
    }
    let server = site.serve(&[]);
    for (name, mime) in files {
        let path = format!("/{}?v=1", name.replace(' ', "%20").replace('é', "%C3%A9"));
        let answer = server.get(&path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, mime), "{name}");
        assert_eq!(text(&answer), if name.starts_with("empty") { "" } else { name });
        assert_eq!(answer.header("cache-control"), "no-cache", "{name}");
        assert_has_our_headers_without_a_policy(&answer, name);
    }
    for path in ["/", "/index.html"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, text(&answer)), (200, INDEX));
        assert_has_our_headers_without_a_policy(&answer, path);
    }
    for path in ["/style.css", "/favicon.svg", "/nothing", "/sub/nothing", "/a.js/", "/a.js/b"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, text(&answer)), (404, "There is nothing here.\n"), "{path}");
        assert_has_our_headers_without_a_policy(&answer, path);
    }
    let answer = server.request("POST", "/", &["Content-Length: 0"]).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
}

#[tokio::test]
async fn our_own_page_keeps_its_policy() {
    let answer = Server::start(&[]).get("/").await;
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
}

#[tokio::test]
async fn an_edited_file_is_seen_at_once_and_an_unchanged_one_is_not_sent_again() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut etags = Vec::new();
    for edition in ["one", "three", "four and more"] {
        site.write("index.html", edition);
        let answer = server.get("/").await;
        assert_eq!(text(&answer), edition);
        assert!(answer.header("last-modified").ends_with(" GMT"));
        let etag = answer.header("etag").to_owned();
        for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let answer = server.request("GET", "/", &[&format!("If-None-Match: {known}")]).await;
            assert_eq!((answer.status, answer.body.len(), answer.header("etag")), (304, 0, &*etag), "{known}");
            assert_eq!(answer.header("cache-control"), "no-cache");
            assert_has_our_headers_without_a_policy(&answer, "304");
        }
        etags.push(etag);
    }
    for etag in &etags[..2] {
        assert_eq!(server.request("GET", "/", &[&format!("If-None-Match: {etag}")]).await.status, 200);
    }
    // The folder itself is another one.
    fs::rename(site.path(""), site.place.path().join("old")).expect("writable");
    assert_eq!(server.get("/").await.status, 404);
    site.write("index.html", "anew");
    assert_eq!(text(&server.get("/").await), "anew");
}

#[tokio::test]
async fn a_part_of_a_file_is_given_where_it_is_asked_for() {
    let site = Site::new();
    site.write("film.webm", "0123456789");
    let server = site.serve(&[]);
    let part = async |headers: &[&str]| {
        let answer = server.request("GET", "/film.webm", headers).await;
        (answer.status, text(&answer).to_owned(), answer.header("content-range").to_owned())
    };
    let whole = || (200, "0123456789".to_owned(), String::new());
    for (range, text, of) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=3-5", "345", "bytes 3-5/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
        ("BYTES=8-9", "89", "bytes 8-9/10"),
    ] {
        assert_eq!(part(&[&format!("Range: {range}")]).await, (206, text.to_owned(), of.to_owned()), "{range}");
    }
    for range in ["bytes=10-", "bytes=5-3", "bytes=-0"] {
        let (status, _, of) = part(&[&format!("Range: {range}")]).await;
        assert_eq!((status, &*of), (416, "bytes */10"), "{range}");
    }
    for range in ["lines=1-2", "bytes=0-1,4-5", "bytes=-11", "bytes=-99999"] {
        assert_eq!(part(&[&format!("Range: {range}")]).await, whole(), "{range}");
    }
    let answer = server.get("/film.webm").await;
    let (etag, date) = (answer.header("etag").to_owned(), answer.header("last-modified").to_owned());
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(part(&["Range: bytes=3-5", &format!("If-Range: {etag}")]).await.0, 206);
    for other in ["\"other\"".to_owned(), format!("W/{etag}"), date] {
        for range in ["bytes=3-5", "bytes=10-"] {
            assert_eq!(part(&[&format!("Range: {range}"), &format!("If-Range: {other}")]).await, whole(), "{other}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let site = Site::new();
    let server = site.serve(&[]);
    let mut tls = server.tls().await;
    for (path, headers) in [("/", &[][..]), ("/index.html", &["Range: bytes=0-3"]), ("/nothing", &[])] {
        let head = exchange(&mut tls, &server.head("HEAD", path, headers)).await;
        // On the same connection: a body would be taken for the next answer.
        let get = exchange(&mut tls, &server.head("GET", path, &[])).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        for name in ["content-length", "content-type", "etag", "last-modified", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn a_folder_is_its_index_and_never_a_list() {
    let site = Site::new();
    site.write("tutorial/index.html", "the tutorial");
    site.write("tutorial/a:b/index.html", "deeper");
    site.write("bare/a.txt", "a");
    for base in ["", "/signal"] {
        let server = site.serve(&[&format!("--base-path={base}/")]);
        let get = async |path: &str| server.get(&format!("{base}{path}")).await;
        assert_eq!(text(&get("/tutorial/").await), "the tutorial");
        // Relative: a proxy may have taken away the base path, or a part of it.
        for (path, location) in
            [("/tutorial", "./tutorial/"), ("/tutorial?room=1", "./tutorial/?room=1"), ("/tutorial/a:b", "./a:b/")]
        {
            let answer = get(path).await;
            assert_eq!((answer.status, answer.header("location")), (307, location));
            assert_has_our_headers_without_a_policy(&answer, path);
        }
        assert_eq!(text(&get("/bare/a.txt").await), "a");
        assert_eq!(get("/bare/").await.status, 404);
    }
    assert_eq!(site.serve(&[]).get("//tutorial").await.status, 404, "a redirect there would lead to another host");
    fs::remove_file(site.path("index.html")).expect("it is there");
    let answer = site.serve(&[]).get("/").await;
    assert_eq!((answer.status, text(&answer)), (404, "The folder of --page has no index.html.\n"));
}

#[tokio::test]
async fn no_way_leads_out_of_the_folder_nor_to_a_name_with_a_dot() {
    let site = Site::new();
    let outside = site.place.path().join("outside");
    fs::create_dir(&outside).expect("writable");
    fs::write(outside.join("secret"), "a secret").expect("writable");
    site.write(".env", "a secret");
    site.write(".git/config", "a secret");
    site.write("sub/.hidden/a", "a secret");
    site.write("sub/a.txt", "inside");
    let link = |to: &Path, name: &str| symlink(to, site.path(name)).expect("writable");
    link(Path::new("../secret"), "out");
    link(Path::new("../../secret"), "sub/out");
    link(&site.place.path().join("secret"), "absolute");
    link(&outside, "away");
    link(Path::new("../outside"), "away-too");
    link(Path::new("out"), "twice");
    link(Path::new("/etc/passwd"), "passwd");
    link(Path::new("/proc/self"), "proc");
    link(Path::new("nowhere"), "dangling");
    link(Path::new("sub/../../page/../secret"), "around");
    let server = site.serve(&[]);
    let paths = [
        "/out",
        "/sub/out",
        "/absolute",
        "/away/secret",
        "/away/",
        "/away",
        "/away-too/secret",
        "/twice",
        "/passwd",
        "/proc/environ",
        "/proc/root/etc/passwd",
        "/dangling",
        "/around",
        "/../secret",
        "/%2e%2e/secret",
        "/%2E%2E%2Fsecret",
        "/..%2fsecret",
        "/sub/../../secret",
        "/sub/..%2f..%2fsecret",
        "/..\\secret",
        "/%5c..%5csecret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/.%2e/secret",
        "/%252e%252e/secret",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/.git/",
        "/.git",
        "/sub/.hidden/a",
        "/./index.html",
        "/sub/..",
        "/index.html%00",
        "/index.html%00.txt",
        "/%00",
        "/sub%2fa.txt",
        "/sub//a.txt",
        "/%ff",
        "/etc/passwd",
    ];
    for path in paths {
        let answer = server.get(path).await;
        assert_eq!((answer.status, text(&answer)), (404, "There is nothing here.\n"), "{path}");
    }
    let long = format!("/{}", "a".repeat(5000));
    assert_eq!(server.get(&long).await.status, 404, "a name longer than there can be");
    // A link that stays inside is as good as a file.
    link(Path::new("../sub/a.txt"), "sub/inside");
    link(Path::new("sub"), "other");
    assert_eq!(text(&server.get("/sub/inside").await), "inside");
    assert_eq!(text(&server.get("/other/a.txt").await), "inside");
}

#[tokio::test]
async fn what_is_no_file_is_not_there_and_never_waited_for() {
    let site = Site::new();
    let make = |name: &str, kind: FileType, device| {
        mknodat(CWD, site.path(name), kind, Mode::RUSR | Mode::WUSR, device).is_ok()
    };
    assert!(make("pipe", FileType::Fifo, 0), "a pipe can be made");
    // /dev/zero; only root may.
    let _ = make("device", FileType::CharacterDevice, rustix::fs::makedev(1, 5));
    let _socket = UnixListener::bind(site.path("socket")).expect("writable");
    fs::create_dir(site.path("index")).expect("writable");
    symlink("../pipe", site.path("index/index.html")).expect("writable");
    let server = site.serve(&[]);
    let mut tls = server.tls().await;
    for method in ["GET", "HEAD"] {
        for path in ["/pipe", "/device", "/socket", "/index/"] {
            // More often than there are threads for the disk.
            for _ in 0..20 {
                assert_eq!(exchange(&mut tls, &server.head(method, path, &[])).await.status, 404, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_an_error_without_its_path() {
    let site = Site::new();
    symlink("loop", site.path("loop")).expect("writable");
    let server = site.serve(&[]);
    let answer = server.get("/loop").await;
    assert_eq!((answer.status, text(&answer)), (500, "This file can't be read.\n"));
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn what_is_ours_stays_ours_whatever_is_in_the_folder() {
    let site = Site::new();
    for name in ["ws", "ice", "healthz", "readyz"] {
        site.write(name, "the operator's");
    }
    site.write("js/mine.js", "mine");
    let server = site.serve(&[]);
    assert_eq!(server.get("/ws").await.status, 426);
    assert!(text(&server.get("/ice").await).contains("iceServers"));
    assert_eq!((text(&server.get("/healthz").await), text(&server.get("/readyz").await)), ("ok\n", "ok\n"));
    let mut tls = server.tls().await;
    tls.write_all(server.head("GET", "/ws", &HANDSHAKE).as_bytes()).await.expect("the server reads");
    Raw::welcomed(tls).await;

    let ours = server.get("/js/client.js").await;
    assert_eq!((ours.status, ours.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(ours.body, Server::start(&[]).get("/js/client.js").await.body);
    assert_eq!(text(&server.get("/js/mine.js").await), "mine");
    assert_eq!(server.get("/js/nothing.js").await.status, 404);
    site.write("js/client.js", "another client");
    assert_eq!(text(&server.get("/js/client.js").await), "another client");
}

#[tokio::test]
async fn socket_io_s_client_is_the_folder_s_or_a_hint() {
    let site = Site::new();
    let server = site.serve(&[]);
    let without = Server::start(&[]);
    for name in ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js.map", "socket.io.msgpack.min.js"] {
        let path = format!("/socket.io/{name}");
        for answer in [server.get(&path).await, without.get(&path).await] {
            assert_eq!((answer.status, text(&answer).lines().count()), (404, 2));
            assert!(text(&answer).contains(&format!("dist/{name} of")) && text(&answer).contains("--page"), "{name}");
        }
        site.write(&path[1..], "io");
        assert_eq!(text(&server.get(&path).await), "io");
    }
    assert_eq!(text(&server.get("/socket.io/other.js").await), "There is nothing here.\n");
}

#[tokio::test]
async fn a_large_file_arrives_whole_and_one_that_shrinks_or_is_replaced_meanwhile_is_a_cut() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    site.write("large", &bytes);
    let server = site.serve(&[]);
    assert!(server.get("/large").await.body == bytes);
    let part = server.request("GET", "/large", &["Range: bytes=1000000-2999999"]).await;
    assert!(part.body == bytes[1_000_000..]);

    let huge = site.path("huge");
    let make = || File::create(&huge).and_then(|huge| huge.set_len(1 << 30)).expect("a sparse file");
    let shrink = || File::create(&huge).map(drop).expect("writable");
    let replace = || {
        fs::remove_file(&huge).expect("it is there");
        site.write("huge", &bytes);
    };
    for change in [&shrink as &dyn Fn(), &replace] {
        make();
        let mut tls = server.narrow_tls().await;
        tls.write_all(server.head("GET", "/huge", &[]).as_bytes()).await.expect("the server reads");
        let head = read_head(&mut tls).await.expect("an answer");
        assert!(head.contains("content-length: 1073741824\r\n"), "{head}");
        change();
        let (mut rest, mut count) = (vec![0; 1 << 16], 0);
        let ended = async {
            while let Ok(more @ 1..) = tls.read(&mut rest).await {
                count += more;
            }
        };
        within("the connection's end", ended).await;
        assert!(count < 1 << 27, "{count}");
    }
    assert_eq!(server.get("/").await.status, 200);
}

#[tokio::test]
async fn clients_that_do_not_read_a_huge_file_hold_little_and_are_ended() {
    // So many that the 5 MB which serving files takes once, however many clients there are, count little.
    const CLIENTS: u64 = 160;
    let site = Site::new();
    let mut huge = File::create(site.path("huge")).expect("writable");
    huge.write_all(b"x").and_then(|()| huge.set_len(4 << 30)).expect("a sparse file");
    let program = Program::start(&[&site.flag(), "--write-timeout=2"]).await;
    assert_eq!(program.get("/").await.status, 200);
    let (before, files) = (program.resident_bytes(), program.files());
    let mut stalled = Vec::new();
    for _ in 0..CLIENTS {
        let mut tls = program.narrow_tls().await;
        tls.write_all(program.head("GET", "/huge", &[]).as_bytes()).await.expect("the server reads");
        read_head(&mut tls).await.expect("an answer");
        stalled.push(tls);
    }
    // Others are served meanwhile.
    assert_eq!(program.get("/").await.status, 200);
    let ended = async {
        while program.files() > files {
            program.get("/").await;
        }
    };
    within("the connections' end", ended).await;
    let grown = program.most_resident_bytes().saturating_sub(before);
    assert!(grown < CLIENTS * 256 * 1024, "{grown} for {CLIENTS} clients");
}

#[tokio::test]
async fn a_download_that_has_begun_does_not_hold_up_the_end() {
    let site = Site::new();
    File::create(site.path("huge")).and_then(|huge| huge.set_len(1 << 30)).expect("a sparse file");
    let server = site.serve(&["--drain-timeout=1", "--write-timeout=60"]);
    let mut tls = server.narrow_tls().await;
    tls.write_all(server.head("GET", "/huge", &[]).as_bytes()).await.expect("the server reads");
    read_head(&mut tls).await.expect("an answer");
    let drained = tokio::time::timeout(Duration::from_secs(15), server.drained()).await;
    assert!(drained.is_ok(), "the drain's deadline counts");
}
