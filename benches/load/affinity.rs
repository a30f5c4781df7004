//! Who runs on which core.

use std::hint::spin_loop;
use std::process::{Child, Command};

use rustix::process::getppid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// A core of this machine that is somebody's, or several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core(CpuSet);

impl Core {
    /// One for the server and one for the load: the first and the last that we may use.
    pub(crate) fn two() -> [Self; 2] {
        let [first, .., last] = &all()[..] else { panic!("a second core, for the load") };
        [Self::of(&[*first]), Self::of(&[*last])]
    }

    /// Two for the server, and the last for the load. None: we may not use as many.
    pub(crate) fn three() -> Option<[Self; 2]> {
        let [first, second, .., last] = all()[..] else { return None };
        Some([Self::of(&[first, second]), Self::of(&[last])])
    }

    fn of(numbers: &[usize]) -> Self {
        let mut set = CpuSet::new();
        for core in numbers {
            set.set(*core);
        }
        Self(set)
    }

    /// Does this on it, and comes back to where this thread was. What is started on the way stays there.
    pub(crate) fn run<T>(self, on_it: impl FnOnce() -> T) -> T {
        let before = sched_getaffinity(None).expect("Linux says which cores are ours");
        self.stay();
        let done = on_it();
        sched_setaffinity(None, &before).expect("they were ours");
        done
    }

    /// Keeps this thread, and what it starts, on it.
    pub(crate) fn stay(self) {
        sched_setaffinity(None, &self.0).expect("it is one of ours");
    }
}

/// Cores that do not go to sleep when nothing is to be done there. Dropped, they may again.
///
/// A virtual core that sleeps is woken by its host, within microseconds or milliseconds as the host has time: what was
/// measured would be that.
pub(crate) struct Awake(Child);

impl Awake {
    /// By a process that runs only where nobody else would.
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

/// What that process does, for as long as there is who started it.
pub(crate) fn stay_awake() {
    let parent = getppid();
    while getppid() == parent {
        for _ in 0..100_000 {
            spin_loop();
        }
    }
}

/// Those that we may use, by their numbers.
fn all() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("Linux says which cores are ours");
    (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core)).collect()
}
