//! The built program, as an operator runs it.

use std::ffi::OsStr;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::ops::Deref;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use crate::pair::Pair;
use crate::server::Site;
use crate::within;

const BINARY: &str = env!("CARGO_BIN_EXE_entremise");

/// A program that serves. It is killed when it is dropped.
pub(crate) struct Program {
    child: Child,
    site: Site,
    stdout: BufReader<ChildStdout>,
    /// What it has printed about where it is.
    pub(crate) first_line: String,
    log: NamedTempFile,
    /// Kept as long as it is served.
    #[expect(dead_code, reason = "its files go when it is dropped")]
    pair: Option<Pair>,
}

/// What a program that has ended leaves behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program with these flags, in a folder, without the settings of the shell that runs the tests.
pub(crate) fn command(folder: &Path, flags: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(flags);
    settle(&mut command, folder);
    command
}

/// The same, where it may have no more than this many files open.
pub(crate) fn command_with_files(folder: &Path, files: u32, flags: &[impl AsRef<OsStr>]) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {files}; exec \"$0\" \"$@\"")).arg(BINARY).args(flags);
    settle(&mut command, folder);
    command
}

/// A shell script in the program's place, with the program's settings.
pub(crate) fn shell(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(script);
    settle(&mut command, folder);
    command
}

fn settle(command: &mut Command, folder: &Path) {
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ENTREMISE_")) {
        command.env_remove(name);
    }
    // So few that no usual limit of open files is worth a warning.
    command.env("ENTREMISE_MAX_CONNECTIONS", "100");
    // The usual port is not for tests, of which many run at once.
    command.env("ENTREMISE_STUN_PORT", "0");
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
}

/// Runs a program that ends by itself.
pub(crate) async fn run(mut command: Command) -> Ended {
    let output = within("the program to end", command.output()).await.expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Program {
    /// With these flags besides a free port and a pair of its own.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        Self::start_with(Pair::new(), flags, |_| {}).await
    }

    pub(crate) async fn start_with(pair: Pair, flags: &[&str], change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut command = command(folder.path(), &all_flags(&pair, flags));
        change(&mut command);
        Self::spawn(command, pair).await
    }

    /// With no more than this many files open.
    pub(crate) async fn start_with_files(files: u32, flags: &[&str]) -> Self {
        let (folder, pair) = (tempfile::tempdir().expect("a folder can be made"), Pair::new());
        Self::spawn(command_with_files(folder.path(), files, &all_flags(&pair, flags)), pair).await
    }

    async fn spawn(command: Command, pair: Pair) -> Self {
        let root = pair.root.clone();
        Self { pair: Some(pair), ..Self::serve(command, || root).await }
    }

    /// Starts a program that serves a certificate which is known once it runs.
    pub(crate) async fn serve(command: Command, root: impl FnOnce() -> CertificateDer<'static>) -> Self {
        let log = NamedTempFile::new().expect("a file can be made");
        let stderr = log.reopen().expect("it is there");
        Self::serve_and_log(command, root, log, stderr.into()).await
    }

    /// With these flags, and a log that goes nowhere.
    pub(crate) async fn start_unheard(stderr: impl Into<Stdio>, flags: &[&str]) -> Self {
        let (folder, pair) = (tempfile::tempdir().expect("a folder can be made"), Pair::new());
        let (command, root) = (command(folder.path(), &all_flags(&pair, flags)), pair.root.clone());
        let log = NamedTempFile::new().expect("a file can be made");
        Self { pair: Some(pair), ..Self::serve_and_log(command, || root, log, stderr.into()).await }
    }

    async fn serve_and_log(
        mut command: Command,
        root: impl FnOnce() -> CertificateDer<'static>,
        log: NamedTempFile,
        stderr: Stdio,
    ) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().expect("the program starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first_line = String::new();
        within("the program to say where it is", stdout.read_line(&mut first_line)).await.expect("text");
        let url = first_line.split_whitespace().last().unwrap_or_default();
        let address = url.split_once("://").and_then(|(_, rest)| rest.split('/').next());
        let address = address.map(|address| address.replace("localhost", "127.0.0.1").parse());
        let Some(Ok(address)) = address else { panic!("{first_line}{}", text_of(&log)) };
        Self { child, site: Site::new(address, &root()), stdout, first_line, log, pair: None }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it has not been waited for");
        let pid = Pid::from_raw(pid.try_into().expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("it is ours");
    }

    /// What it has logged until now.
    pub(crate) fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Waits until it has logged this many times what has these words: the log is written by a thread of its own.
    pub(crate) async fn logs(&self, words: &str, times: usize) {
        let logged = async {
            while self.log().matches(words).count() < times {
                tokio::task::yield_now().await;
            }
        };
        within(words, logged).await;
    }

    /// How many files it has open.
    pub(crate) fn files(&self) -> usize {
        let pid = self.child.id().expect("it has not been waited for");
        fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
    }

    /// How many bytes of memory it occupies.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_bytes("VmRSS:")
    }

    /// … and at most did, until now.
    pub(crate) fn most_resident_bytes(&self) -> u64 {
        self.status_bytes("VmHWM:")
    }

    /// How many of them it has allocated: without the pages of its code, of which now these and now those are read.
    pub(crate) fn anonymous_bytes(&self) -> u64 {
        self.status_bytes("RssAnon:")
    }

    fn status_bytes(&self, field: &str) -> u64 {
        let pid = self.child.id().expect("it has not been waited for");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("Linux tells it");
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Ended {
        let status = within("the program to end", self.child.wait()).await.expect("it is ours");
        let mut stdout = self.first_line.clone();
        self.stdout.read_to_string(&mut stdout).await.expect("text");
        Ended { status, stdout, stderr: self.log() }
    }
}

impl Deref for Program {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

fn all_flags(pair: &Pair, flags: &[&str]) -> Vec<String> {
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    ["--listen=127.0.0.1:0".to_owned()].into_iter().chain(pair.flags()).chain(flags).collect()
}

fn text_of(log: &NamedTempFile) -> String {
    fs::read_to_string(log.path()).expect("a log of text")
}

/// A port that is free, and that no other test is given: below those that the system gives to connections.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).expect("it is small");
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    ports.find(is_free).expect("there are many")
}

/// A program that has the STUN port of the flag that it is started with, and the port.
pub(crate) async fn on_free_port(start: impl AsyncFn(&str) -> Program) -> (Program, u16) {
    loop {
        // Free now, but another test may take it before the program does: then it says so, and is started again.
        let free = UdpSocket::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free");
        let program = start(&format!("--stun-port={}", free.port())).await;
        if !program.log().contains("in use") {
            return (program, free.port());
        }
    }
}
