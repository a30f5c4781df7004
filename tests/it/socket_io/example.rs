//! The example that the protocols' own suites can be aimed at: that it starts as the documents say, and does what its flags say.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::within;

/// The example while it serves.
struct Echo {
    process: Child,
    port: u16,
}

impl Drop for Echo {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Echo {
    /// The command of the documents with another port; what stands before its `--` builds and finds the program.
    async fn start(command: &str) -> Self {
        let (_, flags) = command.split_once(" -- ").expect("flags");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let mut start = Command::new(program());
        start.args(flags.split(' ')).args(["--port", &port.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
        let echo = Self { process: start.spawn().expect("the example starts"), port };
        within("the example to listen", async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        echo
    }

    async fn request(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        within("an answer", stream.read_to_string(&mut answer)).await.expect("text");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        body.to_owned()
    }
}

/// Built anew where a test is run alone: `cargo test` as a whole has built it.
fn program() -> PathBuf {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", "engine_io_echo"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().expect("cargo").success());
    let here = std::env::current_exe().expect("this program");
    here.parent().and_then(|folder| folder.parent()).expect("a folder").join("examples/engine_io_echo")
}

/// The commands of docs/dialects.md.
fn commands() -> Vec<&'static str> {
    let text = include_str!("../../../docs/dialects.md");
    text.lines().filter(|line| line.starts_with("cargo run --example engine_io_echo")).collect()
}

#[tokio::test]
async fn the_example_for_suites_echoes_as_its_flags_say() {
    let [engine_io, socket_io] = commands()[..] else { panic!("the documents show two commands") };
    for (command, path, said, heard) in [
        (engine_io, "/engine.io/?EIO=4&transport=polling", "4hello", "4hello"),
        (socket_io, "/socket.io/?EIO=4&transport=polling", "40/custom,", "40/custom,{\"sid\":"),
    ] {
        let echo = Echo::start(command).await;
        let open = echo.request("GET", path, "").await;
        assert!(open.starts_with("0{") && open.contains(r#""pingInterval":300,"pingTimeout":200"#), "{open}");
        let sid = open.split('"').nth(3).expect("a session's id");
        let path = format!("{path}&sid={sid}");
        assert_eq!(echo.request("POST", &path, said).await, "ok");
        let polled = echo.request("GET", &path, "").await;
        assert!(polled.contains(heard), "{polled}");
    }
}
