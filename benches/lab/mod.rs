//! What the benches share: the built program, and clients that trust it.

mod trust;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
pub(crate) use trust::connector;

/// The program under measurement, stopped when it is dropped.
pub(crate) struct Program {
    process: Child,
    /// The port of the page, on 127.0.0.1.
    pub(crate) port: u16,
    folder: tempfile::TempDir,
}

impl Program {
    /// Starts it with these flags, on a free port, without a limit of connections.
    pub(crate) fn start(flags: &[impl AsRef<OsStr>]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the certificate");
        let mut process = Command::new(env!("CARGO_BIN_EXE_entremise"))
            .args(["--listen", "127.0.0.1:0", "--stun-port", "0", "--log", "error"])
            .args(["--max-connections", "0", "--max-connections-per-address", "0", "--connections-per-second", "0"])
            .args(flags)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let port = line.trim_end().trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        Self { process, port: port.expect("a port in the first line"), folder }
    }

    /// The folder of its certificate.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it: it can't say anything any more.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Has it end in order, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), rustix::process::Signal::TERM)
            .expect("it runs");
        while self.process.try_wait().expect("it is ours").is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Its resident memory.
    pub(crate) fn resident_kib(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
