//! A server's process, and its CPU time and memory.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::affinity::Core;
use crate::pair::Pair;
use crate::rival::Rival;
use crate::site::Site;

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// A server that runs. It is stopped when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) site: Site,
    /// Processes whose time counts as its own: other nodes of the same service.
    also: Vec<u32>,
}

impl Server {
    /// Starts it on this core.
    pub(crate) fn start(rival: &'static dyn Rival, pair: &Pair, core: Core) -> Self {
        let port = free_port();
        let mut command = rival.command(pair, port);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = core.run(|| command.spawn()).unwrap_or_else(|error| panic!("{} starts: {error}", rival.name()));
        // Built before the wait, so that the process is stopped if it never answers.
        let server = Self { process, site: Site { rival, port, connector: pair.connector() }, also: Vec::new() };
        let deadline = Instant::now() + START;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < deadline, "{} listens within {START:?}", rival.name());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Another node of the same service, whose time counts as this one's from now on.
    pub(crate) fn count(&mut self, other: &Self) {
        self.also.push(other.id());
    }

    /// The CPU time that the process has used, in its own code and in the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        self.of_all_threads(0)
    }

    /// The CPU time that the process has used since then.
    pub(crate) fn cpu_since(&self, before: Duration) -> Duration {
        self.cpu().saturating_sub(before)
    }

    /// How long the process's threads were ready to run and had no core.
    pub(crate) fn waited(&self) -> Duration {
        self.of_all_threads(1)
    }

    fn of_all_threads(&self, field: usize) -> Duration {
        self.also.iter().map(|other| of_all_threads(*other, field)).sum::<Duration>() + of_all_threads(self.id(), field)
    }

    /// Its resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u32 {
        resident_kib_of(self.id())
    }
}

/// A process's resident memory, in KiB.
pub(crate) fn resident_kib_of(process: u32) -> u32 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number of kB")
}

/// The CPU time that a process has used.
pub(crate) fn cpu_of(process: u32) -> Duration {
    of_all_threads(process, 0)
}

/// A field of each thread's schedstat, in nanoseconds: the time on a core, the time without one. No server here ends
/// threads, and `stat` has only hundredths of a second.
fn of_all_threads(process: u32, field: usize) -> Duration {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("Linux");
    let times = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        stat.split(' ').nth(field)?.parse::<u64>().ok()
    });
    Duration::from_nanos(times.sum())
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
