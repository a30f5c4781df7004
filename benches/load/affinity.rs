//! Which process runs on which core.

use std::hint::spin_loop;
use std::process::{Child, Command};

use rustix::process::getppid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A core of this machine, or several, for one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core(CpuSet);

impl Core {
    /// One for the server and one for the load: the first and the last that this process may use.
    pub(crate) fn two() -> [Self; 2] {
        let [first, .., last] = &all()[..] else { panic!("a second core, for the load") };
        [Self::of(&[*first]), Self::of(&[*last])]
    }

    /// Two for the server, and the last for the load. None: this process may not use as many.
    pub(crate) fn three() -> Option<[Self; 2]> {
        let [first, second, .., last] = all()[..] else { return None };
        Some([Self::of(&[first, second]), Self::of(&[last])])
    }

    /// All for either: they share them.
    pub(crate) fn both() -> [Self; 2] {
        [Self::of(&all()); 2]
    }

    fn of(numbers: &[usize]) -> Self {
        let mut set = CpuSet::new();
        for core in numbers {
            set.set(*core);
        }
        Self(set)
    }

    /// Runs this on the core, and then sets this thread's cores as they were. A process that it starts stays on the core.
    pub(crate) fn run<T>(self, on_it: impl FnOnce() -> T) -> T {
        let before = sched_getaffinity(None).expect("Linux says which cores are ours");
        self.stay();
        let done = on_it();
        sched_setaffinity(None, &before).expect("they were ours");
        done
    }

    /// Keeps this thread, and the processes that it starts, on the core.
    pub(crate) fn stay(self) {
        sched_setaffinity(None, &self.0).expect("it is one of ours");
    }
}

/// Keeps a core from sleeping while it is idle, until it is dropped.
///
/// A virtual core that sleeps is woken by its host, within microseconds or milliseconds as the host has time, and this
/// delay would be measured too.
pub(crate) struct Awake(Child);

impl Awake {
    /// Starts a process that runs only while no other process wants the core.
    pub(crate) fn keep(core: Core) -> Self {
        let this = std::env::current_exe().expect("this program");
        let mut command = Command::new("chrt");
        command.args(["--idle", "0"]).arg(this).arg("awake");
        Self(core.run(|| command.spawn()).expect("chrt, of util-linux, starts"))
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The loop of that process, for as long as its parent lives.
pub(crate) fn stay_awake() {
    let parent = getppid();
    while getppid() == parent {
        for _ in 0..100_000 {
            spin_loop();
        }
    }
}

/// The numbers of the cores that this process may use.
fn all() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("Linux says which cores are ours");
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}
